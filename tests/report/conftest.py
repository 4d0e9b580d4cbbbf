"""Finished studies, made up: deterministic, and odd wherever a page might break."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from statistics import fmean

import numpy as np
import pytest
from scipy import stats

from penchant.study import Moment, Pilot, Reconstruction, Results, Run, Verdict, judge
from penchant.tasks import Metric

from .large_studies import LARGE

DESIGNS = ("relu", "gelu", "gaussian", "sine", "finer", "relu+nerf")
LEVELS = (21.0, 21.2, 25.4, 26.1, 27.1, 24.0)
"""Held-out PSNR around which each design's runs lie."""
STEPS = (0, 10, 25, 50, 100, 150, 200, 250, 300)
BANDS = 6


def make_results(
    *,
    designs: Sequence[str] = DESIGNS,
    levels: Sequence[float] = LEVELS,
    seeds: int = 6,
    signals: Sequence[str] = ("cat",),
    size: tuple[int, int] = (24, 36),
    channels: int = 3,
    diverged: Sequence[tuple[str, int]] = (),
    margin: float = 0.5,
    noise: float = 0.12,
    original: Callable[[str], np.ndarray] | None = None,
) -> Results:
    """Results as a study would give them; `diverged` lists (design, seed)."""
    draws = np.random.Generator(np.random.PCG64(7))
    runs, pictures = [], []
    for signal in signals:
        truth = original(signal) if original else _picture(draws, size, channels)
        pictures.append(Reconstruction(signal, "", 0, truth))
        for design, mean in zip(designs, levels, strict=True):
            level = mean + (noise * draws.standard_normal() if len(signals) > 1 else 0.0)
            spread = noise * draws.standard_normal(seeds)
            spread -= spread.mean()  # so that means, and what a page says of them, are round
            for seed in range(seeds):
                failed = (design, seed) in diverged
                score = 12.0 if failed else level + spread[seed]
                runs.append(_run(signal, design, seed, float(score), failed))
            wrong = 10 ** (-level / 20)
            answer = np.clip(truth + wrong * draws.standard_normal(truth.shape), 0, 1)
            pictures.append(Reconstruction(signal, design, 0, answer))
    return Results(
        folder=None,
        plan={
            "signals": [f"{signal}.png" for signal in signals],
            "vary": {"activation": list(designs)},
            "steps": STEPS[-1],
            "seeds": seeds,
            "tune": 3,
            "held_out": "random:0.5",
            "match": "parameters",
            "baseline": designs[0],
            "metric": "psnr_held_out",
            "margin": margin,
            "unit": "dB",
            "higher_is_better": True,
            "notices": [],
        },
        designs=tuple(designs),
        axes=("activation", "encoding"),
        metric="psnr_held_out",
        runs=tuple(runs),
        pilots=tuple(
            Pilot(signal, design, {"rate": 0.001 * 3**i, "scale": 10.0 + i}, level - i, i == 0)
            for signal in signals
            for design, level in zip(designs, levels, strict=True)
            for i in range(3)
        ),
        verdicts=tuple(_verdict(runs, design, designs, signals, margin) for design in designs[1:]),
        reconstructions=tuple(pictures),
        warnings=(),
        method={"penchant": "0.1.0", "command": "penchant run study.toml", "torch": "2.13.0"},
    )


def _picture(draws: np.random.Generator, size: tuple[int, int], channels: int) -> np.ndarray:
    y, x = np.mgrid[: size[0], : size[1]]
    waves = [np.sin(x * draws.uniform(0.1, 0.9) + y * draws.uniform(0.1, 0.9)) for _ in range(9)]
    return np.stack([0.5 + 0.16 * sum(waves[i::3]) for i in range(channels)], -1).clip(0, 1)


def _run(signal: str, design: str, seed: int, score: float, failed: bool) -> Run:
    looks = STEPS[:3] if failed else STEPS
    shares = [
        tuple(float(np.exp(-step / (20 * 3**band)) * 0.9 + 0.002) for band in range(BANDS))
        for step in STEPS
    ]
    return Run(
        id=f"{signal}-{design}-{seed}",
        signal=signal,
        design=design,
        seed=seed,
        status="diverged" if failed else "done",
        steps=STEPS[-1],
        seconds=4.0 + len(design) / 10 + seed / 100,
        parameters=12_000 + 37 * len(design),
        settings={"activation": design.split("+")[0], "width": 64, "rate": 0.003 * len(design)},
        metrics={
            "psnr_seen": score + 4,
            "psnr_held_out": score,
            "ssim_seen": float("nan"),
            "ssim_held_out": min(0.99, score / 30),
        },
        bands=shares[-1],
        curve=tuple(
            Moment(step, step * 0.013, {"psnr_held_out": score - 8 * np.exp(-step / 60)}, shares[i])
            for i, step in enumerate(STEPS)
            if step in looks
        ),
    )


