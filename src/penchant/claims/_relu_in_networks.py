"""ReLU in networks that classify: where GELU came from, many inputs, many classes."""

from penchant.claims import _activation_figures as figures
from penchant.claims import _activation_runs as runs
from penchant.claims._claim import Claim, Evidence, Statement
from penchant.claims._papers import Paper, cited, each_paper
from penchant.claims._rules import comparisons
from penchant.claims._setting import Setting

GELU_PAPER = Paper(
    "Hendrycks & Gimpel",
    2016,
    "Gaussian error linear units (GELUs)",
    "§4",
    "ReLUs and ELUs, which are convex and monotonic activations, are linear in the positive "
    "domain and thereby can lack curvature. As such, increased curvature and non-monotonicity may "
    "allow GELUs to more easily approximate complicated functions than can ReLUs or ELUs.",
    uses="gelu",
    reasons=("weighting", "regularisation", "linearity"),
    gains={"CIFAR-10, 9 layers": 0.27, "CIFAR-100, WRN-40-4": 1.03},
)
VIT_PAPER = Paper(
    "Dosovitskiy et al.",
    2020,
    "An image is worth 16x16 words: transformers for image recognition at scale",
    "§3.1",
    "The MLP contains two layers with a GELU non-linearity.",
    uses="gelu",
)
CONVNEXT_PAPER = Paper(
    "Liu et al.",
    2022,
    "A ConvNet for the 2020s",
    "§2.6",
    "The Gaussian Error Linear Unit, or GELU, which can be thought of as a smoother variant of "
    "ReLU, is utilized in the most advanced Transformers, including Google’s BERT and OpenAI’s "
    "GPT-2, and, most recently, ViTs. We find that ReLU can be substituted with GELU in our "
    "ConvNet too, although the accuracy stays unchanged (80.6%).",
    uses="gelu",
    reasons=("others",),
    gains={"ImageNet, ConvNeXt": 0.0},
)


def _origin(_: Setting) -> Evidence:
    return cited(GELU_PAPER)


def _mention(_: Setting) -> Evidence:
    return cited(CONVNEXT_PAPER)


def _prominence(_: Setting) -> Evidence:
    return cited(VIT_PAPER, CONVNEXT_PAPER)


_BIAS = ("bias", "linearity")
_COUNTS = (
    "A paper counts if, in the passage that introduces or chooses GELU, it gives as a reason a "
    "bias of ReLU's, or that ReLU is linear on each side and lacks curvature; that GELU is "
    "smoother or used by others is no such reason."
)

GELU_RISE = Claim(
    id="gelu-rise",
    words="ReLU's bias “is what gave rise to GELU as mentioned in the ConvNext Paper and why it's "
    "gained prominence in vision transformers and modern CNNs”.",
    meaning="Three things that papers say or do not: that GELU was proposed for a bias of ReLU's, "
    "that the ConvNeXt paper mentions this, and that vision transformers and modern convolutional "
    "networks use it. And one that can be measured: were ReLU's bias the reason, GELU would be "
    "ahead of it there. A bias is counted in the widest sense, so that ReLU's being linear on each "
    "side is one.",
    statements=(
        Statement(
            name="origin",
            says="The paper that proposes GELU gives a bias of ReLU's as a reason for it.",
            kind="documented",
            gather=_origin,
            rule=each_paper("reasons", _BIAS, _COUNTS),
        ),
        Statement(
            name="mention",
            says="The ConvNeXt paper gives a bias of ReLU's as the reason for GELU.",
            kind="documented",
            gather=_mention,
            rule=each_paper("reasons", _BIAS, _COUNTS),
        ),
        Statement(
            name="prominence",
            says="The vision transformer and ConvNeXt use GELU.",
            kind="documented",
            gather=_prominence,
            rule=each_paper(
                "uses",
                ("gelu",),
                "A paper counts if the network that it proposes has GELU at its non-linearities.",
            ),
        ),
        Statement(
            name="ahead",
            says="In a ConvNeXt and in a vision transformer GELU classifies unseen pictures better "
            "than ReLU, everything else being equal.",
            kind="measured",
            gather=runs.image_networks,
            rule=comparisons(
                "better",
                "GELU against ReLU in a ConvNeXt and in a vision transformer, by accuracy on "
                "held-out pictures, each with a learning rate of its own where pilots choose it.",
                activation="gelu",
                family=("convnext", "vit"),
                metric="accuracy_held_out",
            ),
        ),
        Statement(
            name="equal",
            says="There GELU and ReLU are equivalent, to within half a point of accuracy.",
            kind="measured",
            gather=runs.image_networks,
            rule=comparisons(
                "equivalent",
                "GELU against ReLU in a ConvNeXt and in a vision transformer, by accuracy on "
                "held-out pictures.",
                margin=0.5,
                activation="gelu",
                family=("convnext", "vit"),
                metric="accuracy_held_out",
            ),
            instead=True,
        ),
    ),
    literature=(
        "Hendrycks & Gimpel (2016): on CIFAR-10 the error is 7.89 % with GELU and 8.16 % with "
        "ReLU, on CIFAR-100 20.74 and 21.77 %.",
        "Dosovitskiy et al. (2020): the vision transformer's definition names GELU and gives no "
        "reason there.",
        "Liu et al. (2022): ConvNeXt calls GELU “a smoother variant of ReLU”, names BERT, GPT-2 "
        "and vision transformers that use it, and reports 80.6 % on ImageNet with either.",
        "So et al. (2021): an architecture search for language models settles on ReLU squared.",
    ),
    figure=figures.gelu_rise,
)

