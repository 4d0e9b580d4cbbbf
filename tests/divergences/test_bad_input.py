"""Each misuse is one line that names the call, the argument, what it is and what would fit."""

import pickle

import pytest
import torch
from torch import Tensor

from penchant.divergences import (
    DIVERGENCES,
    KL,
    L2,
    BinaryCrossEntropy,
    BinaryKL,
    CrossEntropy,
    Divergence,
    Huber,
    divergence,
    kl,
)
from penchant.errors import PenchantError

pytestmark = pytest.mark.unchecked  # wrong shapes are the point

NAN = float("nan")
ROWS = torch.tensor([[0.2, 0.8], [0.5, 0.5]])
LOGITS = torch.tensor([[1.0, -1.0], [0.0, 2.0]])
CLASSES = torch.tensor([0, 1])


def changed(tensor: Tensor, value: float) -> Tensor:
    """The tensor with one value replaced, at (1, 0)."""
    tensor = tensor.clone()
    tensor[1, 0] = value
    return tensor


CALLS = {
    "shape": (L2(), torch.zeros(4, 2), torch.zeros(4, 3), r"target \(4, 3\).*output \(4, 2\)"),
    "column": (
        L2(),
        torch.zeros(4, 1),
        torch.zeros(4),
        r"target \(4,\).*output \(4, 1\).*target\.reshape\(4, 1\)",
    ),
    "scalar": (
        L2(),
        torch.tensor(1.0),
        torch.tensor(1.0),
        r"output \(\).*needs \(samples, \.\.\.\)",
    ),
    "empty": (L2(), torch.zeros(0, 2), torch.zeros(0, 2), r"output \(0, 2\) is empty"),
    "integers": (
        L2(),
        torch.zeros(2, 2),
        torch.zeros(2, 2, dtype=torch.int64),
        r"target \(2, 2\) of type int64.*target\.float\(\)",
    ),
    "complex": (
        L2(),
        torch.zeros(2, 2, dtype=torch.complex64),
        torch.zeros(2, 2),
        r"output \(2, 2\) of type complex64.*floating",
    ),
    "nan output": (L2(), changed(LOGITS, NAN), ROWS, r"output \(2, 2\) has nan at \(1, 0\)"),
    "nan target": (L2(), LOGITS, changed(ROWS, NAN), r"target \(2, 2\) has nan at \(1, 0\)"),
    "classes in rows": (KL("softmax"), LOGITS, CLASSES, r"target.*int64.*one_hot.*CrossEntropy"),
    "one row": (KL("softmax"), LOGITS[0], ROWS[0], r"output \(2,\) has no dimension of classes"),
    "half sum": (
        KL("softmax"),
        LOGITS,
        ROWS * torch.tensor([[1.0], [0.5]]),
        r"target \(2, 2\) sums to 0\.5 .*at \(1,\).*sum to 1.*swapped",
    ),
    "logits as probabilities": (KL(), LOGITS, ROWS, r"output \(2, 2\) has -1 .*link='softmax'"),
    "swapped": (KL("softmax"), ROWS, LOGITS, r"target \(2, 2\) has -1 .*swapped"),
    "logarithms": (KL(), ROWS.log(), ROWS, r"output.*log-probabilities.*KLDivLoss.*exp\(\)"),
    "log targets": (KL("softmax"), LOGITS, ROWS.log(), r"target.*log-probabilities.*exp\(\)"),
    "nan row": (KL("softmax"), LOGITS, changed(ROWS, NAN), r"target.*nan at \(1, 0\)"),
    "nan logits": (KL("softmax"), changed(LOGITS, NAN), ROWS, r"output.*nan at \(1, 0\)"),
    "infinite logits": (
        KL("softmax"),
        changed(LOGITS, float("inf")),
        ROWS,
        r"output \(2, 2\) has inf at \(1, 0\).*finite",
    ),
    "class too large": (
        CrossEntropy("softmax"),
        LOGITS,
        torch.tensor([0, 2]),
        r"target \(2,\) has class 2 at \(1,\).*0 to 1 for 2 classes",
    ),
    "class below 0": (
        CrossEntropy("softmax"),
        LOGITS,
        torch.tensor([-1, 0]),
        r"target \(2,\) has class -1 at \(0,\).*ignore_index",
    ),
    "float classes": (
        CrossEntropy("softmax"),
        LOGITS,
        CLASSES.float(),
        r"target \(2,\) of type float32.*target\.long\(\)",
    ),
    "integer rows": (
        CrossEntropy("softmax"),
        LOGITS,
        torch.eye(2, dtype=torch.int64),
        r"target \(2, 2\) of type int64.*target\.float\(\)",
    ),
    "bool": (CrossEntropy("softmax"), LOGITS, CLASSES.bool(), r"of type bool.*integer classes"),
    "positions": (
        CrossEntropy("softmax"),
        torch.zeros(2, 3, 5),
        CLASSES,
        r"target \(2,\).*output \(2, 3, 5\).*shape \(2, 5\).*\(2, 3, 5\)",
    ),
    "rows that are none": (CrossEntropy("softmax"), LOGITS, 2 * ROWS, r"target.*sums to 2"),
    "above 1": (
        BinaryCrossEntropy("sigmoid"),
        LOGITS,
        changed(ROWS, 1.5),
        r"target \(2, 2\) has 1\.5 at \(1, 0\).*\[0, 1\]",
    ),
    "below 0": (BinaryKL("sigmoid"), LOGITS, changed(ROWS, -0.5), r"target.*has -0\.5 at \(1, 0\)"),
    "nan fraction": (BinaryKL("sigmoid"), LOGITS, changed(ROWS, NAN), r"target.*nan at \(1, 0\)"),
    "logits as fractions": (BinaryKL(), LOGITS, ROWS, r"output.*-1 at \(0, 1\).*link='sigmoid'"),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("call", ["forward", "derivative"])
def test_a_call_that_does_not_fit(name: str, call: str) -> None:
    member, output, target, message = CALLS[name]
    with pytest.raises(PenchantError, match=message) as caught:
        member(output, target) if call == "forward" else member.derivative(output, target)
    said = str(caught.value)
    suffix = ".derivative" if call == "derivative" else ""
    assert said.startswith(f"{type(member).__name__}{suffix}: ") and "\n" not in said
    # An error goes through pools of processes as it is.
    assert str(pickle.loads(pickle.dumps(caught.value))) == said


SHAPES = {"shape", "column", "scalar", "empty", "integers", "complex", "classes in rows", "one row",
          "float classes", "integer rows", "bool", "positions"}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_without_validation_shapes_are_looked_at_and_values_are_not(name: str) -> None:
    member, output, target, message = CALLS[name]
    if name.startswith("class "):
        return_to = pytest.raises((IndexError, RuntimeError))  # torch's own, from the kernel
    elif name in SHAPES:
        return_to = pytest.raises(PenchantError, match=message)
    else:
        numbers = {n: getattr(member, n) for n in member.numbers}
        type(member)(member.link, validate=False, **numbers)(output, target)
        return
    with return_to:
        type(member)(member.link, validate=False)(output, target)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: L2("logit"), r"L2\(link='logit'\).*known: identity, sigmoid, softmax"),
        (
            lambda: KL("sigmoid"),
            r"KL\(link='sigmoid'\): not a link of kl.*known: identity, softmax",
        ),
        (lambda: BinaryKL("softmax"), r"BinaryKL\(link='softmax'\)"),
        (lambda: L2(reduction="batchmean"), r"L2\(reduction='batchmean'\).*did you mean 'mean'"),
        (lambda: Huber(delta=0), r"Huber\(delta=0\)"),
        (lambda: Huber(delta=-1.0), r"Huber\(delta=-1\.0\)"),
        (lambda: Huber(delta=NAN), r"Huber\(delta=nan\)"),
        (lambda: Huber(delta="1"), r"Huber\(delta='1'\)"),
        (lambda: CrossEntropy(label_smoothing=1.0), r"CrossEntropy\(label_smoothing=1\.0\)"),
        (lambda: CrossEntropy(label_smoothing=-0.1), r"label_smoothing=-0\.1"),
        (lambda: BinaryCrossEntropy(label_smoothing=NAN), r"label_smoothing=nan"),
        (lambda: divergence("kll"), r"divergence\('kll'\): no such name; did you mean 'kl'"),
        (lambda: divergence("l2", delta=1.0), r"divergence\('l2', delta=1\.0\): l2 has no delta"),
        (
            lambda: divergence("huber", label_smoothing=0.1),
            r"divergence\('huber', label_smoothing=0\.1\): huber has no.*only delta",
        ),
        (lambda: divergence("kl", link="sigmoid"), r"KL\(link='sigmoid'\)"),
        (lambda: kl(ROWS, ROWS, link="softmx"), r"link='softmx'.*did you mean 'softmax'"),
    ],
)
def test_what_cannot_be_built(build: object, message: str) -> None:
    with pytest.raises(PenchantError, match=message):
        build()  # type: ignore[operator]


