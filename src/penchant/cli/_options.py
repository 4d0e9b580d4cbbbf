"""The options that several commands share.

An option that was not given is None and stays out of the plan's words, so that defaults live in
the plan alone; the help repeats them, and a test compares.
"""

from pathlib import Path
from typing import Annotated, Any

import typer


def option(metavar: str, help: str, *names: str, default: object = None) -> Any:
    """Declare an option; its default is for the help alone."""
    shown = help if default is None else f"{help}  [default: {default}]"
    return typer.Option(*names, metavar=metavar, help=shown, show_default=False)


Jobs = Annotated[int | None, option("N", "Processes, one thread each.", default="as many as cores")]
Device = Annotated[
    str | None,
    option(
        "NAME",
        "Where networks are trained: cpu, or cuda, an accelerator.",
        default="cpu",
    ),
]
Out = Annotated[Path | None, option("DIR", "The study's folder.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Overwrite the study that is in the folder.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the plan with a time estimate; write nothing.")
]
