"""A study from its plan to its verdict: what `compare` and `run` have in common."""

import shlex
from pathlib import Path

from penchant.cli._errors import Interrupted
from penchant.cli._live import watch
from penchant.cli._output import check_folder
from penchant.cli._plan import description, summary
from penchant.cli._screen import Screen
from penchant.cli._table import closing, say_warnings
from penchant.cli._tally import Tally
from penchant.cli._workers import workers
from penchant.study import PLAN, REPORT, RESULTS, Study


def conduct(study: Study, *, jobs: int | None, fresh: bool, dry_run: bool) -> None:
    """Show the plan, do what is left of it, and say what was found.

    Args:
        study: the study, with a folder.
        jobs: processes; by default as many as this process may use cores.
        fresh: overwrite what is in the folder.
        dry_run: stop after the plan, and write nothing.
    """
    folder = study.folder
    assert folder is not None, "the command line's studies have a folder"
    on_cpu = study.device.type == "cpu"
    # On an accelerator one process trains many runs at once.
    several = workers(jobs) if on_cpu or jobs is not None else 1
    if not dry_run:
        check_folder(folder)
    left = study.jobs if fresh else study.remaining_jobs()
    several = min(several, max(1, len(left)))
    screen = Screen()
    seconds = 0.0
    if left:
        # The estimate is for the whole study; what is done already counts by its number.
        seconds = study.estimate(jobs=several) * len(left) / len(study.jobs)
    screen.say(summary(study, left, seconds, several))
    if dry_run:
        screen.say(description(study))
        return
    _say_notices(study, screen)
    if left:  # else they are said with the results
        say_warnings(study.warnings, [task.name for task in study.tasks], screen)
    place = [] if on_cpu else ["--device", str(study.device)]
    tally = Tally(study.jobs, left, seconds, study.at_once(several))
    try:
        with watch(tally, study.shown.unit) as view:
            results = study.run(jobs=several, on_event=view, fresh=fresh)
            from penchant.report import report

            report(results, folder / REPORT)
    except KeyboardInterrupt:
        option = [] if jobs is None else ["--jobs", str(jobs)]
        raise Interrupted(
            f"interrupted; {tally.kept()} are kept. To go on: {_again(folder, *option, *place)}"
        ) from None
    closing(results, screen)
    screen.print()
    elsewhere = folder.with_name(f"{folder.resolve().name}-again")
    for name, value in (
        ("report", folder / REPORT),
        ("runs", folder / RESULTS),
        ("again", _again(folder, "--out", str(elsewhere), *place)),
    ):
        screen.print(f"{name:<8}{value}", soft_wrap=True)  # unbroken, to be copied


def _say_notices(study: Study, screen: Screen) -> None:
    """Say what was done to the data, once where it was done to all."""
    from penchant.report import by_signal, told_apart

    short = told_apart([task.name for task in study.tasks])[1]
    texts = [f"{task.name}: {notice}" for task in study.tasks for notice in task.notices]
    for where, text in by_signal(texts, short):
        screen.item(f"{where}: {text}" if where else text)


def _again(folder: Path, *options: str) -> str:
    return shlex.join(["penchant", "run", str(folder / PLAN), *options])
