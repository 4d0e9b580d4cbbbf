"""Gradient descent: the notes' rule, and how large a step may be before it stops going down."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.divergences import KL, L2
from penchant.explain import _descent_network as real
from penchant.explain._chart import Line
from penchant.explain._descent_charts import lines, paths
from penchant.explain._explanation import Explanation, Figure, Section, Table
from penchant.pages import number
from penchant.training import GradientDescent, one_thread

CURVATURE = 2.0
"""λ of the one weight."""
PRODUCTS = (0.5, 1.0, 1.5, 2.0, 2.2)
"""η·λ: below 1, at 1, between 1 and 2, at 2, above."""
SHARP, FLAT = 10.0, 1.0
"""Curvatures of the two weights."""
SHOWN = 20
"""Steps of a swing that are drawn: until the minimum's own precision shows."""
SHARPENED = (0.05, 0.1, 0.2)
"""Step sizes whose trainings are watched."""


def descend(
    curvatures: tuple[float, ...], start: tuple[float, ...], step_size: float, steps: int
) -> Float[np.ndarray, "moments weights"]:
    """Take steps on ½Σ λᵢwᵢ² and return where the weights stood, the start included.

    Example:
        >>> descend((2.0,), (1.0,), 0.25, 3)[:, 0].tolist()
        [1.0, 0.5, 0.25, 0.125]
    """
    weight = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    bends = torch.tensor(curvatures, dtype=torch.float64)
    descent = GradientDescent([weight], step_size)
    stood = [weight.detach().clone()]
    for _ in range(steps):
        descent.zero_grad()
        torch.autograd.backward(_height(weight, bends))
        descent.step()
        stood.append(weight.detach().clone())
    return torch.stack(stood).numpy()


def _height(weight: Tensor, bends: Tensor) -> Tensor:
    return (bends * weight.square()).sum() / 2


@one_thread()
def descent() -> Explanation:
    """Explain gradient descent: the rule, one weight, two weights, and a network on digits."""
    return Explanation(
        topic="descent",
        title="Gradient descent: the step downhill, and how large it may be",
        summary=(
            "New value of the weights = current value − derivative of the divergence · step size. "
            "Where the loss bends with curvature λ, a step of size η multiplies the distance from "
            "the minimum by 1 − ηλ. Steps below 2/λ lower the loss, steps above 2/λ raise it, and "
            "in a network the sharpest direction of all weights sets this limit."
        ),
        table=Table(
            ("step size η", "η·λ", "w after 1 step", "2", "3", "10", "what happens"),
            tuple(_row(product) for product in PRODUCTS),
            f"One weight on λ/2·w² with λ = {CURVATURE:g}, from w = 1. The derivative there is "
            f"λ·w = {CURVATURE:g}, and 2/λ = {2 / CURVATURE:g}.",
        ),
        sections=(_rule(), _one_weight(), _any_loss(), _two_weights(), _swings(), _sharpening()),
        sources=(
            "Cauchy, Méthode générale pour la résolution des systèmes d'équations simultanées, "
            "1847",
            "Nesterov, Introductory Lectures on Convex Optimization, section 1.2.3, 2004",
            "Pearlmutter, Fast exact multiplication by the Hessian, 1994",
            "Cohen, Kaur, Li, Kolter & Talwalkar, Gradient descent on neural networks typically "
            "occurs at the edge of stability, 2021",
        ),
    )


def fate(product: float) -> str:
    """Say what steps with this η·λ do on a quadratic.

    Example:
        >>> fate(0.5), fate(2.2)
        ('goes straight in', 'swings wider')
    """
    if product < 1:
        return "goes straight in"
    if product == 1:
        return "there in one step"
    if product < 2:
        return "zigzags in"
    return "swings for ever" if product == 2 else "swings wider"


def _row(product: float) -> tuple[str, ...]:
    way = descend((CURVATURE,), (1.0,), product / CURVATURE, 10)[:, 0]
    return (
        number(product / CURVATURE, 2),
        number(product, 1),
        *(number(way[step], 3) for step in (1, 2, 3, 10)),
        fate(product),
    )


def _small(value: float) -> str:
    return f"{value:.1e}".replace("-", "−")


