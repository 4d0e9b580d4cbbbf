"""The notes on divergences."""

from penchant.claims import _descent_checks as steps
from penchant.claims import _divergence_figures as figures
from penchant.claims import _kl_checks as relative
from penchant.claims import _kl_over_l2 as why
from penchant.claims import _l2_checks as squared
from penchant.claims._claim import Claim, Statement
from penchant.claims._rules import comparisons, exactly
from penchant.claims._setting import of_studies

L2_HALF = Claim(
    id="l2-half",
    words="In L2, “the 1/2 ... is a scaling factor which makes [the] derivative clean”.",
    meaning="Div = ½‖y − d‖², dDiv/dy = y − d.",
    statements=(
        Statement(
            name="half",
            says="The derivative of ½‖y − d‖² is y − d, and without the ½ it is 2(y − d), in "
            "float64, by autograd and by the closed form, for random scalars and vectors.",
            kind="derived",
            gather=squared.half,
            rule=exactly(1e-12),
        ),
        Statement(
            name="rescaling",
            says="It only scales: steps of size η down ½‖y − d‖² are steps of size η/2 down "
            "‖y − d‖².",
            kind="derived",
            gather=squared.rescaling,
            rule=exactly(1e-12),
            instead=True,
        ),
    ),
    literature=(
        "Bishop (2006, §1.2.5) has the ½ too, where the sum of squares follows from Gaussian "
        "noise: the ½ is the Gaussian's own.",
    ),
    figure=figures.l2_half,
)

L2_SIGN = Claim(
    id="l2-sign",
    words="With d = 1 and y = 1.5, “increasing y will increase the loss”, so the derivative "
    "(y − d) is positive, and its size depends on the error.",
    meaning="As said; for scalars and vectors.",
    statements=(
        Statement(
            name="sign",
            says="At d = 1, y = 1.5 the derivative is 0.5 and a larger y has a larger loss; and "
            "for random scalars and vectors a small increase of any one part of y raises the loss "
            "exactly where the derivative's part is positive.",
            kind="derived",
            gather=squared.sign,
            rule=exactly(1e-12),
        ),
        Statement(
            name="size",
            says="The derivative is part by part as large as the error, and twice as large for "
            "twice the error.",
            kind="derived",
            gather=squared.size,
            rule=exactly(1e-12),
        ),
    ),
    figure=figures.l2_sign,
)

DESCENT = Claim(
    id="descent",
    words="“new_value_of_weights = current_value_of_weights - (derivative_of_divergence * "
    "step_size)”",
    meaning="Gradient descent's update; equal to the framework's own optimiser step; and when a "
    "step decreases the loss (step size against curvature).",
    statements=(
        Statement(
            name="update",
            says="Ten steps on random networks, with L2 and with KL behind a softmax, have the "
            "numbers of the rule written out, relative to the weights, and those of "
            "torch.optim.SGD to the bit.",
            kind="exact",
            gather=steps.update,
            rule=exactly(1e-12),
        ),
        Statement(
            name="decreases",
            says="On quadratics of largest curvature λ a step below 2/λ lowers the loss from "
            "everywhere but the minimum, and a step above 2/λ raises it from along the sharpest "
            "direction, where the distance is multiplied by 1 − ηλ.",
            kind="exact",
            gather=steps.decreases,
            rule=exactly(1e-9),
            instead=True,
        ),
        Statement(
            name="elsewhere",
            says="A step above 2/λ may still lower the loss: it does where one stands in a "
            "direction that is ten times flatter.",
            kind="exact",
            gather=steps.elsewhere,
            rule=exactly(),
            instead=True,
        ),
    ),
    literature=(
        "Nesterov (2004, §1.2.3): where the gradient has Lipschitz constant L, every step below "
        "2/L lowers the function.",
        "Cohen et al. (2021): full-batch training of networks tends to run at a curvature just "
        "above 2/η, where the loss still falls over many steps.",
    ),
    figure=figures.descent,
)

KL_LIMITS = Claim(
    id="kl-limits",
    words="“When we are fully correct” the penalty is zero; “when we are fully wrong” it is "
    "infinite: with d = 1 and y = 0, Div = −1·log(0) = +∞. “We don't want to do anything when we "
    "are fully correct.”",
    meaning="Exactly 0 and exactly +∞ at the limits (0·log 0 = 0), at all four corners of (d, y) "
    "and for several classes; finite, exact gradients from the logits; and that there is nothing "
    "to do when fully correct, asked of the output's gradient and of the logit's.",
    statements=(
        Statement(
            name="right",
            says="The divergence is exactly 0 where y = d: at both certain corners, for one of 2 "
            "to 10 classes, and for any probabilities.",
            kind="derived",
            gather=relative.right,
            rule=exactly(1e-15),
        ),
        Statement(
            name="wrong",
            says="It is exactly +∞ at both wrong corners and wherever a class that happens is "
            "given probability 0; a little way off it is −log y.",
            kind="derived",
            gather=relative.wrong,
            rule=exactly(1e-9),
        ),
        Statement(
            name="nothing-to-do",
            says="Where the answer is fully correct the derivative is 0.",
            kind="derived",
            gather=relative.nothing_to_do,
            rule=relative.all_zero(),
        ),
        Statement(
            name="logits",
            says="From logits of any size up to 100,000 value and gradient are finite, and agree "
            "with the formulas in another form.",
            kind="derived",
            gather=relative.from_logits,
            rule=exactly(1e-12),
            instead=True,
        ),
    ),
    figure=figures.kl_limits,
)

