"""Residual networks for pictures: the small ones of 6n + 2 layers, and the ImageNet family.

Decisions:
- Convolutions are drawn from a normal distribution with He's variance for what comes in (fan in),
  so that without normalisation too each layer's z starts with the spread its activation was made
  for. The paper leaves fan in or fan out open; torchvision takes fan out.
- A norm's weights start at 1, the last of a block's too.
"""

import math
from collections import OrderedDict
from typing import Self, TypedDict, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import skip_init

from penchant.errors import PenchantError
from penchant.nn._activations import ActivationLike
from penchant.nn._checks import count
from penchant.nn._resnet_blocks import WIDENING, Choices, Form, Normalisation, Shortcut
from penchant.randomness import generator

IMAGENET = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
"""Blocks in each stage, and whether they are bottlenecks, by layers (He et al., 2015, table 1)."""


class ResNetChoices(TypedDict, total=False):
    """The words that all residual networks share, see `ResNet`."""

    activation: ActivationLike
    skip: bool
    form: Form
    normalisation: Normalisation
    skip_scale: float | None
    survival: float


class ResNet(nn.Module):
    r"""A residual network for small pictures: 6n + 2 layers in three stages of n blocks.

    A 3×3 convolution, then blocks of two 3×3 convolutions of `width`, 2·`width` and 4·`width`
    channels, each stage after the first at half the size; the mean over places; a linear head.
    Convolutions are drawn by He's rule (2015) for the activation φ(s·z), normal with variance
    :math:`1 / (s^2\,n\,\mathrm{E}[\varphi^2(u)])`, :math:`u \sim N(0, 1)`, for n inputs of a unit
    (2/n for relu; pictures themselves count as of second moment 1), each from a key of the seed
    that is its own name: residual and plain networks of one seed start from equal numbers.

    ==========================  ===================================================================
    ``skip=False``              the plain network of the same layers (He et al., 2015)
    ``form="post"``             g(z + a) (He et al., 2015)
    ``form="pre"``              z + a, with norm and activation before each convolution (He et al.,
                                "Identity mappings in deep residual networks", 2016)
    ``normalisation="batch"``   after each convolution (Ioffe & Szegedy, 2015)
    ``normalisation="none"``    biases instead. Residual sums then grow with depth: with relu
                                their mean square nearly doubles with each block
    ``shortcut="pad"``          option A where a block changes the shape: every second place, and
                                zero channels (He et al., 2015)
    ``shortcut="project"``      option B: a 1×1 convolution, in the post form with norm
    ``skip_scale=0.0``          a learned factor before each sum: SkipInit (De & Smith, 2020),
                                ReZero (Bachlechner et al., 2020)
    ``survival=0.5``            stochastic depth (Huang et al., 2016): chances fall linearly
                                from 1 to this in the last block
    ==========================  ===================================================================

    Args:
        depth: layers with weights on the longest path, 6n + 2: 8, 14, 20, 26, 32, ...
        classes: logits it answers.
        channels: of the pictures.
        width: channels of the first stage.
        activation: what `activation` takes; each place gets a copy of its own. One given by name
            has scale 1 here, since what comes in has spread 1.
        skip: whether there are skips.
        form: where the activations stand.
        normalisation: "batch" or "none".
        shortcut: "pad" or "project".
        skip_scale: where the learned factors start; None for none.
        survival: the last block's chance.
        seed: of the initial draws.

    Raises:
        PenchantError: the depth is not 6n + 2, a word or number does not fit, or the activation
            is complex.

    Example:
        >>> from penchant.nn import count_parameters
        >>> network = ResNet(20)
        >>> network(torch.zeros(2, 3, 32, 32)).shape, count_parameters(network)
        (torch.Size([2, 10]), 269722)
        >>> ResNet(21)
        Traceback (most recent call last):
            ...
        penchant.errors.PenchantError: ResNet(depth=21): ...; the nearest are 20 and 26

    Source: He, Zhang, Ren & Sun, "Deep residual learning for image recognition", 2015.
    """

    head: nn.Linear

    def __init__(
        self,
        depth: int = 20,
        classes: int = 10,
        *,
        channels: int = 3,
        width: int = 16,
        activation: ActivationLike = "relu",
        skip: bool = True,
        form: Form = "post",
        normalisation: Normalisation = "batch",
        shortcut: Shortcut = "pad",
        skip_scale: float | None = None,
        survival: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        stages = (blocks_in_stage(depth),) * 3
        choices = Choices(activation, skip, form, normalisation, shortcut, skip_scale, survival)
        before = count("ResNet(channels", channels)
        after = count("ResNet(width", width)
        self.stem = _stem(choices, choices.convolution(before, after, 3))
        self._assemble(choices, stages, width, classes, bottleneck=False)
        self._initialise(choices, seed)

    @classmethod
    def imagenet(
        cls,
        depth: int = 18,
        classes: int = 1000,
        *,
        channels: int = 3,
        width: int = 64,
        shortcut: Shortcut = "project",
        seed: int = 0,
        **choices: Unpack[ResNetChoices],
    ) -> Self:
        """Build a network for large pictures, of 18, 34, 50, 101 or 152 layers.

        A 7×7 convolution and a maximum, each of stride 2, then four stages. From 50 layers on a
        block is a bottleneck of 1×1, 3×3 and 1×1 convolutions; the 3×3 one has the stride, as all
        current implementations have it ("v1.5": Goyal et al., 2017), where the paper has it in the
        first. The other words are those of the small networks.

        Raises:
            PenchantError: there is no such depth, or what `ResNet` raises.

        Example:
            >>> from penchant.nn import count_parameters
            >>> count_parameters(ResNet.imagenet(18)), count_parameters(ResNet.imagenet(50))
            (11689512, 25557032)
        """
        if type(depth) is not int or depth not in IMAGENET:
            raise PenchantError(
                f"ResNet.imagenet(depth={depth!r}): known are {', '.join(map(str, IMAGENET))}"
            )
        stages, bottleneck = IMAGENET[depth]
        chosen = Choices(shortcut=shortcut, **choices)
        before = count("ResNet.imagenet(channels", channels)
        after = count("ResNet.imagenet(width", width)
        network = cls.__new__(cls)  # the constructor builds the small ones
        nn.Module.__init__(network)
        network.stem = _stem(chosen, chosen.convolution(before, after, 7, stride=2))
        network.stem.add_module("pool", nn.MaxPool2d(3, stride=2, padding=1))
        network._assemble(chosen, stages, width, classes, bottleneck=bottleneck)
        network._initialise(chosen, seed)
        return network

    def _assemble(
        self, choices: Choices, stages: tuple[int, ...], width: int, classes: int, bottleneck: bool
    ) -> None:
        total = sum(stages)
        before = width
        blocks: list[nn.Module] = []
        for stage, blocks_here in enumerate(stages):
            for index in range(blocks_here):
                block = choices.block(
                    before,
                    width << stage,
                    2 if stage and not index else 1,
                    bottleneck=bottleneck,
                    first=not blocks,
                    survival=1 - (len(blocks) + 1) / total * (1 - choices.survival),
                )
                blocks.append(block)
                before = (width << stage) * (WIDENING if bottleneck else 1)
        self.blocks = nn.Sequential(*blocks)
        mean = {"mean": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten()}
        normed = choices.norm("norm", before) | {"phi": choices.copy_of_phi()}
        self.last = nn.Sequential(OrderedDict(normed | mean if choices.form == "pre" else mean))
        outputs = count("ResNet(classes", classes)
        self.head = skip_init(nn.Linear, before, outputs)  # type: ignore[no-untyped-call]

    def _initialise(self, choices: Choices, seed: int) -> None:
        phi = choices.phi
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Conv2d):
                moment = 1.0 if name.startswith("stem.") else phi.second_moment
                spread = 1 / (phi.scale * math.sqrt(layer.weight[0].numel() * moment))
                draws = torch.randn(
                    layer.weight.shape,
                    generator=generator(seed, f"init/{name}.weight"),
                    dtype=torch.float32,
                    device="cpu",
                )
                layer.weight.data.copy_(draws.mul_(spread))
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        draws_of_head = generator(seed, "init/head.weight")
        phi.initialise_head_(self.head.weight.data, self.head.bias.data, draws_of_head)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Return the logits.

        Args:
            x: pictures of any size.

        Raises:
            PenchantError: they have another number of channels.
        """
        logits: Tensor = self.head(self.features(x))
        return logits

    def features(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch features"]:
        """Return what the head sees: the last block's channels, averaged over the places."""
        channels = self.stem.get_submodule("convolution").in_channels
        if x.ndim != 4 or x.shape[1] != channels:
            raise PenchantError(
                f"ResNet is given a tensor of shape {tuple(x.shape)}: needs pictures "
                f"N×{channels}×H×W"
            )
        features: Tensor = self.last(self.blocks(self.stem(x)))
        return features


def blocks_in_stage(depth: int) -> int:
    """Return the n of a depth of 6n + 2 layers.

    Raises:
        PenchantError: it is not of that form; the message names the nearest ones that are.

    Example:
        >>> blocks_in_stage(20)
        3
    """
    depth = count("ResNet(depth", depth)
    blocks, over = divmod(depth - 2, 6)
    if blocks < 1:
        raise PenchantError(f"ResNet(depth={depth}): needs 6n + 2 layers; the smallest is 8")
    if over:
        below = 6 * blocks + 2
        raise PenchantError(
            f"ResNet(depth={depth}): needs 6n + 2 layers; the nearest are {below} and {below + 6}"
        )
    return blocks


def _stem(choices: Choices, convolution: nn.Conv2d) -> nn.Sequential:
    norm = choices.norm("norm", convolution.out_channels)
    steps = {"convolution": convolution, **norm, "phi": choices.copy_of_phi()}
    return nn.Sequential(OrderedDict(steps))
