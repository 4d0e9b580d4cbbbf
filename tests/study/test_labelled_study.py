"""Studies of labelled data end to end, and of pictures behind a sigmoid: what is kept and read."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import penchant as pn
from penchant.divergences import LinkName
from penchant.errors import PenchantError
from penchant.nn import count_parameters
from penchant.study import DenseDesign, Finished, Results, Run, Study, fit
from penchant.study._jobs import Job
from penchant.study._warnings import plan_warnings
from penchant.study._width import with_widths
from penchant.tasks import ClassificationTask, Labelled, Picture, PictureTask, load_labelled
from penchant.training import gradient_of

Waves = Callable[..., Picture]

WORDS: dict = {
    "designs": [{}, {"activation": "sine"}, {"divergence": "l2", "start_bias": 10}],
    "seeds": 3,
    "steps": 12,
    "tune": 2,
    "target": 60,
}


def blobs(samples: int = 90, features: int = 5, classes: int = 3) -> Labelled:
    draws = np.random.default_rng(0)
    labels = np.arange(samples) % classes
    centres = draws.normal(size=(classes, features))
    return Labelled("blobs", centres[labels] + draws.normal(size=(samples, features)) / 2, labels)


def stripped(runs: tuple[Run, ...]) -> list[Run]:
    """Runs without what a clock says."""
    return [
        replace(run, seconds=0.0, curve=tuple(replace(m, seconds=0.0) for m in run.curve))
        for run in runs
    ]


def numbers(results: Results) -> str:
    parts = (stripped(results.runs), results.pilots, results.verdicts, results.target_verdicts,
             results.steps_to_target, results.warnings, results.plan)  # fmt: skip
    return repr(parts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("digits")


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return Study("digits", out=folder, **WORDS).run()


# The same numbers however it is run


def test_two_processes_give_the_same_to_the_bit(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    reduce = ClassificationTask.__reduce__
    monkeypatch.setattr(
        ClassificationTask, "__reduce__", lambda task: sent.append(task.name) or reduce(task)
    )
    pool = Study("digits", out=tmp_path, **WORDS).run(jobs=2)
    assert numbers(pool) == numbers(results)
    assert sent == ["digits", "digits"], "a worker gets the data once, not with each job"
    for network in (results.folder / "networks").iterdir():  # type: ignore[operator]
        assert (tmp_path / "networks" / network.name).read_bytes() == network.read_bytes()


def test_interrupted_study_goes_on_with_the_same_numbers(results: Results, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    left = 0

    def stop(event: object) -> None:
        nonlocal left
        left -= isinstance(event, Finished)
        if left == 0:
            raise Stop

    for done in (2, 4, 3):  # among the pilots, after them, in the middle of a seed
        left = done
        with pytest.raises(Stop):
            Study("digits", out=tmp_path, **WORDS).run(on_event=stop)
    study = Study.read(tmp_path / "study.toml")
    assert study.remaining() == len(study.jobs) - 9
    assert numbers(study.run()) == numbers(results)
    tables = [
        pd.read_csv(Path(one, "results.csv"), dtype=str).drop(columns="seconds")
        for one in (tmp_path, results.folder)  # type: ignore[arg-type]
    ]
    pd.testing.assert_frame_equal(*tables)


def test_read_again_it_is_the_same(results: Results, folder: Path) -> None:
    assert repr(Study.read(folder / "study.toml").results()) == repr(results)
    assert results.reconstructions == () and results.plan["noun"] == "data set"


def test_data_as_an_object_has_the_same_numbers(results: Results) -> None:
    data = load_labelled("digits")
    assert numbers(Study(data, **WORDS).run()) == numbers(results)
    named, made = Study("digits", **WORDS), Study(ClassificationTask(data), **WORDS)
    assert [task.fingerprint for task in made.tasks] == [task.fingerprint for task in named.tasks]
    assert made.designs == named.designs and made.paths == []


# Ids


def test_ids_tell_divergences_apart_and_nothing_else() -> None:
    task = ClassificationTask(blobs())

    def ids(**fields: object) -> list[str]:
        design = DenseDesign(**{"width": 8, **fields}).resolved()  # type: ignore[arg-type]
        job = Job(0, task.name, design.label, design, 0, 10, 8, "accuracy_held_out")
        return [job.id(task.fingerprint)]

    choices: list[dict[str, object]] = [
        {},
        {"divergence": "kl"},
        {"divergence": "l2"},
        {"divergence": "l2", "link": "identity"},
        {"divergence": "huber"},
        {"divergence": "huber", "delta": 0.5},
        {"divergence": "cross_entropy"},
        {"divergence": "cross_entropy", "label_smoothing": 0.1},
        {"start_bias": 10},
        {"optimizer": "sgd"},
    ]
    found = [ids(**fields)[0] for fields in choices]
    assert len(set(found)) == len(choices)
    assert found == [ids(**fields)[0] for fields in choices]
    relabelled = Job(3, "other", "name", DenseDesign(width=8).resolved(), 0, 10, 8, "nll_held_out")
    assert relabelled.id(task.fingerprint) == found[0], "names and places are no part of it"


def test_an_added_divergence_keeps_the_other_runs() -> None:
    words: dict = {"seeds": 2, "steps": 5, "tune": 0}
    few = Study(blobs(), vary={"divergence": ["l2", "kl"]}, **words).run()
    many = Study(blobs(), vary={"divergence": ["cross_entropy", "kl", "l2"]}, **words).run()
    kept = {run.id: run.metrics for run in many.runs}
    assert {run.id: kept[run.id] for run in few.runs} == {r.id: r.metrics for r in few.runs}
    assert len({run.id for run in many.runs}) == 6


def test_what_is_equal_gives_equal_numbers() -> None:
    """KL is what labelled data have unasked, and cross-entropy's gradient is KL's."""
    designs = [{}, {"divergence": "kl"}, {"divergence": "cross_entropy"}, {"divergence": "l2"}]
    found = Study(blobs(), designs=designs, seeds=1, steps=20, tune=0).run()
    own, kl, entropy, l2 = (run.metrics for run in found.runs)
    assert own == kl
    assert entropy["nll_seen"] == pytest.approx(kl["nll_seen"], rel=1e-4)
    assert l2["nll_seen"] != pytest.approx(kl["nll_seen"], rel=1e-2)


def test_pairing_holds_across_divergences(results: Results) -> None:
    """Before the first step designs of one activation answer alike, where none is biased."""
    study = Study(blobs(), vary={"divergence": ["kl", "l2"]}, seeds=2, steps=4, tune=0).run()
    first = {(r.design, r.seed): r.curve[0].metrics for r in study.runs}
    assert first["relu+kl", 0] == first["relu+l2", 0] != first["relu+kl", 1]


def test_a_biased_start_is_confident_and_wrong(results: Results) -> None:
    plain, biased = (
        [run.curve[0].metrics for run in results.runs if run.design == label]
        for label in ("relu", "relu+l2")
    )
    for before, after in zip(plain, biased, strict=True):
        assert before["nll_held_out"] < 4 < after["nll_held_out"]
        assert after["accuracy_held_out"] < 20


@pytest.mark.parametrize(
    ("name", "link", "given"),
    [
        ("kl", None, {}),
        ("cross_entropy", None, {"label_smoothing": 0.1}),
        ("l2", None, {}),
        ("l1", None, {}),
        ("huber", None, {"delta": 0.2}),
        ("l2", "identity", {}),
        ("l1", "identity", {}),
        ("huber", "identity", {}),
    ],
)
@pytest.mark.parametrize("start_bias", [0, 10])
def test_closed_form_gradient_is_autograds(
    name: str, link: LinkName | None, given: dict[str, float], start_bias: float
) -> None:
    task = ClassificationTask(blobs())
    divergence, split = task.divergence(name, link, **given), task.split(0)
    design = DenseDesign(activation="gelu", width=8, start_bias=start_bias).resolved()
    network = design.build(task.shape, task.outputs, seed=0).double()
    inputs, targets = split.inputs.double(), split.targets.double()
    gradient = gradient_of(network, divergence, block=16)
    assert type(gradient).__name__ == "CoordinateGradient"
    value = gradient(inputs, targets)
    expected = divergence(network(inputs), targets)
    assert value == pytest.approx(expected.item(), rel=1e-12)
    wanted = torch.autograd.grad(expected, list(network.parameters()))
    for parameter, known in zip(network.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, known, rtol=1e-9, atol=1e-12)


# Pilots, widths and warnings


def test_pilots_are_asked_about_seen_samples_alone(results: Results) -> None:
    study = Study("digits", **WORDS)
    pilots = study.pilot_jobs
    assert len(pilots) == 6 and {job.metric for job in pilots} == {"accuracy_held_out"}
    task = study.tasks[0]
    pilot, run = (task.split(pilots[0].seed, validation=v) for v in (True, False))
    assert isinstance(task, ClassificationTask)
    assert set(pilot.seen) | set(pilot.held_out) == set(run.seen)  # type: ignore[attr-defined]
    rates = [job.settings.learning_rate for job in pilots if job.design == "relu"]
    assert rates[0] == DenseDesign().resolved().learning_rate
    assert all(1 / 10 <= rate / rates[0] <= 10 for rate in rates)  # type: ignore[operator]


def test_dense_networks_have_their_usual_width() -> None:
    (designs,) = Study(blobs(), designs=[{}, {"width": 7}, {"depth": 4}]).designs
    assert [design.width for design in designs.values()] == [128, 7, 128]


@pytest.mark.parametrize("features", [2, 30])
def test_equal_parameters(features: int) -> None:
    chosen: list[dict] = [{}, {"depth": 4}, {"activation": "wire"}, {"depth": 1}]
    study = Study(blobs(features=features), designs=chosen, match="parameters")
    (designs,) = study.designs
    counts = [count_parameters(d.build((features,), 3, seed=0)) for d in designs.values()]
    assert next(iter(designs.values())).width == 128
    assert max(counts) / min(counts) < 1.05
    assert not any("not equal" in warning for warning in study.warnings)


def test_given_widths_are_kept_where_parameters_are_matched() -> None:
    task = ClassificationTask(blobs())
    designs = {"a": DenseDesign(width=50).resolved(), "b": DenseDesign(width=9).resolved()}
    assert with_widths(designs, task, "parameters", dict.fromkeys(designs, "a")) == designs


def test_families_side_by_side() -> None:
    """A coordinate network's width follows from the data, a dense one's does not."""
    words: dict = {"seeds": 1, "steps": 3, "tune": 0}
    study = Study(blobs(300), designs=[{}, {"family": "coordinate", "encoding": "nerf"}], **words)
    (designs,) = study.designs
    assert [design.family for design in designs.values()] == ["dense", "coordinate"]
    (run, other) = study.run().runs
    assert run.parameters > 3 * 300 / 2 > other.parameters


def test_warnings_fit_labelled_data() -> None:
    study = Study(blobs(), designs=[{}, {"activation": "tanh", "learning_rate": 0.01}], tune=2)
    (text,) = study.warnings
    assert "learning rate of tanh was given" in text
    words = " ".join(plan_warnings(study.plan, study.designs[0], study.tasks[0]))
    assert "by heart" not in words and "picture" not in words


@pytest.mark.parametrize(("seeds", "warned"), [(4, False), (5, True)])
def test_warns_of_seeds_that_hold_out_the_same_groups_again(seeds: int, warned: bool) -> None:
    groups = {"speakers": np.tile(np.arange(4), 15)}
    inputs = np.arange(60.0)[:, None] * [1, -1]
    words = Labelled("words", inputs, np.repeat([0, 1, 2], 20), groups=groups)
    study = Study(words, designs=[{}], seeds=seeds, held_out="speakers", tune=1)
    found = [text for text in study.warnings if "only 4 different groups" in text]
    assert len(found) == warned


def test_estimate_is_sane() -> None:
    study = Study(blobs(), designs=[{}], seeds=1, steps=300, tune=0)
    one, ten = (
        study.estimate(),
        Study(blobs(), designs=[{}], seeds=10, steps=300, tune=0).estimate(),
    )
    assert 0.01 < one < 20 and one < ten < 60


def test_estimate_times_data_of_another_shape_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    from penchant.study import _estimate

    timed: list[int] = []
    monkeypatch.setattr(
        _estimate, "_seconds", lambda job, task, device: timed.append(task.inputs) or 1.0
    )
    narrow, wide = blobs(features=2), replace(blobs(features=9), name="wide")
    Study([narrow, wide], designs=[{}], seeds=2, tune=0).estimate()
    assert timed == [2, 9]


# Networks in files


@pytest.fixture
def network(results: Results) -> Path:
    return Path(results.folder, "networks", "relu+l2--seed0.safetensors")  # type: ignore[arg-type]


def test_network_of_a_study_loads_and_scores_the_same(results: Results, network: Path) -> None:
    loaded = pn.load(network)
    assert loaded.design.family == "dense" and loaded.design.divergence == "l2"
    assert (loaded.signal.kind, loaded.signal.inputs, loaded.signal.outputs) == ("samples", 64, 10)
    (run,) = [run for run in results.runs if (run.design, run.seed) == ("relu+l2", 0)]
    task = Study("digits", **WORDS).tasks[0]
    answer = task.answering(loaded.network, loaded.design.divergence_of(task))
    assert task.split(0).score(answer).metrics == run.metrics


def test_network_of_samples_is_not_rendered(network: Path) -> None:
    loaded = pn.load(network)
    for ask in (loaded.render, lambda: loaded.at(1, 1)):
        with pytest.raises(PenchantError, match="only those of signals are rendered"):
            ask()


def tampered(network: Path, to: Path, **fields: object) -> Path:
    with safe_open(network, framework="pt") as file:
        words = json.loads(file.metadata()["penchant"])
    words["design"] |= fields
    words["design"] = {name: v for name, v in words["design"].items() if v != "gone"}
    save_file(load_file(network), to, {"penchant": json.dumps(words)})
    return to


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"family": "nonsense"}, "family='nonsense' is unknown"),
        ({"family": ["dense"]}, "is unknown"),
        ({"family": None}, "family=None is unknown"),
        ({"family": "coordinate"}, "'start_bias' is unknown to coordinate networks"),
        ({"divergence": "nonsense"}, "divergence='nonsense' is unknown"),
        ({"encoding": "nerf"}, "'encoding' is unknown to dense networks"),
        ({"start_bias": 1e9}, "start_bias"),
        ({"width": 4096}, "too few"),
        ({"depth": 3}, "tensor"),
    ],
)
def test_tampered_header_is_one_line(
    network: Path, tmp_path: Path, fields: dict[str, object], word: str
) -> None:
    path = tampered(network, tmp_path / "a.safetensors", **fields)
    with pytest.raises(PenchantError) as caught:
        pn.load(path)
    message = str(caught.value)
    assert word in message and str(path) in message and "\n" not in message


def test_header_of_the_other_family_still_holds_the_same_network(
    network: Path, tmp_path: Path
) -> None:
    fields = {"family": "coordinate", "start_bias": "gone", "encoding": "none"}
    loaded = pn.load(tampered(network, tmp_path / "a.safetensors", **fields))
    state, known = loaded.network.state_dict(), load_file(network)
    assert all(torch.equal(state[name], known[name]) for name in known)


# Pictures behind a sigmoid


@pytest.mark.parametrize(
    "fields",
    [
        {"divergence": "kl"},
        {"divergence": "cross_entropy", "label_smoothing": 0.05},
        {"divergence": "l2", "link": "sigmoid"},
        {"divergence": "huber", "delta": 0.1},
    ],
)
def test_loaded_network_draws_what_the_study_drew(
    waves: Waves, tmp_path: Path, fields: dict[str, object]
) -> None:
    words: dict = {"designs": [{"activation": "sine", **fields}], "seeds": 1, "tune": 0}
    results = Study(waves(), out=tmp_path, steps=60, **words).run()
    original, drawn = results.reconstructions
    (path,) = (tmp_path / "networks").iterdir()
    loaded = pn.load(path)
    np.testing.assert_array_equal(loaded.render(), drawn.values)
    np.testing.assert_allclose(loaded.at(3.5, 7.5), drawn.values[7, 3], atol=1e-6)
    seen = PictureTask(waves(), "random:0.5").split(0).seen
    error = (drawn.values - original.values).reshape(256, 3)[seen]
    psnr = -10 * np.log10(np.mean(np.square(error, dtype=np.float64)))
    assert results.runs[0].metrics["psnr_seen"] == pytest.approx(psnr, abs=1e-4)
    assert psnr > 15, "it learns"


@pytest.mark.parametrize(
    "fields", [{"divergence": "kl"}, {"divergence": "l1"}, {"link": "sigmoid"}]
)
def test_fit_with_another_divergence_stops_at_its_target(
    waves: Waves, tmp_path: Path, fields: dict[str, object]
) -> None:
    asked: list[float] = []
    design = {"activation": "sine", "width": 32, "learning_rate": 0.01, **fields}
    fitted = fit(
        waves(),
        design=design,
        steps=2000,
        target_db=20,
        on_step=lambda step, db: asked.append(db),
    )
    assert fitted.steps < 2000 and fitted.metrics["psnr_seen"] >= 20
    assert asked[-1] == pytest.approx(fitted.metrics["psnr_seen"], abs=1e-6), "not an estimate"
    loaded = pn.load(fitted.save(tmp_path / "a.safetensors"))
    np.testing.assert_array_equal(loaded.render(), fitted.render())
    error = np.square(fitted.render() - waves().values, dtype=np.float64).mean()
    assert -10 * np.log10(error) == pytest.approx(fitted.metrics["psnr_seen"], abs=1e-3)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"divergence": "binary_kl"}, "binary_kl"),
        ({"divergence": "kl", "link": "identity"}, "identity"),
        ({"family": "dense"}, "coordinate networks"),
    ],
)
def test_fit_refuses_what_does_not_fit(waves: Waves, fields: dict, word: str) -> None:
    with pytest.raises(PenchantError, match=word):
        fit(waves(), design=fields, steps=1)


def test_noisy_runs_are_other_runs(waves: Waves) -> None:
    words: dict = {"designs": [{"divergence": "kl"}], "seeds": 1, "steps": 3, "tune": 0}
    noisy, quiet = Study(waves(), noise=0.1, **words).run(), Study(waves(), **words).run()
    assert noisy.runs[0].id != quiet.runs[0].id and noisy.runs[0].metrics != quiet.runs[0].metrics
    assert noisy.plan["noise"] == 0.1 and "Gaussian noise" in str(noisy.plan["notices"])
