"""`penchant render`: decode a fitted network, at any resolution, in part or at one point."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    scale: Annotated[float, option("X", "New pixels a pixel, along each side.", default=1)] = 1.0,
    region: Annotated[
        str | None,
        option(
            '"LEFT,TOP,RIGHT,BOTTOM"', "A part of the picture, in its pixels.", default="the whole"
        ),
    ] = None,
    at: Annotated[
        str | None,
        option('"X,Y"', "Print the value at one point, in the picture's pixels, and draw nothing."),
    ] = None,
    out: Annotated[
        Path | None,
        option("PICTURE", "Where the picture goes; its ending names the format.", "-o", "--out"),
    ] = None,
    activation: Annotated[
        str | None,
        option("FILE.py:NAME", "Where the network's activation is, if it is your own."),
    ] = None,
) -> None:
    """Decode a network: at any resolution, in part, or at one point."""
    if (at is None) == (out is None):
        raise PenchantError("render: either -o PICTURE or --at X,Y is needed, not both")
    from penchant.study import load

    if at is not None:
        x, y = _numbers("at", at, 2)
        _print_value(load(file, activation=activation).at(x, y))
        return
    assert out is not None
    from penchant.cli._output import check_file

    kind = _format(out)
    check_file(out)
    box = None if region is None else _numbers("region", region, 4)
    values = load(file, activation=activation).render(scale=scale, region=box)
    _write_picture(values, out, kind)
    typer.echo(f"{out}: {values.shape[1]}×{values.shape[0]} pixels")


def _numbers(name: str, text: str, count: int) -> Any:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise PenchantError(f"--{name} {text!r}: {count} numbers with commas between are needed")
    return numbers


def _print_value(value: "Float[np.ndarray, ' channels']") -> None:
    exact = ", ".join(f"{number:.4f}" for number in value)
    whole = ", ".join(str(round(float(number) * 255)) for number in value)
    typer.echo(f"{exact} (8 bits: {whole})")


def _format(out: Path) -> str:
    """Name the format that a file's ending stands for."""
    from PIL import Image

    known = Image.registered_extensions()
    kind = known.get(out.suffix.lower())
    if kind is None or kind not in Image.SAVE:
        raise PenchantError(
            f"-o {out}: no picture format is called {out.suffix or 'so, without an ending'!r}; "
            "take .png, .jpg, .tif or .webp"
        )
    return kind


def _write_picture(
    values: "Float[np.ndarray, 'rows columns channels']", out: Path, kind: str
) -> None:
    import io

    import numpy as np
    from PIL import Image

    from penchant.files import write_whole

    whole = np.rint(values * 255).astype(np.uint8)
    image = Image.fromarray(whole[:, :, 0] if whole.shape[2] == 1 else whole)
    encoded = io.BytesIO()
    try:
        image.save(encoded, format=kind)
    except (OSError, ValueError, KeyError) as error:
        raise PenchantError(f"-o {out}: {kind} cannot hold this picture ({error})") from error
    write_whole(out, encoded.getvalue())
