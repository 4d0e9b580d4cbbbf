"""Designs of residual networks: their networks, their pairing, their errors, and a small study."""

import numpy as np
import pytest
import torch

from penchant.errors import PenchantError
from penchant.nn import Residual, ResNet, count_parameters, plain_twin
from penchant.study import ResNetDesign, Study, design
from penchant.study._plan import Plan, usual_words


def test_a_design_is_its_network() -> None:
    one = ResNetDesign(
        depth=14, width=4, activation="gelu", block="pre", normalisation="none", skip_scale=0.0
    )
    network = one.build((8, 8), 10, seed=2)
    own = ResNet(
        14, 10, channels=1, width=4, activation="gelu", form="pre", normalisation="none",
        skip_scale=0.0, seed=2,
    )  # fmt: skip
    rows = torch.rand(3, 64)
    # The rows' pictures have channels last in memory: the last digits may differ.
    torch.testing.assert_close(network(rows), own(rows.view(3, 1, 8, 8)))
    assert one.form == "14 layers of 4 to 16 channels"


def test_pictures_of_any_channels() -> None:
    rows = torch.rand(3, 8 * 6 * 2)
    network = ResNetDesign(depth=8, width=4).build((8, 6, 2), 5, seed=0).eval()
    pictures = rows.view(3, 8, 6, 2).permute(0, 3, 1, 2)
    torch.testing.assert_close(network(rows), network[1](pictures.contiguous()))


def test_residual_and_plain_pair() -> None:
    """Runs of one seed start from the same numbers, with the same number of parameters."""
    residual, plain = (
        ResNetDesign(depth=14, width=4, skip=skip).build((8, 8), 10, seed=3)
        for skip in ("residual", "none")
    )
    assert any(isinstance(module, Residual) for module in residual.modules())
    assert not any(isinstance(module, Residual) for module in plain.modules())
    assert count_parameters(residual) == count_parameters(plain)
    twin = plain_twin(residual).state_dict()
    assert list(twin) == list(plain.state_dict())
    assert all(torch.equal(twin[name], value) for name, value in plain.state_dict().items())


def test_labels_and_defaults() -> None:
    assert ResNetDesign(skip="none", activation="sine", divergence="kl").label == "plain-20+sine+kl"
    one = ResNetDesign().resolved()
    assert (one.optimizer, one.learning_rate, one.weight_decay) == ("momentum", 0.1, 1e-4)
    bare = ResNetDesign(normalisation="none", activation="sine").resolved()
    assert (bare.learning_rate, bare.scale) == (0.03, 1)
    given = ResNetDesign(optimizer="adam", learning_rate=0.02, weight_decay=0.0, scale=3).resolved()
    assert (given.learning_rate, given.weight_decay, given.scale) == (0.02, 0.0, 3)
    assert ResNetDesign(activation="gaussian").open_numbers() == ("learning_rate", "scale")
    assert given.replaced(depth=26).depth == 26


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"depth": 21}, r"depth=21.*6n \+ 2 layers; the nearest are 20 and 26"),
        ({"depth": "10"}, "the nearest are 8 and 14"),
        ({"depth": 2}, "depth=2: .*greater than or equal to 8"),
        ({"depth": 1208}, "depth=1208: .*less than or equal to 1202"),
        ({"skip": "yes"}, "skip='yes': .*'residual' or 'none'"),
        ({"skip": "none", "skip_scale": 0}, "skip=none: a plain network has no skip_scale"),
        ({"skip": "none", "survival": 0.5}, "skip=none: a plain network"),
        ({"survival": 0}, "survival=0: .*greater than 0"),
        ({"activation": "wire"}, "activation='wire': its values are complex"),
        ({"blocks": 3}, "axis 'blocks' is unknown to resnet networks: did you mean 'block'"),
    ],
)
def test_what_does_not_fit_is_said(fields: dict, said: str) -> None:
    with pytest.raises(PenchantError, match=said):
        design({"family": "resnet", **fields})


@pytest.mark.parametrize("shape", [(64,), (2, 8, 8, 1)])
def test_samples_must_be_pictures(shape: tuple[int, ...]) -> None:
    with pytest.raises(PenchantError, match=r"samples of shape .*pictures.*family=dense"):
        ResNetDesign(width=4).build(shape, 10, seed=0)


def test_a_plan_of_residual_networks() -> None:
    words = {**usual_words(["digits"]), "family": "resnet"}
    assert list(Plan.of(words).labelled()) == ["plain-20+relu", "resnet-20+relu"]
    grid = Plan.of({**words, "vary": {"depth": [8, 14], "skip": ["none", "residual"]}})
    assert list(grid.labelled()) == [
        "plain-8+relu",
        "resnet-8+relu",
        "plain-14+relu",
        "resnet-14+relu",
    ]
    bare = ResNetDesign(normalisation="none", block="pre", divergence="l2")
    assert bare.label == "resnet-20+relu+unnormalised+pre+l2"


def test_a_small_study_from_end_to_end() -> None:
    """On the digits, whose samples are 8×8×1: each learns, and is compared with its plain twin."""
    study = Study(
        "digits",
        family="resnet",
        seeds=2,
        steps=40,
        batch=64,
        tune=0,
        baseline="skip=none",
        designs=[
            {"skip": skip, "depth": 8, "width": 4, "optimizer": optimizer}
            for optimizer in ("momentum", "adam")
            for skip in ("none", "residual")
        ],
    )
    assert all(one.width == 4 for one in study.designs[0].values())
    results = study.run()
    scores = {
        label: np.mean([r.metrics[results.metric] for r in results.runs if r.design == label])
        for label in results.designs
    }
    assert len(scores) == 4 and min(scores.values()) > 50, scores
    assert [(v.design, v.baseline) for v in results.verdicts] == [
        (f"resnet-8+relu optimizer={name}", f"plain-8+relu optimizer={name}")
        for name in ("momentum", "adam")
    ]
