"""The encoder-decoder in a study: asked like a coordinate network, and shown what training sees."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import PictureNet, count_parameters
from penchant.study import AutoencoderDesign, Finished, Job, Study, design, load
from penchant.study._jobs import Checkpointed, perform
from penchant.tasks import Picture, PictureTask, evaluate

Waves = Callable[..., Picture]
Tiny = Callable[..., Study]

BOTH = [
    {"family": "autoencoder", "activation": "relu"},
    {"family": "autoencoder", "activation": "sine", "source": "noise"},
    {"family": "coordinate", "activation": "relu"},
]


def job(**fields: object) -> Job:
    settings = AutoencoderDesign(width=6, **fields).resolved()
    return Job(0, "waves", settings.label, settings, 0, 8, 50, "psnr_held_out")


def finished(one: Job, task: PictureTask, state: bytes | None = None) -> Finished:
    *_, last = perform(one, task, state)
    assert isinstance(last, Finished) and last.run.status == "done"
    return last


def numbers(result: Finished) -> tuple[str, bytes]:
    curve = tuple(replace(moment, seconds=0.0) for moment in result.run.curve)
    return repr(replace(result.run, seconds=0.0, curve=curve)), result.network


# The design


def test_labels() -> None:
    one = AutoencoderDesign(activation="gaussian", source="noise", divergence="l1")
    assert one.label == one.label_among_families == "autoencoder+gaussian+noise+l1"
    assert design({"family": "autoencoder"}).label == "autoencoder+relu"


def test_numbers_by_default() -> None:
    one = AutoencoderDesign(activation="sine", width=6).resolved()
    assert (one.optimizer, one.scale, one.source, one.depth) == ("adam", 1, "picture", 3)
    assert one.form == "3 levels of 6 channels, down and up"
    assert AutoencoderDesign(activation="sine").open_numbers() == ("learning_rate", "scale")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"activation": "wire"}, "its values are complex"),
        ({"source": "nois"}, "source='nois'"),
        ({"encoding": "nerf"}, "axis 'encoding' is unknown to autoencoder networks"),
    ],
)
def test_misfit_is_one_helpful_line(fields: dict, words: str) -> None:
    with pytest.raises(PenchantError) as caught:
        design({"family": "autoencoder", **fields})
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_it_is_for_pictures() -> None:
    with pytest.raises(PenchantError, match=r"samples of shape \(64,\).*points of one picture"):
        AutoencoderDesign(width=6).build((64,), 10, seed=0)
    with pytest.raises(PenchantError, match=r"points of one picture"):
        Study("digits", family="autoencoder", seeds=1, steps=1, tune=0)


# What it is shown


@pytest.mark.parametrize("source", ["picture", "noise"])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_held_out_pixel_never_reaches_the_network(
    waves: Waves, source: str, noise: float
) -> None:
    """Pictures that differ where nothing is seen give the same network, to the last bit."""
    picture = waves(size=(9, 12))
    held_out = PictureTask(picture, "random:0.5", noise).split(0).held_out
    changed = picture.values.copy()
    changed.reshape(-1, 3)[held_out] = np.float32(1) - changed.reshape(-1, 3)[held_out]
    both = [
        finished(job(source=source), PictureTask(Picture("waves", values), "random:0.5", noise))
        for values in (picture.values, changed)
    ]
    scores = [one.run.metrics for one in both]
    assert both[0].network == both[1].network
    assert scores[0]["psnr_seen"] == scores[1]["psnr_seen"]
    assert scores[0]["psnr_held_out"] != scores[1]["psnr_held_out"], "the pictures do differ"


def test_a_pilots_validation_pixels_are_not_shown_either(waves: Waves) -> None:
    task = PictureTask(waves(), "random:0.5")
    split = task.split(0, validation=True)
    network = task.wrapped(AutoencoderDesign(width=4).build((2,), 3, seed=0), split)
    mask = network.given[0, -1].flatten() > 0
    assert mask.nonzero().flatten().tolist() == split.seen.tolist()


def test_it_is_shown_the_noisy_picture(waves: Waves) -> None:
    task = PictureTask(waves(), "checkerboard", noise=0.2)
    split = task.split(3)
    network = task.wrapped(AutoencoderDesign(width=4).build((2,), 3, seed=0), split)
    given = network.given[0]
    shown = (given[:3] / given[-1].max()).flatten(1).t()[split.seen]
    torch.testing.assert_close(shown, split.targets)


def test_a_task_leaves_other_networks_alone(waves: Waves) -> None:
    task, network = PictureTask(waves(), "checkerboard"), nn.Linear(2, 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert task.wrapped(network, task.split(0)) is network
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_a_step_makes_the_picture_once(waves: Waves) -> None:
    """Also of more samples than the blocks that other networks take them in."""
    task = PictureTask(waves(size=(40, 40)), "none")
    one = replace(job(), batch=2048)
    training = one.training(task, task.split(0))
    assert isinstance(training.network, PictureNet)
    calls: list[Tensor] = []
    training.network.network.register_forward_hook(lambda _, __, answer: calls.append(answer))
    training.advance(3)
    assert len(calls) == 3 and calls[0].shape == (1, 3, 40, 40)


# In a study


def test_equal_parameters_beside_a_coordinate_network(waves: Waves) -> None:
    words = {"match": "parameters", "baseline": "coordinate+relu", "tune": 0}
    (designs,) = Study(waves(size=(64, 64)), designs=BOTH, **words).designs
    sizes = {label: count_parameters(one.build((2,), 3, seed=0)) for label, one in designs.items()}
    assert list(sizes) == ["autoencoder+relu", "autoencoder+sine+noise", "coordinate+relu"]
    target = sizes["coordinate+relu"]
    assert all(abs(size / target - 1) < 0.15 for size in sizes.values()), "channels are whole"


def test_one_that_is_too_large_at_its_narrowest_does_not_narrow_the_others(waves: Waves) -> None:
    words = {"match": "parameters", "baseline": "coordinate+relu", "tune": 0}
    study = Study(waves(size=(40, 40)), designs=BOTH, **words)
    sizes = [count_parameters(one.build((2,), 3, seed=0)) for one in study.designs[0].values()]
    (task,) = study.tasks
    assert max(sizes) > task.seen_values() / 2 > sizes[-1] > 0.8 * task.seen_values() / 2


@pytest.mark.parametrize("first", [0, 2])
def test_each_family_has_a_width_of_its_own(waves: Waves, first: int) -> None:
    """Channels are no units: the narrow one does not make the other narrow, whoever comes first."""
    picture, designs = waves(size=(40, 40)), [BOTH[first], BOTH[2 - first]]
    alone = {
        one.family: one.width
        for fields in designs
        for one in Study(picture, designs=[fields], seeds=1, tune=0).designs[0].values()
    }
    together = Study(picture, designs=designs, seeds=1, tune=0).designs[0]
    assert {one.family: one.width for one in together.values()} == alone
    assert alone["coordinate"] > 2 * alone["autoencoder"]


@pytest.mark.slow
def test_one_job_and_two_give_the_same(tiny: Tiny) -> None:
    def told(jobs: int) -> str:
        results = tiny(designs=BOTH, tune=2, steps=8).run(jobs=jobs)
        runs = [
            replace(run, seconds=0.0, curve=tuple(replace(m, seconds=0.0) for m in run.curve))
            for run in results.runs
        ]
        return repr((runs, results.pilots, [r.values.tobytes() for r in results.reconstructions]))

    assert told(1) == told(2)


@pytest.mark.parametrize("source", ["picture", "noise"])
def test_it_goes_on_from_a_checkpoint_with_the_same_numbers(
    waves: Waves, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penchant.study._jobs.BETWEEN_CHECKPOINTS", 0.0)
    task, one = PictureTask(waves(), "random:0.5", noise=0.05), job(source=source)
    states = [event.state for event in perform(one, task) if isinstance(event, Checkpointed)]
    assert len(states) > 3
    assert numbers(finished(one, task, states[3])) == numbers(finished(one, task))


def test_pictures_in_the_results_are_the_runs(tiny: Tiny, waves: Waves) -> None:
    results = tiny(designs=BOTH).run()
    scores = {run.design: run.metrics["psnr_seen"] for run in results.runs if run.seed == 0}
    split = PictureTask(waves(), "random:0.5").split(0)
    truth = waves().values.reshape(-1, 3)[split.seen].astype(np.float64)
    drawn = [one for one in results.reconstructions if one.design]
    assert len(drawn) == 3
    for one in drawn:
        error = one.values.reshape(-1, 3)[split.seen] - truth
        assert -10 * np.log10(np.mean(error**2)) == pytest.approx(scores[one.design], abs=1e-3)


def test_probes_measure_it(tiny: Tiny) -> None:
    results = tiny(designs=BOTH[:1], probes=["gradients"], seeds=1).run()
    assert results.runs[0].metrics["gradient_decay_end"] >= 0


def test_a_kept_network_gives_the_picture_back(tiny: Tiny, tmp_path: Path, photo: Path) -> None:
    results = tiny(photo, designs=BOTH, out=tmp_path / "study").run()
    drawn = {one.design: one.values for one in results.reconstructions}
    files = sorted((tmp_path / "study" / "networks").rglob("*.safetensors"))
    assert len(files) == len(results.runs)
    for path in files:
        (label,) = [one for one in drawn if one and path.stem.startswith(f"{one}-")]
        if path.stem.endswith("-0"):
            fitted = load(path)
            np.testing.assert_array_equal(fitted.render(), drawn[label])
            assert fitted.render(scale=2.5).shape == (40, 40, 3)
            assert fitted.at(3.5, 7.5) == pytest.approx(drawn[label][7, 3], abs=1e-6)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"design": {"width": 4096}}, "values are too few for 2 inputs"),
        ({"signal": {"height": 900_000, "width": 900_000}}, "values are too few"),
        ({"signal": {"height": 17}}, "tensor given is of shape"),
        ({"design": {"source": "noise"}}, "tensor given is of shape"),
        ({"signal": {"kind": "samples", "height": ..., "width": ...}}, "tensor given is of shape"),
        ({"signal": {"kind": "samples", "height": ..., "width": ..., "inputs": 3}}, "shape (3,)"),
    ],
)
def test_a_file_that_does_not_hold_together(
    tiny: Tiny, tmp_path: Path, words: dict, told: str
) -> None:
    tiny(designs=BOTH[:1], seeds=1, out=tmp_path / "study").run()
    (path,) = (tmp_path / "study" / "networks").rglob("*.safetensors")
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["penchant"])
    for name, values in words.items():
        both = header[name] | values
        header[name] = {field: value for field, value in both.items() if value is not ...}
    save_file(load_file(path), path, {"penchant": json.dumps(header)})
    with pytest.raises(PenchantError) as caught:
        load(path)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_many_points_are_one_picture(waves: Waves) -> None:
    task = PictureTask(waves(), "checkerboard")
    network = task.wrapped(AutoencoderDesign(width=4).build((2,), 3, seed=0), task.split(0))
    calls: list[Tensor] = []
    network.network.register_forward_hook(lambda _, __, answer: calls.append(answer))
    points = task.points.repeat(40, 1)
    answers = evaluate(network, points)
    assert len(points) > 8192 and len(calls) == 1
    assert torch.equal(answers, network(task.points).repeat(40, 1))
