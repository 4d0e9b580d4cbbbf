"""ViT and ConvNeXt, as `transformers` has them, with the activation as a choice.

Decisions:
- The layers and the forward are transformers' own; what is ours is the draws, the non-linearities
  and the plain face: pictures in, logits out. The pooled features are what the classifier, the
  last `nn.Linear`, is given.
- A network is made on the meta device and then filled parameter by parameter, each from its own
  key, so the global stream is left alone and nothing is drawn twice.
- ConvNeXt's draws are the paper's, N(0, 0.02²); a ViT's layers have N(0, 1/n) for n inputs, near
  the Glorot of its paper, and what it embeds N(0, 0.02²). With 0.02 everywhere one of width 32
  learnt slowly (72 % of the digits held out, after 200 steps); with 1/n also for the patches, which
  then drown the positions, one of width 64 got 83 %; so it gets 97 %.
- The layer in front of each non-linearity follows the activation: at width 64 a spread of 0.02
  leaves s·z at 0.16, where a GELU and a sine are nearly linear.
- Sinusoidal positions cannot grow, so they are stronger than what learned ones start from. With a
  spread of 0.02, 0.2 and 0.71 (a wave's own) one of width 32 got 78.4, 79.8 and 78.3 % of
  Fashion-MNIST at 12×12 held out (mean over ReLU and sine, two seeds each); with none 78.0.
- Attention is written out ("eager"): as fast as the fused kernel here (213 and 227 ms for a step
  of the small ViT, batch 128, one thread), twice differentiable, and visible to probes.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from numbers import Real
from types import ModuleType
from typing import Any, Literal, Self, cast, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError, nearest
from penchant.nn._activations import ActivationLike, unscaled
from penchant.nn._checks import count
from penchant.nn._patch_positions import sinusoidal_positions
from penchant.randomness import generator

SPREAD = 0.02
"""Standard deviation of initial weights where no rule says more."""
WAVES = 0.2
"""Root mean square of sinusoidal positions."""

PositionsName = Literal["learned", "sinusoidal", "none"]
ViTName = Literal["tiny", "small", "base"]
ConvNeXtName = Literal["tiny", "small", "base"]

_VIT: dict[str, dict[str, int]] = {
    "tiny": {"width": 192, "heads": 3},
    "small": {"width": 384, "heads": 6},
    "base": {"width": 768, "heads": 12},
}
_CONVNEXT: dict[str, dict[str, Any]] = {
    "tiny": {"width": 96, "depths": (3, 3, 9, 3)},
    "small": {"width": 96, "depths": (3, 3, 27, 3)},
    "base": {"width": 128, "depths": (3, 3, 27, 3)},
}


class _Backbone(nn.Module):
    """What the two have in common: a model of transformers that answers with logits alone."""

    def __init__(
        self, model: nn.Module, activation: ActivationLike, layer_scale: float, seed: int
    ) -> None:
        super().__init__()
        phi = unscaled(activation, type(self).__name__)
        device = torch.get_default_device()
        self.model = model.to_empty(device=device)
        if device.type != "meta":
            self._initialise(layer_scale, seed)
        for owner, name, layer in self._non_linearities():
            setattr(owner, name, copy.deepcopy(phi))
            if device.type != "meta":
                place = next(place for place, module in self.named_modules() if module is layer)
                draws = generator(seed, f"init/{place}")
                phi.initialise_standardised_(layer.weight, layer.bias, draws)

    @torch.no_grad()
    def _initialise(self, layer_scale: float, seed: int) -> None:
        for place, module in self.named_modules():
            for name, parameter in module.named_parameters(recurse=False):
                if name == "layer_scale_parameter":
                    parameter.fill_(layer_scale)
                elif isinstance(module, nn.LayerNorm):
                    parameter.fill_(1.0 if name == "weight" else 0.0)
                elif name == "bias":
                    parameter.zero_()
                else:
                    draws = generator(seed, f"init/{place}.{name}")
                    drawn = torch.randn(parameter.shape, generator=draws, dtype=torch.float32)
                    parameter.copy_(self._spread(module) * drawn)

    def _spread(self, module: nn.Module) -> float:
        """Say how widely a module's weights are drawn."""
        return SPREAD

    def _non_linearities(self) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
        """Yield each non-linearity's owner, its name there, and the layer in front of it."""
        raise NotImplementedError

    def forward(
        self, pictures: Float[Tensor, "pictures channels height width"]
    ) -> Float[Tensor, "pictures classes"]:
        """Return the logits.

        Args:
            pictures: N×C×H×W.

        Raises:
            PenchantError: pictures of another shape than the network takes.
        """
        wanted = self._wanted(tuple(pictures.shape))
        if wanted:
            raise PenchantError(
                f"{type(self).__name__}: pictures of shape {tuple(pictures.shape)}; {wanted}"
            )
        return cast(Tensor, self.model(pictures).logits)

    def _wanted(self, shape: tuple[int, ...]) -> str:
        """Say what would fit where a shape does not."""
        raise NotImplementedError


