"""Made-up studies of networks in depth: pairs, trends over signals, probes, further metrics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import product

import numpy as np

from penchant.study import Moment, Results, Run, Verdict, judge
from penchant.tasks import Metric

STEPS = (0, 25, 50, 100, 200, 300, 400)
ACCURACY = Metric("accuracy_held_out", "%", margin=0.5)
METRICS = (
    ACCURACY,
    Metric("nll_held_out", "nats", margin=0.05, higher_is_better=False),
    Metric("accuracy_seen", "%", margin=1.0),
    Metric("nll_seen", "nats", margin=0.05, higher_is_better=False),
    Metric("gap_accuracy", "points", margin=1.0, higher_is_better=False),
    Metric("gap_nll", "nats", margin=0.05, higher_is_better=False),
)
DECAY = tuple(
    Metric(name, "decades", margin=0.5, higher_is_better=False)
    for name in ("gradient_decay", "gradient_decay_start", "gradient_decay_end")
)
BLOCKS = (
    Metric("identity_share", "%", margin=5.0),
    Metric("effective_depth", "blocks", margin=0.5),
)
LEVEL = Metric("gap_nll@nll_seen=0.1", "nats", margin=0.05, higher_is_better=False)

Settings = Mapping[str, Mapping[str, object]]
"""Each design's choices."""


def make_large_results(
    settings: Settings,
    baselines: Mapping[str, str],
    level: Callable[[str, str], float],
    *,
    signals: Sequence[str] = ("fashion-mnist",),
    seeds: int = 6,
    each: bool = False,
    also: Sequence[Metric] = (),
    probes: bool = False,
    watched: bool = True,
    noise: float = 0.25,
    baseline: str = "",
) -> Results:
    """Results of classified pictures, as a study would give them.

    Args:
        settings: the designs.
        baselines: each design's; a baseline is its own.
        level: accuracy around which a design's runs lie on a signal.
        signals: names of the data sets.
        seeds: of each design.
        each: judge each signal by itself.
        also: further metrics that are judged.
        probes: whether gradients and blocks were measured.
        watched: whether curves were kept.
        noise: spread over seeds.
        baseline: the plan's word.
    """
    draws = np.random.Generator(np.random.PCG64(5))
    metrics = (*METRICS, *(DECAY + BLOCKS if probes else ()))
    runs = tuple(
        _run(
            signal,
            design,
            own,
            seed,
            level(design, signal) + noise * draws.standard_normal(),
            probes,
            watched,
            draws,
        )
        for signal, (design, own), seed in product(signals, settings.items(), range(seeds))
    )
    judged = (ACCURACY, *also)
    verdicts = _verdicts(runs, baselines, judged, signals, each)
    return Results(
        folder=None,
        plan={
            "signals": list(signals),
            "notices": [f"{signals[0]}: 2,000 of 60,000 pictures"],
            "family": "resnet",
            "steps": STEPS[-1],
            "held_out": "test",
            "augment": "shift:2",
            "also": [one.name for one in also],
            "probes": ["gradients", "blocks"] if probes else [],
            "judge": "each" if each else "across",
            "noun": "data set",
            "baseline": baseline or next(iter(baselines.values())),
            "metric": ACCURACY.name,
            "margin": ACCURACY.margin,
            "unit": ACCURACY.unit,
            "higher_is_better": True,
            "metrics": [asdict(one) for one in dict.fromkeys((*metrics, *also))],
        },
        designs=tuple(settings),
        axes=tuple(
            field
            for field in dict.fromkeys(f for own in settings.values() for f in own)
            if len({own.get(field) for own in settings.values()}) > 1
        ),
        metric=ACCURACY.name,
        runs=runs,
        pilots=(),
        verdicts=verdicts,
        reconstructions=(),
        warnings=(),
        method={"penchant": "0.1.0", "command": "penchant run studies/x.toml"},
        baselines=dict(baselines),
    )