def _rule() -> Section:
    answer = nn.Parameter(torch.tensor([[1.5]], dtype=torch.float64))
    target = torch.tensor([[1.0]], dtype=torch.float64)
    step = GradientDescent([answer], 0.5)
    before = L2()(answer, target)
    torch.autograd.backward(before)
    assert answer.grad is not None
    slope = answer.grad.item()
    step.step()
    after = L2()(answer, target).item()
    return Section(
        "The rule",
        (
            f"The notes' L2 example: the answer is y = 1.5, the target d = 1, so the loss is "
            f"{number(before.item(), 3)} and its derivative y − d is {number(slope, 1)}: "
            "increasing y would increase the loss. With a step size of 0.5 the new value is 1.5 − "
            f"{number(slope, 1)} · 0.5 = {number(answer.item(), 2)}, and the loss is "
            f"{number(after, 5)}.",
            "That is all that the optimiser does: no momentum, no decay, nothing remembered. After "
            "100 steps on handwritten digits the largest difference between any weight of it and "
            f"of torch.optim.SGD is {real.difference_from_torch():g}.",
        ),
    )


def _one_weight() -> Section:
    steps = np.arange(11.0)
    ways = [descend((CURVATURE,), (1.0,), product / CURVATURE, 10)[:, 0] for product in PRODUCTS]
    products = np.linspace(0.05, 2.5, 50)
    ratios = [descend((CURVATURE,), (1.0,), p / CURVATURE, 1)[1, 0] ** 2 for p in products]
    return Section(
        "One weight: η·λ decides everything",
        (
            "On λ/2·w² the derivative is λw, so the rule reads w ← w − ηλw = (1 − ηλ)·w. Repeated, "
            "it multiplies by 1 − ηλ each time. Below 1/λ that factor is positive and w shrinks "
            "from one side; at 1/λ it is 0; up to 2/λ it is negative and w overshoots, but less "
            "each time; at 2/λ it is −1; beyond, each overshoot is larger than the last.",
            "The loss goes with w², so one step multiplies it by (1 − ηλ)². That is below 1 "
            "exactly for 0 < η < 2/λ.",
        ),
        (
            Figure(
                "The weight over ten steps",
                lines(
                    "descent-weight",
                    "Five ways of the weight: two that shrink from one side, one that zigzags in, "
                    "one that swings between 1 and -1, one that swings wider.",
                    [
                        Line(f"η·λ = {p:g}", steps, way)
                        for p, way in zip(PRODUCTS, ways, strict=True)
                    ],
                    against="steps",
                    limits=(-2.4, 2.4),
                    markers=True,
                ),
                "From w = 1. The widest line leaves the chart: after ten steps w is "
                f"{number(ways[-1][-1], 2)}.",
            ),
            Figure(
                "The loss after one step",
                lines(
                    "descent-one-step",
                    "A parabola over the product of step size and curvature: 1 at 0, 0 at 1, 1 at "
                    "2, and above 1 beyond. The ground from 0 to 2 is shaded.",
                    [Line("after ÷ before", products, np.array(ratios))],
                    against="η·λ",
                    limits=(0.0, 2.3),
                    zone=(0.0, 2.0),
                    levels=(1.0,),
                ),
                "Measured with the optimiser at 50 step sizes. Shaded: the loss falls. It falls "
                "most at η = 1/λ and not at all at 2/λ.",
            ),
        ),
    )


def _any_loss() -> Section:
    l2, kl = (real.first_step(divergence) for divergence in (L2(), KL("softmax")))
    seen = l2.sizes <= 8
    return Section(
        "Any loss: what one step is sure to do",
        (
            "If the curvature is at most L along the step, in every direction, the loss falls by "
            "at least η(1 − ηL/2) times the squared length of the derivative. So every step below "
            "2/L lowers the loss, whatever its shape. The other half of the quadratic's rule does "
            "not carry over: a longer step may still lower it, because the derivative rarely "
            "points along the sharpest direction, and because the curvature changes on the way.",
            f"A network with one hidden layer of {real.HIDDEN} tanh units, untrained, on "
            f"{real.SAMPLES} handwritten digits: its largest curvature is λ = "
            f"{number(l2.curvature, 2)} under L2 and {number(kl.curvature, 2)} under KL behind a "
            "softmax. The first step stops lowering the loss at about η·λ = "
            f"{number(l2.lowers_below, 1)} under L2, and under KL only at "
            f"{number(kl.lowers_below, 0)}. So 2/λ where one stands is no limit for a single "
            "step; it is one for many steps near a minimum, as the next parts show.",
        ),
        (
            Figure(
                "A network's loss after its first step",
                lines(
                    "descent-first-step",
                    "Loss after the first step over the loss before, against step size times "
                    "curvature, under L2 and KL; both are below 1 at 2.",
                    [
                        Line(name, first.sizes[seen], first.ratios[seen])
                        for name, first in (("L2", l2), ("KL", kl))
                    ],
                    against="η·λ, λ where the step begins",
                    limits=(0.7, 1.3),
                    zone=(0.25, 2.0),
                ),
                "After ÷ before. Shaded: below 2/λ. Both lines are still below 1 at its end.",
            ),
        ),
    )


