"""One contract for every family of designs, and what is particular to the dense one."""

import math
from typing import Any, get_args

import pytest
import torch
from torch import nn

from penchant.errors import PenchantError
from penchant.nn import PictureNet
from penchant.randomness import generator
from penchant.study import FAMILIES, Design, design
from penchant.study._plan import DEFAULT_DESIGNS, FamilyName
from penchant.training import OptimizerName

SHAPES, OUTPUTS = {"autoencoder": (2,), "tiled": (2,)}, 4
SHAPE = (8, 12)
"""A sample's, in the families that are not above."""

CASES: list[dict[str, Any]] = [
    {"family": "coordinate"},
    {"family": "coordinate", "activation": "sine", "encoding": "nerf"},
    {"family": "coordinate", "activation": "wire", "encoding": "fourier", "optimizer": "adam"},
    {"family": "coordinate", "activation": "gelu", "divergence": "kl", "optimizer": "sgd"},
    {"family": "coordinate", "divergence": "huber", "delta": 0.5, "link": "sigmoid"},
    {"family": "dense"},
    {"family": "dense", "activation": "sigmoid", "optimizer": "sgd"},
    {"family": "dense", "activation": "sine", "optimizer": "muon", "start_bias": 10},
    {"family": "dense", "activation": "wire", "start_bias": -3},
    {"family": "dense", "divergence": "cross_entropy", "label_smoothing": 0.1},
    {"family": "dense", "divergence": "l2", "link": "identity", "depth": 1},
    {"family": "tdnn"},
    {"family": "tdnn", "sharing": "unshared", "activation": "elu", "optimizer": "muon"},
    {"family": "tdnn", "sharing": "dense", "divergence": "cross_entropy", "depth": 1},
    {"family": "tdnn", "activation": "gelu", "optimizer": "sgd", "depth": 6},
    {"family": "resnet", "depth": 8},
    {"family": "resnet", "depth": 14, "skip": "none", "activation": "gelu", "optimizer": "adam"},
    {"family": "resnet", "block": "pre", "normalisation": "none", "skip_scale": 0.0},
    {"family": "resnet", "survival": 0.8, "divergence": "kl", "weight_decay": 0.0},
    {"family": "vit", "depth": 2},
    {"family": "vit", "depth": 1, "activation": "sine", "heads": 2, "patch": 4},
    {"family": "vit", "depth": 1, "positions": "none", "divergence": "l2"},
    {"family": "convnext"},
    {"family": "convnext", "depth": 3, "activation": "gaussian", "divergence": "l2"},
    {"family": "autoencoder"},
    {"family": "autoencoder", "source": "noise", "activation": "sine", "optimizer": "muon"},
    {"family": "autoencoder", "depth": 2, "activation": "gelu", "divergence": "huber"},
    {"family": "tiled", "raster": ((12, 0.25), (8, 0.25)), "tile": 4},
    {"family": "tiled", "raster": ((9, 0.5), (3, 0.1)), "tile": 4, "activation": "gelu"},
]
"""A new family or field is an entry here."""


def named(fields: dict[str, Any]) -> str:
    return ",".join(f"{name}={value}" for name, value in fields.items())


@pytest.fixture(params=CASES, ids=named)
def one(request: pytest.FixtureRequest) -> Design:
    return design(request.param)


def shape_of(one: Design) -> tuple[int, ...]:
    return SHAPES.get(one.family, SHAPE)


def built(one: Design, seed: int) -> nn.Module:
    network = one.build(shape_of(one), OUTPUTS, seed)
    if isinstance(network, PictureNet):  # whose task shows it a picture: here of one pixel seen
        network.see(torch.full((1, 2), -0.5), torch.ones(1, OUTPUTS), height=2, width=2)
    return network


def states_equal(first: nn.Module, second: nn.Module) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[n], theirs[n]) for n in ours)


def test_every_family_is_here() -> None:
    assert {fields["family"] for fields in CASES} == set(FAMILIES) == set(get_args(FamilyName))
    assert set(DEFAULT_DESIGNS) == set(FAMILIES)


def test_resolved_fills_in_all_that_pilots_may_choose(one: Design) -> None:
    resolved = one.resolved()
    assert resolved.resolved() == resolved, "resolving twice changes nothing"
    assert type(resolved) is type(one) and resolved.open_numbers() == ()
    for name in one.model_fields_set:
        assert getattr(resolved, name) == getattr(one, name), name
    for name in one.open_numbers():
        assert getattr(one, name) is None and getattr(resolved, name) > 0
        assert one.reach[name] > 1, "pilots know how far to go"
    assert resolved.width == one.width, "widths follow from the data"


def test_what_is_given_is_not_open(one: Design) -> None:
    given = one.replaced(**{name: getattr(one.resolved(), name) for name in one.open_numbers()})
    assert given.open_numbers() == ()


def test_serialisable_frozen_and_hashable(one: Design) -> None:
    again = design(one.model_dump(exclude_none=True))
    assert again == one and hash(again) == hash(one) and again.identity == one.identity
    assert design({name: str(value) for name, value in one.identity.items()}) == one, "as typed"
    with pytest.raises(ValueError, match="frozen"):
        one.width = 3


def test_identity_says_all_that_numbers_depend_on(one: Design) -> None:
    assert one.identity["family"] == one.family
    assert None not in one.identity.values()
    changes: list[dict[str, Any]] = [
        {"width": 9},
        {"depth": 10 if one.family == "tdnn" else 26},
        {"learning_rate": 0.123},
        {"scale": 1.23},
        {"activation": "tanh", "omega": None, "k": None},
        {"optimizer": "muon" if one.optimizer != "muon" else "adam"},
        {"divergence": "l1", "delta": None, "label_smoothing": None},
        {"link": "softmax"},
    ]
    others = [one.replaced(**change) for change in changes]
    identities = [str(sorted(other.identity.items())) for other in [one, *others]]
    assert len(set(identities)) == len(identities)
    assert len({one, *others}) == len(identities)


