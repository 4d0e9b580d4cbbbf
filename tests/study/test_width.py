"""Widths: below half the seen values where nothing is said, equal in parameters where asked."""

from collections.abc import Callable
from typing import Any

import pytest

from penchant.nn import ACTIVATIONS, ENCODINGS
from penchant.study import CoordinateDesign
from penchant.study._width import NARROWEST, WIDEST, parameters, with_widths
from penchant.tasks import Picture, PictureTask

Waves = Callable[..., Picture]


def task_of(waves: Waves, side: int, channels: int = 3) -> PictureTask:
    return PictureTask(waves(size=(side, side), channels=channels), "checkerboard")


def resolved(*designs: dict) -> dict[str, CoordinateDesign]:
    return {str(i): CoordinateDesign(**fields).resolved() for i, fields in enumerate(designs)}


def size(design: CoordinateDesign, task: PictureTask) -> int:
    assert design.width is not None
    return parameters(design, design.width, task.shape, task.outputs)


def widths_like(baseline: str, designs: dict, task: PictureTask, match: Any) -> dict:
    """Give widths where all designs follow one."""
    return with_widths(designs, task, match, dict.fromkeys(designs, baseline))


FAMILY = [
    {"activation": activation, "encoding": encoding}
    for activation in ("relu", "sine", "wire", "finer")
    for encoding in ENCODINGS
]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_count_is_the_networks(activation: str) -> None:
    one = CoordinateDesign(activation=activation).resolved()
    built = one.replaced(width=9).build((2,), 3, seed=5)
    reals = sum(p.numel() * (2 if p.is_complex() else 1) for p in built.parameters())
    assert parameters(one, 9, (2,), 3) == reals


@pytest.mark.parametrize("side", [24, 40, 64, 128])
@pytest.mark.parametrize("match", ["width", "parameters"])
def test_auto_width_stays_below_half_the_seen_values(waves: Waves, side: int, match: str) -> None:
    task = task_of(waves, side)
    chosen = widths_like("0", resolved(*FAMILY), task, match)
    assert all(size(design, task) <= task.seen_values() / 2 for design in chosen.values())


@pytest.mark.parametrize("side", [24, 40, 64])
def test_auto_width_is_the_largest_common_one(waves: Waves, side: int) -> None:
    task, designs = task_of(waves, side), resolved(*FAMILY)
    widths = {design.width for design in widths_like("0", designs, task, "width").values()}
    (width,) = widths
    limit = task.seen_values() / 2
    assert max(parameters(d, width, (2,), 3) for d in designs.values()) <= limit
    assert max(parameters(d, width + 1, (2,), 3) for d in designs.values()) > limit


def test_auto_width_ends_at_the_widest_and_narrowest(waves: Waves) -> None:
    (large,) = widths_like("0", resolved({}), task_of(waves, 800), "width").values()
    (small,) = widths_like("0", resolved({}), task_of(waves, 4, channels=1), "width").values()
    assert (large.width, small.width) == (WIDEST, NARROWEST)


def test_given_width_is_kept_and_does_not_narrow_the_others(waves: Waves) -> None:
    task = task_of(waves, 24)
    alone = widths_like("0", resolved({"activation": "sine"}), task, "width")["0"].width
    chosen = widths_like("0", resolved({"activation": "sine"}, {"width": 200}), task, "width")
    assert (chosen["0"].width, chosen["1"].width) == (alone, 200)


def target_is_near(mine: int, alone: int) -> bool:
    """Tell whether others narrow a baseline by no more than one of their units is worth."""
    return 0.95 * alone <= mine <= alone


def test_matched_parameters_are_within_two_percent(waves: Waves) -> None:
    task = task_of(waves, 128)
    designs = resolved(*FAMILY)
    chosen = widths_like("4", designs, task, "parameters")
    alone = widths_like("4", {"4": designs["4"]}, task, "width")["4"]
    assert target_is_near(size(chosen["4"], task), size(alone, task))
    target = size(chosen["4"], task)
    for label, design in chosen.items():
        assert design.width is not None
        gap = abs(size(design, task) - target)
        for other in (design.width - 1, design.width + 1):
            assert gap <= abs(parameters(designs[label], other, (2,), 3) - target)
        # One unit of a complex layer, which counts double, can be worth more than 4 %.
        assert gap <= (0.04 if design.activation == "wire" else 0.02) * target


def test_matching_leaves_a_given_width_alone(waves: Waves) -> None:
    task = task_of(waves, 64)
    designs = resolved({"width": 33}, {"encoding": "nerf"}, {"activation": "sine", "width": 7})
    chosen = widths_like("0", designs, task, "parameters")
    assert (chosen["0"].width, chosen["2"].width) == (33, 7)
    assert size(chosen["1"], task) == pytest.approx(size(chosen["0"], task), rel=0.05)


def test_nothing_but_the_width_changes(waves: Waves) -> None:
    designs = resolved(*FAMILY)
    for label, design in widths_like("0", designs, task_of(waves, 24), "parameters").items():
        assert design.replaced(width=None) == designs[label]


def test_each_design_follows_its_own_baseline(waves: Waves) -> None:
    task = task_of(waves, 64)
    designs = resolved(*({"depth": d, "encoding": e} for d in (2, 4) for e in ("none", "nerf")))
    chosen = with_widths(designs, task, "parameters", {"0": "0", "1": "0", "2": "2", "3": "2"})
    sizes = {label: size(design, task) for label, design in chosen.items()}
    assert all(one == pytest.approx(sizes["0"], rel=0.05) for one in sizes.values())
    alone = with_widths({"0": designs["0"]}, task, "parameters", {"0": "0"})
    assert target_is_near(sizes["0"], size(alone["0"], task))