def _verdict(
    runs: Sequence[Run],
    design: str,
    designs: Sequence[str],
    signals: Sequence[str],
    margin: float,
) -> Verdict:
    def scores(name: str) -> np.ndarray:
        own = [run for run in runs if run.design == name]
        if len(signals) == 1:
            return np.array([run.metrics["psnr_held_out"] for run in own])
        return np.array(
            [
                np.mean([run.metrics["psnr_held_out"] for run in own if run.signal == signal])
                for signal in signals
            ]
        )

    gains = scores(design) - scores(designs[0])
    n, mean = len(gains), float(gains.mean())
    deviation = float(gains.std(ddof=1)) if n > 1 else np.inf
    miss = 0.05 / max(len(designs) - 1, 1)
    half = float(stats.t.ppf(1 - miss / 2, max(n - 1, 1)) * deviation / np.sqrt(n))
    if n < 6:
        word = "descriptive"
    elif abs(mean) + half <= margin:
        word = "equivalent"
    elif abs(mean) > half:
        word = "better" if mean > 0 else "worse"
    else:
        word = "inconclusive"
    return Verdict(
        design=design,
        baseline=designs[0],
        metric="psnr_held_out",
        unit="dB",
        n=n,
        mean_difference=mean,
        interval=(mean - half, mean + half),
        p_sign_flip=max(2.0 ** (1 - n), 0.001),
        effect=mean / deviation if n > 1 and deviation > 0 else np.nan,
        verdict=word,
        sentence=f"{design} is {word} against {designs[0]} by {mean:.2f} dB.",
        needed=40 if word == "inconclusive" else None,
    )


DATA_METRICS = tuple(
    metric
    for part in ("held_out", "seen")
    for metric in (
        Metric(f"accuracy_{part}", "%", margin=1.0),
        Metric(f"nll_{part}", "nats", margin=0.05, higher_is_better=False),
        Metric(f"ece_{part}", "%", margin=1.0, higher_is_better=False),
    )
)
DATA_DESIGNS = ("relu+kl", "relu+l2", "relu+kl start_bias=10")
BUDGET = STEPS[-1]
SPREAD = (0.15, -0.2, 0.05, 0.1, -0.15, 0.05)


def make_data_results(
    *,
    designs: Sequence[str] = DATA_DESIGNS,
    levels: Sequence[float] = (97.0, 96.9, 93.0),
    reached: Sequence[float | None] = (40.0, 70.0, None),
    signals: Sequence[str] = ("digits",),
    seeds: int = 6,
    spread: float = 1.0,
    metric: str = "accuracy_held_out",
    target: float | None = 90.0,
) -> Results:
    """Results of labelled data, as a study would give them.

    Args:
        designs: labels, the baseline first.
        levels: accuracy around which each design's runs lie.
        reached: steps around which each design reaches the target.
        signals: names of the data sets.
        seeds: of each design.
        spread: of accuracies; steps have ten times as much.
        metric: the primary one.
        target: of it.
    """
    primary = next(one for one in DATA_METRICS if one.name == metric)
    steps = Metric(f"steps_to_{target or 0:g}", "steps", BUDGET / 20, higher_is_better=False)
    runs, found = [], {}
    for signal in signals:
        for i, (design, level, soon) in enumerate(zip(designs, levels, reached, strict=True)):
            for seed in range(seeds):
                more = spread * SPREAD[(seed + i) % len(SPREAD)]
                runs.append(_data_run(signal, design, seed, level + more))
                found[runs[-1].id] = None if soon is None else soon + 10 * more
    known = {key: BUDGET if value is None else value for key, value in found.items()}

    def judged(one: Metric, values: dict[str, float]) -> tuple[Verdict, ...]:
        return tuple(
            judge(
                _gains(runs, values, designs[0], design, signals),
                design=design,
                baseline=designs[0],
                metric=one,
                margin=one.margin,
                comparisons=(1 if target is None else 2) * (len(designs) - 1),
                unit_of_n="seeds" if len(signals) == 1 else "signals",
            )
            for design in designs[1:]
        )

    return Results(
        folder=None,
        plan={
            "signals": list(signals),
            "notices": [f"{signals[0]}: one, two", f"{signals[0]}: three"],
            "vary": {"divergence": ["kl", "l2"]},
            "family": "dense",
            "steps": BUDGET,
            "size": 32,
            "noise": 0.0,
            "held_out": "test",
            "target": target,
            "noun": "data set",
            "baseline": designs[0],
            "metric": primary.name,
            "margin": primary.margin,
            "unit": primary.unit,
            "higher_is_better": primary.higher_is_better,
            "metrics": [asdict(one) for one in (*DATA_METRICS, *([steps] if target else []))],
        },
        designs=tuple(designs),
        axes=("divergence",),
        metric=metric,
        runs=tuple(runs),
        pilots=tuple(
            Pilot(signals[0], designs[0], {"rate": rate}, score, chosen=score == 0.25)
            for rate, score in ((0.1, 0.5), (0.01, 0.25), (0.001, 0.375))
        ),
        verdicts=judged(primary, {run.id: run.metrics[metric] for run in runs}),
        target_verdicts=() if target is None else judged(steps, known),
        steps_to_target={} if target is None else found,
        reconstructions=(),
        warnings=(),
    )