def test_replaced_is_checked_again(one: Design) -> None:
    assert one.replaced(width=5).width == 5 and one.replaced() == one
    with pytest.raises(ValueError, match="greater than 0"):
        one.replaced(width=0)


def test_label_names_the_choices(one: Design) -> None:
    assert one.label.split("+") == list(one.choices)
    assert (one.divergence is None) != (one.choices[-1] == one.divergence)
    assert one.resolved().label == one.label


def test_form_says_depth_and_width(one: Design) -> None:
    form = one.replaced(width=17).form
    assert form.startswith(f"{one.depth} ") and "17" in form


def test_build_is_keyed_by_the_seed_alone(one: Design) -> None:
    ready = one.resolved().replaced(width=8)
    torch.manual_seed(1)
    first = built(ready, seed=4)
    torch.manual_seed(2)
    torch.rand(3)
    assert states_equal(first, built(ready, seed=4))
    assert not states_equal(first, built(ready, seed=5))
    inputs = math.prod(shape_of(one))
    answers = first(torch.rand((5, inputs), generator=generator(0, "samples")))
    assert answers.shape == (5, OUTPUTS) and answers.isfinite().all()


def test_how_it_learns_does_not_change_the_draws(one: Design) -> None:
    """Pairing: designs that differ in divergence or optimiser start from the same network."""
    ready = one.resolved().replaced(width=8)
    network = built(ready, seed=0)
    for optimizer in get_args(OptimizerName):
        for divergence in ("l2", "kl"):
            fields = {"divergence": divergence, "delta": None, "label_smoothing": None}
            other = ready.replaced(optimizer=optimizer, learning_rate=0.5, **fields)
            assert states_equal(network, built(other, seed=0))


def test_building_needs_a_width(one: Design) -> None:
    with pytest.raises(PenchantError, match="width is needed"):
        built(one.resolved(), seed=0)


# A head that starts out confident


@pytest.mark.parametrize("activation", ["relu", "sine", "wire"])
@pytest.mark.parametrize("amount", [10.0, -3.0])
def test_start_bias_raises_one_output(activation: str, amount: float) -> None:
    plain = design({"family": "dense", "activation": activation, "width": 8}).resolved()
    favoured = []
    for seed in range(12):
        before = built(plain, seed).state_dict()
        after = built(plain.replaced(start_bias=amount), seed).state_dict()
        raised = (after["head.bias"] - before["head.bias"]).cdouble()
        (place,) = raised.nonzero().flatten().tolist()
        favoured.append(place)
        assert abs(raised[place] - amount) < 1e-5
        assert all(torch.equal(before[n], after[n]) for n in before if n != "head.bias")
    assert len(set(favoured)) > 1, "drawn by the seed"
    assert set(favoured) <= set(range(OUTPUTS))


def test_start_bias_is_an_axis_of_dense_networks_alone() -> None:
    assert design({"family": "dense", "start_bias": "10"}).identity["start_bias"] == 10
    with pytest.raises(PenchantError, match="axis 'start_bias' is unknown to coordinate networks"):
        design({"start_bias": 10})
    with pytest.raises(PenchantError, match="axis 'encoding' is unknown to dense networks"):
        design({"family": "dense", "encoding": "nerf"})


# Default rates and bad values


@pytest.mark.parametrize("family", FAMILIES)
def test_each_optimiser_has_a_rate(family: str) -> None:
    rates = {
        name: design({"family": family, "optimizer": name}).resolved().learning_rate
        for name in get_args(OptimizerName)
    }
    assert all(rate > 0 for rate in rates.values()) and rates["sgd"] > rates["adam"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"divergence": "kll"}, ["divergence='kll'", "did you mean 'kl'", "cross_entropy"]),
        ({"divergence": 3}, ["divergence=3", "string"]),
        ({"link": "softmx"}, ["link='softmx'", "'identity', 'sigmoid' or 'softmax'"]),
        ({"delta": 1}, ["delta: no divergence is given", "huber"]),
        ({"divergence": "l2", "delta": 1}, ["delta: divergence 'l2' has no such", "huber"]),
        ({"divergence": "huber", "delta": 0}, ["delta=0", "greater than 0"]),
        ({"divergence": "huber", "delta": "inf"}, ["delta='inf'", "finite"]),
        ({"label_smoothing": 0.1}, ["label_smoothing: no divergence", "cross_entropy"]),
        ({"divergence": "kl", "label_smoothing": 0.1}, ["label_smoothing: divergence 'kl'"]),
        ({"divergence": "cross_entropy", "label_smoothing": 1}, ["less than 1"]),
        ({"divergence": "cross_entropy", "label_smoothing": "nan"}, ["label_smoothing='nan'"]),
        ({"optimizer": "sdg"}, ["optimizer='sdg'", "'muon', 'adam', 'sgd' or 'momentum'"]),
        ({"start_bias": "much"}, ["start_bias"]),
        ({"start_bias": "nan"}, ["start_bias"]),
        ({"start_bias": 2000}, ["start_bias"]),
        ({"familly": "dense"}, ["axis 'familly' is unknown"]),
    ],
)  # fmt: skip
def test_misfit_is_one_helpful_line(
    family: str, fields: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(PenchantError) as caught:
        design({"family": family, **fields})
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in words), message


@pytest.mark.parametrize("family", ["residual", "Dense", "", None, 3, ["dense"]])
def test_unknown_family(family: object) -> None:
    with pytest.raises(PenchantError, match=r"family=.* is unknown: .*known: .*coordinate, dense"):
        design({"family": family})
