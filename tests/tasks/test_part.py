"""Which samples are held out: groups as a whole, and what was there before."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from penchant.errors import PenchantError
from penchant.tasks import ClassificationTask, Labelled
from penchant.tasks._part import Part, parse_part

SPEAKERS = np.tile(np.repeat(["ann", "bob", "cy", "di"], 3), 4)
TAKES = np.repeat([0, 1, 2, 3], 12)


def data(**fields: Any) -> Labelled:
    inputs = np.arange(48.0)[:, None] * [1, -1]
    groups = {"speakers": SPEAKERS, "takes": TAKES}
    return Labelled("words", inputs, np.tile([0, 1, 2], 16), groups=groups, **fields)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_whole_groups_are_held_out(count: int) -> None:
    part = parse_part(f"speakers:{count}", data())
    for seed in range(8):
        mask = part.mask(data(), seed)
        held, seen = set(SPEAKERS[mask]), set(SPEAKERS[~mask])
        assert len(held) == count and not held & seen
        assert np.array_equal(mask, part.mask(data(), seed)), "keyed"


def test_seeds_take_turns() -> None:
    part = parse_part("speakers", data())
    held = [SPEAKERS[part.mask(data(), seed)][0] for seed in range(8)]
    assert sorted(held[:4]) == ["ann", "bob", "cy", "di"] and held[:4] == held[4:]


@pytest.mark.parametrize(("text", "turns"), [("speakers", 4), ("speakers:2", 2), ("speakers:3", 4)])
def test_turns_are_the_seeds_until_groups_come_again(text: str, turns: int) -> None:
    part, task = parse_part(text, data()), ClassificationTask(data(), text)
    masks = [part.mask(data(), seed).tobytes() for seed in range(8)]
    assert task.turns == len(set(masks)) == turns and masks[:turns] == masks[turns : 2 * turns]


def test_nothing_takes_turns_where_no_groups_do() -> None:
    assert ClassificationTask(data(), "random:0.25").turns == 0
    assert ClassificationTask(data(test=12), "test").turns == 0


def test_the_own_test_part_is_meant_where_it_is_of_whole_groups() -> None:
    own = data(test=12)
    assert parse_part("takes", own) == parse_part("test", own) == Part()
    assert set(TAKES[Part().mask(own, 5)]) == {3}
    assert parse_part("takes", data()) == Part(group="takes", count=1)
    assert parse_part("speakers", own) == Part(group="speakers", count=1)
    assert parse_part("takes:1", own) == Part(group="takes", count=1)


def test_validation_keeps_whole_groups() -> None:
    task = ClassificationTask(data(), "speakers")
    for seed in range(4):
        run, pilot = task.split(seed), task.split(seed, validation=True)
        asked = {*SPEAKERS[pilot.held_out]}
        assert len(asked) == 1 and not asked & {*SPEAKERS[run.held_out]}
        assert not asked & {*SPEAKERS[pilot.seen]}
        assert {*SPEAKERS[pilot.seen]} | asked == {*SPEAKERS[run.seen]}


def test_seen_samples_alone_standardise() -> None:
    task = ClassificationTask(data(), "speakers")
    split = task.split(2)
    assert float(split.inputs.mean(dim=0).abs().max()) < 1e-6
    assert float(split.inputs.std(dim=0, unbiased=False).sub(1).abs().max()) < 1e-5


@pytest.mark.parametrize("text", ["speakers:0", "speakers:4", "speakers:x", "speakers:", "people"])
def test_what_does_not_fit_is_said(text: str) -> None:
    with pytest.raises(PenchantError, match="speakers"):
        parse_part(text, data())


@pytest.mark.parametrize("text", ["speakers", "speakers:2", "random:0.25", "test"])
def test_patterns_are_read_as_they_are_written(text: str) -> None:
    part = parse_part(text, data())
    assert parse_part(str(part), data()) == part


def test_fingerprints_tell_patterns_and_altered_samples_apart() -> None:
    forms = {"shifted": np.zeros((48, 2))}
    tasks = [
        ClassificationTask(data()),
        ClassificationTask(data(), "speakers"),
        ClassificationTask(data(), "speakers:2"),
        ClassificationTask(data(), "takes"),
        ClassificationTask(data(altered=forms)),
    ]
    assert len({task.fingerprint for task in tasks}) == 5


def test_altered_samples_are_asked_about_in_their_own_metric() -> None:
    inputs = np.eye(3)[np.tile([0, 1, 2], 16)]
    labels = np.tile([0, 1, 2], 16)
    altered = {"turned": np.roll(inputs, 1, axis=1)}
    task = ClassificationTask(Labelled("corners", inputs, labels, test=12, altered=altered))
    metric = task.metrics[-1]
    assert (metric.name, metric.unit, metric.watched) == ("accuracy_turned_held_out", "%", False)
    network = nn.Identity()
    score = task.split(0).score(network)
    assert set(score.metrics) == {one.name for one in task.metrics}
    assert score.metrics["accuracy_held_out"] == 100
    assert score.metrics["accuracy_turned_held_out"] == 0
    assert "accuracy_turned_held_out" not in task.split(0).score(network, final=False).metrics
    constant = task.split(0).constant_score().metrics
    assert constant["accuracy_turned_held_out"] == pytest.approx(100 / 3)
    assert torch.isfinite(torch.tensor(list(constant.values()))).all()
