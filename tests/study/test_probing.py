"""Probes in studies: what they add to a run, and that they change nothing else of it."""

import math
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import penchant.probes
from penchant.errors import PenchantError
from penchant.probes import gradient_flow, identity_shares, path_lengths
from penchant.study import Finished, Plan, Results, Run, Study
from penchant.study._executors import in_process
from penchant.study._jobs import Checkpointed, Job, perform
from penchant.study._probing import PROBES, SAMPLES, Probing, _decay, probed_metrics
from penchant.study._store import MEMORY, Store

Tiny = Callable[..., Study]

RESNETS: dict[str, Any] = {
    "family": "resnet", "vary": {"skip": ["residual", "none"]}, "designs": [],
    "seeds": 2, "steps": 6, "tune": 0, "baseline": "skip=none",
}  # fmt: skip


def small(**words: Any) -> Study:
    """Residual and plain networks that train in a fraction of a second."""
    vary = {**RESNETS["vary"], "depth": [8], "width": [4]}
    return Study("digits", **{**RESNETS, "vary": vary, "batch": 32, **words})


def finished(job: Job, study: Study) -> Finished:
    *_, last = perform(job, study.tasks[job.task])
    assert isinstance(last, Finished)
    return last


@pytest.fixture(scope="module")
def results() -> Results:
    return small(probes=["gradients", "blocks"], also=["gradient_decay_start"]).run()


def test_probed_runs_are_otherwise_the_same() -> None:
    """Batch norm's running state, gradients, modes and streams of draws are as they were."""
    plain, probed = small(), small(probes=["gradients", "blocks"])
    for one, other in zip(plain.jobs, probed.jobs, strict=True):
        alone, watched = finished(one, plain), finished(other, probed)
        assert alone.network == watched.network
        assert alone.run.id != watched.run.id
        metrics = watched.run.metrics
        assert alone.run.metrics == {name: metrics[name] for name in alone.run.metrics}
        for before, after in zip(alone.run.curve, watched.run.curve, strict=True):
            assert (before.step, before.bands) == (after.step, after.bands)
            assert before.metrics.items() <= after.metrics.items()


def test_id_holds_the_probes_only_where_there_are_any() -> None:
    (job, *_) = small().jobs
    assert job.probes == ()
    assert job.id("data") == replace(job, probes=()).id("data")
    ids = {replace(job, probes=probes).id("data") for probes in ((), ("gradients",), ("blocks",))}
    assert len(ids) == 3


def test_pilots_are_not_probed() -> None:
    study = small(probes=["blocks"], tune=2)
    assert {(job.validation, job.probes) for job in study.jobs} == {
        (True, ()),
        (False, ("blocks",)),
    }


def test_run_has_what_the_probes_found(results: Results) -> None:
    study = small()
    task = study.tasks[0]
    for one in results.runs:
        split, design = task.split(one.seed), study.designs[0][one.design]
        network = design.build(task.shape, task.outputs, one.seed)
        probing = Probing((), network, design.divergence_of(task), split, one.seed)
        assert probing.start.metrics == {}
        watched = Probing(("gradients",), network, design.divergence_of(task), split, one.seed)
        report = gradient_flow(network, design.divergence_of(task), watched.inputs, watched.targets)
        assert len(watched.inputs) == SAMPLES
        assert one.layers == tuple(layer.name for layer in report.layers)
        assert one.profiles["gradient_start"] == tuple(x.activation for x in report.layers)
        assert len(one.profiles["gradient_end"]) == len(one.layers)
        assert one.profiles["gradient_end"] != one.profiles["gradient_start"]
        first, hidden = report.layers[0].activation, report.layers[-2].activation
        assert one.metrics["gradient_decay_start"] == abs(math.log10(hidden / first))
        looks = [moment.metrics["gradient_decay"] for moment in one.curve]
        assert (looks[0], looks[-1]) == (
            one.metrics["gradient_decay_start"],
            one.metrics["gradient_decay_end"],
        )
        assert min(looks) <= one.metrics["gradient_decay"] <= max(looks)


def test_blocks_of_residual_and_plain_networks(results: Results) -> None:
    for one in results.runs:
        if one.settings["skip"] == "none":
            assert one.metrics["identity_share"] == 0
            assert math.isnan(one.metrics["effective_depth"])
            assert not {"identity_share", "path_lengths"} & set(one.profiles)
            continue
        assert len(one.profiles["identity_share"]) == 3, "blocks of depth 8"
        assert 0 < one.metrics["identity_share"] < 100
        lengths = one.profiles["path_lengths"]
        assert len(lengths) == 4 and sum(lengths) == pytest.approx(1)
        assert 0 <= one.metrics["effective_depth"] <= 3
        watched = ["identity_share" in moment.metrics for moment in one.curve]
        assert watched == [True, *(False,) * (len(watched) - 2), True]


