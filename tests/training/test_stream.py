"""torch's own stream, lent to one step and given back."""

import pytest
import torch
from torch.nn import functional as F

from penchant.training import keyed_stream


def drawn(seed: int = 0, purpose: str = "dropout", step: int = 0) -> torch.Tensor:
    with keyed_stream(seed, purpose, step):
        return F.dropout(torch.ones(1000), 0.5)


def test_draws_belong_to_their_key() -> None:
    first = drawn()
    torch.rand(5)
    assert torch.equal(drawn(), first)
    for other in (drawn(seed=1), drawn(purpose="depth"), drawn(step=1)):
        assert 300 < (other != first).sum() < 700, "independent halves differ in about a half"


def test_the_stream_goes_on_as_if_nothing_had_been_drawn() -> None:
    torch.manual_seed(7)
    wanted = torch.rand(4)
    torch.manual_seed(7)
    with keyed_stream(0, "outer", 0):
        torch.rand(3)
        with keyed_stream(0, "inner", 0):
            torch.rand(3)
    with pytest.raises(ZeroDivisionError), keyed_stream(0, "outer", 0):
        raise ZeroDivisionError
    assert torch.equal(torch.rand(4), wanted)
