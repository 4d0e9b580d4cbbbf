"""Designs over time: their networks, equal parameters, and a small study from end to end."""

import numpy as np
import pytest
import torch
from torch import nn

from penchant.errors import PenchantError
from penchant.nn import TDNN, CoordinateNet, Unshared, count_parameters
from penchant.study import Study, TDNNDesign
from penchant.study._plan import Plan, usual_words
from penchant.tasks import ClassificationTask, Labelled, load_labelled


def melodies(frames: int = 24, samples: int = 90) -> Labelled:
    """Three motifs of four frames, at places of their own."""
    draws = np.random.default_rng(0)
    inputs = draws.normal(0, 0.3, (samples, 6, frames)).astype(np.float32)
    shifted = draws.normal(0, 0.3, (samples, 6, frames)).astype(np.float32)
    labels = np.arange(samples) % 3
    for index, label in enumerate(labels):
        for values in (inputs, shifted):
            place = draws.integers(0, frames - 4)
            for step in range(4):
                values[index, (label + step * (label - 1)) % 6, place + step] += 3
    singers = np.arange(samples) // 3 % 5
    return Labelled(
        "melodies",
        inputs,
        labels,
        groups={"singers": singers},
        altered={"shifted": shifted},
        sound=True,
    )


@pytest.mark.parametrize(
    ("sharing", "kind"), [("shared", TDNN), ("unshared", Unshared), ("dense", CoordinateNet)]
)
def test_each_sharing_is_its_network(sharing: str, kind: type[nn.Module]) -> None:
    one = TDNNDesign(sharing=sharing, width=5, activation="gelu")
    network = one.build((6, 24), 3, seed=2)
    assert isinstance(network if sharing == "dense" else network[1], kind)
    rows = torch.rand(4, 6 * 24)
    if sharing != "dense":
        assert torch.equal(network(rows), network[1](rows.view(4, 6, 24)))


def test_samples_must_be_channels_over_time() -> None:
    with pytest.raises(PenchantError, match=r"samples of shape \(8, 8, 1\).*family=dense"):
        TDNNDesign(width=5).build((8, 8, 1), 3, seed=0)
    with pytest.raises(PenchantError, match="channels × time"):
        Study(load_labelled("breast-cancer"), family="tdnn", seeds=1)


def test_a_plan_on_recordings_is_about_sharing() -> None:
    words = usual_words([melodies()])
    assert (words["family"], words["match"]) == ("tdnn", "parameters")
    assert usual_words([ClassificationTask(melodies())]) == words
    assert usual_words(["digits"])["family"] == "dense" == usual_words(["digits"])["family"]
    assert usual_words(["spoken-digits"]) == words
    assert list(Plan.of(words).labelled()) == ["shared", "unshared", "dense"]
    grid = Plan.of(
        {**words, "vary": {"sharing": ["shared", "dense"], "activation": ["relu", "elu"]}}
    )
    assert list(grid.labelled()) == ["shared", "shared+elu", "dense", "dense+elu"]


def test_a_small_study_from_end_to_end() -> None:
    study = Study(
        melodies(), seeds=2, steps=60, tune=0, held_out="singers", designs=[
            {"sharing": "shared", "width": 24},
            {"sharing": "unshared"},
            {"sharing": "dense"},
        ],
    )  # fmt: skip
    counts = [count_parameters(one.build((6, 24), 3, seed=0)) for one in study.designs[0].values()]
    assert max(counts) < 1.4 * min(counts), "a width is a whole number"
    results = study.run()
    scores = {
        design: np.mean(
            [r.metrics["accuracy_shifted_held_out"] for r in results.runs if r.design == design]
        )
        for design in results.designs
    }
    shared = scores.pop(results.designs[0])
    assert shared > 85 and shared > max(scores.values()) + 5
    assert {verdict.baseline for verdict in results.verdicts} == {results.designs[0]}
