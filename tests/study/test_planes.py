"""Maps of the plane: the truth and what each design's network makes of it, at the first seed."""

import numpy as np
import pytest

from penchant.study import Results, Study
from penchant.study._planes import NODES


@pytest.fixture(scope="module")
def results() -> Results:
    signals = [f"plane:shape={shape},samples=60,test=100" for shape in ("line", "circle")]
    designs = [{"activation": "relu"}, {"activation": "relu", "divergence": "l2"}]
    return Study(signals, designs=designs, seeds=2, steps=60, tune=0).run()


def test_each_signal_has_the_truth_and_a_map_a_design(results: Results) -> None:
    assert [(one.signal.split(",")[0], one.design) for one in results.planes] == [
        (f"plane:shape={shape}", design)
        for shape in ("line", "circle")
        for design in ("", "relu", "relu+l2")
    ]
    assert {one.seed for one in results.planes} == {0}
    assert all(one.points.shape == (60, 2) for one in results.planes)


def test_a_map_is_what_the_network_answers_in_the_plane(results: Results) -> None:
    side = np.linspace(-1, 1, NODES)
    x, y = np.meshgrid(side, side, indexing="ij")
    for one in results.planes:
        if "circle" in one.signal and not one.design:
            assert ((one.values > 0) == (np.hypot(x, y) < 0.7)).all()
        nearest = np.rint((one.points + 1) / 2 * (NODES - 1)).astype(int)
        right = (one.values[tuple(nearest.T)] > 0) == (one.labels == 1)
        found = [r for r in results.runs if (r.signal, r.design) == (one.signal, one.design)]
        expected = found[0].metrics["accuracy_seen"] if found else 90
        assert 100 * right.mean() == pytest.approx(expected, abs=8)


def test_other_studies_have_none() -> None:
    found = Study("teacher:samples=20,test=10", seeds=1, steps=1, tune=0).run()
    assert found.planes == ()