def _two_weights() -> Section:
    best = 2 / (SHARP + FLAT)
    sizes = (0.05, best, 0.21)
    ways = [descend((FLAT, SHARP), (1.0, 0.5), size, 6) for size in sizes]
    condition = SHARP / FLAT
    names = [f"η = {size:.2g}" for size in sizes]
    rows = []
    for size in sorted((*sizes, 0.19)):
        way = descend((FLAT, SHARP), (1.0, 0.5), size, 400)
        height = FLAT * way[:, 0] ** 2 + SHARP * way[:, 1] ** 2
        there = np.flatnonzero(height < 1e-6 * height[0])
        rows.append(
            (
                number(size, 3),
                number(1 - size * FLAT, 2),
                number(1 - size * SHARP, 2),
                str(there[0]) if len(there) else "never",
            )
        )
    return Section(
        "Two weights: limited by the sharp one, slowed by the flat one",
        (
            f"Now one weight bends with λ₁ = {FLAT:g} and the other with λ₂ = {SHARP:g}. One step "
            f"size serves both. It must stay below 2/λ₂ = {2 / SHARP:g}, and then the flat weight "
            f"moves by at most {2 * FLAT / SHARP:.0%} of its distance a step. How hard this is "
            f"depends on the condition number κ = λ₂/λ₁ = {condition:g} alone: the best step is "
            f"2/(λ₁ + λ₂) = {number(best, 3)}, which multiplies both distances by (κ − 1)/(κ + 1) "
            f"= {number((condition - 1) / (condition + 1), 2)} a step, but for the sign.",
        ),
        (
            Figure(
                "Three step sizes in the same valley",
                paths(
                    "descent-paths",
                    "Ways over elliptic contours: a short step turns into the valley and creeps, "
                    "a longer one zigzags in, one above the limit swings wider and wider.",
                    (FLAT, SHARP),
                    list(zip(names, ways, strict=True)),
                ),
                "Six steps from the dot; the cross is the minimum. η = 0.21 is above 2/λ₂.",
            ),
        ),
        (
            Table(
                ("step size η", "flat: 1 − ηλ₁", "sharp: 1 − ηλ₂", "steps to a millionth"),
                tuple(rows),
                "By how much a step multiplies each distance, and steps until the loss is a "
                "millionth of what it was.",
            ),
        ),
    )


