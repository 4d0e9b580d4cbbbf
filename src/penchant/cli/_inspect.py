"""`penchant inspect`: a network layer by layer."""

import os
from typing import Annotated

import typer

from penchant.cli._options import option
from penchant.errors import PenchantError


def inspect(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="file.py:Class, package.module:callable, or coordinate, scanning, tdnn.",
        ),
    ],
    input: Annotated[
        list[str] | None,
        option(
            "SHAPE",
            "What goes in, without the batch: 3x224x224, ids=int:128; once for each input.",
            "--input",
            "-i",
        ),
    ] = None,
    depth: Annotated[
        int | None, option("N", "Sum what lies deeper than N names.", default="every layer")
    ] = None,
    axis: Annotated[
        list[int] | None,
        option(
            "N",
            "An axis of the input to follow receptive fields along; 1 where features come last.",
            default="those behind batch and channels",
        ),
    ] = None,
    fields: Annotated[
        bool, typer.Option("--fields/--no-fields", help="Whether to follow receptive fields.")
    ] = True,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Also measure it on drawn inputs: gradients, signals, activity, residual paths.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for another program.")] = False,
) -> None:
    """List a network's layers: shapes by which formula, parameters, multiply-adds, receptive field.

    Nothing is computed: it runs without numbers, in evaluation mode. A layer into which its input
    does not fit is named, with the number that would. With --probe it is run on drawn inputs too.
    """
    from penchant.inspection import folded, text
    from penchant.inspection import inspect as inspected
    from penchant.inspection import probe as probed

    try:
        found = inspected(model, input, depth=depth, fields=fields, axes=axis)
        examination = probed(model, input) if probe else None
    except MemoryError as error:
        raise PenchantError(f"inspect {model}: out of memory; give a smaller --input") from error
    if json:
        from json import dumps

        more = {} if examination is None else {"probes": examination.to_dict()}
        typer.echo(dumps({**found.to_dict(), **more}, indent=1, ensure_ascii=False))
        return
    from penchant.cli._screen import Screen

    screen = Screen()
    # What is piped is not folded, but where COLUMNS says how wide it is to be.
    width = screen.width if screen.is_terminal or "COLUMNS" in os.environ else None
    screen.print(text(found, width), end="", soft_wrap=True)
    if examination is not None:
        said = [
            "probes, on the model as it is made and inputs drawn at random",
            *str(examination).split("\n"),
        ]
        screen.print("", *folded(said, width), sep="\n", soft_wrap=True)
