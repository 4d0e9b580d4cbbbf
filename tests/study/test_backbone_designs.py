"""ViT and ConvNeXt as families of designs: defaults, builds, equal parameters, a tiny study."""

import pytest
import torch

from penchant.errors import PenchantError
from penchant.nn import count_parameters
from penchant.study import Study, design
from penchant.study._backbones import ConvNeXtDesign, ViTDesign
from penchant.study._plan import Plan
from penchant.study._width import with_widths
from penchant.tasks import ClassificationTask, load_labelled

FAMILIES = {"vit": ViTDesign, "convnext": ConvNeXtDesign}


@pytest.fixture(scope="module")
def digits() -> ClassificationTask:
    return ClassificationTask(load_labelled("digits"))


@pytest.mark.parametrize("family", FAMILIES)
def test_defaults(family: str) -> None:
    one = design({"family": family}).resolved()
    assert isinstance(one, FAMILIES[family])
    assert one.label == f"{family}+gelu"
    assert (one.optimizer, one.weight_decay, one.scale) == ("adam", 0.05, 1.0)
    assert one.learning_rate == 0.002
    assert design({"family": family, "weight_decay": 0}).resolved().weight_decay == 0
    assert design({"family": family, "activation": "sine"}).resolved().scale == 1


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (14, 14, 3), (28, 28)])
def test_builds_for_rows_of_pictures(family: str, shape: tuple[int, ...]) -> None:
    one = design({"family": family, "width": 8, "depth": 3, "activation": "relu"})
    rows = torch.zeros(2, torch.Size(shape).numel())
    assert one.build(shape, 4, seed=0)(rows).shape == (2, 4)


def test_the_usual_patch_leaves_at_most_64() -> None:
    sides = {8: 2, 14: 2, 28: 4, 32: 4, 64: 8}
    for side, patch in sides.items():
        net = ViTDesign(width=4, depth=1).build((side, side), 2, seed=0)
        stem = next(m for m in net.modules() if isinstance(m, torch.nn.Conv2d))
        assert stem.kernel_size == (patch, patch), side


def test_positions_are_a_choice_and_what_ran_before_keeps_its_name() -> None:
    fields = {"family": "vit", "width": 8, "depth": 1, "patch": 2}
    usual, *others = (
        design({**fields, "positions": positions}).resolved()
        for positions in ("learned", "sinusoidal", "none")
    )
    assert design(fields).resolved() == usual
    # Ids of stored runs hash this; they lack the word.
    assert "positions" not in usual.identity
    assert [one.identity["positions"] for one in others] == ["sinusoidal", "none"]
    labels = ["vit+gelu", "vit+gelu+sinusoidal", "vit+gelu+no-positions"]
    assert [one.label for one in (usual, *others)] == labels
    counts = [count_parameters(one.build((8, 8), 3, seed=0)) for one in (usual, *others)]
    assert [counts[0] - count for count in counts] == [0, 17 * 8, 17 * 8]
    plan = Plan(
        family="vit",
        vary={"activation": ["relu", "sine"], "positions": ["learned", "none"]},
        baseline="activation=relu",
    )
    assert plan.axes() == ("activation", "positions")
    assert plan.baselines()["vit+sine+no-positions"] == "vit+relu+no-positions"


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ({"family": "vit", "positions": "no"}, (8, 8), "positions='no': input should be 'learned'"),
        ({"family": "convnext", "positions": "none"}, (8, 8), "axis 'positions' is unknown"),
        ({"family": "vit", "width": 8}, (30,), "samples of shape (30,), where pictures"),
        ({"family": "vit", "width": 8}, (13, 13), "13×13 pixels cannot be cut into 4 to 64"),
        ({"family": "vit", "width": 8, "patch": 3}, (8, 8), "a patch's side must divide"),
        ({"family": "vit", "width": 8, "heads": 9}, (8, 8), "needs a whole number of at least 9"),
        ({"family": "convnext", "width": 8}, (6, 9), "6×9 pixels, where three stages need 8"),
        ({"family": "convnext"}, (8, 8), "width is needed"),
    ],
)
def test_what_does_not_fit_is_said(
    fields: dict[str, object], shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(PenchantError) as error:
        design(fields).resolved().build(shape, 3, seed=0)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_equal_parameters_across_families(digits: ClassificationTask) -> None:
    fields = [{"family": "vit", "width": 32}, {"family": "convnext"}, {"family": "dense"}]
    designs = {one["family"]: design(one).resolved() for one in fields}
    chosen = with_widths(designs, digits, "parameters", dict.fromkeys(designs, "vit"))
    counts = {
        label: count_parameters(one.build(digits.shape, digits.outputs, seed=0))
        for label, one in chosen.items()
    }
    assert chosen["vit"].width == 32
    # A width is a whole number: one more of the widest family's would be too many.
    assert all(0.9 < count / counts["vit"] < 1.1 for count in counts.values()), counts


def test_a_study_on_the_digits_runs_and_does_again_what_it_did() -> None:
    designs = [
        {"family": "convnext", "width": 8, "depth": 3},
        {"family": "convnext", "width": 8, "depth": 3, "activation": "sine"},
        {"family": "vit", "width": 16, "depth": 2},
    ]

    def run() -> list[float]:
        study = Study("digits", designs=designs, seeds=1, steps=30, batch=64, tune=0)
        return [run.metrics["accuracy_held_out"] for run in study.run().runs]

    scores = run()
    assert scores == run()
    assert all(score > 30 for score in scores), scores
