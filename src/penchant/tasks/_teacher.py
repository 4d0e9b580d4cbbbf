"""A function to learn from noisy samples, equally rough in 2 dimensions and in 1,000.

Decisions:
- The function is a sum of ridges, f(x) = Σₖ gₖ(wₖ·x), with directions uniform on the sphere. A
  ridge's argument is N(0, 1) in any number of dimensions, so its roughness cannot grow with them.
- Each gₖ is a polynomial, which is neither a sine nor a bump nor kinked: a target that is made of
  one of the activations would favour it.
- Hermite polynomials, since their moments under normal inputs are closed forms,
  E[hᵢ(wₖ·x) hⱼ(wₗ·x)] = δᵢⱼ (wₖ·wₗ)ʲ: so the variance is exactly 1, each degree's share of it what
  was asked, and the roughness E‖∇f‖² exactly the mean degree, whatever was drawn.
- Shares fall as 1/j², as a smooth function's do, and ridges are few. Every input matters, for a
  direction has no zeros; but of many directions a part of degree j can only be learnt from about
  (dimensions)ʲ samples, and with equal shares of three degrees in 8 ridges no network learnt
  anything in 100 dimensions from 1,000 samples.
"""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks._drawn_words import drawn_words, made_words, words_fingerprint
from penchant.tasks._evaluate import evaluate
from penchant.tasks._task import Metric, Score, Split, Task

PREFIX = "teacher"

_VERSION = 2  # part of the fingerprint: raise it whenever the same words would score otherwise
_MOST_NUMBERS = 100_000_000
_BOUNDS = {
    "inputs": (1, 100_000),
    "samples": (10, 1_000_000),
    "noise": (0, 1000),
    "ridges": (1, 10_000),
    "degree": (1, 8),
    "test": (10, 1_000_000),
}


def shares(degree: int) -> tuple[float, ...]:
    """Return how much of a teacher's variance each degree has, from 1 up.

    Example:
        >>> shares(2)
        (0.8, 0.2)
    """
    total = sum(1 / j**2 for j in range(1, degree + 1))
    return tuple(1 / j**2 / total for j in range(1, degree + 1))


def roughness(degree: int) -> float:
    """Return a teacher's mean squared gradient under normal inputs, the mean degree.

    Example:
        >>> roughness(1), round(roughness(3), 3)
        (1.0, 1.347)
    """
    return sum(j * share for j, share in enumerate(shares(degree), start=1))


class Teacher(nn.Module):
    r"""A function of normal inputs with variance 1 and a roughness that no dimension changes.

    .. math:: f(x) = \sum_{j=1}^{J} \frac{\sqrt{v_j}}{s_j} \sum_k c_{kj}\, h_j(w_k \cdot x),
              \qquad s_j^2 = \sum_{kl} c_{kj} c_{lj} (w_k \cdot w_l)^j,
              \qquad h_j = \mathrm{He}_j / \sqrt{j!}

    with He the probabilists' Hermite polynomials, wₖ uniform on the unit sphere and c normal. For
    x ~ N(0, I): E f = 0; E f² = 1, of which degree j has vⱼ, in proportion to 1/j²; and
    E‖∇f‖² = Σⱼ j·vⱼ.

    Args:
        inputs: dimensions of x.
        ridges: directions in which f varies.
        degree: J, the highest.
        draw: which function of this kind.

    Example:
        >>> Teacher(3)(torch.zeros(2, 3)).shape
        torch.Size([2, 1])
    """

    directions: Tensor
    coefficients: Tensor

    def __init__(self, inputs: int, ridges: int = 4, degree: int = 3, draw: int = 0) -> None:
        super().__init__()
        draws = generator(draw, "teacher/function")
        directions = torch.randn(ridges, inputs, generator=draws, dtype=torch.float64)
        directions /= directions.norm(dim=1, keepdim=True)
        drawn = torch.randn(ridges, degree, generator=draws, dtype=torch.float64)
        angles = directions @ directions.T
        spread = [(c @ angles**j @ c).sqrt() for j, c in enumerate(drawn.T, start=1)]
        parts = torch.tensor(shares(degree), dtype=torch.float64).sqrt() / torch.stack(spread)
        self.register_buffer("directions", directions)
        self.register_buffer("coefficients", drawn * parts)

    def forward(self, x: Float[Tensor, "points inputs"]) -> Float[Tensor, "points 1"]:
        """Return f(x), in double precision.

        Args:
            x: points, as of N(0, I).
        """
        t = x.double() @ self.directions.T
        total = torch.zeros_like(t[:, :1])
        before, now = torch.zeros_like(t), torch.ones_like(t)
        for j, c in enumerate(self.coefficients.T, start=1):
            # He recursion, for the polynomials divided by √j!
            before, now = now, (t * now - math.sqrt(j - 1) * before) / math.sqrt(j)
            total = total + (now @ c)[:, None]
        return total