def test_shares_and_lengths_are_the_probes_own() -> None:
    study = small()
    task, split = study.tasks[0], study.tasks[0].split(0)
    design = next(one for one in study.designs[0].values() if one.identity["skip"] == "residual")
    network, divergence = design.build(task.shape, task.outputs, 0), design.divergence_of(task)
    probing = Probing(("blocks",), network, divergence, split, 0)
    shares = [100 * one.share for one in identity_shares(network, probing.inputs).blocks]
    paths = path_lengths(network, divergence, probing.inputs, probing.targets)
    assert probing.start.profiles == {
        "identity_share": tuple(shares),
        "path_lengths": tuple(paths.shares),
    }
    assert probing.start.metrics["identity_share"] == pytest.approx(sum(shares) / len(shares))
    assert probing.start.metrics["effective_depth"] == paths.effective_depth


def test_metrics_are_judged_and_declared(results: Results) -> None:
    assert [(one.metric, one.unit) for one in results.verdicts] == [
        ("accuracy_held_out", "%"),
        ("gradient_decay_start", "decades"),
    ]
    names = [metric["name"] for metric in results.plan["metrics"]]  # type: ignore[attr-defined]
    assert set(names) >= {metric.name for one in PROBES.values() for metric in one.metrics}
    columns = results.to_pandas().columns
    assert {"gradient_decay_start", "identity_share", "effective_depth"} <= set(columns)


def test_store_gives_back_what_was_found(results: Results) -> None:
    store = Store(MEMORY)
    for one in results.runs:
        store.add(one, b"")
        assert repr(store.run(one.id)) == repr(one)


