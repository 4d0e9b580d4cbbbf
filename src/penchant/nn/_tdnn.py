"""The time-delay neural network, and its twin whose weights are not shared over time.

Decisions:
- Layers look back alone (zeros before the first frame), so that a stream has no delay.
- The answer is the mean over time of each frame's logits. The head is linear, so this is also the
  head applied to the mean of the features; as a stream it is the running mean, the answer so far.
"""

import copy
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import skip_init

from penchant.errors import PenchantError
from penchant.nn._activation import Activation
from penchant.nn._activations import ActivationLike, activation
from penchant.nn._checks import count
from penchant.randomness import generator


class Delays(NamedTuple):
    """What a layer hears: `kernel` frames, `dilation` apart, at every `stride`-th frame.

    Example:
        >>> Delays(3, dilation=2).reach
        4
    """

    kernel: int
    dilation: int = 1
    stride: int = 1

    @property
    def reach(self) -> int:
        """How far back it looks, in frames of its input."""
        return self.dilation * (self.kernel - 1)

    def places(self, frames: int) -> int:
        """Count the outputs for so many frames: ⌊(frames − 1) / stride⌋ + 1."""
        return (frames - 1) // self.stride + 1


DELAYS = (Delays(5, stride=2), Delays(5, stride=2), Delays(3), Delays(3, dilation=2))
"""Four layers that hear 45 frames, nearly half a second, and answer every fourth."""


