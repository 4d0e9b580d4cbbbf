"""The notes on residual networks."""

import torch
from torch import nn

from penchant.claims import _residual_figures as figures
from penchant.claims import _residual_runs as runs
from penchant.claims._claim import Claim, Evidence, Statement
from penchant.claims._rules import check, comparisons, exactly
from penchant.claims._setting import Setting, of_studies
from penchant.nn import Residual
from penchant.randomness import generator

CONV_FEATURES = Claim(
    id="conv-features",
    words="“Convolutional Neural Nets are really good at extracting features.”",
    meaning="At equal parameter count and equal budget, a convolutional network against a dense "
    "one: on pictures as they are, on shifted ones, and by its features, the input of its last "
    "layer, when a linear probe reads from them classes that the network was not trained on. The "
    "convolutional network is plain, without skips, with batch norm and without.",
    statements=(
        Statement(
            name="pictures",
            says="A convolutional network classifies unseen pictures better than a dense one.",
            kind="measured",
            gather=of_studies(**runs.PICTURES),
            rule=comparisons(
                "better",
                "Convolutional against dense, on held-out pictures as they are, for each number of "
                "training pictures, with and without batch norm.",
                metric="accuracy_held_out",
            ),
        ),
        Statement(
            name="shifted",
            says="A convolutional network classifies unseen pictures that are shifted, as none was "
            "in training, better than a dense one.",
            kind="measured",
            gather=of_studies(**runs.PICTURES),
            rule=comparisons(
                "better",
                "Convolutional against dense, on shifted held-out pictures, for each number of "
                "training pictures, with and without batch norm.",
                metric="accuracy_shifted_held_out",
            ),
        ),
        Statement(
            name="features",
            says="From a convolutional network's features a linear probe tells five classes apart "
            "better than from a dense network's, when both were trained on five other classes.",
            kind="measured",
            gather=runs.read_off(runs.FEATURES, runs.features_against_dense),
            rule=comparisons(
                "better",
                "Linear probes on the features of convolutional networks against those on the "
                "features of the dense network with as many parameters (to within 5 %), with and "
                "without batch norm.",
                parameters="equal",
            ),
        ),
        Statement(
            name="as-many-features",
            says="They do where the convolutional network has as many features as the dense one, "
            "and so more parameters.",
            kind="measured",
            gather=runs.read_off(runs.FEATURES, runs.features_against_dense),
            rule=comparisons(
                "better",
                "A linear probe on as many features of a larger convolutional network against the "
                "dense network's.",
                parameters="more",
            ),
            instead=True,
        ),
        Statement(
            name="beyond-pixels",
            says="From a convolutional network's features a linear probe tells five new classes "
            "apart better than from the pixels themselves.",
            kind="measured",
            gather=runs.read_off(runs.FEATURES, runs.features_against_pixels),
            rule=comparisons(
                "better",
                "Linear probes on the features of every convolutional network, the larger one "
                "among them, against a linear probe on the pixels.",
            ),
            instead=True,
        ),
    ),
    literature=(
        "LeCun et al. (1998): on MNIST a dense network of 784-300-10 errs on 4.7 %, the "
        "convolutional LeNet-5 on 0.95 % of the test pictures.",
        "Zeiler & Fergus (2014): features learnt on ImageNet, with the softmax alone trained "
        "anew, generalise well to Caltech-101 and Caltech-256.",
        "Neyshabur (2020): a dense network trained with β-LASSO on CIFAR-10 finds local "
        "connections by itself and reaches about 85 %.",
    ),
    figure=figures.conv_features,
)


def _sums(setting: Setting) -> Evidence:
    """Compare blocks with g(z + a), written out, with and without a projection."""
    cases = setting.several(smoke=50, quick=200, full=1000)
    largest = {"identity": 0.0, "projection": 0.0}
    for case in range(cases):
        draws = generator(case, "skip-form", 0)
        width, out = (int(n) for n in torch.randint(1, 9, (2,), generator=draws))
        a = torch.randn(4, width, generator=draws, dtype=torch.float64)
        for name, size in (("identity", width), ("projection", out)):
            inner = nn.Linear(width, size).double()
            across = nn.Linear(width, size, bias=False).double() if name == "projection" else None
            _draw(inner, draws)
            skip = a if across is None else _draw(across, draws)(a)
            written = torch.relu(a @ inner.weight.T + inner.bias + skip)
            error = (Residual(inner, "relu", across)(a) - written).abs().max().item()
            largest[name] = max(largest[name], error)
    return {
        "checks": [
            check("Residual(inner)(a) = g(z + a)", cases, largest["identity"]),
            check("Residual(inner, projection=P)(a) = g(z + P·a)", cases, largest["projection"]),
        ],
        "example": _example(),
    }


