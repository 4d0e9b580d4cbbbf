"""`penchant compare`: train designs on pictures under control, and say which one to use."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli._options import DryRun, Fresh, Jobs, Out, option


def compare(
    pictures: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PICTURES]",
            help="Files or folders of pictures; several make one study over them. Without any: a "
            "photograph that comes along.",
            show_default=False,
        ),
    ] = None,
    vary: Annotated[
        list[str] | None,
        option(
            "AXIS=A,B,...",
            "Values of an axis, such as activation=relu,sine,mine.py:Snake or "
            "encoding=none,fourier; several axes make their full grid.",
            default="relu, gelu, gaussian, sine, finer, and relu with NeRF frequencies",
        ),
    ] = None,
    design: Annotated[
        list[str] | None,
        option(
            "AXIS=VALUE,...",
            "A single design outside the grid, such as activation=relu,encoding=fourier.",
        ),
    ] = None,
    seeds: Annotated[int | None, option("N", "Runs of each design.", default=10)] = None,
    steps: Annotated[int | None, option("N", "Optimisation steps.", default=300)] = None,
    size: Annotated[
        int | None, option("N", "Pixels along the longer side, after reduction.", default=128)
    ] = None,
    tune: Annotated[
        int | None,
        option("N", "Pilots a design, over its own learning rate and scale.", default=4),
    ] = None,
    match: Annotated[
        str | None, option("width|parameters", "What designs have equal.", default="width")
    ] = None,
    held_out: Annotated[
        str | None,
        option(
            "PATTERN",
            "Samples that networks do not see: random:FRACTION, checkerboard, every:K or none.",
            default="random:0.5",
        ),
    ] = None,
    batch: Annotated[int | None, option("N", "Samples a step.", default=2048)] = None,
    baseline: Annotated[
        str | None,
        option(
            "DESIGN",
            "The design that each other one is compared with, such as relu+nerf.",
            default="the first",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        option(
            "NAME",
            "What verdicts are about: psnr_held_out, psnr_seen, ssim_held_out or ssim_seen.",
            default="psnr_held_out",
        ),
    ] = None,
    margin: Annotated[
        float | None, option("X", "The smallest difference that matters.", default="0.5 dB")
    ] = None,
    jobs: Jobs = None,
    out: Out = None,
    fresh: Fresh = False,
    dry_run: DryRun = False,
) -> None:
    """Train designs on pictures, under control, and say which one to use."""
    from penchant.cli._conduct import conduct
    from penchant.study import BUILT_IN, Study, parse_fields, parse_vary

    words = {
        "vary": parse_vary(vary) if vary else None,
        "designs": [parse_fields(text) for text in design] if design else None,
        "seeds": seeds,
        "steps": steps,
        "size": size,
        "tune": tune,
        "match": match,
        "held_out": held_out,
        "batch": batch,
        "baseline": baseline,
        "metric": metric,
        "margin": margin,
    }
    given = {name: value for name, value in words.items() if value is not None}
    signals = list(pictures or ())
    study = Study(signals or BUILT_IN, out=out or default_folder(signals), **given)
    conduct(study, jobs=jobs, fresh=fresh, dry_run=dry_run)


def default_folder(pictures: list[Path]) -> Path:
    """Name a study's folder after its picture, or after the folder that its pictures are from.

    Example:
        >>> default_folder([Path("cats/tom.png")]), default_folder([])
        (PosixPath('study-tom'), PosixPath('study-built-in'))
    """
    from penchant.study import BUILT_IN

    if not pictures:
        return Path(f"study-{BUILT_IN}")
    first = pictures[0].resolve()
    if len(pictures) > 1 and not first.is_dir():
        first = first.parent
    return Path(f"study-{first.name if first.is_dir() else first.stem}")