def _verdicts(
    runs: Sequence[Run],
    baselines: Mapping[str, str],
    judged: Sequence[Metric],
    signals: Sequence[str],
    each: bool,
) -> tuple[Verdict, ...]:
    pairs = [(design, base) for design, base in baselines.items() if design != base]
    count = len(pairs) * len(judged) * (len(signals) if each else 1)
    found = []
    for metric in judged:
        values = {(r.signal, r.design, r.seed): r.metrics[metric.name] for r in runs}
        seeds = sorted({run.seed for run in runs})
        for chosen, (design, base) in product(
            [(s,) for s in signals] if each else [signals], pairs
        ):
            rows = [[values[s, design, i] - values[s, base, i] for i in seeds] for s in chosen]
            one = judge(
                rows[0] if len(rows) == 1 else [float(np.mean(row)) for row in rows],
                design=design,
                baseline=base,
                metric=metric,
                margin=metric.margin,
                comparisons=count,
                unit_of_n="seeds" if len(rows) == 1 else "signals",
            )
            if each:
                said = {"signal": chosen[0], "sentence": f"On {chosen[0]}, {one.sentence}"}
                one = Verdict(**{**vars(one), **said})
            found.append(one)
    return tuple(found)


def _run(
    signal: str,
    design: str,
    settings: Mapping[str, object],
    seed: int,
    accuracy: float,
    probes: bool,
    watched: bool,
    draws: np.random.Generator,
) -> Run:
    wrong = (100 - accuracy) / 100
    seen = min(99.9, accuracy + 4)
    final = {
        "accuracy_held_out": accuracy,
        "nll_held_out": 3 * wrong,
        "accuracy_seen": seen,
        "nll_seen": 0.05 + wrong / 2,
        "gap_accuracy": seen - accuracy,
        "gap_nll": 2.5 * wrong - 0.05,
        LEVEL.name: 2 * wrong,
    }
    found: dict[str, tuple[float, ...]] = {}
    layers: tuple[str, ...] = ()
    if probes:
        found, layers = _profiles(settings, draws)
        start = np.log10(found["gradient_start"][-2] / found["gradient_start"][0])
        end = np.log10(found["gradient_end"][-2] / found["gradient_end"][0])
        final |= {
            "gradient_decay": abs(end),
            "gradient_decay_start": abs(start),
            "gradient_decay_end": abs(end),
            "identity_share": float(np.mean(found.get("identity_share", (0.0,)))),
            "effective_depth": float(
                np.dot(range(len(found["path_lengths"])), found["path_lengths"])
            )
            if "path_lengths" in found
            else float("nan"),
        }
    curve = tuple(
        Moment(
            step,
            step * 0.1,
            {
                "accuracy_held_out": accuracy - (accuracy - 10) * np.exp(-step / 40),
                "nll_held_out": final["nll_held_out"] + 2.2 * np.exp(-step / 40),
                "nll_seen": final["nll_seen"] + 2.2 * np.exp(-step / 40),
                **(
                    {"gradient_decay": final["gradient_decay"] * (1 + np.exp(-step / 90))}
                    if probes
                    else {}
                ),
            },
            (),
        )
        for step in STEPS
    )
    return Run(
        id=f"{signal}-{design}-{seed}",
        signal=signal,
        design=design,
        seed=seed,
        status="done",
        steps=STEPS[-1],
        seconds=41.5,
        parameters=272_474,
        settings=settings,
        metrics=final,
        bands=(),
        curve=curve if watched else (),
        profiles=found,
        layers=layers,
    )


def _profiles(
    settings: Mapping[str, object], draws: np.random.Generator
) -> tuple[dict[str, tuple[float, ...]], tuple[str, ...]]:
    """Gradients that fall towards the input without skips, and paths like Veit's with them."""
    depth = int(str(settings.get("depth", 20)))
    plain = settings.get("skip") == "none"
    slope = (0.12 if settings.get("normalisation") == "none" else 0.05) if plain else 0.006
    towards = np.arange(depth)[::-1]

    def norms(rate: float) -> tuple[float, ...]:
        return tuple(10 ** (-rate * towards - 2 + 0.06 * draws.standard_normal(depth)))

    found = {"gradient_start": norms(slope), "gradient_end": norms(slope * 0.6)}
    if not plain:
        blocks = (depth - 2) // 2
        lengths = np.arange(blocks + 1)
        weights = np.exp(-((lengths - blocks / 4) ** 2) / (blocks / 3 + 0.6))
        found["path_lengths"] = tuple(weights / weights.sum())
        found["identity_share"] = tuple(
            float(v)
            for v in np.clip(50 + 4 * np.arange(blocks) + draws.standard_normal(blocks), 0, 97)
        )
    return found, tuple(f"layer{i}" for i in range(depth))


