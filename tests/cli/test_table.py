"""The closing table and its sentences, as they stand in a terminal or a log."""

import io
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from cli.conftest import lines_of

from penchant.cli._screen import Screen
from penchant.cli._table import closing
from penchant.study import Results, Run, judge
from penchant.tasks import Metric

PSNR = Metric("psnr_held_out", "dB", margin=0.5)
LEVELS = {"relu": 21.0, "gelu": 21.1, "sine+fourier scale=12.5": 26.0, "tanh": 20.0, "elu": 21.3}
SPREAD = (0.0, 0.31, -0.27, 0.14, -0.4, 0.22, 0.0, -0.11)


def _results(metric: Metric = PSNR, seeds: int = 8, scale: float = 1.0) -> Results:
    scores = {
        design: [
            scale * (level + (1 + 2 * (design == "elu")) * SPREAD[(seed + i) % 8])
            for seed in range(seeds)
        ]
        for i, (design, level) in enumerate(LEVELS.items())
    }
    return Results(
        folder=None,
        plan={
            "baseline": "relu",
            "metric": metric.name,
            "margin": metric.margin,
            "unit": metric.unit,
            "higher_is_better": True,
        },
        designs=tuple(LEVELS),
        axes=("activation",),
        metric=metric.name,
        runs=tuple(
            _run(design, seed, metric, score)
            for design, values in scores.items()
            for seed, score in enumerate(values)
        ),
        pilots=(),
        verdicts=tuple(
            judge(
                [ours - theirs for ours, theirs in zip(values, scores["relu"], strict=True)],
                design=design,
                baseline="relu",
                metric=metric,
                margin=metric.margin,
                comparisons=len(LEVELS) - 1,
                unit_of_n="seeds",
                diverged=int(design == "tanh"),
            )
            for design, values in scores.items()
            if design != "relu"
        ),
        reconstructions=(),
        warnings=("No pilots: [these] rates are the package's defaults.",),
    )


def _run(design: str, seed: int, metric: Metric, score: float) -> Run:
    return Run(
        id=f"{design}{seed}",
        signal="cat",
        design=design,
        seed=seed,
        status="done",
        steps=300,
        seconds=4.0,
        parameters=12_345,
        settings={"activation": design},
        metrics={metric.name: score},
        bands=(),
        curve=(),
    )


