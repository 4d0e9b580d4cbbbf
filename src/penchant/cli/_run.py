"""`penchant run`: do the study that a file describes."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli._options import Device, DryRun, Fresh, Jobs, Out, option


def run(
    plan: Annotated[Path, typer.Argument(metavar="study.toml", help="The study's file.")],
    profile: Annotated[
        str | None,
        option("NAME", "Which of the file's profiles, such as quick.", default="its first"),
    ] = None,
    jobs: Jobs = None,
    device: Device = None,
    out: Out = None,
    fresh: Fresh = False,
    dry_run: DryRun = False,
) -> None:
    """Do the study that a file describes, or finish it."""
    from penchant.cli._workers import prepare

    if not dry_run:
        prepare(jobs)
    from penchant.cli._conduct import conduct
    from penchant.study import Study

    study = Study.read(plan, out=out, profile=profile, device=device or "cpu")
    conduct(study, jobs=jobs, fresh=fresh, dry_run=dry_run)