class TDNN(nn.Sequential):
    r"""A time-delay neural network: convolutions over time, the same weights at every place.

    .. math:: h^l_j = \varphi\Big(b^l + \sum_{i=0}^{k_l - 1} W^l_i\,
              h^{l-1}_{j S_l - d_l (k_l - 1 - i)}\Big), \qquad
              y = \frac1P \sum_{j=1}^{P} (A h^L_j + c)

    for layers of kernel k, dilation d and stride S. It takes recordings of any length, and
    `stream` turns it into one that hears frames as they come, with delay 0. Each layer is drawn
    from its own key of the seed.

    Args:
        channels: numbers in a frame.
        classes: logits it answers.
        width: units of a layer.
        delays: what each layer hears.
        activation: what `activation` takes; each layer gets a module of its own.
        seed: of the initial draws.

    Raises:
        PenchantError: a number is not a whole one above 0, or there is no layer.

    Example:
        >>> tdnn = TDNN(32, 10)
        >>> tdnn(torch.zeros(5, 32, 98)).shape, tdnn.frames(torch.zeros(5, 32, 98)).shape
        (torch.Size([5, 10]), torch.Size([5, 10, 25]))
        >>> from penchant.nn import stream
        >>> stream(tdnn).delay, stream(tdnn).stride
        (0, 4)

    Source: Waibel, Hanazawa, Hinton, Shikano & Lang, "Phoneme recognition using time-delay neural
    networks", 1989; with dilation, Peddinti, Povey & Khudanpur, 2015.
    """

    layers: nn.Sequential
    head: nn.Conv1d

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        width: int = 64,
        delays: Sequence[Delays] = DELAYS,
        activation: ActivationLike = "relu",
        seed: int = 0,
    ) -> None:
        sizes = _sizes("TDNN", channels, classes, width, delays)
        steps: list[nn.Module] = []
        for index, ((before, after), delay) in enumerate(zip(sizes, delays, strict=False)):
            layer = skip_init(  # type: ignore[no-untyped-call]
                nn.Conv1d, before, after, delay.kernel, delay.stride, dilation=delay.dilation
            )
            phi = _activation(activation)
            _initialise(layer, phi, seed, index)
            steps += [nn.ConstantPad1d((delay.reach, 0), 0.0), layer, phi]
        head = skip_init(nn.Conv1d, *sizes[-1], 1)  # type: ignore[no-untyped-call]
        _initialise(head, phi, seed, None)
        # torch's own modules in a row, so that whatever reads networks can read this one.
        parts = {"layers": nn.Sequential(*steps), "head": head}
        super().__init__(OrderedDict(**parts, mean=nn.AdaptiveAvgPool1d(1), flat=nn.Flatten()))

    def frames(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch classes f"]:
        """Return the logits of each place in time."""
        logits: Tensor = self.head(self.layers(x))
        return logits


class Unshared(nn.Module):
    """The same layers with weights of their own at every place in time (locally connected).

    With the weights of a `TDNN` repeated at all places (`from_tdnn`) it answers the same. It takes
    recordings of one length.

    Args:
        channels: numbers in a frame.
        classes: logits it answers.
        frames: of a recording.
        width: units of a layer.
        delays: what each layer hears.
        activation: what `activation` takes.
        seed: of the initial draws.

    Raises:
        PenchantError: a number is not a whole one above 0, or there is no layer.

    Example:
        >>> Unshared(32, 10, 98, width=8)(torch.zeros(5, 32, 98)).shape
        torch.Size([5, 10])
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        frames: int,
        *,
        width: int = 64,
        delays: Sequence[Delays] = DELAYS,
        activation: ActivationLike = "relu",
        seed: int = 0,
    ) -> None:
        super().__init__()
        places = count("Unshared(frames", frames)
        sizes = _sizes("Unshared", channels, classes, width, delays)
        steps: list[nn.Module] = []
        for index, ((before, after), delay) in enumerate(zip(sizes, delays, strict=False)):
            places = delay.places(places)
            layer = LocallyConnected(before, after, places, delay)
            phi = _activation(activation)
            _initialise(layer, phi, seed, index)
            steps += [layer, phi]
        self.layers = nn.Sequential(*steps)
        self.head = LocallyConnected(*sizes[-1], places, Delays(1))
        _initialise(self.head, phi, seed, None)

    @classmethod
    def from_tdnn(cls, tdnn: TDNN, frames: int) -> "Unshared":
        """Write a TDNN out: its weights at every place of a recording of so many frames."""
        convolutions = [one for one in tdnn.layers if isinstance(one, nn.Conv1d)]
        delays = [Delays(c.kernel_size[0], c.dilation[0], c.stride[0]) for c in convolutions]
        first, head = convolutions[0], tdnn.head
        written = cls(
            first.in_channels,
            head.out_channels,
            frames,
            width=first.out_channels,
            delays=delays,
            activation=tdnn.layers[2],
        ).to(head.weight)
        own = [one for one in written.layers if isinstance(one, LocallyConnected)]
        with torch.no_grad():
            for mine, theirs in zip([*own, written.head], [*convolutions, head], strict=True):
                mine.weight.copy_(theirs.weight.flatten(1).expand_as(mine.weight))
                mine.bias.copy_(cast(Tensor, theirs.bias).expand_as(mine.bias))
        return written

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch classes"]:
        """Return the mean over time of the logits."""
        logits: Tensor = self.head(self.layers(x))
        return logits.mean(-1)


class LocallyConnected(nn.Module):
    """A convolution over time whose weights are not shared: each place has its own.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        places: outputs in time.
        delay: what each hears, zeros before the first frame.

    Attributes:
        weight: of shape (places, outputs, inputs · kernel).
        bias: of shape (places, outputs).
    """

    def __init__(self, inputs: int, outputs: int, places: int, delay: Delays) -> None:
        super().__init__()
        self.delay = delay
        self.weight = nn.Parameter(torch.empty(places, outputs, inputs * delay.kernel))
        self.bias = nn.Parameter(torch.empty(places, outputs))

    def forward(self, x: Float[Tensor, "batch inputs time"]) -> Float[Tensor, "batch outputs p"]:
        """Apply each place's weights to what it hears.

        Raises:
            PenchantError: the recording has another number of places.
        """
        _, dilation, stride = self.delay
        padded = nn.functional.pad(x, (self.delay.reach, 0))
        heard = padded.unfold(-1, self.delay.reach + 1, stride)[..., ::dilation]
        if heard.shape[2] != len(self.weight):
            raise PenchantError(
                f"LocallyConnected({x.shape[-1]} frames): makes {heard.shape[2]} places of them, "
                f"and has weights for {len(self.weight)}; only recordings of one length fit"
            )
        rows = heard.permute(2, 1, 3, 0).flatten(1, 2)  # places, inputs · kernel, batch
        result = torch.baddbmm(self.bias.unsqueeze(-1), self.weight, rows)
        return result.permute(2, 1, 0)

    def extra_repr(self) -> str:
        """Show places, channels and delays."""
        places, outputs, numbers = self.weight.shape
        return f"{numbers // self.delay.kernel}, {outputs}, places={places}, {self.delay}"


def _sizes(
    call: str, channels: int, classes: int, width: int, delays: Sequence[Delays]
) -> list[tuple[int, int]]:
    """Return each layer's channels in and out, the head's last."""
    count(f"{call}(width", width)
    if not delays:
        raise PenchantError(f"{call}(delays={delays!r}): at least one layer is needed")
    for delay in delays:
        for name, value in delay._asdict().items():
            count(f"{call}(delays: {name}", value)
    inputs = [count(f"{call}(channels", channels), *[width] * len(delays)]
    return list(zip(inputs, [*inputs[1:], count(f"{call}(classes", classes)], strict=True))


def _initialise(
    layer: "nn.Conv1d | LocallyConnected", phi: Activation, seed: int, index: int | None
) -> None:
    """Fill a layer by the activation's rules; the head where it has no index."""
    weight, bias = layer.weight.data, cast(Tensor, layer.bias).data
    rows = weight.flatten(0, 1) if weight.ndim == 3 and bias.ndim == 2 else weight.flatten(1)
    if index is None:
        phi.initialise_head_(rows, bias.flatten(), generator(seed, "init/head"))
        return
    draws = generator(seed, f"init/layers.{index}")
    # Frames are brought to second moment 1, where a coordinate has a third of it.
    phi.initialise_hidden_(rows, bias.flatten(), draws, 1.0 if index == 0 else None)


def _activation(given: ActivationLike) -> Activation:
    return copy.deepcopy(activation(given))  # each layer has its own, with what it learns
