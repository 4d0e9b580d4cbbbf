import re
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.divergences import KL, L2
from penchant.explain import Explanation, Section
from penchant.explain import _descent_network as real
from penchant.explain._descent import PRODUCTS, descend, fate
from penchant.explain._descent_charts import power
from penchant.probes import largest_curvature

minimum = cache(real.minimum)

curvatures = st.floats(1e-3, 1e3)
weights = st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3)


@given(curvature=curvatures, product=st.floats(1e-3, 1.999), weight=weights)
def test_below_two_over_the_curvature_a_step_lowers_the_loss(
    curvature: float, product: float, weight: float
) -> None:
    before, after = descend((curvature,), (weight,), product / curvature, 1)[:, 0]
    assert curvature * after**2 / 2 < curvature * before**2 / 2


@given(curvature=curvatures, product=st.floats(2.001, 100), weight=weights)
def test_above_two_over_the_curvature_a_step_raises_the_loss(
    curvature: float, product: float, weight: float
) -> None:
    before, after = descend((curvature,), (weight,), product / curvature, 1)[:, 0]
    assert curvature * after**2 / 2 > curvature * before**2 / 2


@given(bends=st.tuples(curvatures, curvatures), start=st.tuples(weights, weights))
def test_each_step_multiplies_by_one_minus_step_size_times_curvature(
    bends: tuple[float, float], start: tuple[float, float]
) -> None:
    size = 1.5 / max(bends)
    way = descend(bends, start, size, 4)
    factors = 1 - size * np.array(bends)
    wanted = np.array(start) * factors ** np.arange(5)[:, None]
    np.testing.assert_allclose(way, wanted, rtol=1e-9, atol=1e-12 * max(map(abs, start)))


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_words_fit_the_way(product: float) -> None:
    way = descend((2.0,), (1.0,), product / 2, 40)[:, 0]
    words = {
        "goes straight in": (way > 0).all() and way[-1] < 1e-9,
        "there in one step": (way[1:] == 0).all(),
        "zigzags in": (way[:-1] * way[1:] < 0).all() and abs(way[-1]) < 1e-9,
        "swings for ever": (abs(way) == 1).all() and (way[:-1] == -way[1:]).all(),
        "swings wider": (abs(way[1:]) > abs(way[:-1])).all(),
    }
    assert [name for name, holds in words.items() if holds] == [fate(product)]


def test_it_is_torchs_optimiser_to_the_bit() -> None:
    assert real.difference_from_torch(steps=20) == 0


def test_the_minimum_is_one() -> None:
    found = minimum()
    assert found.gradient < 1e-5
    assert found.curvature.converged and found.curvature.smallest > 0
    assert found.accuracy > 0.98
    for _ in range(2):  # swings leave the network where it was
        assert np.array_equal(real.weights(found.net), found.at)
        real.swing(found, 1.8, 3)


@pytest.mark.parametrize("factor", [0.5, 1.8, 2.0, 2.2])
def test_beside_it_steps_do_what_the_quadratic_says(factor: float) -> None:
    swing = real.swing(minimum(), factor, 16)
    steps = 3 if factor < 1 else 10
    assert swing.measured(steps) == pytest.approx(1 - factor, abs=2e-3)
    predicted = real.DISPLACEMENT * (1 - factor) ** np.arange(16.0)
    np.testing.assert_allclose(swing.coordinate, predicted, rtol=0.1, atol=5e-6)
    quadratic = minimum().curvature.largest / 2 * swing.coordinate**2
    np.testing.assert_allclose(swing.excess, quadratic, rtol=0.02, atol=1e-9)


def test_wide_swings_end_where_it_is_flatter() -> None:
    found = minimum()
    swing = real.swing(found, 2.2, 400)
    edge = 2 * found.curvature.largest / 2.2
    assert swing.curvature[0] > edge > swing.curvature[2]
    assert np.argmax(swing.excess[:100]) == pytest.approx(32, abs=3)
    assert 0.1 < swing.excess.max() < 1
    assert swing.excess[100:].max() > 0.1  # and they come again


def test_the_first_step_below_the_limit_lowers_the_loss() -> None:
    for divergence in (L2(), KL("softmax")):
        first = real.first_step(divergence)
        assert (first.ratios[first.sizes <= 2] < 1).all()
        assert first.lowers_below > 2
        there = largest_curvature(real.network(), divergence, *real.digits()).largest
        assert first.curvature == there


@pytest.fixture(scope="session")
def shown(explained: Callable[[str], Explanation]) -> Explanation:
    return explained("descent")


def section(shown: Explanation, heading: str) -> Section:
    return next(part for part in shown.sections if part.heading.startswith(heading))


def numbers(row: tuple[str, ...]) -> list[float]:
    cells = [cell.replace("−", "-") for cell in row]
    return [float(cell) for cell in cells if re.fullmatch(r"-?[\d.]+(e[-+]\d+)?", cell)]


def test_the_table_holds_the_powers_of_the_factor(shown: Explanation) -> None:
    assert len(shown.table.rows) == len(PRODUCTS)
    for row, product in zip(shown.table.rows, PRODUCTS, strict=True):
        wanted = [product / 2, product, *((1 - product) ** n for n in (1, 2, 3, 10))]
        assert numbers(row) == pytest.approx(wanted, abs=6e-4)
        assert row[-1] == fate(product)


def test_the_notes_numbers_are_there(shown: Explanation) -> None:
    words = " ".join(section(shown, "The rule").paragraphs)
    assert "0.125" in words and "1.5 − 0.5 · 0.5 = 1.25" in words and "0.03125" in words
    assert "torch.optim.SGD is 0." in words


def test_training_came_to_the_edge_with_the_largest_step_alone(shown: Explanation) -> None:
    (table,) = section(shown, "Training moves").tables
    small, middle, large, other = (numbers(row) for row in table.rows)
    for _, limit, start, highest, end, _ in (small, middle):
        assert start < end <= highest < 0.9 * limit  # still rising
    _, limit, start, _, end, _ = large
    assert start < limit and end == pytest.approx(limit, rel=0.05)
    _, limit, start, highest, end, _ = other
    assert start < highest < limit and end < limit / 10


def test_what_the_words_say_of_swings_is_in_their_table(shown: Explanation) -> None:
    (table,) = section(shown, "A real network").tables
    ends = [(row[-1], numbers(row)[-1]) for row in table.rows]
    assert [words for words, _ in ends] == ["shrinks", "stays", "grows"]
    assert [end for _, end in ends] == pytest.approx([1.2e-5, 1e-3, 3.8e-2], rel=0.15)


def test_steps_on_two_weights_are_fewest_at_the_best_size(shown: Explanation) -> None:
    (table,) = section(shown, "Two weights").tables
    counts = {row[0]: row[-1] for row in table.rows}
    assert counts.pop("0.210") == "never"
    assert min(counts, key=lambda size: int(counts[size])) == "0.182"


def test_powers_are_written_as_such() -> None:
    assert [power(n) for n in (-12, 0, 3)] == ["10⁻¹²", "10⁰", "10³"]
