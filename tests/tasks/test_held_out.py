import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.errors import PenchantError
from penchant.tasks import HeldOut

sides = st.integers(4, 24)
seeds = st.integers(0, 10**9)


@given(height=sides, width=sides, seed=seeds, fraction=st.floats(0.1, 0.8))
def test_random_holds_out_exactly_the_fraction(height, width, seed, fraction):
    held_out = HeldOut.parse(f"random:{fraction}")
    mask = held_out.mask((height, width), seed)
    assert mask.shape == (height, width)
    assert mask.sum() == round(fraction * height * width) == held_out.count((height, width))
    np.testing.assert_array_equal(mask, held_out.mask((height, width), seed))


@given(height=sides, width=sides, seed=seeds)
def test_checkerboard_is_every_2_with_its_colours_swapped(height, width, seed):
    mask = HeldOut.parse("checkerboard").mask((height, width), seed)
    np.testing.assert_array_equal(mask, ~HeldOut.parse("every:2").mask((height, width), seed))
    assert not mask[0, 0]
    assert (mask[1:] != mask[:-1]).all()
    assert (mask[:, 1:] != mask[:, :-1]).all()


@given(height=sides, width=sides, k=st.integers(2, 9))
def test_every_kth_in_each_row_and_column(height, width, k):
    mask = HeldOut.parse(f"every:{k}").mask((height, width), seed=0)
    for row in range(height):
        for column in range(width):
            assert mask[row, column] == ((row + column) % k == 0)


def test_seeds_differ_and_none_holds_out_nothing():
    random = HeldOut.parse("random:0.5")
    assert (random.mask((16, 16), 0) != random.mask((16, 16), 1)).any()
    assert not HeldOut.parse("none").mask((2, 2), 0).any()


@given(fraction=st.floats(0, 1, exclude_min=True, exclude_max=True), k=st.integers(2, 10**6))
def test_a_pattern_is_written_as_it_is_read(fraction, k):
    for text in (f"random:{fraction}", f"every:{k}", "none", "checkerboard"):
        assert HeldOut.parse(str(HeldOut.parse(text))) == HeldOut.parse(text)
        assert str(HeldOut.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("radnom:0.5", "no such pattern; did you mean 'random'"),
        ("", "no such pattern; known: checkerboard, every, none, random"),
        ("random", "random takes a number; write 'random:0.5'"),
        ("every", "every takes a number; write 'every:4'"),
        ("checkerboard:2", "checkerboard takes no number"),
        ("random:0", "no fraction between 0 and 1"),
        ("random:1", "no fraction between 0 and 1"),
        ("random:nan", "no fraction between 0 and 1"),
        ("random:half", "'half' is no fraction"),
        ("every:1", "no whole number from 2"),
        ("every:2.5", "no whole number from 2"),
        ("every:-3", "no whole number from 2"),
    ],
)
def test_a_pattern_that_does_not_fit(text, message):
    with pytest.raises(PenchantError, match=f"^held-out '{text}': .*{message}"):
        HeldOut.parse(text)


@pytest.mark.parametrize(
    ("text", "seen", "held_out"),
    [("random:0.9", 0, 4), ("random:0.7", 1, 3), ("random:0.01", 4, 0)],
)
def test_a_picture_too_small_for_its_pattern(text, seen, held_out):
    with pytest.raises(PenchantError, match=f"2×2 samples: {seen} seen and {held_out} held out"):
        HeldOut.parse(text).mask((2, 2), 0)