def test_the_table() -> None:
    assert list(DIVERGENCES) == [
        "l2", "l1", "huber", "kl", "binary_kl", "cross_entropy", "binary_cross_entropy",
    ]  # fmt: skip
    for name, member in DIVERGENCES.items():
        built = divergence(name)
        assert type(built) is member and built.link == member.matching_link
        assert built.convex_in_logits and built.reduction == "mean"
    assert divergence("huber", delta=3).delta == 3  # type: ignore[attr-defined]
    assert divergence("l2", link="softmax", reduction="sum").link == "softmax"
    smoothed = divergence("cross_entropy", label_smoothing=0.1, validate=False)
    assert smoothed.label_smoothing == 0.1 and not smoothed.validate  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("dtype", "fits", "off"),
    [
        (torch.float64, 1e-7, 1e-5),
        (torch.float32, 1e-5, 1e-3),
        (torch.float16, 5e-3, 2e-2),
        (torch.bfloat16, 1e-2, 6e-2),
    ],
)
def test_rows_may_miss_1_by_their_types_rounding(
    dtype: torch.dtype, fits: float, off: float
) -> None:
    rows = torch.tensor([[0.25, 0.75], [0.5, 0.5]], dtype=torch.float64)
    rows[1, 1] += fits
    assert KL("softmax")(LOGITS.to(dtype), rows.to(dtype)).isfinite()
    rows[1, 1] += off
    with pytest.raises(PenchantError, match=r"target.*sums to .* at \(1,\)"):
        KL("softmax")(LOGITS.to(dtype), rows.to(dtype))


