import pickle

import numpy as np
import pytest

from penchant.errors import PenchantError
from penchant.tasks import Labelled
from penchant.tasks._labelled import MAX_VALUES, check_size

INPUTS = np.arange(40, dtype=np.float64).reshape(10, 4)
LABELS = np.repeat([0, 1], 5)


@pytest.mark.parametrize(
    ("given", "stored"),
    [(np.uint8, np.uint8), (np.float64, np.float32), (np.int16, np.float32), (bool, np.float32)],
)
def test_bytes_stay_and_all_else_becomes_float32(given, stored):
    data = Labelled("data", INPUTS.astype(given), LABELS.astype(np.float64))
    assert data.inputs.dtype == stored and data.labels.dtype == np.int64
    np.testing.assert_array_equal(data.inputs, INPUTS.astype(given).astype(stored))
    assert data.classes == ("0", "1") and data.test == 0


def test_nobody_can_write_to_it_and_the_givers_array_stays_writable():
    mine = INPUTS.astype(np.float32)
    data = Labelled("data", mine, LABELS.copy(), classes=("cat", "dog"), notices=("said",))
    mine[0] = 99
    assert data.inputs[0, 0] == 0
    copy = pickle.loads(pickle.dumps(data))
    for one in (data, copy):
        for array in (one.inputs, one.labels):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
    np.testing.assert_array_equal(copy.inputs, data.inputs)
    assert (copy.name, copy.classes, copy.test, copy.notices) == (
        ("data", ("cat", "dog"), 0, ("said",))
    )


def test_a_read_only_array_is_not_copied():
    mine = INPUTS.astype(np.float32)
    mine.flags.writeable = False
    assert np.shares_memory(Labelled("data", mine, LABELS).inputs, mine)


def changed(place, value):
    inputs = INPUTS.copy()
    inputs[place] = value
    return inputs


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inputs": INPUTS[:, 0]}, r"inputs of shape \(10,\)"),
        ({"inputs": INPUTS[:0], "labels": LABELS[:0]}, r"shape \(0, 4\).*none empty"),
        ({"inputs": INPUTS.astype(str)}, "type <U32; they must be numbers"),
        ({"inputs": INPUTS.astype(complex)}, "type complex128"),
        ({"inputs": changed((3, 1), np.nan)}, "1 of 10 samples .* first is sample 3"),
        ({"inputs": changed((0, 1), -np.inf)}, "not finite"),
        ({"inputs": changed((0, 1), 1e39)}, "reach 1e.39, beyond float32"),
        ({"labels": LABELS[:9]}, r"labels of shape \(9,\) for 10 samples"),
        ({"labels": LABELS[:, None]}, r"labels of shape \(10, 1\)"),
        ({"labels": LABELS + 0.5}, "type float64 such as 0.5; they must be whole numbers"),
        ({"labels": LABELS.astype(str)}, "such as '0'"),
        ({"labels": np.full(10, np.nan)}, "such as nan"),
        ({"labels": np.full(10, np.inf)}, "labels from inf to inf"),
        ({"labels": LABELS - 1}, "labels from -1 to 0"),
        ({"labels": np.full(10, 2**63, np.uint64)}, "labels from 9223372036854775808"),
        ({"labels": LABELS + 1, "classes": ("a", "b")}, "label 2 with 2 classes.*from 0 to 1"),
        ({"labels": LABELS * 2}, "class '1' has 0 samples"),
        ({"labels": LABELS * 0}, "1 class; at least 2"),
        ({"classes": ("same", "same")}, "two have the same name"),
        ({"labels": np.arange(10) // 6}, "class '1' has 4 samples; each class needs at least 5"),
        ({"test": 1}, "class '1' has 4 samples outside the test part"),
        ({"test": 10}, "test=10 of 10 samples"),
        ({"test": -1}, "test=-1"),
        ({"test": 0.5}, "test=0.5"),
    ],
)
def test_what_does_not_fit_is_one_line(fields, message):
    with pytest.raises(PenchantError, match=f"^Labelled 'data': .*{message}") as caught:
        Labelled("data", **{"inputs": INPUTS, "labels": LABELS} | fields)
    assert "\n" not in str(caught.value)


def test_too_much_is_refused():
    check_size("data", MAX_VALUES)
    with pytest.raises(PenchantError, match=r"^data: inputs of 268435457 numbers"):
        check_size("data", MAX_VALUES + 1)
    huge = np.broadcast_to(np.float32(0), (10, MAX_VALUES))  # takes no memory
    with pytest.raises(PenchantError, match="take fewer or smaller samples"):
        Labelled("data", huge, LABELS)
