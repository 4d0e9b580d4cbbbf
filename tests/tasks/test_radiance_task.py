"""Scenes as tasks: views seen and held out, scores, a training that learns, and the way back."""

import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scenes import Ball, ball_scene, write_scene
from torch import Tensor, nn

from penchant.divergences import L2
from penchant.errors import PenchantError
from penchant.nn import CoordinateNet
from penchant.tasks import (
    Decoding,
    PosedPictures,
    RadianceHeader,
    RadianceTask,
    RayRenderer,
    load_posed_pictures,
    read_header,
)
from penchant.tasks._load import Asked, load_task
from penchant.training import Recipe, Training


@pytest.fixture(scope="module")
def scene() -> PosedPictures:
    return ball_scene()


@pytest.fixture(scope="module")
def task(scene: PosedPictures) -> RadianceTask:
    return RadianceTask(scene, "every:4", degree=0, samples=64)


def ball_in_cube(task: RadianceTask) -> nn.Module:
    """The scene itself, as a network of the cube's coordinates."""

    class Placed(Ball):
        def forward(self, points: Tensor) -> Tensor:
            return super().forward(points * task.cube.half)

    return RayRenderer(Placed(), degree=0, samples=256)


def test_views_are_seen_or_held_out_whole(task: RadianceTask, scene: PosedPictures) -> None:
    split = task.split(0)
    assert split.held_out.tolist() == [0, 4, 8]
    assert split.seen.tolist() == [1, 2, 3, 5, 6, 7, 9]
    assert split.inputs.shape == (7 * 144, 6)
    assert split.targets.min() >= -1
    shown = (split.targets + 1) / 2
    assert shown.numpy() == pytest.approx(scene.pictures[split.seen].reshape(-1, 3), abs=1e-6)
    assert task.seen_values() == split.targets.numel()
    places = task.cube.place(scene.poses[split.seen][:, :3, 3])
    assert split.inputs[::144, :3].numpy() == pytest.approx(places, abs=1e-6)


def test_a_pilot_knows_no_held_out_view(task: RadianceTask) -> None:
    whole, pilot = task.split(3), task.split(3, validation=True)
    assert len(pilot.held_out) == 1
    assert sorted([*pilot.seen, *pilot.held_out]) == whole.seen.tolist()
    assert task.split(3, validation=True).held_out.tolist() == pilot.held_out.tolist()
    drawn = {int(task.split(seed, validation=True).held_out[0]) for seed in range(8)}
    assert len(drawn) > 1


def test_the_scene_itself_scores_high_and_white_as_its_error_says(
    task: RadianceTask, scene: PosedPictures
) -> None:
    split = task.split(0)
    best = split.score(ball_in_cube(task))
    # The pictures were drawn with other bins, which matters on the ball's rim.
    assert best.metrics["psnr_held_out"] > 30
    assert best.metrics["psnr_seen"] > 30

    class White(nn.Module):
        def forward(self, rays: Tensor) -> Tensor:
            return torch.ones(len(rays), 3)

    scores = split.score(White()).metrics
    for part, views in (("held_out", split.held_out), ("seen", split.seen)):
        error = np.square(1 - scene.pictures[views].astype(np.float64)).mean()
        assert scores[f"psnr_{part}"] == pytest.approx(-10 * math.log10(error), abs=1e-5)
    watched = split.score(White(), final=False).metrics
    assert watched == split.score(White(), final=False).metrics
    for part, score in watched.items():
        assert score == pytest.approx(scores[part], abs=0.4)


def test_what_is_not_finite_scores_as_the_mean_colour(
    task: RadianceTask, scene: PosedPictures
) -> None:
    class Broken(nn.Module):
        def forward(self, rays: Tensor) -> Tensor:
            return torch.full((len(rays), 3), math.nan)

    split = task.split(0)
    constant = split.constant_score().metrics
    assert split.score(Broken()).metrics == constant
    assert split.score(Broken(), final=False).metrics == constant
    mean = scene.pictures[split.seen].astype(np.float64).mean(axis=(0, 1, 2))
    error = np.square(scene.pictures[split.held_out] - mean).mean()
    assert constant["psnr_held_out"] == pytest.approx(-10 * math.log10(error), abs=1e-4)
    with pytest.raises(PenchantError, match="a colour each"):
        split.score(nn.Identity())