def test_an_infinite_value_is_no_error() -> None:
    certain = torch.tensor([[0.0, 1.0]])
    assert KL()(certain, certain.flip(1)).isinf()
    assert KL().derivative(certain, certain.flip(1)).isinf().any()
    assert L2()(torch.tensor([float("inf")]), torch.tensor([0.0])).isinf()
    # One infinite upwards and one downwards: their sum is nan, and still nothing is wrong.
    slopes = BinaryKL().derivative(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]))
    assert slopes.tolist() == [-float("inf"), float("inf")]


def test_positions_are_checked_too() -> None:
    rows = torch.full((2, 3, 4), 1 / 3)
    assert KL("softmax")(torch.zeros(2, 3, 4), rows).item() == pytest.approx(0, abs=1e-6)
    rows[1, :, 2] = 0.5
    with pytest.raises(PenchantError, match=r"sums to 1\.5 .*at \(1, 2\)"):
        KL("softmax")(torch.zeros(2, 3, 4), rows)


def test_nothing_is_read_on_the_meta_device() -> None:
    value = KL("softmax")(LOGITS.to("meta"), ROWS.to("meta"))
    assert value.shape == () and value.device.type == "meta"


def test_one_s_own_has_links_reductions_and_checks() -> None:
    class Quartic(Divergence):
        name = "quartic"

        def parts(self, answer: Tensor, target: Tensor) -> Tensor:
            return (answer - target) ** 4 / 4

        def slopes(self, answer: Tensor, target: Tensor) -> Tensor:
            return (answer - target) ** 3

    for link in ("identity", "sigmoid", "softmax"):
        member = Quartic(link)  # type: ignore[arg-type]
        leaf = LOGITS.double().requires_grad_()
        target = ROWS.double()
        (slope,) = torch.autograd.grad(member(leaf, target), leaf)
        torch.testing.assert_close(member.derivative(leaf.detach(), target), slope)
        assert not member.convex_in_logits  # not known to be
    with pytest.raises(PenchantError, match=r"Quartic: output.*nan"):
        Quartic()(changed(LOGITS, NAN), ROWS)
    with pytest.raises(TypeError):
        Divergence()  # type: ignore[abstract]
