"""State as bytes and back: equal to the bit, and damage is seen."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from training.networks import drawing_training

from penchant.training import from_bytes, to_bytes

keys = st.one_of(st.integers(-(2**60), 2**60), st.text(max_size=5))
scalars = st.one_of(st.none(), st.booleans(), keys, st.floats())
states = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
    ),
    max_leaves=10,
)


@given(states)
def test_what_goes_in_comes_out(state: object) -> None:
    assert repr(from_bytes(to_bytes(state))) == repr(state)  # repr: every bit of a float, and nan


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(3, 4, generator=torch.Generator().manual_seed(0)),
        torch.tensor([math.nan, -0.0, math.inf, 5e-324], dtype=torch.float64),
        torch.tensor(3),
        torch.ones(2, 0),
        torch.tensor([1 + 2j]),
        torch.arange(6).reshape(2, 3).t(),
        torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        torch.ones(3, dtype=torch.bfloat16),
        nn.Parameter(torch.ones(2)),
    ],
    ids=lambda tensor: f"{tensor.dtype}-{tuple(tensor.shape)}",
)
def test_tensors_come_back_to_the_bit(tensor: torch.Tensor) -> None:
    found = from_bytes(to_bytes({"a": [tensor], "b": tensor}))
    for one in (found["a"][0], found["b"]):  # also where two share their memory
        assert one.dtype == tensor.dtype and one.shape == tensor.shape
        torch.testing.assert_close(one, tensor.detach(), rtol=0, atol=0, equal_nan=True)


def test_what_is_written_is_a_copy() -> None:
    weight = torch.zeros(3)
    content = to_bytes(weight)
    weight += 1
    assert torch.equal(from_bytes(content), torch.zeros(3))


def test_every_kind_of_damage_is_seen() -> None:
    content = to_bytes(drawing_training().state_dict())
    assert from_bytes(content) is not None
    for place in range(0, len(content), 211):
        flipped = bytearray(content)
        flipped[place] ^= 1
        assert from_bytes(bytes(flipped)) is None
        assert from_bytes(content[:place]) is None
    assert from_bytes(content + b"\0") is None


@pytest.mark.parametrize("foreign", [b"", b"x", bytes(16), b"early" * 50, b"\x80\x04N." * 20])
def test_foreign_bytes_are_no_state(foreign: bytes) -> None:
    assert from_bytes(foreign) is None


def test_a_state_of_another_version_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    content = to_bytes({"step": 1})
    monkeypatch.setattr("penchant.training._checkpoint.VERSION", b"penchant state 0")
    assert from_bytes(content) is None
