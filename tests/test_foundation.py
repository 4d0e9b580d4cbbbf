"""The suite's own ground: shapes really are checked, and golden files really are compared."""

from collections.abc import Callable

import jaxtyping
import pytest
import torch

from penchant.tasks import coordinates, evaluate


def test_shapes_are_checked() -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        evaluate(torch.nn.Identity(), torch.zeros(3, 2, 2))
    with pytest.raises(jaxtyping.TypeCheckError):
        coordinates(torch.zeros(5, 3), 4, 4)


@pytest.mark.unchecked
def test_shapes_are_not_checked_where_a_test_asks() -> None:
    assert evaluate(torch.nn.Identity(), torch.zeros(3, 2, 2)).shape == (3, 2, 2)


def test_golden_files_are_compared(golden: Callable[[str, str], None]) -> None:
    golden("foundation.txt", "as it was\n")
    with pytest.raises(AssertionError):
        golden("foundation.txt", "as it is\n")
    with pytest.raises(AssertionError, match="--update-golden writes it"):
        golden("missing.txt", "")