def _gains(
    runs: Sequence[Run], values: dict[str, float], base: str, design: str, signals: Sequence[str]
) -> list[float]:
    of = {(run.signal, run.design, run.seed): values[run.id] for run in runs}
    seeds = sorted({run.seed for run in runs})
    rows = [[of[s, design, seed] - of[s, base, seed] for seed in seeds] for s in signals]
    return rows[0] if len(signals) == 1 else [fmean(row) for row in rows]


def _data_run(signal: str, design: str, seed: int, accuracy: float) -> Run:
    wrong = (100 - accuracy) / 100
    curve = tuple(
        Moment(
            step,
            step * 0.0004,
            {
                "accuracy_held_out": accuracy - (accuracy - 10) * np.exp(-step / 15),
                "nll_held_out": 3 * wrong + 2.3 * np.exp(-step / 15),
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
        steps=BUDGET,
        seconds=0.2,
        parameters=26_122,
        settings={"activation": "relu", "divergence": design[5:7]},
        metrics={
            "accuracy_held_out": accuracy,
            "nll_held_out": 3 * wrong,
            "ece_held_out": 50 * wrong,
            "accuracy_seen": 100 - 50 * wrong,
            "nll_seen": wrong,
            "ece_seen": 40 * wrong,
        },
        bands=(),
        curve=curve,
    )


@pytest.fixture(scope="session")
def results() -> Results:
    """Six designs, six seeds, one small picture."""
    return make_results()


@pytest.fixture(scope="session")
def several() -> Results:
    """Six designs, two seeds, twelve pictures at the default size."""
    return make_results(seeds=2, signals=[f"kodim{i:02d}" for i in range(1, 13)], size=(85, 128))


ATTACK = '"><script>alert(1)</script>$x^{$'

ODD: dict[str, Callable[[], Results]] = {
    "few seeds": lambda: make_results(seeds=3),
    "one seed": lambda: make_results(seeds=1),
    "one design": lambda: make_results(designs=("relu",), levels=(21.0,)),
    "thirty designs": lambda: make_results(
        designs=[f"design-with-a-long-name-{i}" for i in range(30)],
        levels=[20 + i / 4 for i in range(30)],
    ),
    "undefined metric": lambda: replace(
        make_results(),
        metric="ssim_seen",
        verdicts=(),
        plan={"baseline": "relu", "metric": "ssim_seen", "unit": ""},
    ),
    "grey": lambda: make_results(channels=1),
    "wide": lambda: make_results(size=(2, 700)),
    "tall": lambda: make_results(size=(700, 2)),
    "tiny": lambda: make_results(size=(2, 2)),
    "attack": lambda: make_results(
        designs=("relu", ATTACK), levels=(20.0, 25.0), signals=(ATTACK,)
    ),
    "other script": lambda: make_results(designs=("relu", "活性化🙂"), levels=(20.0, 25.0)),
    "diverged": lambda: make_results(diverged=[("sine", 1), ("sine", 4)]),
    "all diverged": lambda: make_results(
        diverged=[(design, seed) for design in DESIGNS for seed in range(6)]
    ),
    "no curves, pictures, pilots": lambda: replace(
        make_results(),
        runs=tuple(replace(run, curve=(), bands=()) for run in make_results().runs),
        reconstructions=(),
        pilots=(),
        method={},
    ),
    "no picture of the original": lambda: replace(
        make_results(),
        reconstructions=tuple(r for r in make_results().reconstructions if r.design),
    ),
    "equal pictures": lambda: make_results(original=lambda _: np.ones((4, 4, 3)), levels=[200] * 6),
    "several signals": lambda: make_results(signals=("a", "b", "c"), seeds=2),
    "labelled data": make_data_results,
    "several data sets": lambda: make_data_results(signals=("digits", "wine"), seeds=2),
    "lower is better": lambda: make_data_results(metric="nll_held_out", target=0.3),
    "target never reached": lambda: make_data_results(reached=(None, None, None)),
    "one design with a target": lambda: make_data_results(
        designs=("relu",), levels=(97.0,), reached=(40.0,)
    ),
    "warnings": lambda: replace(
        make_results(), warnings=("The learning rate of relu was not tuned.",)
    ),
    **LARGE,
}
"""Studies that a page must survive, by what is odd about them."""