def test_patterns(scene: PosedPictures) -> None:
    assert RadianceTask(scene).held_out == "every:8"
    assert [metric.name for metric in RadianceTask(scene, "none").metrics] == ["psnr_seen"]
    assert RadianceTask(scene, "none").split(0).score(ball_in_cube(RadianceTask(scene))).metrics
    random = RadianceTask(scene, "random:.30")
    assert random.held_out == "random:0.3"
    assert len(random.split(0).held_out) == 3
    marked = np.arange(10) >= 7
    own = PosedPictures("ball", scene.pictures, scene.poses, scene.angle, test=marked)
    assert RadianceTask(own).split(0).held_out.tolist() == [7, 8, 9]
    assert RadianceTask(own, "every:5").split(0).held_out.tolist() == [0, 5]
    for pattern, said in (("test", "transforms_test"), ("every:1", "2"), ("sides", "no such")):
        with pytest.raises(PenchantError, match=said):
            RadianceTask(scene, pattern)
    prints = {RadianceTask(scene, pattern).fingerprint for pattern in ("none", "every:8")}
    prints.add(RadianceTask(own).fingerprint)
    prints.add(RadianceTask(scene, "none", degree=2).fingerprint)
    assert len(prints) == 4


def test_it_is_immutable_and_pickles(task: RadianceTask) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        task.name = "other"
    again = pickle.loads(pickle.dumps(task))
    assert again.fingerprint == task.fingerprint
    assert torch.equal(again.split(1).inputs, task.split(1).inputs)


def trained(task: RadianceTask, steps: int, *, stop: int | None = None) -> Training:
    split = task.split(0)
    network = CoordinateNet(
        task.inputs, task.outputs, width=24, depth=2, activation="relu", encoding="nerf", seed=0
    )
    recipe = Recipe(steps, "adam", 1e-2, batch=256)
    training = Training(
        task.wrapped(network, split), L2(), split.inputs, split.targets, recipe, split.seed
    )
    training.advance(steps if stop is None else stop)
    return training


def test_a_network_learns_a_scene_and_sees_it_from_elsewhere(task: RadianceTask) -> None:
    training = trained(task, 150)
    split = task.split(0)
    scores, constant = split.score(training.network).metrics, split.constant_score().metrics
    assert scores["psnr_held_out"] > constant["psnr_held_out"] + 6
    assert float(training.network.occupancy.occupied.float().mean()) < 0.5


def test_a_state_goes_on_with_the_same_numbers(task: RadianceTask) -> None:
    whole, broken = trained(task, 40), trained(task, 40, stop=25)
    resumed = trained(task, 40, stop=0)
    resumed.load_state_dict(broken.state_dict())
    resumed.advance(40)
    for one, other in zip(
        whole.network.state_dict().items(), resumed.network.state_dict().items(), strict=True
    ):
        assert one[0] == other[0]
        assert torch.equal(one[1], other[1]), one[0]


def test_a_header_gives_views_back(task: RadianceTask, tmp_path: Path) -> None:
    written = json.loads(json.dumps(task.header.model_dump()))
    header = read_header(written)
    assert header == task.header
    assert isinstance(header, RadianceHeader)
    network = ball_in_cube(task).network
    assert isinstance(network, nn.Module)
    answer = header.answer(network, None, None)
    split = task.split(0)
    view = header.decode(answer, Decoding(view=4))
    assert view == pytest.approx(split.reconstruct_view(answer, 4), abs=1e-6)
    assert np.abs(view - task.scene.pictures[4]).mean() < 0.02
    out = tmp_path / "view.png"
    header.check_file(out)
    said = header.write(header.decode(answer, Decoding(scale=2, view=4)), out, Decoding(view=4))
    assert said == "24×24 pixels"
    with Image.open(out) as drawn:
        assert drawn.size == (24, 24)


def test_a_turn_goes_around_the_scene(task: RadianceTask, tmp_path: Path) -> None:
    header = task.header
    poses = header.turn(4)
    assert poses[0] == pytest.approx(task.scene.poses[0])
    distances = np.linalg.norm(poses[:, :3, 3] - task.cube.centre, axis=1)
    assert distances == pytest.approx(np.full(4, distances[0]))
    # The cameras' z is up on the mean, and each looks at the centre.
    assert poses[2, :2, 3] == pytest.approx(-poses[0, :2, 3], abs=0.35)
    for pose in poses:
        towards = np.array(task.cube.centre) - pose[:3, 3]
        assert -pose[:3, 2] == pytest.approx(towards / np.linalg.norm(towards), abs=0.01)
    answer = header.answer(ball_in_cube(task), None, None)
    decoded = header.decode(answer, Decoding(scale=0.5))
    assert decoded.shape == (36, 6, 6, 3)
    assert "36 pictures" in header.write(decoded, tmp_path / "turn.gif", Decoding())
    with Image.open(tmp_path / "turn.gif") as moving:
        assert getattr(moving, "n_frames", 1) > 10
    with pytest.raises(PenchantError, match="take one view"):
        header.write(decoded, tmp_path / "turn.png", Decoding())


