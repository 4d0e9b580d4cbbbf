"""A design: labels, filled-in numbers, and one helpful line for each misspelt word."""

import itertools

import pytest
import torch
from pydantic import ValidationError

from penchant.errors import PenchantError
from penchant.nn import ACTIVATIONS, ENCODINGS
from penchant.study import CoordinateDesign, design

PAIRS = list(itertools.product(ACTIVATIONS, ENCODINGS))


@pytest.mark.parametrize(("activation", "encoding"), PAIRS)
def test_every_pair_resolves_and_builds(activation: str, encoding: str) -> None:
    one = CoordinateDesign(activation=activation, encoding=encoding, width=8).resolved()
    member = ACTIVATIONS[activation]
    for number in member.numbers:
        if number != "k":  # FINER's k may stay open: then its biases are drawn as the paper's
            assert getattr(one, number) is not None
    assert one.learning_rate is not None
    assert one.resolved() == one, "resolving twice changes nothing"
    network = one.build((2,), 3, seed=0)
    answers = network(torch.rand(5, 2, generator=torch.Generator().manual_seed(0)))
    assert answers.shape == (5, 3) and answers.isfinite().all()


@pytest.mark.parametrize(("activation", "encoding"), PAIRS)
def test_label_is_activation_and_encoding(activation: str, encoding: str) -> None:
    label = CoordinateDesign(activation=activation, encoding=encoding).label
    assert label == (activation if encoding == "none" else f"{activation}+{encoding}")


def test_resolving_keeps_what_was_given() -> None:
    given = CoordinateDesign(
        activation="wire", scale=7, omega=11, encoding="fourier", bandwidth=3, frequencies=5,
        learning_rate=0.02, width=16,
    )  # fmt: skip
    resolved = given.resolved()
    for name in given.model_fields_set:
        assert getattr(resolved, name) == getattr(given, name), name


def test_numbers_reach_the_network() -> None:
    one = CoordinateDesign(
        activation="wire",
        scale=7,
        omega=11,
        encoding="fourier",
        bandwidth=3,
        frequencies=5,
        width=8,
    )
    network = one.build((2,), 1, seed=0)
    assert (network.activations[0].scale, network.activations[0].omega) == (7, 11)
    assert (network.encoding.bandwidth, network.encoding.frequencies) == (3, 5)
    assert len(network.layers) == one.depth and network.layers[0].out_features == 8


def test_same_seed_same_network_whatever_the_global_stream() -> None:
    one = CoordinateDesign(activation="sine", encoding="fourier", width=8).resolved()
    torch.manual_seed(1)
    first = one.build((2,), 3, seed=4).state_dict()
    torch.manual_seed(2)
    torch.rand(3)
    second, other = one.build((2,), 3, seed=4).state_dict(), one.build((2,), 3, seed=5).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])
    assert not torch.equal(first["encoding.matrix"], other["encoding.matrix"])


def test_frozen_hashable_and_serialisable() -> None:
    one = CoordinateDesign(activation="sine", scale=3)
    assert one == CoordinateDesign(**one.model_dump()) and hash(one) == hash(
        CoordinateDesign(**one.model_dump())
    )
    with pytest.raises(ValidationError):
        one.scale = 4


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"activatoin": "relu"}, ["axis 'activatoin' is unknown", "did you mean 'activation'"]),
        ({"activation": "gausian"}, ["activation='gausian'", "did you mean 'gaussian'", ".py:"]),
        ({"encoding": "furier"}, ["encoding='furier'", "did you mean 'fourier'"]),
        ({"optimizer": "sdg"}, ["optimizer='sdg'", "muon", "adam", "sgd"]),
        ({"scale": 0}, ["scale=0", "greater than 0"]),
        ({"scale": "nan"}, ["scale='nan'", "finite"]),
        ({"scale": "wide"}, ["scale='wide'", "number"]),
        ({"learning_rate": -1}, ["learning_rate=-1"]),
        ({"width": 0}, ["width=0"]),
        ({"width": 5000}, ["width=5000", "4096"]),
        ({"width": 32.5}, ["width=32.5", "integer"]),
        ({"depth": 65}, ["depth=65"]),
        ({"depth": None}, ["depth=None"]),
        ({"family": "residual"}, ["family='residual'", "coordinate"]),
        ({"activation": 3}, ["activation=3"]),
        ({"activation": "relu", "omega": 20}, ["omega", "'relu' has no such number"]),
        ({"activation": "sine", "k": 2}, ["k", "'sine' has no such number"]),
        ({"encoding": "none", "bandwidth": 2}, ["none has no bandwidth"]),
        ({"encoding": "nerf", "bins": 4}, ["nerf has no bins"]),
        ({"encoding": "nerf", "frequencies": 2000}, ["frequencies=2000", "at most 64"]),
    ],
)  # fmt: skip
def test_misfit_is_one_helpful_line(fields: dict[str, object], words: list[str]) -> None:
    with pytest.raises(PenchantError) as caught:
        design(fields)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_text_becomes_numbers() -> None:
    one = design({"activation": "sine", "scale": "30", "width": "64", "learning_rate": "1e-3"})
    assert (one.scale, one.width, one.learning_rate) == (30.0, 64, 0.001)


def test_building_needs_a_width() -> None:
    with pytest.raises(PenchantError, match="width is needed"):
        CoordinateDesign().build((2,), 3, seed=0)


def test_scale_that_leaves_nothing_is_refused_when_built() -> None:
    with pytest.raises(PenchantError, match=r"scale=1e\+30 .*initialised"):
        CoordinateDesign(activation="gaussian", scale=1e30, width=8).build((2,), 3, seed=0)


@pytest.mark.parametrize("activation", ["sine", "finer", "gaussian", "laplacian", "sinc"])
@pytest.mark.parametrize("inputs", [2, 100, 1000])
def test_dense_networks_start_with_arguments_of_order_one(activation: str, inputs: int) -> None:
    one = design({"family": "dense", "activation": activation, "width": 128}).resolved()
    assert one.scale == 1
    network = one.build((inputs,), 3, seed=0)
    x = torch.randn(500, inputs, generator=torch.Generator().manual_seed(0))
    for layer, phi in zip(network.layers, network.activations, strict=True):
        z = layer(x).detach()
        assert 0.6 < float((phi.scale * z).square().mean()) < 1.7
        x = phi(z)


def test_a_grids_table_follows_the_width_and_goes_into_no_field() -> None:
    one = CoordinateDesign(encoding="grid", width=24).resolved()
    assert (one.table, one.finest, one.levels) == (None, None, 8)
    code = one.build((2,), 3, seed=0).encoding
    assert (code.table, code.resolutions[-1]) == (24**2 // 2, 24)
    assert one.encoding_size(2) == code.nodes.numel()
    given = one.replaced(table=100, finest=50).build((3,), 1, seed=0).encoding
    assert (given.table, given.resolutions[-1]) == (100, 50)
    with pytest.raises(PenchantError, match="none has no table"):
        design({"encoding": "none", "table": 5})
