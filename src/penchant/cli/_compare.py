"""`penchant compare`: train designs under control, on pictures or data, and say which to use."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli._options import Device, DryRun, Fresh, Jobs, Out, option


def compare(
    signals: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SIGNALS]",
            help="What to reconstruct: files or folders of pictures, sounds, volumes, closed "
            "meshes, or folders of posed pictures; or data to classify: digits, "
            "fashion-mnist, breast-cancer, spoken-digits, a .npz with inputs and labels, or a "
            "folder with one subfolder of pictures or recordings a class, each with options after "
            "a colon (digits:samples=500,size=4: classes, samples, test, size, shift, transfer). "
            "Several make one study over them. Without any: a photograph that comes along.",
            show_default=False,
        ),
    ] = None,
    vary: Annotated[
        list[str] | None,
        option(
            "AXIS=A,B,...",
            "Values of an axis, such as activation=relu,sine,mine.py:Snake, encoding=none,fourier, "
            "divergence=kl,l2 or, on recordings, sharing=shared,unshared,dense; several axes make "
            "their full grid.",
            default="on pictures relu, gelu, gaussian, sine, finer, and relu with NeRF "
            "frequencies; on labelled data relu, gelu, tanh, sigmoid, and relu with l2; on "
            "recordings shared, unshared, dense",
        ),
    ] = None,
    design: Annotated[
        list[str] | None,
        option(
            "AXIS=VALUE,...",
            "A single design outside the grid, such as activation=relu,encoding=fourier.",
        ),
    ] = None,
    family: Annotated[
        str | None,
        option(
            "NAME",
            "The kind of network of designs that name none: coordinate, dense, tdnn, resnet, vit, "
            "convnext or autoencoder.",
            default="coordinate; dense; tdnn",
        ),
    ] = None,
    seeds: Annotated[int | None, option("N", "Runs of each design.", default=10)] = None,
    steps: Annotated[
        int | None, option("N", "Optimisation steps.", default="300; 500 on labelled data")
    ] = None,
    size: Annotated[
        int | None,
        option(
            "N",
            "Pixels along the longer side, after reduction.",
            default="128; 32 for folders of classes",
        ),
    ] = None,
    tune: Annotated[
        int | None,
        option("N", "Pilots a design, over its own learning rate and scale.", default=4),
    ] = None,
    match: Annotated[
        str | None,
        option(
            "width|parameters",
            "What designs have equal; on recordings parameters, unless said.",
            default="width",
        ),
    ] = None,
    held_out: Annotated[
        str | None,
        option(
            "PATTERN",
            "Samples that networks do not see: random:FRACTION, checkerboard, every:K or none; "
            "for labelled data test, its own test part or a random 30 %; for recordings also takes "
            "or speakers.",
            default="random:0.5; test",
        ),
    ] = None,
    noise: Annotated[
        float | None,
        option(
            "SD",
            "Gaussian noise on the seen values of a picture; scores ask for it without.",
            default=0,
        ),
    ] = None,
    augment: Annotated[
        str | None,
        option(
            "HOW",
            "What to draw anew for each batch of labelled pictures: shift:PIXELS, crop:PIXELS, "
            "flip, joined by commas.",
        ),
    ] = None,
    batch: Annotated[
        int | None, option("N", "Samples a step.", default="2048; 128 on labelled data")
    ] = None,
    baseline: Annotated[
        str | None,
        option(
            "DESIGN",
            "The design that each other one is compared with, such as relu+nerf. Fields that "
            "several have, such as skip=none: each other design's is the one that differs from it "
            "in these alone.",
            default="the first",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        option(
            "NAME",
            "What verdicts are about: psnr or ssim, accuracy, nll or ece, _held_out or _seen; "
            "gap_accuracy or gap_nll. One where another comes to a value: gap_nll@nll_seen=0.1.",
            default="psnr_held_out; accuracy_held_out",
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        option("NAME", "A further metric that gets verdicts; may be given several times."),
    ] = None,
    judge: Annotated[
        str | None,
        option(
            "across|each",
            "Whether verdicts are about the mean over several signals, or about each by itself.",
            default="across",
        ),
    ] = None,
    margin: Annotated[
        float | None,
        option("X", "The smallest difference that matters.", default="0.5 dB; 1 % of accuracy"),
    ] = None,
    target: Annotated[
        float | None,
        option("X", "A value of the metric; the steps to it get verdicts of their own."),
    ] = None,
    probe: Annotated[
        list[str] | None,
        option(
            "gradients|blocks",
            "What to measure in each network, too: how its gradient falls from layer to layer, or "
            "what its residual blocks do; may be given several times.",
        ),
    ] = None,
    no_references: Annotated[
        bool,
        typer.Option(
            "--no-references",
            help="Do not hold designs against fits in closed form with as many numbers.",
        ),
    ] = False,
    jobs: Jobs = None,
    device: Device = None,
    out: Out = None,
    fresh: Fresh = False,
    dry_run: DryRun = False,
) -> None:
    """Train designs on pictures or labelled data, under control, and say which one to use."""
    from penchant.cli._workers import prepare

    if not dry_run:
        prepare(jobs)
    from penchant.cli._conduct import conduct
    from penchant.study import BUILT_IN, Study, parse_fields, parse_vary

    words = {
        "vary": parse_vary(vary) if vary else None,
        "designs": [parse_fields(text) for text in design] if design else None,
        "family": family,
        "seeds": seeds,
        "steps": steps,
        "size": size,
        "tune": tune,
        "match": match,
        "held_out": held_out,
        "noise": noise,
        "augment": augment,
        "batch": batch,
        "baseline": baseline,
        "metric": metric,
        "margin": margin,
        "target": target,
        "also": also,
        "judge": judge,
        "probes": probe,
        "references": False if no_references else None,
    }
    given = {name: value for name, value in words.items() if value is not None}
    named = list(signals or ())
    folder = out or default_folder(named)
    study = Study(named or BUILT_IN, out=folder, device=device or "cpu", **given)
    conduct(study, jobs=jobs, fresh=fresh, dry_run=dry_run)


def default_folder(signals: list[str]) -> Path:
    """Name a study's folder after its signal, or after the folder that its signals are from.

    Example:
        >>> default_folder(["cats/tom.png"]), default_folder([])
        (PosixPath('study-tom'), PosixPath('study-built-in'))
        >>> default_folder(["digits:samples=500,size=4"])
        PosixPath('study-digits_samples=500_size=4')
    """
    from penchant.study import BUILT_IN
    from penchant.tasks import source_and_options

    if not signals:
        return Path(f"study-{BUILT_IN}")
    place, options = source_and_options(signals[0])
    first = Path(place).resolve()
    if len(signals) > 1 and not first.is_dir():
        first = first.parent
    name = first.name if first.is_dir() else first.stem
    if options and len(signals) == 1:
        name += "_" + options.replace(",", "_").replace(" ", "")
    return Path(f"study-{name}")
