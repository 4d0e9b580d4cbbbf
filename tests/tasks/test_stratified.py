import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from penchant.randomness import generator
from penchant.tasks._stratified import in_turn, stratified


@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=60).map(np.array),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 10**9),
)
def test_each_class_gives_its_share_and_at_least_one(labels, fraction, seed):
    chosen = stratified(labels, fraction, generator(seed, "test"))
    for label in np.unique(labels):
        count = int((labels == label).sum())
        assert chosen[labels == label].sum() == max(1, round(fraction * count))
    np.testing.assert_array_equal(chosen, stratified(labels, fraction, generator(seed, "test")))


def test_every_sample_is_chosen_as_often():
    labels = np.array([0, 1, 1, 0, 1, 1, 0, 1])
    often = sum(stratified(labels, 0.4, generator(seed, "test")) for seed in range(3000))
    share = np.where(labels == 0, 1 / 3, 2 / 5)  # round(1.2) of 3, round(2.0) of 5
    assert np.abs(often / 3000 - share).max() < 4 * np.sqrt(0.25 / 3000)


def test_classes_are_drawn_independently_of_their_order():
    labels = np.repeat([0, 1], 50)
    one, other = (stratified(labels, 0.5, generator(seed, "test")) for seed in (0, 1))
    assert (one != other).any()
    assert (one[:50] != one[50:]).any()


@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=60).map(np.array),
    few=st.integers(1, 60),
    seed=st.integers(0, 10**9),
)
def test_every_beginning_of_an_order_is_stratified(labels, few, seed):
    order = in_turn(labels, generator(seed, "test"))
    assert sorted(order) == list(range(len(labels)))
    few = min(few, len(labels))
    for label in np.unique(labels):
        share = few * (labels == label).mean()
        assert abs((labels[order[:few]] == label).sum() - share) < len(np.unique(labels)) / 2 + 1


def test_classes_of_one_size_take_turns():
    labels = np.tile(np.arange(4), 10)
    order = in_turn(labels, generator(0, "test"))
    for few in range(4, 40, 4):
        assert np.bincount(labels[order[:few]]).tolist() == [few // 4] * 4