def test_a_record_of_before_is_still_read() -> None:
    old = Run("a", "s", "d", 0, "done", 1, 1.0, 1, {}, {}, (), ())
    assert (old.profiles, old.layers) == ({}, ())
    store = Store(MEMORY)
    store.add(old, b"")
    record = '{"id": "a", "signal": "s", "design": "d", "seed": 0, "status": "done", "steps": 1, '
    record += '"seconds": 1.0, "parameters": 1, "settings": {}, "metrics": {}, "bands": [], '
    record += '"curve": []}'
    store.database.execute("UPDATE runs SET record = ?", (record,))
    assert store.run("a") == old


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ({"metric": "identity_share"}, ["metric='identity_share'", "add probes=blocks"]),
        ({"also": ["gradient_decay_end"]}, ["add probes=gradients"]),
        ({"probes": ["blocks"], "also": ["gradient_decay_end"]}, ["add probes=gradients"]),
        ({"probes": ["gradients"], "also": ["gradient_decy"]}, ["did you mean 'gradient_decay'"]),
        ({"probes": ["gradient"]}, ["probes.0='gradient'", "'gradients' or 'blocks'"]),
        (
            {"probes": ["blocks"], "also": ["effective_depth"]},
            ["effective_depth", "plain-8+relu has no residual blocks", "identity_share"],
        ),
    ],
)
def test_what_does_not_fit_is_one_line(words: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(PenchantError) as caught:
        small(**words)
    message = str(caught.value)
    assert "\n" not in message and all(part in message for part in parts), message


def test_effective_depth_is_judged_where_all_have_blocks() -> None:
    words = {"designs": [{"width": 4, "depth": 8}, {"width": 4, "depth": 14}], "vary": {}}
    found = small(
        **words, baseline=None, probes=["blocks"], metric="effective_depth", seeds=1
    ).run()
    (one,) = found.verdicts
    assert (one.metric, one.unit, one.verdict) == ("effective_depth", "blocks", "descriptive")
    assert math.isfinite(one.mean_difference)


def test_pictures_are_probed_too(tiny: Tiny) -> None:
    found = tiny(probes=["gradients", "blocks"], metric="gradient_decay").run()
    for one in found.runs:
        assert len(one.layers) == len(one.profiles["gradient_start"]) == 4
        assert one.metrics["identity_share"] == 0
    (verdict,) = found.verdicts
    assert verdict.metric == "gradient_decay" and math.isfinite(verdict.mean_difference)


# With stand-ins


class Stand:
    """Probes that count their calls and answer known numbers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[torch.Tensor] = []
        self.spans = iter([-3.0, *([1.0] * 14), 0.5])
        self.fails = False
        monkeypatch.setattr(penchant.probes, "gradient_flow", self.gradient_flow)

    def gradient_flow(self, network: nn.Module, divergence: object, inputs: torch.Tensor,
                      targets: torch.Tensor) -> SimpleNamespace:  # fmt: skip
        self.batches.append(inputs)
        if self.fails:
            raise PenchantError("no gradient came")
        norms = {"first": 10 ** next(self.spans, 0.0), "hidden": 1.0, "head": 7.0}
        layers = tuple(SimpleNamespace(name=n, activation=norm) for n, norm in norms.items())
        return SimpleNamespace(layers=layers)


def test_decay_is_absolute_and_its_median_is_over_the_looks(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = Stand(monkeypatch)
    study = tiny(probes=["gradients"], seeds=1, steps=300, designs=[{"width": 8}])
    (last,) = [
        event for event in in_process(study.jobs, study.tasks) if isinstance(event, Finished)
    ]
    assert len(stand.batches) == 16, "once a look"
    assert all(torch.equal(one, stand.batches[0]) for one in stand.batches)
    metrics = last.run.metrics
    assert metrics["gradient_decay_start"] == 3
    assert metrics["gradient_decay_end"] == pytest.approx(0.5)
    assert metrics["gradient_decay"] == 1
    assert last.run.profiles == {
        "gradient_start": (1e-3, 1.0, 7.0),
        "gradient_end": (10**0.5, 1.0, 7.0),
    }
    assert last.run.layers == ("first", "hidden", "head")


@pytest.mark.parametrize(
    ("norms", "decades"), [([1.0, 100.0, 3.0], 2.0), ([5.0, 3.0], 0.0), ([0.0, 1.0, 1.0], math.nan)]
)
def test_decay_leaves_the_head_out(norms: list[float], decades: float) -> None:
    assert _decay(norms) == pytest.approx(decades, nan_ok=True)


def test_batch_is_keyed_by_the_seed(
    tiny: Tiny, waves: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = Stand(monkeypatch)
    task = tiny(waves(size=(32, 32))).tasks[0]
    for seed in (0, 0, 1):
        split = task.split(0)
        Probing(("gradients",), nn.Linear(2, 3), task.divergence(), split, seed)
    first, again, other = stand.batches
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert len(first) == SAMPLES < len(split.inputs)


def test_where_nothing_can_be_measured_the_study_goes_on(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = Stand(monkeypatch)
    stand.fails = True
    found = tiny(probes=["gradients"], also=["gradient_decay_end"]).run()
    assert all(math.isnan(one.metrics["gradient_decay"]) for one in found.runs)
    assert all(not one.profiles and one.layers == () for one in found.runs)
    scored, probed = found.verdicts
    assert probed.verdict == "descriptive" and "is undefined in 2 of 2 runs" in probed.sentence
    assert math.isfinite(scored.mean_difference)


def test_diverged_run_has_a_start_and_no_end(tiny: Tiny) -> None:
    words: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 1e30, "width": 8}
    study = tiny(probes=["gradients", "blocks"], designs=[words], seeds=1)
    one = finished(study.jobs[0], study).run
    assert one.status == "diverged"
    assert list(one.profiles) == ["gradient_start"]
    assert math.isfinite(one.metrics["gradient_decay_start"])
    for name in ("gradient_decay_end", "identity_share", "effective_depth"):
        assert math.isnan(one.metrics[name]), name


def test_table_of_probes_is_the_plans() -> None:
    for name, probe in PROBES.items():
        assert Plan.of({"probes": [name]}).probes == [name]
        assert all(metric.margin > 0 for metric in probe.metrics)
    assert probed_metrics([]) == []
    names = [metric.name for metric in probed_metrics(["blocks", "gradients"])]
    assert names == [
        "gradient_decay",
        "gradient_decay_start",
        "gradient_decay_end",
        "identity_share",
        "effective_depth",
    ]


def test_interrupted_run_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found at the start is found again by a run that goes on from a kept state."""
    monkeypatch.setattr("penchant.study._jobs.BETWEEN_CHECKPOINTS", 0.0)
    study = small(probes=["gradients", "blocks"])
    job, task = study.jobs[0], study.tasks[0]
    *events, whole = perform(job, task)
    states = [event for event in events if isinstance(event, Checkpointed)]
    assert len(states) >= 3
    *_, resumed = perform(job, task, states[len(states) // 2].state)
    assert isinstance(whole, Finished) and isinstance(resumed, Finished)
    assert whole.network == resumed.network
    one, other = whole.run, resumed.run
    assert repr((one.metrics, one.profiles, one.layers)) == repr(
        (other.metrics, other.profiles, other.layers)
    )
    assert [moment.metrics for moment in one.curve] == [moment.metrics for moment in other.curve]