def test_density_and_colour_at_a_point(task: RadianceTask) -> None:
    answer = task.header.answer(ball_in_cube(task), None, None)
    density, *colour = task.header.at(answer, (0.25, 0.0, -0.25))
    assert density * task.cube.half == pytest.approx(25 * 15, rel=1e-3)
    assert colour == pytest.approx([1 / (1 + math.exp(-1.5)), 0.5, 1 / (1 + math.exp(1.5))])
    assert task.header.at(answer, (0.6, 0, 0))[0] == pytest.approx(0, abs=1e-6)
    with pytest.raises(PenchantError, match="outside the scene's cube"):
        task.header.at(answer, (3, 0, 0))


@pytest.mark.parametrize(
    "change",
    [
        {"angle": math.pi},
        {"angle": math.nan},
        {"half": 0},
        {"half": math.inf},
        {"degree": 1},
        {"outputs": 5},
        {"samples": 10**9},
        {"height": 10**9},
        {"centre": (0, math.nan, 0)},
        {"poses": ()},
        {"poses": (((2, 0, 0, 0), (0, 2, 0, 0), (0, 0, 2, 0)),)},
        {"poses": (((1, 0, 0, math.nan), (0, 1, 0, 0), (0, 0, 1, 0)),)},
        {"color": "red"},
    ],
)
def test_a_damaged_header(task: RadianceTask, change: dict[str, object]) -> None:
    with pytest.raises(PenchantError, match=next(iter(change))):
        read_header({**task.header.model_dump(), **change})


def test_what_is_not_there_is_not_drawn(task: RadianceTask) -> None:
    header = task.header
    answer = header.answer(ball_in_cube(task), None, None)
    for wanted, said in (
        (Decoding(view=10), "10 cameras, 0 to 9"),
        (Decoding(view=-1), "0 to 9"),
        (Decoding(view=0, scale=0), "scale=0"),
        (Decoding(view=0, scale=1e5), "megapixels"),
        (Decoding(view=0, region=(0, 0, 1, 1)), "region"),
    ):
        with pytest.raises(PenchantError, match=said):
            header.decode(answer, wanted)
    with pytest.raises(PenchantError, match="no picture format"):
        header.check_file(Path("view.wav"))


def test_a_folder_is_a_task(tmp_path: Path, scene: PosedPictures) -> None:
    folder = write_scene(tmp_path / "ball", scene)
    found = load_task(folder, Asked(size=6, held_out="every:5"))
    assert isinstance(found, RadianceTask)
    assert (found.name, found.split(0).held_out.tolist()) == ("ball", [0, 5])
    with pytest.raises(PenchantError, match=r"noise=0\.1"):
        load_task(folder, Asked(noise=0.1))


def test_lego_is_learnt(penchant_data: Path) -> None:
    task = RadianceTask(load_posed_pictures(penchant_data / "lego", size=16), samples=32)
    split = task.split(0)
    network = CoordinateNet(3, 13, width=24, depth=2, activation="relu", encoding="nerf", seed=0)
    training = Training(
        task.wrapped(network, split),
        task.divergence(),
        split.inputs,
        split.targets,
        Recipe(150, "adam", 1e-2, batch=512),
        0,
    )
    training.advance(150)
    assert split.score(training.network).metrics["psnr_held_out"] > 20


def test_a_report_shows_held_out_views(task: RadianceTask, scene: PosedPictures) -> None:
    split = task.split(0)
    truth, drawn = split.views(), split.views(ball_in_cube(task))
    assert list(truth) == list(drawn) == [f"view {view}, held out" for view in (0, 4, 8)]
    for view, name in zip((0, 4, 8), truth, strict=True):
        assert truth[name] == pytest.approx(scene.pictures[view], abs=1e-6)
        assert np.abs(drawn[name] - truth[name]).mean() < 0.02
    everything = RadianceTask(scene, "none", degree=0).split(0).views()
    assert list(everything) == [f"view {view}, seen" for view in (2, 4, 7)]


def test_shown_views_of_large_pictures_have_fewer_rays(
    task: RadianceTask, scene: PosedPictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penchant.tasks._radiance_task.SHOWN_SIDE", 5)
    split, network = task.split(0), ball_in_cube(task)
    name = "view 4, held out, 1 pixel in 3×3"
    assert split.views()[name] == pytest.approx(scene.pictures[4, ::3, ::3], abs=1e-6)
    whole = split.reconstruct_view(network, 4)
    assert split.views(network)[name] == pytest.approx(whole[::3, ::3], abs=1e-5)


def test_a_broken_network_is_shown_as_the_mean_colour(task: RadianceTask) -> None:
    class Broken(nn.Module):
        def forward(self, rays: Tensor) -> Tensor:
            return torch.full((len(rays), 3), math.nan)

    split = task.split(0)
    mean = (split.training_mean.numpy() + 1) / 2
    for view in split.views(Broken()).values():
        assert view == pytest.approx(np.broadcast_to(mean, view.shape))