def _draw(layer: nn.Linear, draws: torch.Generator) -> nn.Linear:
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=draws)
    return layer


def _example() -> dict[str, list[float]]:
    """Follow one input through a block of three units."""
    draws = generator(5, "skip-form/example", 0)  # one in which the sum is cut off at 0
    a = torch.relu(torch.randn(1, 3, generator=draws, dtype=torch.float64))
    inner = _draw(nn.Linear(3, 3).double(), draws)
    values = {"a": a, "z": inner(a), "g(z + a)": Residual(inner, "relu")(a)}
    return {name: [round(n, 2) for n in value[0].tolist()] for name, value in values.items()}


SKIP_FORM = Claim(
    id="skip-form",
    words="With a skip connection “the new activation is g(z + a)”.",
    meaning="z is the layer's affine output, a the block's input, g the activation: the sum goes "
    "in before g. Where shapes differ, a passes a projection P.",
    statements=(
        Statement(
            name="sum",
            says="A residual block's output is g(z + a), and g(z + P·a) where it projects: equal "
            "in float64 to the formula written out, for random widths, weights and inputs.",
            kind="exact",
            gather=_sums,
            rule=exactly(1e-12),
        ),
    ),
    literature=(
        "He et al. (2015) add the input before the last ReLU of a block: y = ReLU(F(x) + x).",
        "He et al. (2016, “Identity mappings”) move the activation into F, so that nothing stands "
        "after the sum; their networks of 1,001 layers then train better.",
    ),
    figure=figures.skip_form,
)

SKIP_GRADIENTS = Claim(
    id="skip-gradients",
    words="ResNet “solves the issue of vanishing gradients”.",
    meaning="Two things: that gradients vanish in a plain network, and that they do not in its "
    "residual twin, which has the same layers and the same first numbers. What a gradient loses "
    "is measured in decades (factors of 10) by which its norm at the layers' activations shrinks "
    "from the last hidden layer to the first; where it grows, the loss is negative. It is measured "
    "in the deepest networks of the study, before and after training, with batch norm and with "
    "nothing in its place, since normalisation alone changes the picture.",
    statements=(
        Statement(
            name="vanishes",
            says="In a deep plain network the gradient vanishes: it loses more than one decade.",
            kind="measured",
            gather=runs.read_off(runs.GRADIENTS, runs.gradient_change("none", runs.LOST)),
            rule=comparisons(
                "worse",
                "What the gradient loses in the deepest plain networks, against one decade (worse: "
                "it loses more); where it is exactly 0 in some run, nothing is judged.",
            ),
        ),
        Statement(
            name="mended",
            says="In its residual twin it does not: it loses less than one decade.",
            kind="measured",
            gather=runs.read_off(runs.GRADIENTS, runs.gradient_change("residual", runs.LOST)),
            rule=comparisons(
                "better",
                "What the gradient loses in the deepest residual networks, against one decade "
                "(better: it loses less, or grows); where it is exactly 0 in some run, nothing is "
                "judged.",
            ),
        ),
        Statement(
            name="not-exploding",
            says="Nor does it explode in the residual twin: it grows by less than one decade.",
            kind="measured",
            gather=runs.read_off(runs.GRADIENTS, runs.gradient_change("residual", runs.GROWN)),
            rule=comparisons(
                "better",
                "By how much the gradient grows on its way back in the deepest residual networks, "
                "against one decade (better: it grows less, or shrinks).",
            ),
            instead=True,
        ),
        Statement(
            name="even",
            says="With skips the gradient's norm changes by less from the last hidden layer to the "
            "first, whether it shrinks or grows.",
            kind="measured",
            gather=of_studies(**runs.GRADIENTS),
            rule=comparisons(
                "better",
                "Each residual network against its plain twin, at every depth, before and after "
                "training, by the decades between the first and the last hidden layer's gradient.",
                metric=("gradient_decay_start", "gradient_decay_end"),
            ),
            instead=True,
        ),
        Statement(
            name="trains",
            says="With more than 8 layers a residual network has a lower training loss than its "
            "plain twin after an equal budget.",
            kind="measured",
            gather=of_studies(
                **{profile: files[:1] for profile, files in runs.GRADIENTS.items()},
            ),
            rule=comparisons(
                "better",
                "Each residual network of more than 8 layers against its plain twin, by the loss "
                "on the training pictures.",
                metric="nll_seen",
                depth=(14, 20, 56),
            ),
            instead=True,
        ),
    ),
    literature=(
        "He et al. (2015): in plain networks with batch norm “neither forward nor backward signals "
        "vanish”, so that the degradation is “unlikely to be caused by vanishing gradients”; their "
        "residual networks train to a lower error.",
        "He et al. (2016, “Identity mappings”): with identity skips “the gradient of a layer does "
        "not vanish even when the weights are arbitrarily small”.",
        "Veit et al. (2016): residual networks “avoid the vanishing gradient problem by "
        "introducing short paths”.",
        "Balduzzi et al. (2017): in plain networks gradients decorrelate with depth until they "
        "“resemble white noise”, which no norm shows.",
        "Yang et al. (2019): in wide plain networks with batch norm gradients “grow exponentially "
        "in depth”.",
    ),
    figure=figures.skip_gradients,
)

