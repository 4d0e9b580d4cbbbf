"""What is kept of a claim: the evidence, what the rules made of it, machine, versions and date.

OUT/ID/PROFILE.json   the record
OUT/ID/PROFILE.csv    its numbers, a row a difference or a check
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from penchant.claims._claim import PROFILES, Evidence, Profile, Ruling, Word
from penchant.errors import PenchantError
from penchant.files import cannot_write, write_whole

LARGEST = 20_000_000
"""Bytes of a record that is read back."""


@dataclass(frozen=True)
class Found:
    """A statement's evidence, or why there is none."""

    evidence: Evidence | None
    reason: str = ""


@dataclass(frozen=True)
class Record:
    """A claim, run once in one profile."""

    claim: str
    profile: Profile
    statements: Mapping[str, str]
    """By name, as they stood."""
    found: Mapping[str, Found]
    method: Mapping[str, str]
    """Date, processor seconds beside those of studies' runs, machine and versions."""
    rulings: Mapping[str, Ruling]
    """What the rules made of it when it was run; `rulings` in `_run` does it again."""
    verdict: Word

    @property
    def complete(self) -> bool:
        """Whether every statement has evidence."""
        return all(one.evidence is not None for one in self.found.values())


def write(out: Path, record: Record) -> None:
    """Write a record and its numbers into a claim's folder.

    Raises:
        PenchantError: the folder cannot be written.
    """
    folder = out / record.claim
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    write_whole(folder / f"{record.profile}.csv", _csv(record).encode())
    text = json.dumps(asdict(record), indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(folder / f"{record.profile}.json", f"{text}\n".encode())


def read(out: Path, claim: str, profile: Profile) -> Record | None:
    """Read a record, if there is one.

    Raises:
        PenchantError: the file is no record.
    """
    path = out / claim / f"{profile}.json"
    if not path.is_file():
        return None
    if path.stat().st_size > LARGEST:
        raise PenchantError(f"{path}: is larger than the {LARGEST:,} bytes that a record may have")
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
        record = Record(**words)
        return replace(
            record,
            found={name: Found(**one) for name, one in words["found"].items()},
            rulings={name: _ruling(one) for name, one in words["rulings"].items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PenchantError(f"{path}: is no claim's record; delete it and run again") from error


def _ruling(words: dict[str, Any]) -> Ruling:
    return Ruling(**{**words, "conditions": tuple(words["conditions"])})


def records(out: Path, claim: str) -> dict[Profile, Record]:
    """Read all records of a claim, by profile."""
    found = {profile: read(out, claim, profile) for profile in PROFILES}
    return {profile: record for profile, record in found.items() if record is not None}


def last(found: Mapping[Profile, Record]) -> Record | None:
    """Choose the record that counts: of the most thorough profile in which anything was run."""
    thorough = [found[profile] for profile in reversed(PROFILES) if profile in found]
    return next((one for one in thorough if one.verdict != "not run"), next(iter(thorough), None))


def _csv(record: Record) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rows(record))
    return stream.getvalue()


_COLUMNS = (
    "statement", "study", "profile", "signal", "design", "baseline",
    "metric", "unit", "pair", "difference", "check", "cases", "error",
)  # fmt: skip


def _rows(record: Record) -> Iterator[dict[str, Any]]:
    for name, found in record.found.items():
        evidence = found.evidence or {}
        for check in evidence.get("checks", []):
            yield {
                "statement": name,
                "check": check["name"],
                "cases": check["cases"],
                "error": check["error"],
            }
        for study in evidence.get("studies", []):
            for pair in study["pairs"]:
                for index, difference in enumerate(pair["differences"]):
                    yield {
                        "statement": name,
                        "study": study["study"],
                        "profile": study["profile"],
                        **{key: pair[key] for key in ("signal", "design", "baseline")},
                        **{key: pair[key] for key in ("metric", "unit")},
                        "pair": index,
                        "difference": difference,
                    }
