"""`penchant fit`: one good network for one signal, in a file that decodes it."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penchant.cli._errors import Interrupted
from penchant.cli._options import Device, option
from penchant.cli._words import duration
from penchant.cli._words import size as bytes_size
from penchant.errors import PenchantError

if TYPE_CHECKING:
    from penchant.cli._screen import Screen
    from penchant.study import Fitted

BETWEEN_LINES = 5.0
"""Seconds between two lines in a log."""


def fit(
    out: Annotated[Path, option("FILE.safetensors", "Where the network goes.", "-o", "--out")],
    signal: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SIGNAL]",
            help="A picture, a sound, a volume (.npy, .nii, a TIFF of several pages), a closed "
            "mesh (.obj, .ply, .stl, .off), or a folder of a scene's posed pictures; without "
            "one, a photograph that comes along.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        int | None,
        option(
            "N",
            "Pixels along the longer side, after reduction; of a sound frames of its loudest part; "
            "a mesh is asked about at N³ points.",
            default="1024, or 256 for one network; 100 of a scene; 64 of a volume or mesh; all of "
            "a sound",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        option(
            "N",
            "Optimisation steps.",
            default="300, or 600 for one network; 3000 of a scene; 800 of a sound; 1000 of a "
            "volume or mesh",
        ),
    ] = None,
    design: Annotated[
        str | None,
        option(
            "AXIS=VALUE,...",
            "What differs from the default, such as activation=sine,width=128.",
            default="for pictures tiles of 16×16 pixels, each a sine network of 3 layers of 12, or "
            "where a family, a width or an encoding is named, or pixels are held out, one FINER "
            "network of 3 layers of 192; for sounds a learned grid of "
            "three quarters as many numbers as there are samples, and 2 layers of 16",
        ),
    ] = None,
    target_db: Annotated[
        float | None, option("DB", "Stop as soon as this PSNR, or a sound's SNR, is reached.")
    ] = None,
    held_out: Annotated[
        str | None,
        option(
            "PATTERN",
            "Samples that the network does not see: random:FRACTION, checkerboard, every:K.",
            default="none; of a mesh fresh points",
        ),
    ] = None,
    seed: Annotated[int | None, option("N", "Of the initial draws.", default=0)] = None,
    device: Device = None,
) -> None:
    """Fit one network to one signal and keep it in a file."""
    from penchant.cli._output import check_file

    if out.suffix != ".safetensors":
        raise PenchantError(f"--out {out}: the file's name must end in .safetensors")
    check_file(out)
    from penchant.study import fit as fit_network
    from penchant.study import fit_task, parse_fields, usual_fit
    from penchant.tasks import builtin_picture

    words = parse_fields(design) if design is not None else {}
    if signal is None:
        built_in = builtin_picture(size or usual_fit("picture", words, held_out).size)
        task = fit_task(built_in, held_out=held_out)
    else:
        task = fit_task(signal, size, held_out, words)
    for notice in task.notices:
        typer.echo(f"{task.name}: {notice}")
    options: dict[str, Any] = {
        "design": words,
        "target_db": target_db,
        "seed": seed,
        "device": device,
    }
    given = {name: value for name, value in options.items() if value is not None}
    usual = usual_fit(task.header.kind, words, held_out)
    budget = usual.steps if steps is None else steps
    with _progress(budget, task.metrics[0].unit) as on_step:
        fitted = fit_network(task, steps=budget, on_step=on_step, **given)
    fitted.save(out)
    typer.echo(_summary(fitted, out))
    typer.echo(f"try: {_render_command(fitted, out)}")


@contextmanager
def _progress(steps: int, unit: str) -> Iterator[Callable[[int, float], None]]:
    """Show a fit's progress on stderr: a bar on a terminal, lines in a log."""
    from penchant.cli._screen import Screen

    screen = Screen(stderr=True)
    try:
        if screen.is_interactive:
            with _bar(steps, unit, screen) as on_step:
                yield on_step
        else:
            yield _lines(steps, unit)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; a fit is kept only when done, so nothing is written"
        ) from None


@contextmanager
def _bar(steps: int, unit: str, screen: "Screen") -> Iterator[Callable[[int, float], None]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(bar_width=None),
        TextColumn("step {task.completed}/{task.total}"),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, expand=True, transient=True) as progress:
        row = progress.add_task("", total=steps)

        def on_step(step: int, score: float) -> None:
            progress.update(row, completed=step, description=_in_words(score, unit))

        yield on_step


def _lines(steps: int, unit: str) -> Callable[[int, float], None]:
    last = -math.inf

    def on_step(step: int, score: float) -> None:
        nonlocal last
        if time.monotonic() - last >= BETWEEN_LINES:
            last = time.monotonic()
            said = f"step {step}/{steps}, {_in_words(score, unit)}"
            print(said, file=sys.stderr, flush=True)

    return on_step


def _in_words(score: float, unit: str) -> str:
    return f"{score:.2f} {unit}" if unit else f"{score:.4f}"


def _summary(fitted: "Fitted", out: Path) -> str:
    from penchant.nn import count_parameters

    assert fitted.task is not None
    primary = fitted.task.metrics[0]
    kind = primary.name.removesuffix("_held_out").removesuffix("_seen")
    called = "" if primary.unit else "IoU "  # a unit says enough
    scores = [called + _in_words(fitted.metrics[f"{kind}_seen"], primary.unit)]
    if primary.name.endswith("_held_out"):
        held_out = _in_words(fitted.metrics[primary.name], primary.unit)
        scores = [f"{scores[0]} seen", f"{held_out} held out"]
    raw, words = fitted.signal.raw
    return (
        f"{out}: {' and '.join(scores)} after {fitted.steps:,} steps in "
        f"{duration(fitted.seconds)}; {count_parameters(fitted.network):,} parameters, "
        f"{bytes_size(out.stat().st_size)} for a {fitted.task.noun} of "
        f"{bytes_size(raw)} ({words})"
    )


def _render_command(fitted: "Fitted", out: Path) -> str:
    import shlex

    words = ["penchant", "render", str(out), *fitted.signal.try_render(out.stem)]
    if ":" in fitted.design.activation:  # a user's own, which a file only names
        words += ["--activation", fitted.design.activation]
    return shlex.join(words)