SKIP_OVERFITTING = Claim(
    id="skip-overfitting",
    words="It “prevents overfitting and limits the non-linearity to the necessary amount by "
    "allowing for gradients to skip neurons on the backward pass.”",
    meaning="Two statements. The generalisation gap, held-out loss minus training loss, of plain "
    "and residual twins where both have come to the same training loss. And how linear a trained "
    "residual network is: the share of each block's output that its identity path carries.",
    statements=(
        Statement(
            name="gap",
            says="At equal training loss a residual network's generalisation gap is smaller than "
            "its plain twin's.",
            kind="measured",
            gather=of_studies(**runs.OVERFITTING),
            rule=comparisons(
                "better",
                "Each residual network against its plain twin, for each number of training "
                "pictures and each depth, by held-out minus training loss where both first come "
                "to the same training loss.",
                metric=runs.GAPS,
            ),
        ),
        Statement(
            name="linear",
            says="A trained residual network is mostly linear, block by block: in more than half "
            "of its blocks the identity path carries more than half of the output.",
            kind="measured",
            gather=runs.read_off(runs.OVERFITTING, runs.linear_blocks),
            rule=comparisons(
                "better",
                "The share of blocks whose identity path carries more than half of the block's "
                "output (‖a‖²/(‖a‖² + ‖z‖²) > ½), against one half, for each number of training "
                "pictures and each depth.",
            ),
        ),
        Statement(
            name="gap-at-the-end",
            says="After an equal budget, at whatever training loss, a residual network's gap "
            "between training and held-out accuracy is smaller.",
            kind="measured",
            gather=of_studies(**runs.OVERFITTING),
            rule=comparisons(
                "better",
                "Each residual network against its plain twin, for each number of training "
                "pictures and each depth, by training minus held-out accuracy at the end.",
                metric="gap_accuracy",
            ),
            instead=True,
        ),
        Statement(
            name="short-paths",
            says="The gradient skips layers: the paths that carry it pass fewer than half of the "
            "blocks on average.",
            kind="measured",
            gather=runs.read_off(runs.OVERFITTING, runs.path_lengths),
            rule=comparisons(
                "better",
                "The mean number of blocks on the paths that carry the gradient in trained "
                "residual networks, against half of the blocks (better: fewer).",
            ),
            instead=True,
        ),
    ),
    literature=(
        "He et al. (2015): the degradation of plain networks is “not caused by overfitting”, and "
        "the residual network's lower test error results “from the successfully reduced training "
        "error”.",
        "He et al. (2015): their residual network of 1,202 layers has a higher test error than "
        "that of 110 at a similar training error, “because of overfitting”.",
        "He et al. (2015): the responses before the sum are smaller than in plain networks, so “an "
        "individual layer of ResNets tends to modify the signal less”.",
        "He et al. (2016, “Identity mappings”): pre-activation “makes training easier and improves "
        "generalization”.",
    ),
    figure=figures.skip_overfitting,
)

RESIDUAL: tuple[Claim, ...] = (CONV_FEATURES, SKIP_FORM, SKIP_GRADIENTS, SKIP_OVERFITTING)
