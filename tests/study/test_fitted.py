"""One network for one picture: fitted, decoded at any resolution, kept and read back."""

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import penchant as pn
from penchant.errors import PenchantError
from penchant.study import Fitted, _fitted
from penchant.study._jobs import final_score
from penchant.tasks import Picture, PictureTask
from penchant.training import Training

DESIGN = {"activation": "sine", "width": 12}


@pytest.fixture(scope="module")
def picture(waves: Callable[..., Picture]) -> Picture:
    return waves(size=(12, 18))


@pytest.fixture(scope="module")
def fitted(picture: Picture) -> Fitted:
    return pn.fit(picture, design=DESIGN, steps=30)


# Fitting


def test_scores_are_those_of_its_own_rendering(fitted: Fitted, picture: Picture) -> None:
    error = fitted.render() - picture.values
    psnr = -10 * np.log10(np.mean(np.square(error, dtype=np.float64)))
    assert fitted.metrics["psnr_seen"] == pytest.approx(psnr, abs=1e-4)
    assert set(fitted.metrics) == {"psnr_seen", "ssim_seen"}
    assert fitted.steps == 30 and fitted.seconds > 0


def test_same_seed_same_network(fitted: Fitted, picture: Picture) -> None:
    torch.manual_seed(7)
    again = pn.fit(picture, design=DESIGN, steps=30).network.state_dict()
    other = pn.fit(picture, design=DESIGN, steps=30, seed=1).network.state_dict()
    first = fitted.network.state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_what_training_holds_is_gone_before_the_score(
    picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[Training]] = []
    at_the_score: list[tuple[bool, bool]] = []

    class Watched(Training):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            made.append(weakref.ref(self))

    def score(network: nn.Module, *given: Any, **more: Any) -> Any:
        bare = all(parameter.grad is None for parameter in network.parameters())
        at_the_score.append((bare, made[0]() is None))
        return final_score(network, *given, **more)

    monkeypatch.setattr(_fitted, "Training", Watched)
    monkeypatch.setattr(_fitted, "final_score", score)
    for words in ({"design": DESIGN}, {"target_db": 5.0}):
        made.clear()
        pn.fit(picture, steps=12, **words)
    assert at_the_score == [(True, True)] * 2


def test_held_out_samples_are_scored(picture: Picture) -> None:
    fitted = pn.fit(picture, design=DESIGN, steps=5, held_out="checkerboard")
    assert {"psnr_seen", "psnr_held_out"} <= set(fitted.metrics)


def test_target_stops_early(picture: Picture) -> None:
    words = {"design": {"activation": "sine", "width": 48}, "steps": 2000}
    seen: list[int] = []
    fitted = pn.fit(
        picture, target_db=18.0, on_step=lambda step, quality: seen.append(step), **words
    )
    assert fitted.metrics["psnr_seen"] >= 18.0 and fitted.steps < 2000
    assert seen == sorted(seen) and seen[-1] == fitted.steps


def test_target_out_of_reach_uses_the_budget(picture: Picture) -> None:
    assert pn.fit(picture, design=DESIGN, steps=12, target_db=90.0).steps == 12


def test_divergence_is_one_helpful_line(picture: Picture) -> None:
    seen: list[float] = []
    with pytest.raises(PenchantError) as caught:
        pn.fit(
            picture,
            design={"activation": "elu", "width": 12, "learning_rate": 1e30},
            steps=50,
            on_step=lambda step, quality: seen.append(quality),
        )
    message = str(caught.value)
    assert "diverged at step" in message and "1e+30" in message and "\n" not in message
    assert not any(np.isposinf(seen)), "nothing that diverges is shown as perfect"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ({"target_db": -3.0}, "target_db=-3"),
        ({"target_db": float("nan")}, "target_db=nan"),
        ({"steps": 0}, "steps=0"),
        ({"steps": -5}, "steps=-5"),
        ({"design": {"activation": "snie"}}, "did you mean 'sine'"),
        ({"design": {"widht": 3}}, "did you mean 'width'"),
        ({"held_out": "half"}, "held-out 'half'"),
    ],
)
def test_misfit_is_one_helpful_line(picture: Picture, words: dict, part: str) -> None:
    with pytest.raises(PenchantError) as caught:
        pn.fit(picture, **words)
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_picture_by_path_is_reduced(photo: Path) -> None:
    fitted = pn.fit(photo, size=8, steps=2, design=DESIGN)
    assert fitted.render().shape == (8, 8, 3) and fitted.signal.name == "waves"