def residual_pairs(depths: Sequence[int] = (8, 20, 56), **options: object) -> Results:
    """Plain against residual at some depths, with and without normalisation: 12 designs."""
    settings = {
        f"{'plain' if skip == 'none' else 'resnet'} depth={depth} normalisation={norm}": {
            "family": "resnet",
            "skip": skip,
            "depth": depth,
            "normalisation": norm,
            "activation": "relu",
        }
        for depth, norm, skip in product(depths, ("batch", "none"), ("none", "residual"))
    }
    partner = {
        name: next(other for other, theirs in settings.items() if theirs == {**own, "skip": "none"})
        for name, own in settings.items()
    }

    def level(design: str, signal: str) -> float:
        own = settings[design]
        depth = int(str(own["depth"]))
        lost = (
            0.0
            if own["skip"] == "residual"
            else depth / (20 if own["normalisation"] == "batch" else 8)
        )
        return 90.5 - lost

    chosen = {
        "also": (METRICS[4], LEVEL, DECAY[1]),
        "probes": True,
        "baseline": "skip=none",
        **options,
    }
    return make_large_results(settings, partner, level, **chosen)  # type: ignore[arg-type]


def two_depths() -> Results:
    """One plain and one residual network: a single pair, with probes."""
    settings = {
        "plain": {"family": "resnet", "skip": "none", "depth": 20},
        "resnet": {"family": "resnet", "skip": "residual", "depth": 20},
    }
    baselines = dict.fromkeys(settings, "plain")
    return make_large_results(
        settings, baselines, lambda d, _: 88.0 + 2 * (d == "resnet"), probes=True
    )


def families() -> Results:
    """Three families by four activations, each compared with its family's ReLU."""
    settings = {
        f"{family}+{activation}": {"family": family, "activation": activation, "depth": depth}
        for (family, depth), activation in product(
            (("resnet", 20), ("vit", 4), ("convnext", 9)), ("relu", "gelu", "gaussian", "sine")
        )
    }
    partner = {name: f"{own['family']}+relu" for name, own in settings.items()}
    gains = {"relu": 0.0, "gelu": 0.1, "gaussian": -1.5, "sine": -0.5}

    def level(design: str, signal: str) -> float:
        return 88.0 + gains[str(settings[design]["activation"])]

    return make_large_results(settings, partner, level, baseline="activation=relu", noise=0.15)


ACTIVATIONS = {name: {"activation": name} for name in ("relu", "gelu", "gaussian", "sine")}


def trend(
    signals: Sequence[str] = tuple(f"fashion-mnist:classes={k}" for k in (2, 3, 5, 7, 10)),
    *,
    also: Sequence[Metric] = (METRICS[4],),
    seeds: int = 6,
) -> Results:
    """Four activations on data sets that differ in one number."""

    def level(design: str, signal: str) -> float:
        place = list(signals).index(signal)
        return (
            98 - 2 * place - {"relu": 0, "gelu": 0.0, "gaussian": 0.4 * place, "sine": 1.5}[design]
        )

    baselines = dict.fromkeys(ACTIVATIONS, "relu")
    return make_large_results(
        ACTIVATIONS, baselines, level, signals=signals, each=True, also=also, seeds=seeds, noise=0.1
    )


LARGE: dict[str, Callable[[], Results]] = {
    "pairs": residual_pairs,
    "pairs, few seeds": lambda: residual_pairs((8, 20), seeds=3),
    "pairs without curves": lambda: residual_pairs((8,), watched=False),
    "pairs over several data sets": lambda: residual_pairs(
        (8,), signals=("fashion-mnist", "digits")
    ),
    "pairs on each data set": lambda: residual_pairs(
        signals=("fashion-mnist", "digits"), each=True
    ),
    "one pair": two_depths,
    "families": families,
    "trend": trend,
    "trend over decades": lambda: trend(
        [f"teacher:inputs={n},samples=1000,noise=0.1" for n in (2, 5, 10, 30, 100, 300, 1000)]
    ),
    "trend over two numbers": lambda: trend(
        [
            *(f"fashion-mnist:classes={k}" for k in (2, 5, 10)),
            *(f"fashion-mnist:samples={k}" for k in (500, 2000, 10000)),
        ]
    ),
    "each, no number": lambda: trend(("digits", "fashion-mnist", "breast-cancer")),
    "trend, few seeds": lambda: trend(seeds=3),
}
"""Studies of many comparisons, by what is special about them."""