MANY = (100, 1000)
"""Inputs that count as very many."""

RELU_HIGH_DIM = Claim(
    id="relu-high-dim",
    words="ReLU's bias is “useful when working with very high dimensional data (as it prevents "
    "overfitting I assume)”.",
    meaning="Dense networks learn a function of 2 to 1,000 inputs, equally rough in each number of "
    "them, from noisy samples. Useful: from 100 inputs on no other activation generalises better "
    "than ReLU. Prevents overfitting: there the gap from seen to unseen samples is smaller with "
    "ReLU than with the others.",
    statements=(
        Statement(
            name="useful",
            says="From 100 inputs on, ReLU explains no less of unseen samples than GELU, tanh, "
            "Gaussian and sine.",
            kind="measured",
            gather=runs.unseen,
            rule=comparisons(
                ("worse", "equivalent"),
                "Each other activation against ReLU, at 100 and at 1,000 inputs and each number of "
                "samples, by the share of the variance that is explained on unseen samples.",
                metric="r2_held_out",
                inputs=MANY,
            ),
        ),
        Statement(
            name="overfits-less",
            says="From 100 inputs on, ReLU's gap between seen and unseen samples is smaller than "
            "that of GELU, tanh, Gaussian and sine.",
            kind="measured",
            gather=runs.gaps,
            rule=comparisons(
                "worse",
                "Each other activation against ReLU, at 100 and at 1,000 inputs and each number of "
                "samples, by the gap: the share of the variance that is explained on seen samples "
                "minus that on unseen ones (worse: wider than ReLU's).",
                metric="gap_r2",
                inputs=MANY,
            ),
        ),
        Statement(
            name="more-inputs",
            says="The more inputs, the better ReLU stands against the others on unseen samples.",
            kind="measured",
            gather=runs.rising_inputs,
            rule=comparisons(
                "worse",
                "By how much each other activation's lead over ReLU on unseen samples changes from "
                "the fewest inputs to the most (worse: it falls).",
            ),
            instead=True,
        ),
    ),
    literature=(
        "Rahaman et al. (2019): with two MNIST classes, 784 inputs, a ReLU network's validation "
        "loss is “particularly insensitive” to noise of high frequency on the targets.",
        "Tancik et al. (2020): that networks fail to learn high frequencies is said of “low "
        "dimensional domains”; nothing is reported for many inputs.",
        "No paper was found that sets activations against each other as inputs become many.",
    ),
    figure=figures.relu_high_dim,
)

RELU_LARGE = Claim(
    id="relu-large",
    words="“For large networks like vision transformers which are trained on many classes, and a "
    "ton of data …, the inductive bias of ReLU is okay.”",
    meaning="Okay: in a residual network, a ConvNeXt and a vision transformer no other activation "
    "is ahead of ReLU on unseen pictures, half a point of accuracy being what matters. What can be "
    "run here has at most ten classes and some ten thousand pictures, so the second statement is "
    "about the trend: if ReLU's bias matters less the more classes and pictures there are, others "
    "do not gain on it.",
    statements=(
        Statement(
            name="okay",
            says="In a residual network, a ConvNeXt and a vision transformer ReLU classifies "
            "unseen pictures no worse than GELU, Gaussian and sine.",
            kind="measured",
            gather=runs.image_networks,
            rule=comparisons(
                ("worse", "equivalent"),
                "Each other activation against ReLU in each kind of network, by accuracy on "
                "held-out pictures.",
                margin=0.5,
                metric="accuracy_held_out",
            ),
        ),
        Statement(
            name="trend",
            says="As classes and training pictures become more, no other activation gains on ReLU.",
            kind="measured",
            gather=runs.rising_data,
            rule=comparisons(
                ("worse", "equivalent"),
                "By how much each other activation's lead over ReLU changes from the fewest "
                "classes to the most at equal pictures, and from the fewest training pictures to "
                "the most at ten classes, in each kind of network (better: it gains on ReLU).",
                margin=0.5,
            ),
        ),
        Statement(
            name="equal",
            says="The choice hardly matters: GELU, Gaussian and sine are equivalent to ReLU, to "
            "within half a point of accuracy.",
            kind="measured",
            gather=runs.image_networks,
            rule=comparisons(
                "equivalent",
                "Each other activation against ReLU in each kind of network, by accuracy on "
                "held-out pictures.",
                margin=0.5,
                metric="accuracy_held_out",
            ),
            instead=True,
        ),
    ),
    literature=(
        "Liu et al. (2022), ConvNeXt: on ImageNet, 1.2 million pictures of 1,000 classes, ReLU and "
        "GELU both reach 80.6 %.",
        "Ramachandran et al. (2017), Swish: in place of ReLU it gains 0.9 points on ImageNet with "
        "Mobile NASNet-A and 0.6 with Inception-ResNet-v2.",
        "Hendrycks & Gimpel (2016): on CIFAR-100 a wide residual network errs on 1.03 points less "
        "with GELU.",
        "None of these tries a Gaussian or a sine at this scale.",
    ),
    figure=figures.relu_large,
)