def _text(results: Results, width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    screen = Screen()
    screen.file = io.StringIO()
    closing(results, screen)
    return screen.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_the_table(
    width: int, monkeypatch: pytest.MonkeyPatch, golden: Callable[[str, str], None]
) -> None:
    text = _text(_results(), width, monkeypatch)
    table = text.split("\n\n")[0]
    assert max(map(len, table.splitlines())) <= width
    golden(f"table-{width}.txt", text)


def test_best_stands_first(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = lines_of(_text(_results(), 80, monkeypatch))
    firsts = [line.split()[0] for line in lines[:-6]]
    order = [first for first in firsts if first in ("sine+fourier", *LEVELS)]
    assert order == ["sine+fourier", "elu", "gelu", "relu", "tanh"]


def test_decimals_follow_the_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    ssim = Metric("ssim_held_out", "", margin=0.01)
    lines = lines_of(_text(_results(ssim, scale=0.01), 80, monkeypatch))
    assert "held-out SSIM" in lines[0]
    row = next(line for line in lines if line.startswith("sine+fourier"))
    assert re.search(r" 0\.260 +0\.258 to 0\.262 +\+0\.050 ", row), row


def test_the_target_has_sentences_of_its_own(
    monkeypatch: pytest.MonkeyPatch, golden: Callable[[str, str], None]
) -> None:
    results = _results(Metric("accuracy_held_out", "%", margin=1.0))
    steps = Metric("steps_to_20", "steps", margin=15, higher_is_better=False)
    judged = tuple(
        judge(
            [gain + i for i in range(8)],
            design=design,
            baseline="relu",
            metric=steps,
            margin=steps.margin,
            comparisons=2,
            unit_of_n="seeds",
        )
        for design, gain in {"tanh": 40.0, "gelu": -30.0}.items()
    )
    flagged = replace(judged[0], flag="1 of 8 runs of tanh never reached it.")
    with_target = replace(
        results,
        plan={**results.plan, "target": 20.0},
        designs=("relu", "gelu", "tanh"),
        verdicts=tuple(v for v in results.verdicts if v.design in ("gelu", "tanh")),
        target_verdicts=(flagged, judged[1]),
    )
    golden("table-target.txt", _text(with_target, 80, monkeypatch))


def test_one_seed_has_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    text = _text(_results(seeds=1), 120, monkeypatch)
    assert "nan" not in text and "inf" not in text
    assert "descriptive" in text


def test_one_design_has_no_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    results = _results()
    alone = replace(
        results,
        designs=("relu",),
        verdicts=(),
        runs=tuple(r for r in results.runs if r.design == "relu"),
    )
    lines = lines_of(_text(alone, 80, monkeypatch))
    assert " ".join(lines[0].split()) == "held-out"
    assert " ".join(lines[1].split()) == "design PSNR, dB 95 % interval"
    assert lines[3].split()[0] == "relu"


def test_pairs_and_each_signal(
    monkeypatch: pytest.MonkeyPatch, golden: Callable[[str, str], None]
) -> None:
    """A table a signal; each row's difference is from its own baseline."""
    results = _results()
    baselines = {"gelu": "relu", "relu": "relu", "elu": "elu", "sine+fourier scale=12.5": "elu"}
    gap = Metric("gap_nll@nll_seen=0.1", "nats", margin=0.05, higher_is_better=False)
    verdicts = [
        judge(
            [gain + spread for spread in SPREAD],
            design=design, baseline=baseline, metric=metric, margin=metric.margin,
            comparisons=8, unit_of_n="seeds",
        )
        for metric in (PSNR, gap)
        for design, baseline, gain in (
            ("gelu", "relu", 0.1), ("sine+fourier scale=12.5", "elu", 4.7)
        )
    ]  # fmt: skip
    text = _text(
        replace(
            results,
            plan={**results.plan, "baseline": "encoding=none"},
            designs=tuple(baselines),
            baselines=baselines,
            runs=tuple(
                replace(run, signal=signal)
                for signal in ("cat", "a dog in the snow")
                for run in results.runs
                if run.design in baselines
            ),
            verdicts=tuple(
                replace(one, signal=signal, sentence=f"On {signal}, {one.sentence}")
                for signal in ("cat", "a dog in the snow")
                for one in verdicts
            ),
        ),
        80,
        monkeypatch,
    )
    assert "…" not in text
    golden("table-each.txt", text)


def test_one_signal_that_is_judged_by_itself_needs_no_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = _results()
    alone = tuple(
        replace(verdict, signal="cat", sentence=f"On cat, {verdict.sentence}")
        for verdict in results.verdicts
    )
    text = _text(replace(results, verdicts=alone), 120, monkeypatch)
    assert "On cat" not in text
    for verdict in results.verdicts:
        assert " ".join(verdict.sentence.split()) in " ".join(text.split())


def test_long_labels_break_after_a_plus(monkeypatch: pytest.MonkeyPatch) -> None:
    results = _results()
    names = {"relu": "plain-20+relu+unnormalised", "gelu": "resnet-20+gelu+unnormalised"}
    long = replace(
        results,
        plan={**results.plan, "baseline": names["relu"]},
        designs=tuple(names.values()),
        runs=tuple(
            replace(run, design=names[run.design]) for run in results.runs if run.design in names
        ),
        verdicts=tuple(
            replace(one, design=names["gelu"], baseline=names["relu"])
            for one in results.verdicts
            if one.design == "gelu"
        ),
    )
    table = _text(long, 80, monkeypatch).split("\n\n")[0]
    firsts = [line.split("  ")[0].strip() for line in table.splitlines()]
    for part in ("plain-20+relu+", "resnet-20+gelu+", "unnormalised"):
        assert part in firsts
    assert "inconclusive" in table  # and not cut
    head = table[: table.index("───")]
    assert "against the" in head and "plain" not in head
    assert max(map(len, table.splitlines())) <= 80


def test_on_a_terminal_no_word_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    screen = Screen()
    screen.file = io.StringIO()
    monkeypatch.setattr(Screen, "is_terminal", property(lambda _: True))
    text = "resnet-8+relu+unnormalised is equivalent to plain-8+relu+unnormalised: no difference."
    screen.item(text)
    lines = screen.file.getvalue().splitlines()
    assert [line[: len(line) - len(line.lstrip())] for line in lines] == ["  ", "    "]
    assert " ".join(line.strip() for line in lines) == text


def test_what_is_said_of_several_signals_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    results = _results()
    signals = ("toy:inputs=2,noise=0.1", "toy:inputs=9,noise=0.1")
    runs = tuple(replace(run, signal=one) for one in signals for run in results.runs)
    warnings = tuple(f"{name}: all have {n} parameters." for n, name in enumerate(signals, 7))
    text = _text(replace(results, runs=runs, warnings=warnings), 80, monkeypatch)
    assert "warning: all have 7 to 8 parameters." in text
    one = replace(results, runs=runs, warnings=warnings[:1])
    assert "warning: 2 input dimensions: all have 7" in _text(one, 80, monkeypatch)