KL_SIGN = Claim(
    id="kl-sign",
    words="With d = 1, y = 0.9 the derivative is negative; with d = 0, y = 0.9 it is positive.",
    meaning="dDiv/dy = −d/y + (1−d)/(1−y); with the sigmoid or softmax in front, dDiv/dz = y − d.",
    statements=(
        Statement(
            name="signs",
            says="At y = 0.9 the derivative is −1/0.9 for d = 1 and 1/0.1 for d = 0; it is "
            "negative for d = 1 and positive for d = 0 at every y between 0 and 1.",
            kind="derived",
            gather=relative.signs,
            rule=exactly(1e-12),
        ),
        Statement(
            name="derivative",
            says="By autograd dDiv/dy = −d/y + (1 − d)/(1 − y), and dDiv/dz = y − d behind a "
            "sigmoid and behind a softmax, for random targets, answers and logits.",
            kind="derived",
            gather=relative.derivative,
            rule=exactly(1e-12),
        ),
    ),
    literature=(
        "Bishop (2006, §4.3.2 and §4.3.4): behind the sigmoid and the softmax the cross-entropy's "
        "gradient is the error y − d.",
    ),
    figure=figures.kl_sign,
)

_CLASSIFIERS = of_studies(
    smoke=[("kl-over-l2", "smoke")],
    quick=[("kl-over-l2", "quick")],
    full=[("kl-over-l2", "full"), ("kl-over-l2", "fashion")],
)
_STEPS = ("steps_to_50", "steps_to_80", "steps_to_90")
"""The target of each profile of studies/kl-over-l2.toml."""

KL_OVER_L2 = Claim(
    id="kl-over-l2",
    words="“Why KL over L2?” (a heading; the answer was a figure)",
    meaning="Behind a sigmoid or softmax the L2 gradient vanishes exactly when the network is "
    "confidently wrong, and the KL gradient does not; KL is convex in the logits and L2 is not. So "
    "KL escapes bad starts and learns faster; when noise in the targets is Gaussian, L2 is the "
    "matching divergence instead.",
    statements=(
        Statement(
            name="gradient",
            says="As an answer becomes confidently wrong, L2's gradient by the logits goes to 0, "
            "within e^−|z| behind a sigmoid and twice what the other classes get behind a softmax; "
            "KL's goes to 1 in size.",
            kind="derived",
            gather=why.gradients,
            rule=exactly(1e-12),
        ),
        Statement(
            name="convex",
            says="KL's second derivative by the logit, and its Hessian's smallest eigenvalue "
            "behind a softmax, is nowhere below 0; L2's is, where it is wrong with confidence.",
            kind="derived",
            gather=why.convexity,
            rule=exactly(1e-12),
        ),
        Statement(
            name="bad-starts",
            says="From starts that are confidently wrong, L2 takes more steps than KL to a target "
            "accuracy, under plain gradient descent and under Adam, on each data set.",
            kind="measured",
            gather=_CLASSIFIERS,
            rule=comparisons(
                "worse",
                "L2 against KL, both behind a softmax at tuned rates, steps to the target from "
                "starts that give one class nearly all of the probability; a run that never "
                "arrives counts as the whole budget.",
                metric=_STEPS,
                start_bias=10,
            ),
        ),
        Statement(
            name="faster",
            says="From usual starts, too, L2 takes more steps than KL to the target, under plain "
            "gradient descent and under Adam, on each data set.",
            kind="measured",
            gather=_CLASSIFIERS,
            rule=comparisons(
                "worse",
                "L2 against KL, both behind a softmax at tuned rates, steps to the target from "
                "usual starts.",
                metric=_STEPS,
                start_bias=0,
            ),
        ),
        Statement(
            name="matching",
            says="L2 is, but for scale and a constant, the negative log-likelihood of targets with "
            "Gaussian noise, as KL is that of Bernoulli draws; so it is least at the targets' "
            "mean.",
            kind="derived",
            gather=why.matching,
            rule=exactly(1e-12),
        ),
        Statement(
            name="same-end",
            says="From usual starts the two end equally accurate on held-out samples.",
            kind="measured",
            gather=_CLASSIFIERS,
            rule=comparisons(
                "equivalent",
                "L2 against KL, accuracy on held-out samples at the end of runs from usual starts.",
                metric="accuracy_held_out",
                start_bias=0,
            ),
            instead=True,
        ),
        Statement(
            name="gaussian-noise",
            says="Where targets carry Gaussian noise, KL and L1 do worse than L2 on held-out "
            "pixels without it, all behind a sigmoid.",
            kind="measured",
            gather=of_studies(
                smoke=[("gaussian-noise", "smoke")],
                quick=[("gaussian-noise", "quick")],
                full=[("gaussian-noise", "full")],
            ),
            rule=comparisons(
                "worse",
                "KL and L1 against L2, each behind a sigmoid at tuned rates, PSNR on held-out "
                "pixels of pictures whose colours were learnt with Gaussian noise.",
                metric="psnr_held_out",
            ),
            instead=True,
        ),
    ),
    literature=(
        "Glorot & Bengio (2010): log-likelihood behind a softmax “worked much better” than the "
        "quadratic cost, which has “clearly more severe plateaus”.",
        "Golik et al. (2013): networks trained with squared error do not come to a good optimum "
        "from random weights, and after a start with cross-entropy it adds a little.",
        "Hui & Belkin (2021): square loss does “comparably or better” than cross-entropy at "
        "published settings, better in most language and speech tasks, cross-entropy with “a "
        "slight edge on computer vision”.",
    ),
    figure=figures.kl_over_l2,
)

DIVERGENCES: tuple[Claim, ...] = (
    L2_HALF,
    L2_SIGN,
    DESCENT,
    KL_LIMITS,
    KL_SIGN,
    KL_OVER_L2,
)
