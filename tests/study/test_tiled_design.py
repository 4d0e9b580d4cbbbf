"""Tiles in fits and studies: when they are taken, where samples lie, files and resumption."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import penchant as pn
from penchant.errors import PenchantError
from penchant.nn import TiledNet
from penchant.study import Finished, Job, Study, TiledDesign, design, load, usual_fit
from penchant.study._jobs import Checkpointed, perform
from penchant.study._suited import suited
from penchant.tasks import (
    Picture,
    PictureTask,
    Placed,
    Sound,
    SoundTask,
    Task,
    Volume,
    VolumeTask,
    builtin_picture,
    evaluate,
)

Waves = Callable[..., Picture]


def placed(task: Task, **fields: object) -> TiledDesign:
    one = suited({"one": design({"family": "tiled", **fields})}, task)["one"]
    assert isinstance(one, TiledDesign)
    return one.resolved()


def sound(frames: int = 100) -> SoundTask:
    heard = np.sin(np.arange(frames, dtype=np.float32))[:, None]
    return SoundTask(Sound("hum", heard, 8000))


def volume() -> VolumeTask:
    values = np.random.default_rng(0).random((7, 9, 5, 1), dtype=np.float32)
    return VolumeTask(Volume("block", values, placed=Placed(spacing=(1.0, 0.5, 2.0))))


# Where samples lie


@pytest.mark.parametrize("size", [(16, 16), (33, 20), (5, 70)])
def test_every_pixel_is_answered_by_one_tile(waves: Waves, size: tuple[int, int]) -> None:
    task = PictureTask(waves(size=size))
    network = placed(task, tile=8, width=4).build(task.shape, 3, seed=0)
    height, width = size
    assert network.tiles == (math.ceil(width / 8), math.ceil(height / 8))
    tiles, local = network.located(task.points)
    row, column = np.divmod(np.arange(height * width), width)
    assert tiles.tolist() == ((column // 8) * network.tiles[1] + row // 8).tolist()
    wanted = np.stack([(column % 8 + 0.5) / 4 - 1, (row % 8 + 0.5) / 4 - 1], axis=1)
    torch.testing.assert_close(local, torch.from_numpy(wanted).float(), rtol=0, atol=1e-4)
    before = evaluate(network, task.points)
    with torch.no_grad():  # no tile but the first takes part in what its pixels are answered
        for parameter in network.parameters():
            parameter[1:] = 7.0
    assert torch.equal(evaluate(network, task.points)[tiles == 0], before[tiles == 0])


@pytest.mark.parametrize("task", [sound(), volume()], ids=["sound", "volume"])
def test_other_signals_on_a_grid(task: SoundTask | VolumeTask) -> None:
    network = placed(task, tile=3, width=4).build(task.shape, task.outputs, seed=0)
    shape = task.values.shape[:-1]
    assert network.tiles == tuple(math.ceil(samples / 3) for samples in shape)
    tiles, local = network.located(task.points)
    along = np.unravel_index(np.arange(math.prod(shape)), shape)
    wanted = np.ravel_multi_index([index // 3 for index in along], network.tiles)
    assert tiles.tolist() == wanted.tolist()
    assert float(local.abs().max()) == pytest.approx(2 / 3, abs=1e-4)


def test_what_lies_on_no_grid_is_cut_into_no_tiles() -> None:
    with pytest.raises(PenchantError, match="only samples on a grid"):
        Study("digits", family="tiled", seeds=1, steps=1, tune=0)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"activation": "wire"}, "complex"),
        ({"tile": 1}, "tile=1"),
        ({"tile": 2, "raster": ((10**5, 1e-5), (10**5, 1e-5))}, "a larger tile would fit"),
        ({"raster": "sixteen"}, "the signal says so itself"),
        ({"raster": ((0, 1.0),)}, "above 0"),
        ({"encoding": "nerf"}, "axis 'encoding' is unknown to tiled networks"),
    ],
)
def test_misfit_is_one_helpful_line(fields: dict, words: str) -> None:
    with pytest.raises(PenchantError) as caught:
        design({"family": "tiled", **fields})
    assert words in str(caught.value) and "\n" not in str(caught.value)


# What fit takes


@pytest.mark.parametrize(
    ("words", "held_out", "tiled"),
    [
        ({}, None, True),
        ({}, "none", True),
        ({"activation": "gelu"}, None, True),
        ({"scale": 20, "depth": 2}, None, True),
        ({"tile": 32, "width": 24}, None, True),
        ({"family": "tiled", "width": 24}, "random:0.5", True),
        ({}, "random:0.5", False),
        ({"width": 64}, None, False),
        ({"encoding": "nerf"}, None, False),
        ({"activation": "wire"}, None, False),
        ({"activation": "mine.py:Snake"}, None, False),
        ({"family": "coordinate"}, None, False),
    ],
)
def test_words_about_one_network_mean_one(words: dict, held_out: str | None, tiled: bool) -> None:
    assert (usual_fit("picture", words, held_out) is usual_fit("picture", {})) == tiled


def test_fit_cuts_a_picture_into_tiles(tmp_path: Path) -> None:
    picture = builtin_picture(48)
    fitted = pn.fit(picture, steps=150)
    assert isinstance(fitted.network, TiledNet) and fitted.network.tiles == (3, 3)
    assert fitted.metrics["psnr_seen"] > 33
    again = load(fitted.save(tmp_path / "tiles.safetensors"))
    assert again.design == fitted.design
    assert np.array_equal(again.render(scale=2), fitted.render(scale=2))
    assert np.allclose(fitted.at(0.5, 0.5), fitted.render()[0, 0], atol=1e-6)
    seen = pn.fit(picture, steps=150, target_db=25)
    assert seen.steps < 150 and seen.metrics["psnr_seen"] >= 25


def test_one_network_is_still_there() -> None:
    fitted = pn.fit(builtin_picture(24), steps=2, design={"family": "coordinate"})
    assert (fitted.design.family, fitted.design.width) == ("coordinate", 192)
    assert fitted.design.activation == "finer"


def test_a_file_that_claims_more_tiles_than_it_holds(tmp_path: Path) -> None:
    path = pn.fit(builtin_picture(32), steps=1).save(tmp_path / "tiles.safetensors")
    with safe_open(path, framework="pt") as file:
        words = json.loads(file.metadata()["penchant"])
    words["design"]["raster"] = [[10**6, 1e-6], [10**6, 1e-6]]
    words["design"]["tile"] = 1000
    save_file(load_file(path), path, {"penchant": json.dumps(words)})
    with pytest.raises(PenchantError, match="too few for"):
        load(path)


# In a study


def job(task: PictureTask) -> Job:
    settings = placed(task, tile=8, width=6)
    return Job(0, "waves", settings.label, settings, 0, 10, 50, "psnr_held_out")


def numbers(result: Finished) -> tuple[str, bytes]:
    curve = tuple(replace(moment, seconds=0.0) for moment in result.run.curve)
    return repr(replace(result.run, seconds=0.0, curve=curve)), result.network


def test_it_goes_on_from_a_checkpoint_with_the_same_numbers(
    waves: Waves, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penchant.study._jobs.BETWEEN_CHECKPOINTS", 0.0)
    task = PictureTask(waves(size=(20, 16)), "random:0.5")
    events = list(perform(job(task), task))
    states = [event.state for event in events if isinstance(event, Checkpointed)]
    assert len(states) > 3 and isinstance(events[-1], Finished)
    *_, resumed = perform(job(task), task, states[3])
    assert isinstance(resumed, Finished) and numbers(resumed) == numbers(events[-1])


def test_pictures_of_two_shapes_in_one_study(waves: Waves) -> None:
    results = Study(
        [waves("wide", (16, 24)), waves("high", (24, 16), phase=1.0)],
        designs=[{"family": "tiled", "tile": 8, "width": 4}, {"activation": "relu", "width": 8}],
        baseline="coordinate+relu",
        seeds=2,
        steps=5,
        tune=1,
    ).run()
    assert [run.status for run in results.runs] == ["done"] * 8
    assert {run.design for run in results.runs} == {"tiled+sine", "coordinate+relu"}