# Decoding


def test_whole_picture_is_the_reconstruction(fitted: Fitted, picture: Picture) -> None:
    split = PictureTask(picture).split(0)
    assert np.array_equal(fitted.render(scale=1.0), split.reconstruct(fitted.network))


def test_region_is_a_part_of_the_whole(fitted: Fitted) -> None:
    full = fitted.render(scale=3)
    assert full.shape == (36, 54, 3)
    part = fitted.render(scale=3, region=(4, 2, 10, 9))
    np.testing.assert_allclose(part, full[6:27, 12:30], atol=1e-6)
    assert np.array_equal(fitted.render(scale=3, region=(0, 0, 18, 12)), full)


def test_point_is_a_pixels_centre(fitted: Fitted) -> None:
    whole = fitted.render()
    for row, column in ((0, 0), (5, 7), (11, 17)):
        value = fitted.at(column + 0.5, row + 0.5)
        np.testing.assert_allclose(value, whole[row, column], atol=1e-6)
    assert fitted.at(0, 0).shape == (3,), "corners belong to the picture, whole numbers are fine"


def test_values_are_a_pictures(fitted: Fitted) -> None:
    values = fitted.render(scale=2.5)
    assert values.shape == (30, 45, 3) and values.min() >= 0 and values.max() <= 1


@pytest.mark.parametrize(
    "region", [(0, 0, 19, 12), (-1, 0, 5, 5), (5, 5, 5, 9), (9, 0, 3, 5), (0, 0, float("nan"), 5)]
)
def test_region_outside_is_refused(fitted: Fitted, region: tuple) -> None:
    with pytest.raises(PenchantError, match=r"region=.*18×12"):
        fitted.render(region=region)


@pytest.mark.parametrize("scale", [0, -2, float("nan"), float("inf"), 1e5])
def test_scale_that_does_not_fit_is_refused(fitted: Fitted, scale: float) -> None:
    with pytest.raises(PenchantError, match="scale="):
        fitted.render(scale=scale)


@pytest.mark.parametrize("point", [(-0.1, 3), (3, 12.5), (float("nan"), 3)])
def test_point_outside_is_refused(fitted: Fitted, point: tuple[float, float]) -> None:
    with pytest.raises(PenchantError, match=r"at=.*18×12"):
        fitted.at(*point)


# Keeping


@pytest.mark.parametrize("activation", ["sine", "wire", "finer", "relu", "multiquadratic"])
@pytest.mark.parametrize("encoding", ["none", "fourier"])
def test_kept_and_read_it_decodes_the_same(
    picture: Picture, tmp_path: Path, activation: str, encoding: str
) -> None:
    words = {"activation": activation, "encoding": encoding, "width": 8}
    fitted = pn.fit(picture, design=words, steps=3)
    path = fitted.save(tmp_path / "net.safetensors")
    loaded = pn.load(path)
    assert (loaded.design, loaded.signal) == (fitted.design, fitted.signal)
    assert np.array_equal(loaded.render(scale=2), fitted.render(scale=2))


def test_same_network_same_bytes(fitted: Fitted, tmp_path: Path) -> None:
    first = fitted.save(tmp_path / "one.safetensors").read_bytes()
    assert all(fitted.save(tmp_path / "two.safetensors").read_bytes() == first for _ in range(5))


def test_read_network_is_saved_already(fitted: Fitted, tmp_path: Path) -> None:
    loaded = pn.load(fitted.save(tmp_path / "net.safetensors"))
    with pytest.raises(PenchantError, match="is saved already"):
        loaded.save(tmp_path / "again.safetensors")


def test_place_that_cannot_be_written(fitted: Fitted, tmp_path: Path) -> None:
    with pytest.raises(PenchantError, match=r"cannot write .*no such file"):
        fitted.save(tmp_path / "missing" / "net.safetensors")