def _swings() -> Section:
    minimum = real.minimum()
    top = minimum.curvature
    short = [real.swing(minimum, factor, 60) for factor in (1.8, 2.0)]
    wide = real.swing(minimum, 2.2, 400)
    swings = [*short, wide]
    steps = np.arange(400.0)
    peak = int(np.argmax(wide.excess[:100]))
    limit = 2 * top.largest / wide.factor
    off = max(abs(each.measured() - (1 - each.factor)) for each in swings)
    return Section(
        "A real network: beside its minimum",
        (
            f"The same network with KL, in float64, trained on all {real.SAMPLES} digits to a "
            f"minimum: {minimum.accuracy:.1%} of them right, the gradient's length down to "
            f"{_small(minimum.gradient)}. For the minimum to exist, half the squared weights times "
            f"{real.PENALTY:g} were added to the loss; without it the weights would grow for ever. "
            f"Its sharpest direction, among {len(minimum.at):,} weights, has λ = "
            f"{number(top.largest, 4)}, found by {top.products} products of the Hessian with a "
            f"vector (residual {_small(top.residual)}); so 2/λ = {number(top.step_limit, 4)}.",
            f"From there the weights were moved by {real.DISPLACEMENT:g} along that direction and "
            "released. Where the loss is a quadratic, each step must multiply the distance by 1 − "
            f"ηλ, and so it does, to within {off:.1g}.",
            "The quadratic picture ends where the swings get wide. With η = 2.2/λ the loss rises "
            f"for {peak} steps, to {number(float(wide.excess[peak]), 2)} above the minimum, and "
            "then falls again instead of growing for ever: the swings have thrown the network to "
            f"a flatter place, where λ is {number(float(wide.curvature[2]), 2)}, and so below 2/η "
            f"= {number(limit, 2)}. As it slides back towards the minimum λ rises past 2/η, and "
            "the swings begin anew. In 400 steps it neither settles at this minimum nor leaves it.",
        ),
        (
            Figure(
                "Distance along the sharpest direction",
                lines(
                    "descent-swings",
                    "Distance from the minimum over 20 steps: shrinking, level and growing, each "
                    "a straight line on a scale of powers of ten.",
                    [
                        Line(
                            f"η = {s.factor:g}/λ",
                            steps[: SHOWN + 1],
                            np.abs(s.coordinate[: SHOWN + 1]),
                        )
                        for s in swings
                    ],
                    against="steps",
                    limits=(-6.0, 0.0),
                    markers=True,
                    powers=True,
                ),
                "Straight lines on this scale: the same factor at each step. The sign changes "
                "each time and is not shown.",
            ),
            Figure(
                "η = 2.2/λ for longer: the loss above the minimum's",
                lines(
                    "descent-saturates",
                    "The loss above the minimum's over 400 steps: it rises by powers of ten, "
                    "peaks, falls, and rises again.",
                    [Line("loss", steps, wide.excess)],
                    against="steps",
                    limits=(-6.5, 0.5),
                    powers=True,
                ),
                f"It never exceeds {number(float(wide.excess.max()), 2)} in 400 steps.",
            ),
        ),
        (
            Table(
                ("η·λ", "1 − ηλ", "measured, 10 steps", f"distance after {SHOWN}", "so it"),
                tuple(
                    (
                        number(s.factor, 1),
                        number(1 - s.factor, 1),
                        number(s.measured(), 4),
                        _small(abs(s.coordinate[SHOWN])),
                        words,
                    )
                    for s, words in zip(swings, ("shrinks", "stays", "grows"), strict=True)
                ),
                f"From a distance of {real.DISPLACEMENT:g} along the sharpest direction.",
            ),
        ),
    )


def _sharpening() -> Section:
    trainings = [real.sharpening(L2(), size) for size in SHARPENED]
    other = real.sharpening(KL("softmax"), 1.0)
    rows = [("L2", training) for training in trainings] + [("KL", other)]
    return Section(
        "Training moves to the edge",
        (
            "Away from a minimum λ is no constant: training changes it. With L2 and a fixed step "
            "size it rises (“progressive sharpening”) until it comes to 2/η, and then stays "
            f"there. The loss goes on falling, but no longer at every step: with η = "
            f"{trainings[-1].step_size:g}, {trainings[-1].rises} steps raised it, with the smaller "
            f"ones {trainings[1].rises} and {trainings[0].rises}. This is the “edge of "
            "stability” of Cohen et al. So the step size does not only have to fit the curvature; "
            "where it is large enough, it bounds the curvature of the place that is found.",
            f"In {int(trainings[0].steps[-1]):,} steps only the largest step size gets there; the "
            "others are on their way. With KL behind a softmax λ rises at first and then falls, "
            "since the curvature of KL vanishes as the answers become sure; it ends far below 2/η.",
        ),
        (
            Figure(
                "The largest curvature while training with L2",
                lines(
                    "descent-sharpening",
                    "Largest curvature over steps for three step sizes, with dashed lines at 2 "
                    "over the step size for two of them: the largest step size reaches its line "
                    "and stays.",
                    [
                        Line(f"η = {training.step_size:g}", training.steps, training.curvature)
                        for training in reversed(trainings)
                    ],
                    against="steps",
                    limits=(6.0, 21.0),
                    levels=tuple(2 / training.step_size for training in trainings[:0:-1]),
                ),
                "Dashed: 2/η for the two larger step sizes; the third one's, "
                f"{2 / SHARPENED[0]:g}, is above the chart.",
            ),
        ),
        (
            Table(
                ("divergence", "η", "2/η", "λ at the start", "highest λ", "λ at the end", "loss"),
                tuple(
                    (
                        name,
                        f"{training.step_size:g}",
                        number(2 / training.step_size, 0),
                        number(float(training.curvature[0]), 2),
                        number(float(training.curvature.max()), 2),
                        number(float(training.curvature[-1]), 2),
                        number(training.loss, 4),
                    )
                    for name, training in rows
                ),
                "λ is measured at every 100th step; the loss is the last one.",
            ),
        ),
    )
