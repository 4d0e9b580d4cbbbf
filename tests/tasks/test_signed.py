"""Divergences of values in [-1, 1]: derivatives, gradients through a network, and the answer."""

import math

import pytest
import torch
from torch import Tensor, nn

from penchant.divergences import DIVERGENCES
from penchant.errors import PenchantError
from penchant.nn import CoordinateNet
from penchant.randomness import generator
from penchant.tasks import Picture, PictureTask, signed_answering, signed_divergence
from penchant.training import gradient_of

MEMBERS = [
    ("l2", "identity", {}),
    ("l1", "identity", {}),
    ("huber", "identity", {"delta": 0.3}),
    ("l2", "sigmoid", {}),
    ("l1", "sigmoid", {}),
    ("huber", "sigmoid", {"delta": 0.3}),
    ("kl", "sigmoid", {}),
    ("cross_entropy", "sigmoid", {}),
    ("cross_entropy", "sigmoid", {"label_smoothing": 0.1}),
]
each_member = pytest.mark.parametrize(("name", "link", "numbers"), MEMBERS)


def samples(kind: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Outputs of every size and targets in [-1, 1], both ends among them."""
    output = 3 * torch.randn((40, 3), generator=generator(0, "outputs"), dtype=torch.float64)
    target = 2 * torch.rand((40, 3), generator=generator(0, "targets"), dtype=torch.float64) - 1
    target[:4], target[4:8], target[8:12] = -1, 1, 0
    return output.to(kind), target.to(kind)


def written_out(name: str, link: str, z: Tensor, t: Tensor, delta: float, smooth: float) -> Tensor:
    """The mean over samples as a reader would write it."""
    if link == "identity":
        y, d = z, t
    else:
        y, d = torch.sigmoid(z), (t + 1) / 2
    gap = (y - d).abs()
    log = torch.nn.functional.logsigmoid
    d = (1 - smooth) * d + smooth / 2
    entropy = torch.special.entr(d) + torch.special.entr(1 - d)
    value = {
        "l2": gap**2 / 2,
        "l1": gap,
        "huber": torch.where(gap <= delta, gap**2 / 2, delta * (gap - delta / 2)),
        "cross_entropy": -d * log(z) - (1 - d) * log(-z),
        "kl": -d * log(z) - (1 - d) * log(-z) - entropy,
    }[name]
    return value.sum() / len(z)


@each_member
def test_value_is_what_the_formula_says(name: str, link: str, numbers: dict[str, float]) -> None:
    output, target = samples()
    found = signed_divergence(name, link, **numbers)(output, target)
    smooth = numbers.get("label_smoothing", 0.0)
    expected = written_out(name, link, output, target, numbers.get("delta", 1.0), smooth)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@each_member
def test_derivative_is_autograds(name: str, link: str, numbers: dict[str, float]) -> None:
    output, target = samples()
    divergence = signed_divergence(name, link, **numbers)
    (gradient,) = torch.autograd.grad(divergence(output.requires_grad_(), target), output)
    found = divergence.derivative(output.detach(), target)
    torch.testing.assert_close(found, gradient, rtol=1e-12, atol=1e-15)


@each_member
def test_inherited_parts_and_slopes_agree(name: str, link: str, numbers: dict[str, float]) -> None:
    """What `Divergence` would make of `parts` and `slopes` is what the shortcut gives."""
    output, target = samples()
    divergence = signed_divergence(name, link, **numbers)
    answer = output if link == "identity" else torch.sigmoid(output)
    parts = divergence.parts(answer, target)
    inner = getattr(divergence, "inner", divergence)
    value = parts.sum() * inner.factor / len(output)
    torch.testing.assert_close(value, divergence(output, target), rtol=1e-9, atol=1e-9)
    slopes = divergence.slopes(answer, target)
    if link == "sigmoid":
        slopes = slopes * answer * (1 - answer)
    found = divergence.derivative(output, target)
    torch.testing.assert_close(slopes / len(output), found, rtol=1e-9, atol=1e-9)


@each_member
@pytest.mark.parametrize("activation", ["relu", "finer"])
def test_closed_form_gradient_is_autograds(
    name: str, link: str, numbers: dict[str, float], activation: str
) -> None:
    network = CoordinateNet(2, 3, width=8, depth=2, activation=activation, seed=1).double()
    points = 2 * torch.rand((40, 2), generator=generator(0, "points"), dtype=torch.float64) - 1
    _, target = samples()
    divergence = signed_divergence(name, link, **numbers)
    gradient = gradient_of(network, divergence, block=16)
    assert type(gradient).__name__ == "CoordinateGradient"
    value = gradient(points, target)
    found = [parameter.grad.clone() for parameter in network.parameters()]
    expected = divergence(network(points), target)
    wanted = torch.autograd.grad(expected, list(network.parameters()))
    assert value == pytest.approx(expected.item(), rel=1e-12)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@each_member
def test_extreme_outputs_stay_finite(name: str, link: str, numbers: dict[str, float]) -> None:
    """A value of exactly 0 or 1 in the picture, and a network that is sure of the other one."""
    output = torch.tensor([[1e4], [-1e4], [1e4], [-1e4]])
    target = torch.tensor([[-1.0], [1.0], [1.0], [-1.0]])
    divergence = signed_divergence(name, link, **numbers)
    assert math.isfinite(divergence(output, target))
    assert bool(divergence.derivative(output, target).isfinite().all())


def test_least_divergence_is_at_the_target() -> None:
    target = torch.linspace(-0.9, 0.9, 7, dtype=torch.float64)[:, None]
    logits = torch.logit((target + 1) / 2)
    for name in ("l2", "l1", "huber", "kl", "cross_entropy"):
        divergence = signed_divergence(name, "sigmoid")
        answer = signed_answering(nn.Identity(), divergence)(logits)
        torch.testing.assert_close(answer, target, rtol=1e-12, atol=1e-12)
        if name != "l1":  # whose slope has no value there
            slope = divergence.derivative(logits, target)
            torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-12)
    for name in ("l2", "huber", "kl"):
        assert float(signed_divergence(name, "sigmoid")(logits, target)) < 1e-12


def test_answers_stand_behind_the_link() -> None:
    network = nn.Identity()
    assert signed_answering(network, signed_divergence("l2")) is network
    answer = signed_answering(network, signed_divergence("kl"))
    found = answer(torch.tensor([[-1e4], [0.0], [1e4]]))
    assert found.flatten().tolist() == [-1, 0, 1]


@pytest.mark.parametrize("broken", [math.inf, -math.inf, math.nan])
def test_a_broken_network_is_not_taken_for_a_sure_one(broken: float) -> None:
    """It is scored as the constant picture, as without the sigmoid."""
    values = torch.rand((4, 4, 1), generator=generator(0, "picture")).numpy()
    task = PictureTask(Picture("noise", values), "none")

    class Broken(nn.Module):
        def forward(self, points: Tensor) -> Tensor:
            return torch.full((len(points), 1), broken)

    split = task.split(0)
    for name in ("l2", "kl"):
        answer = task.answering(Broken(), task.divergence(name))
        assert split.score(answer).metrics == split.constant_score().metrics, name


@pytest.mark.parametrize("name", ["kl", "cross_entropy", "l2"])
def test_scores_are_of_the_answer(name: str) -> None:
    """Logits whose sigmoid is the picture reconstruct it; the logits themselves do not."""
    values = torch.rand((8, 8, 1), generator=generator(0, "picture")) * 0.9 + 0.05
    task = PictureTask(Picture("noise", values.numpy()), "none")
    split = task.split(0)
    logits = torch.logit(values.reshape(-1, 1))

    class Known(nn.Module):
        def forward(self, points: Tensor) -> Tensor:
            return logits

    divergence = task.divergence(name, "sigmoid")
    good = split.score(task.answering(Known(), divergence)).metrics["psnr_seen"]
    assert good > 100 and split.score(Known()).metrics["psnr_seen"] < 30


@pytest.mark.parametrize(
    ("name", "link", "words"),
    [
        ("binary_kl", None, ["divergence='binary_kl'", "known: cross_entropy, huber, kl, l1, l2"]),
        ("entropy", None, ["divergence='entropy'", "did you mean 'cross_entropy'"]),
        ("kl", "identity", ["link='identity'", "divergence='kl'", "sigmoid is needed"]),
        ("cross_entropy", "softmax", ["link='softmax'", "sigmoid is needed"]),
        ("l2", "softmax", ["link='softmax'", "identity or sigmoid is needed"]),
        (None, "softmax", ["link='softmax'", "divergence='l2'"]),
    ],
)
def test_misfit_is_one_helpful_line(name: str | None, link: str | None, words: list[str]) -> None:
    with pytest.raises(PenchantError) as caught:
        signed_divergence(name, link)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in words), message


def test_every_divergence_fits_or_is_refused_in_words() -> None:
    for name in DIVERGENCES:
        try:
            divergence = signed_divergence(name)
        except PenchantError:
            assert name.startswith("binary_")
        else:
            assert not divergence.validate and divergence.reduction == "mean"
