"""`penchant render`: decode a fitted network, at any resolution, in part or at one point."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penchant.cli._options import option
from penchant.errors import PenchantError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float


def render(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.safetensors", help="What `fit` or a study has written.")
    ],
    scale: Annotated[
        float,
        option(
            "X",
            "New pixels a pixel (or voxels a voxel), along each side; of a sound new frames a "
            "frame; a mesh is drawn on 128 times as many cells a side.",
            default=1,
        ),
    ] = 1.0,
    region: Annotated[
        str | None,
        option(
            '"LEFT,TOP,RIGHT,BOTTOM"',
            "A part of the picture, in its pixels; of a sound START,END in seconds; of a "
            "volume I,J,K,I,J,K in voxels.",
            default="the whole",
        ),
    ] = None,
    at: Annotated[
        str | None,
        option(
            '"X,Y"',
            "Print the value at one point, in the picture's pixels, a sound's seconds, a volume's "
            "voxels or a mesh's units (X,Y,Z), and write nothing.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        option("FILE", "Where the signal goes; its ending names the format.", "-o", "--out"),
    ] = None,
    view: Annotated[int | None, option("N", "Which view of a scene.")] = None,
    activation: Annotated[
        str | None,
        option("FILE.py:NAME", "Where the network's activation is, if it is your own."),
    ] = None,
) -> None:
    """Decode a network: at any resolution, in part, or at one point."""
    if (at is None) == (out is None):
        raise PenchantError("render: either -o FILE or --at X,Y is needed, not both")
    from penchant.study import load

    if at is not None:
        fitted = load(file, activation=activation)
        value = fitted.at(*_numbers("at", at))
        _print_value(value, in_bytes=fitted.signal.kind == "picture")
        return
    assert out is not None
    from penchant.cli._output import check_file

    check_file(out)
    fitted = load(file, activation=activation)
    box = None if region is None else _numbers("region", region)
    said = fitted.write(out, scale=scale, region=box, view=view)
    typer.echo(f"{out}: {said}")


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise PenchantError(f"--{name} {text!r}: numbers with commas between are needed") from None


def _print_value(value: "Float[np.ndarray, ' channels']", *, in_bytes: bool) -> None:
    exact = ", ".join(f"{number:.4f}" for number in value)
    whole = ", ".join(str(round(float(number) * 255)) for number in value)
    typer.echo(f"{exact} (8 bits: {whole})" if in_bytes else exact)
