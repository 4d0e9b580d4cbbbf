"""ReLU's own bias: which frequencies it learns first, and which borders it draws."""

from collections.abc import Mapping

from penchant.claims._boundaries import (
    BENDING,
    LENGTH,
    ROUND,
    STRAIGHT,
    TRUTH,
    TURNING,
    errors,
    excess,
)
from penchant.claims._claim import Claim, Evidence, Statement
from penchant.claims._lines import lines
from penchant.claims._rules import comparisons
from penchant.claims._spectral_bias import HIGH, KERNEL, LOW, OTHERS, speeds
from penchant.explain import Figure

_SPEED = (
    "Speed is measured twice, as a logarithm: by the tangent kernel at the start (the rate at "
    "which gradient descent takes a wave away), and by the step at which half of it is learned "
    "under Adam with the package's rate (a wave that is not learned "
    "within the budget counts as at its end)."
)
_LESS = "Better means less of it."


def _figure(found: Mapping[str, Evidence]) -> Figure | None:
    evidence = found.get("low-first")
    if evidence is None:
        return None
    drawn = evidence["speeds"][KERNEL.name]
    relu = drawn["relu"][-1]
    return Figure(
        "How fast each frequency is learned at first",
        lines(
            "claim-relu-bias",
            "Rate of learning by frequency, relative to the lowest, for each activation; ReLU's is "
            f"{10.0**-relu:,.0f} times lower at the highest.",
            [f"{one:g}" for one in evidence["frequencies"]],
            drawn,
            against="cycles per unit of the coordinates",
            of="decades of rate",
        ),
        "Of networks for points in the plane, before training, relative to the lowest frequency; "
        "each activation at the package's scale, mean over seeds. −1 is ten times slower.",
    )


RELU_BIAS = Claim(
    id="relu-bias",
    words="ReLU has an “inherent, baked-in bias”; it “prioritizes smooth linear boundaries”.",
    meaning="Two things are asked. Spectral bias: whether a ReLU network learns low frequencies "
    "before high ones, and more so than networks with other activations. And decision boundaries "
    "in the plane: whether ReLU's are shorter and turn less than those of other activations, and "
    "than the true one.",
    statements=(
        Statement(
            name="low-first",
            says=f"A ReLU network learns a wave of {LOW:g} cycle per unit faster than one of "
            f"{HIGH:g}, both at its start and while it trains.",
            kind="measured",
            gather=speeds,
            rule=comparisons(
                "worse",
                f"The speed at {HIGH:g} cycles per unit against that at {LOW:g}. {_SPEED}",
                which="itself",
            ),
        ),
        Statement(
            name="more-than-others",
            says=f"From {LOW:g} to {HIGH:g} cycles per unit the speed falls by less in networks "
            f"with {', '.join(OTHERS)} at the package's scales than in one with ReLU.",
            kind="measured",
            gather=speeds,
            rule=comparisons(
                "better",
                f"Each activation against ReLU, in the ratio of the speeds at {HIGH:g} and "
                f"{LOW:g} cycles per unit. {_SPEED}",
                which="others",
            ),
        ),
        Statement(
            name="straighter",
            says="ReLU's decision boundary turns less than that of a network with another "
            "activation, on every shape.",
            kind="measured",
            gather=excess(TURNING),
            rule=comparisons(
                "better",
                f"ReLU against each other activation in total turning of the boundary. {_LESS}",
                to=OTHERS,
            ),
        ),
        Statement(
            name="shorter",
            says="ReLU's decision boundary is shorter than that of a network with another "
            "activation, on every shape.",
            kind="measured",
            gather=excess(LENGTH),
            rule=comparisons(
                "better",
                "ReLU against each other activation in the boundary's length, in percent of the "
                f"true one's. {_LESS}",
                to=OTHERS,
            ),
        ),
        Statement(
            name="straighter-than-truth",
            says="Where the true border turns, ReLU's decision boundary turns less than it.",
            kind="measured",
            gather=excess(TURNING),
            rule=comparisons(
                "better",
                f"ReLU's total turning against the true boundary's. {_LESS}",
                to=TRUTH,
                shape=BENDING,
            ),
        ),
        Statement(
            name="shorter-than-truth",
            says="Where the true border turns, ReLU's decision boundary is shorter than it.",
            kind="measured",
            gather=excess(LENGTH),
            rule=comparisons(
                "better",
                f"ReLU's length against the true boundary's. {_LESS}",
                to=TRUTH,
                shape=BENDING,
            ),
        ),
        Statement(
            name="straight-shapes",
            says="Where the true border is made of straight pieces, no other activation's boundary "
            "comes nearer to its length and turning than ReLU's.",
            kind="measured",
            gather=errors,
            rule=comparisons(
                ("worse", "equivalent"),
                "Each other activation against ReLU in how far its boundary's length and turning "
                "are from the true ones.",
                metric=("boundary_length_error", "boundary_turning_error"),
                shape=STRAIGHT,
            ),
            instead=True,
        ),
        Statement(
            name="round-shapes",
            says="Where the true border is round, every other activation's boundary comes nearer "
            "to its length and turning than ReLU's.",
            kind="measured",
            gather=errors,
            rule=comparisons(
                "better",
                "Each other activation against ReLU in how far its boundary's length and turning "
                "are from the true ones.",
                metric=("boundary_length_error", "boundary_turning_error"),
                shape=ROUND,
            ),
            instead=True,
        ),
    ),
    literature=(
        "Rahaman et al. (2019): ReLU networks that are trained on a sum of ten sines learn lower "
        "frequencies first “regardless of their amplitudes”.",
        "Basri et al. (2020) derive the time that each frequency takes from the eigenvalues of "
        "ReLU's tangent kernel.",
        "Hong et al. (2022): with a piecewise linear bump instead of ReLU or tanh the spectral "
        "bias “is removed”, under gradient descent and Adam.",
        "No published figures were found on the length or curvature of decision boundaries by "
        "activation.",
    ),
    figure=_figure,
)
