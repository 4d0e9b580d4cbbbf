"""`penchant claims`: the notes' statements, listed, run and shown."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penchant.cli._options import Jobs, option
from penchant.errors import PenchantError, nearest

if TYPE_CHECKING:
    from penchant.claims import Claim, Record, Section
    from penchant.cli._screen import Screen
    from penchant.study import Event, Study

FOLDER = Path("claims")
PAGE = "claims.html"

app = typer.Typer(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Kept = Annotated[Path | None, option("DIR", "Where results are kept.", "--out", default=FOLDER)]
STYLES = {"holds": "green", "holds under conditions": "cyan", "fails as written": "red"}


@app.callback()
def claims(context: typer.Context, out: Kept = None) -> None:
    """List the statements of the notes on deep learning, each with its last verdict."""
    if context.invoked_subcommand is None:
        _list(out or FOLDER)


@app.command()
def run(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID ...]",
            help="Claims, or files with your own such as mine.py; all of the notes' by default.",
        ),
    ] = None,
    profile: Annotated[
        str | None, option("NAME", "smoke (seconds), quick or full.", default="quick")
    ] = None,
    jobs: Jobs = None,
    out: Kept = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run anew what has been run.")] = False,
) -> None:
    """Run claims, or finish them, and write a page of what came out."""
    from penchant.cli._workers import prepare, workers

    prepare(jobs)
    from penchant.claims import PROFILES, find, page
    from penchant.claims import run as run_claims
    from penchant.cli._errors import Interrupted
    from penchant.cli._output import check_folder
    from penchant.cli._screen import Screen
    from penchant.files import write_whole

    folder, profile = out or FOLDER, profile or "quick"
    if profile not in PROFILES:
        raise PenchantError(
            f"claims run --profile {profile}: no such profile; {nearest(profile, list(PROFILES))}"
        )
    sections = find(ids or [])
    check_folder(folder)
    screen = Screen()
    chosen = [claim for section in sections for claim in section.claims]
    longest = max(len(claim.id) for claim in chosen)
    try:
        records = run_claims(
            chosen,
            folder,
            profile=profile,
            jobs=workers(jobs),
            fresh=fresh,
            watch=_watch,
        )
        for number, record in enumerate(records, 1):
            screen.print(f"{number:>{len(str(len(chosen)))}}/{len(chosen)}  ", end="")
            _line(record.claim, record, longest, screen)
    except KeyboardInterrupt:
        again = " ".join(["penchant claims run", *(ids or []), f"--profile {profile}"])
        raise Interrupted(f"interrupted; what is finished is kept. To go on: {again}") from None
    path = write_whole(folder / PAGE, page(folder, sections).encode())
    screen.print()
    screen.print(f"page    {path}", soft_wrap=True)


@app.command(name="page")
def write_page(out: Kept = None) -> None:
    """Write the page of the notes' claims again, from the results that are kept."""
    from penchant.claims import page
    from penchant.files import write_whole

    folder = out or FOLDER
    typer.echo(f"page    {write_whole(folder / PAGE, page(folder).encode())}")


@app.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="A claim, or a file with one.")],
    out: Kept = None,
) -> None:
    """Show a claim: what the notes say, how it is tested, and what came out."""
    from penchant.claims import find
    from penchant.cli._screen import Screen

    screen = Screen()
    for section in find([id]):
        for claim in section.claims:
            _show(claim, section, out or FOLDER, screen)


def _list(folder: Path) -> None:
    from penchant.claims import NOTES
    from penchant.cli._screen import Screen

    screen = Screen()
    longest = max(len(claim.id) for section in NOTES for claim in section.claims)
    for section in NOTES:
        screen.print(section.title, style="bold")
        for claim in section.claims:
            screen.print("  ", end="")
            _line(claim.id, _last(claim, folder), longest, screen)
        screen.print()
    screen.say("`penchant claims show ID` tells of one, `penchant claims run` runs them.")


def _line(id: str, record: "Record | None", longest: int, screen: "Screen") -> None:
    word = record.verdict if record else "not run"
    when = f"{record.profile:<7}{record.method['date']}" if record and word != "not run" else ""
    screen.print(f"{id:<{longest}}  ", end="")
    screen.print(f"{word:<24}" if when else word, style=STYLES.get(word), end="")
    screen.print(when)


def _last(claim: "Claim", folder: Path) -> "Record | None":
    """The record that counts: of the user's own folder, else of the package's."""
    from penchant.claims import last, records, shipped

    return last(records(folder, claim.id)) or last(records(shipped("claims"), claim.id))


def _show(claim: "Claim", section: "Section", folder: Path, screen: "Screen") -> None:
    record = _last(claim, folder)
    screen.print(f"{claim.id} · {section.title}", style="bold")
    screen.say(claim.words)
    if claim.meaning:
        screen.say(f"Here: {claim.meaning}")
    screen.print()
    word = record.verdict if record else "not run"
    when = f", {record.profile} profile, {record.method['date']}" if record else ""
    screen.print(f"{word}{when}", style=STYLES.get(word))
    for statement in claim.statements:
        screen.print()
        beside = ", beside what the notes say" if statement.instead else ""
        screen.print(f"{statement.name} ({statement.kind}{beside})", style="bold")
        screen.item(statement.says)
        ruling = record.rulings.get(statement.name) if record else None
        if ruling:
            screen.print(f"  {ruling.word}", style=STYLES.get(ruling.word))
            screen.item(ruling.sentence)
            if ruling.needed and ruling.needed not in ruling.sentence:
                screen.item(f"Left open: {ruling.needed}.")
        screen.item(f"Rule: {statement.rule.words}")
    if claim.literature:
        screen.print()
        screen.print("What papers report", style="bold")
        for sentence in claim.literature:
            screen.item(sentence)
    screen.print()
    asked = section.file or claim.id
    screen.print(f"again   penchant claims run {asked} --profile quick", soft_wrap=True)


@contextmanager
def _watch(study: "Study") -> Iterator["Callable[[Event], None] | None"]:
    """Name a study and show its progress, where something is left of it."""
    from penchant.cli._live import watch
    from penchant.cli._screen import Screen
    from penchant.cli._tally import Tally

    left = study.remaining_jobs()
    if not left:
        yield None
        return
    assert study.folder is not None
    Screen(stderr=True).print(f"study {study.folder.name}: {len(left)} runs and pilots to do")
    shown: AbstractContextManager[Callable[[Event], None]] = watch(
        Tally(study.jobs, left, 0.0, 1), study.shown.unit
    )
    with shown as listener:
        yield listener
