"""Running claims: evidence is gathered, rules judge it, and a record of each is kept."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from penchant.claims._claim import Claim, Evidence, Profile, Ruling, verdict
from penchant.claims._record import Found, Record, read, write
from penchant.claims._setting import NotRun, Setting, Watch, unwatched
from penchant.study import versions


def run(
    claims: Sequence[Claim],
    out: str | Path,
    *,
    profile: Profile = "quick",
    jobs: int = 1,
    fresh: bool = False,
    watch: Watch = unwatched,
) -> Iterator[Record]:
    """Run claims one after another; each is on the disk before the next begins.

    What an interrupted call has finished is not done again, to the run of a study.

    Args:
        claims: which.
        out: the folder; each claim has a folder of its own in it, and so has each study.
        profile: how thoroughly.
        jobs: processes that a study may use.
        fresh: run anew what is there already.
        watch: see `Setting`.

    Yields:
        Each claim's record.

    Raises:
        PenchantError: the folder cannot be written, or a study in it is another one.
    """
    out = Path(out)
    setting = Setting(profile, out, jobs, fresh, watch)
    for claim in claims:
        kept = None if fresh else read(out, claim.id, profile)
        if kept and kept.complete and kept.statements == statements_of(claim):
            record = _judged(claim, kept)  # by the rules as they are now
        else:
            record = _run(claim, setting)
        if record != kept:
            write(out, record)
        yield record


def statements_of(claim: Claim) -> dict[str, str]:
    """What a record is of: the statements as they stood when it was made."""
    return {one.name: one.says for one in claim.statements}


def rulings(claim: Claim, found: Mapping[str, Found]) -> dict[str, Ruling]:
    """Judge evidence by the claim's rules, by a statement's name."""
    return {
        one.name: _ruling(one.rule.judge, found[one.name])
        for one in claim.statements
        if one.name in found
    }


def _ruling(judge: Callable[[Evidence], Ruling], found: Found) -> Ruling:
    if found.evidence is None:
        return Ruling("not run", found.reason)
    return judge(found.evidence)


def _judged(claim: Claim, record: Record) -> Record:
    judged = rulings(claim, record.found)
    return replace(record, rulings=judged, verdict=verdict(claim.statements, judged))


def _run(claim: Claim, setting: Setting) -> Record:
    found: dict[str, Found] = {}
    began = time.process_time()
    for statement in claim.statements:
        try:
            found[statement.name] = Found(dict(statement.gather(setting)))
        except NotRun as reason:
            found[statement.name] = Found(None, str(reason))
    method = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "seconds": f"{time.process_time() - began:.1f}",
        **versions(),
    }
    said = statements_of(claim)
    return _judged(claim, Record(claim.id, setting.profile, said, found, method, {}, "not run"))