class ViT(_Backbone):
    """The vision transformer: a picture's patches, and a class token that looks at them.

    Pre-normalised blocks of attention and a two-layer perceptron of four times the width, whose
    one non-linearity is the activation; the class token's last state goes to the classifier.

    Args:
        size: (height, width) of the pictures in pixels, or the side of square ones.
        classes: how many.
        channels: of the pictures.
        patch: side of a patch in pixels; divides both sides.
        width: numbers a token has.
        depth: blocks.
        heads: of the attention, each of width // heads numbers.
        activation: what `activation` takes; each block gets a copy of its own. One given by name
            has scale 1; s·z starts at second moment 1 whatever the scale.
        positions: what is added to each token to say where it is: ``learned`` numbers, fixed
            waves of row and column (``sinusoidal``, nothing for the class token), or ``none``,
            with which the answer does not change when patches change places.
        seed: of the initial draws.

    Raises:
        PenchantError: a number or name that does not fit, a complex activation, or transformers is
            missing.

    Example:
        >>> from penchant.nn import count_parameters
        >>> net = ViT(28, channels=1)
        >>> net(torch.zeros(2, 1, 28, 28)).shape, count_parameters(net)
        (torch.Size([2, 10]), 305034)

    Source: Dosovitskiy et al., "An image is worth 16x16 words", 2021; the sizes tiny and small are
    of Touvron et al., "Training data-efficient image transformers", 2021.
    """

    def __init__(
        self,
        size: int | Sequence[int] = 28,
        classes: int = 10,
        *,
        channels: int = 3,
        patch: int = 4,
        width: int = 64,
        depth: int = 6,
        heads: int = 4,
        activation: ActivationLike = "gelu",
        positions: PositionsName = "learned",
        seed: int = 0,
    ) -> None:
        library = _transformers("ViT")
        if positions not in get_args(PositionsName):
            raise PenchantError(
                f"ViT(positions={positions!r}): no such positions; "
                f"{nearest(str(positions), list(get_args(PositionsName)))}"
            )
        self.channels = count("ViT(channels", channels)
        patch, heads = count("ViT(patch", patch), count("ViT(heads", heads)
        self.size = _size(size)
        if any(side % patch for side in self.size):
            raise PenchantError(
                f"ViT(size={self.size}, patch={patch}): a patch's side must divide the picture's"
            )
        config = library.ViTConfig(
            image_size=self.size,
            patch_size=patch,
            num_channels=self.channels,
            hidden_size=count(f"ViT(heads={heads}, width", width, least=heads),
            intermediate_size=4 * width,
            num_hidden_layers=count("ViT(depth", depth),
            num_attention_heads=heads,
            num_labels=count("ViT(classes", classes),
            layer_norm_eps=1e-6,
            attn_implementation="eager",
        )
        with torch.device("meta"):
            model = library.ViTForImageClassification(config)
        if positions != "learned":
            # The forward adds what has this name; 0 is no parameter.
            del model.vit.embeddings.position_embeddings
            model.vit.embeddings.position_embeddings = 0.0
        super().__init__(model, activation, 1.0, seed)
        if positions == "sinusoidal":
            self._place_waves(patch)

    def _place_waves(self, patch: int) -> None:
        """Give tokens fixed positions."""
        embeddings = cast(Any, self.model).vit.embeddings
        height, width = self.size
        token = embeddings.cls_token
        waves = sinusoidal_positions(height // patch, width // patch, token.shape[-1])
        placed = WAVES * torch.cat([torch.zeros_like(token[0]), waves])[None]
        del embeddings.position_embeddings
        embeddings.register_buffer("position_embeddings", placed, persistent=False)

    @classmethod
    def published(cls, name: ViTName, classes: int = 1000, **choices: Any) -> Self:
        """Build a published size: 224×224 pixels, patches of 16, 12 blocks.

        Args:
            name: ``tiny``, ``small`` or ``base`` (5.7, 22 and 87 million parameters).
            classes: how many.
            choices: other arguments of `ViT`, such as the activation.

        Raises:
            PenchantError: an unknown name.

        Example:
            >>> from penchant.nn import count_parameters
            >>> with torch.device("meta"):
            ...     count_parameters(ViT.published("base"))
            86567656
        """
        sizes = _named("ViT", name, _VIT)
        return cls(
            **{"size": 224, "classes": classes, "patch": 16, "depth": 12, **sizes, **choices}
        )

    def _non_linearities(self) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
        for block in cast(Any, self.model).vit.layers:
            yield block.mlp, "activation_fn", block.mlp.fc1

    def _spread(self, module: nn.Module) -> float:
        if isinstance(module, nn.Linear) and module is not self.model.classifier:
            return 1 / math.sqrt(module.in_features)
        return SPREAD

    def _wanted(self, shape: tuple[int, ...]) -> str:
        wanted = (self.channels, *self.size)
        if len(shape) == 4 and shape[0] and shape[1:] == wanted:
            return ""
        return "N×{}×{}×{} is needed, of at least 1".format(*wanted)


class ConvNeXt(_Backbone):
    """ConvNeXt: depthwise convolutions of 7×7 with a perceptron at each place, in stages.

    Each block adds to what comes in; in it the activation stands once, between two linear layers.
    A stem cuts the picture into patches, and between stages the sides halve and the width doubles;
    the mean over all places goes to the classifier.

    Args:
        classes: how many.
        channels: of the pictures.
        patch: side in pixels of the stem's patches.
        width: channels of the first stage.
        depths: blocks of each stage.
        activation: what `activation` takes; each block gets a copy of its own. One given by name
            has scale 1; s·z starts at second moment 1 whatever the scale.
        layer_scale: what each block's answer is multiplied by at the start, channel by channel.
        seed: of the initial draws.

    Raises:
        PenchantError: a number that does not fit, a complex activation, or transformers is missing.

    Example:
        >>> from penchant.nn import count_parameters
        >>> net = ConvNeXt(channels=1, width=32)
        >>> net(torch.zeros(2, 1, 28, 28)).shape, count_parameters(net)
        (torch.Size([2, 10]), 413162)

    Source: Liu et al., "A ConvNet for the 2020s", 2022.
    """

    def __init__(
        self,
        classes: int = 10,
        *,
        channels: int = 3,
        patch: int = 2,
        width: int = 32,
        depths: Sequence[int] = (2, 2, 2),
        activation: ActivationLike = "gelu",
        layer_scale: float = 1e-6,
        seed: int = 0,
    ) -> None:
        library = _transformers("ConvNeXt")
        self.channels = count("ConvNeXt(channels", channels)
        if not isinstance(depths, Sequence) or not depths:
            raise PenchantError(f"ConvNeXt(depths={depths!r}): needs blocks for each stage: (2, 2)")
        depths = [count("ConvNeXt(depths: a stage", depth) for depth in depths]
        _check_finite("ConvNeXt(layer_scale", layer_scale)
        width = count("ConvNeXt(width", width)
        self.smallest = count("ConvNeXt(patch", patch) * 2 ** (len(depths) - 1)
        config = library.ConvNextConfig(
            num_channels=self.channels,
            patch_size=patch,
            num_stages=len(depths),
            hidden_sizes=[width * 2**stage for stage in range(len(depths))],
            depths=depths,
            num_labels=count("ConvNeXt(classes", classes),
            layer_norm_eps=1e-6,
        )
        with torch.device("meta"):
            model = library.ConvNextForImageClassification(config)
        super().__init__(model, activation, layer_scale, seed)

    @classmethod
    def published(cls, name: ConvNeXtName, classes: int = 1000, **choices: Any) -> Self:
        """Build a published size: four stages behind patches of 4.

        Args:
            name: ``tiny``, ``small`` or ``base`` (29, 50 and 89 million parameters).
            classes: how many.
            choices: other arguments of `ConvNeXt`, such as the activation.

        Raises:
            PenchantError: an unknown name.

        Example:
            >>> from penchant.nn import count_parameters
            >>> with torch.device("meta"):
            ...     count_parameters(ConvNeXt.published("tiny"))
            28589128
        """
        sizes = _named("ConvNeXt", name, _CONVNEXT)
        return cls(**{"classes": classes, "patch": 4, **sizes, **choices})

    def _non_linearities(self) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
        for stage in cast(Any, self.model).convnext.encoder.stages:
            for block in stage.layers:
                yield block, "act", block.pwconv1

    def _wanted(self, shape: tuple[int, ...]) -> str:
        if len(shape) == 4 and shape[1] == self.channels and min(shape[2:]) >= self.smallest:
            return ""
        return (
            f"N×{self.channels}×H×W is needed, of at least {self.smallest} pixels a side: its "
            "patches times 2 for each stage but the first"
        )


def _transformers(call: str) -> ModuleType:
    try:
        import transformers
    except ImportError as error:
        raise PenchantError(
            f"{call} is built on transformers, which is missing: pip install 'penchant[backbones]'"
        ) from error
    return transformers


def _named(call: str, name: str, sizes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if name not in sizes:
        raise PenchantError(
            f"{call}.published({name!r}): no such size; {nearest(name, list(sizes))}"
        )
    return sizes[name]


def _check_finite(call: str, value: object) -> None:
    if not isinstance(value, Real) or not math.isfinite(value):
        raise PenchantError(f"{call}={value!r}): needs a finite number")


def _size(size: int | Sequence[int]) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, Sequence) else (size, size)
    if len(sides) != 2 or isinstance(size, str):
        raise PenchantError(f"ViT(size={size!r}): needs (height, width), or the side of a square")
    height, width = (count("ViT(size", side) for side in sides)
    return height, width