@dataclass(frozen=True)
class _Words:
    inputs: int = 10
    samples: int = 1000
    noise: float = 0.1
    ridges: int = 4
    degree: int = 3
    test: int = 2000

    def __post_init__(self) -> None:
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if not (isinstance(value, int | float) and least <= value <= most) or (
                name != "noise" and not isinstance(value, int)
            ):
                kind = "number" if name == "noise" else "whole number"
                raise PenchantError(
                    f"{PREFIX}: {name}={value}: needs a {kind} from {least:,} to {most:,}"
                )
        count = self.inputs * (self.samples + self.test + self.ridges)
        if count > _MOST_NUMBERS:
            raise PenchantError(
                f"{PREFIX}: inputs={self.inputs} times {self.samples + self.test} samples are "
                f"{count:,} numbers; at most {_MOST_NUMBERS:,} fit"
            )

    def __str__(self) -> str:
        said = [
            f"{field.name}={getattr(self, field.name):g}"
            for field in fields(self)
            if field.name == "inputs" or getattr(self, field.name) != field.default
        ]
        return f"{PREFIX}:{','.join(said)}"


class TeacherTask(Task):
    """Learn a function of many dimensions from noisy samples of it: a `Teacher`'s.

    Inputs are N(0, I). Function, samples and the noise on those that training sees are drawn anew
    for each seed, so that seeds speak for functions of this kind; held-out samples have no noise,
    and pilots a function of their own. Scores are
    the share of the variance that a network explains, R² = 1 − mean squared error / variance, of
    the held-out samples and of the noisy ones that were seen.

    Args:
        inputs: dimensions.
        samples: that training sees.
        noise: standard deviation on what training sees; the function's is 1.
        ridges: directions in which the function varies.
        degree: the function's highest.
        test: held-out samples.

    Raises:
        PenchantError: a number that does not fit.

    Example:
        >>> task = TeacherTask(inputs=100)
        >>> task.name, task.inputs, task.outputs, task.split(0).inputs.shape
        ('teacher:inputs=100', 100, 1, torch.Size([1000, 100]))
        >>> round(task.split(0).score(Teacher(100)).metrics["r2_held_out"], 3)
        100.0
    """

    noun = "function"
    outputs = 1
    metrics = (
        # One in a hundred of the variance, as of the accuracy of labelled data.
        Metric("r2_held_out", "%", margin=1.0),
        Metric("r2_seen", "%", margin=1.0),
    )

    def __init__(self, **words: Any) -> None:
        self.words = made_words(PREFIX, _Words, words)
        self.name = str(self.words)
        self.inputs = self.words.inputs
        self.fingerprint = words_fingerprint(self.words, _VERSION)
        self.notices = (self._said(),)

    def _said(self) -> str:
        words = self.words
        return (
            f"a sum of {words.ridges} ridge polynomials up to degree {words.degree} of "
            f"{words.inputs} normal inputs, with variance 1 and mean squared gradient "
            f"{roughness(words.degree):.3g}, another for each seed; {words.samples:,} samples are "
            f"seen, with noise of standard deviation {words.noise:g}; {words.test:,} are held out, "
            "without noise"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction: the words are all there is."""
        return _again, (asdict(self.words),)

    def teacher(self, seed: int) -> Teacher:
        """Draw a seed's function."""
        return Teacher(self.inputs, self.words.ridges, self.words.degree, seed)

    def split(self, seed: int, *, validation: bool = False) -> "TeacherSplit":
        """Draw the samples of a seed; see `Task.split`.

        Args:
            seed: the run's seed.
            validation: keep a fifth of the samples from training and compute the held-out metric
                on it, noise included: a pilot may know no more than training does.
        """
        teacher = self.teacher(seed)
        points, values = self._drawn(teacher, self.words.samples, generator(seed, "teacher/seen"))
        draws = generator(seed, "teacher/noise")
        noise = torch.randn(values.shape, generator=draws, dtype=torch.float64)
        values = values + self.words.noise * noise
        if not validation:
            draws = generator(seed, "teacher/held-out")
            return TeacherSplit(points, values, *self._drawn(teacher, self.words.test, draws))
        kept = self.words.samples // 5  # the samples have no order
        return TeacherSplit(points[kept:], values[kept:], points[:kept], values[:kept])

    def _drawn(self, teacher: Teacher, count: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        points = torch.randn(count, self.inputs, generator=draws)
        return points, teacher(points)

    def seen_values(self) -> int:
        """Count the numbers that training sees: one a sample."""
        return self.words.samples


class TeacherSplit(Split):
    """One seed's samples of a function; made by `TeacherTask.split`.

    Args:
        inputs: the points that training sees.
        values: the function there, with noise.
        asked: points that the held-out metric asks about.
        answers: the values there.
    """

    def __init__(
        self,
        inputs: Float[Tensor, "samples inputs"],
        values: Float[Tensor, "samples 1"],
        asked: Float[Tensor, "held_out inputs"],
        answers: Float[Tensor, "held_out 1"],
    ) -> None:
        self.inputs, self.targets = inputs, values.float()
        self._parts = {"held_out": (asked, answers), "seen": (inputs, values)}

    def score(self, network: nn.Module, *, final: bool = True) -> Score:
        """Score a network's answers.

        Raises:
            PenchantError: the network does not answer each point with one number.
        """
        metrics = {}
        for part, (points, values) in self._parts.items():
            answers = evaluate(network, points)
            if answers.shape != values.shape:
                raise PenchantError(
                    f"a network that answers {len(points)} points with shape "
                    f"{tuple(answers.shape)}; {tuple(values.shape)} is needed: one number a point"
                )
            if not bool(answers.isfinite().all()):
                return self.constant_score()
            metrics[f"r2_{part}"] = _explained(answers, values)
        return Score(metrics)

    def constant_score(self) -> Score:
        """Score the mean of what was seen, given everywhere."""
        mean = self.targets.double().mean()
        return Score(
            {
                f"r2_{part}": _explained(mean.expand_as(values), values)
                for part, (_, values) in self._parts.items()
            }
        )


def _explained(answers: Float[Tensor, "points 1"], values: Float[Tensor, "points 1"]) -> float:
    """Return R² in percent."""
    error = (answers.double() - values).square().mean()
    return 100 * float(1 - error / values.var(correction=0))


def _again(words: dict[str, Any]) -> TeacherTask:
    return TeacherTask(**words)


def load_teacher(source: str) -> TeacherTask:
    """Make the task that its words name.

    ============  =================================================================================
    ``inputs``    dimensions, by default 10
    ``samples``   that training sees, 1000
    ``noise``     standard deviation on them, 0.1; the function's is 1
    ``ridges``    directions in which the function varies, 4
    ``degree``    the function's highest, 3
    ``test``      held-out samples, 2000
    ============  =================================================================================

    Args:
        source: ``teacher``, or with options ``teacher:inputs=100,samples=1000,noise=0.1``.

    Raises:
        PenchantError: an unknown option, one given twice, or a number that does not fit.

    Example:
        >>> load_teacher("teacher:samples=500, inputs=2").name
        'teacher:inputs=2,samples=500'
        >>> load_teacher("teacher:dimensions=3")
        Traceback (most recent call last):
            ...
        penchant.errors.PenchantError: teacher: 'dimensions' is unknown; ...
    """
    return TeacherTask(**drawn_words(source, "inputs=10", {"noise": float}))
