import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from penchant.errors import PenchantError
from penchant.tasks import Reliability, calibration_error, reliability

ROWS = [[0.75, 0.25], [0.25, 0.75], [0.0, 1.0], [1.0, 0.0]]


def slow(confidences, right, bins):
    """Count, mean confidence and accuracy of each bin, and the error, straight from the words."""
    table, error = [], 0.0
    for k in range(bins):
        lower, upper = k / bins, (k + 1) / bins
        inside = [
            (c, r)
            for c, r in zip(confidences, right, strict=True)
            if lower <= c < upper or (k == bins - 1 and c == 1)
        ]
        if not inside:
            table.append((0, math.nan, math.nan))
            continue
        confidence = sum(c for c, _ in inside) / len(inside)
        accuracy = sum(r for _, r in inside) / len(inside)
        table.append((len(inside), confidence, accuracy))
        error += len(inside) / len(confidences) * abs(accuracy - confidence)
    return table, error


def check(diagram, confidences, right, bins):
    table, error = slow(confidences, right, bins)
    assert diagram.count.tolist() == [row[0] for row in table]
    np.testing.assert_allclose(diagram.confidence, [row[1] for row in table], rtol=1e-12)
    np.testing.assert_allclose(diagram.accuracy, [row[2] for row in table], rtol=1e-12)
    assert diagram.error == pytest.approx(error, rel=1e-12, abs=1e-15)
    assert diagram.count.sum() == len(confidences)


bin_counts = st.integers(1, 40)


@st.composite
def binary(draw, bins):
    edge = st.integers(0, bins).map(lambda k: k / bins)  # where a bin is easily mistaken
    confidences = draw(st.lists(edge | st.floats(0, 1), min_size=1, max_size=30))
    size = len(confidences)
    return confidences, draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))


@given(st.data(), bin_counts)
def test_binary_probabilities_against_a_loop(data, bins):
    confidences, labels = data.draw(binary(bins))
    check(reliability(confidences, labels, bins), confidences, labels, bins)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), bin_counts, st.floats(0, 50))
def test_rows_against_a_loop(seed, classes, bins, sharpness):
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(sharpness * random.normal(size=(25, classes)))
    rows, labels = logits.softmax(dim=1).numpy(), random.integers(0, classes, 25)
    confidences = [max(row) for row in rows.tolist()]
    right = [
        float(row.index(max(row)) == label)
        for row, label in zip(rows.tolist(), labels, strict=True)
    ]
    check(reliability(rows, labels, bins), confidences, right, bins)
    assert 0 <= calibration_error(rows, labels, bins) <= 1


@pytest.mark.parametrize("bins", [1, 2, 10, 15, 49, 100])
def test_every_edge_belongs_to_the_bin_above_and_one_to_the_last(bins):
    edges = [k / bins for k in range(bins + 1)]
    diagram = reliability(edges, [1] * (bins + 1), bins)
    assert diagram.edges.tolist() == edges
    assert diagram.count.tolist() == [1] * (bins - 1) + [2]


def test_certain_and_right_is_calibrated_certain_and_wrong_is_not():
    rows = np.eye(3)[[0, 1, 2, 1]]
    assert calibration_error(rows, [0, 1, 2, 1]) == 0
    assert calibration_error(rows, [1, 2, 0, 0]) == 1
    assert calibration_error([1.0, 0.0], [0, 1]) == 1


def test_gaps_within_a_bin_cancel():
    # 0.8 sure of both, right half the time; one bin sees |0.5 - 0.8|, wherever the borders are.
    assert calibration_error([[0.8, 0.2], [0.8, 0.2]], [0, 1], 1) == pytest.approx(0.3)
    # 0.1 and 0.9 of class 1, once each: one bin sees no gap, two bins see both.
    assert calibration_error([0.1, 0.9], [1, 0], bins=1) == pytest.approx(0)
    assert calibration_error([0.1, 0.9], [1, 0], bins=2) == pytest.approx(0.9)


def test_probabilities_that_are_true_are_found_calibrated():
    random = np.random.default_rng(0)
    p = random.random(200_000)
    labels = (random.random(200_000) < p).astype(int)
    assert calibration_error(p, labels) < 0.005
    assert calibration_error(p**2, labels) == pytest.approx(1 / 6, abs=0.005)  # mean of p - p²


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_of_any_type(dtype):
    rows = torch.tensor(ROWS, dtype=dtype, requires_grad=True)
    assert calibration_error(rows, torch.tensor([0, 0, 1, 0])) == 0.125
    logits = torch.randn(50, 10, generator=torch.Generator().manual_seed(0), dtype=dtype)
    assert reliability(logits.softmax(dim=1), torch.arange(50) % 10).count.sum() == 50


def test_a_diagram_says_its_error():
    nothing = np.nan
    diagram = Reliability(
        np.array([0.0, 0.5, 1.0]),
        np.array([0, 4]),
        np.array([nothing, 0.9]),
        np.array([nothing, 0.5]),
    )
    assert diagram.error == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        (ROWS, [0, 1, 0], r"shape \(4, 2\) and labels of shape \(3,\)"),
        ([[ROWS]], [0], r"shape \(1, 1, 4, 2\)"),
        ([], [], r"shape \(0,\)"),
        (ROWS, [0, 1, 0, 2], "labels from 0 to 2 .*from 0 to 1"),
        (ROWS, [0, 1, 0, -1], "labels from -1 to 1"),
        (ROWS, [0, 1, 0, 0.5], "whole numbers"),
        (ROWS, [0, 1, 0, math.nan], "labels from nan"),
        (ROWS, [0, 1, 0, math.inf], "labels from 0 to inf"),
        (ROWS, list("0100"), "labels of type <U1; numbers"),
        ([0.5, 1.5], [0, 1], "from 0.5 to 1.5 .*softmax or sigmoid"),
        ([-0.5, 0.5], [0, 1], "from -0.5 to 0.5"),
        ([0.5, math.nan], [0, 1], "from nan to nan"),
        ([[0.5, 0.5], [0.5, 0.25]], [0, 1], r"row 1 .*shape \(2, 2\) adds up to 0.75"),
    ],
)
def test_what_does_not_fit_is_one_line(probabilities, labels, message):
    for call in (reliability, calibration_error):
        with pytest.raises(PenchantError, match=f"^reliability: .*{message}") as caught:
            call(probabilities, labels)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bins", [0, -1, 1.5, "ten"])
def test_bins_are_a_whole_number(bins):
    with pytest.raises(PenchantError, match=r"^reliability\(bins=.*whole number from 1"):
        reliability(ROWS, [0, 1, 1, 0], bins)
