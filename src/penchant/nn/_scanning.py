"""The scanning MLP: one MLP over each window of a signal, its repeated blocks shared.

Decisions:
- It evaluates a window as an MLP does: gather groups, apply one linear map to all of them. The
  convolutional form is another way to the same numbers, so that each tests the other.
- Stride and padding belong to a scan, not to the MLP; what it holds of them are defaults.
"""

import copy
import math
from collections.abc import Sequence
from typing import Self, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import skip_init

from penchant.errors import PenchantError
from penchant.nn._activation import Activation
from penchant.nn._activations import ActivationLike, activation
from penchant.nn._blocks import BLOCK_NUMBERS, evaluate_stages, padded, require_room, require_type
from penchant.nn._checks import count
from penchant.nn._pointwise import plain
from penchant.nn._scan_structure import (
    Coverage,
    MultiplyAdds,
    ParameterCounts,
    PerAxis,
    ScanLayer,
    Structure,
    each_axis,
    scan_layers,
)
from penchant.nn._stack_reader import read_stages
from penchant.nn._stages import Stage, as_modules, scanned_at, structure_of
from penchant.nn._written_out import as_linears
from penchant.randomness import generator


class ScanningMLP(nn.Module):
    r"""An MLP over windows of a signal, whose layers look at groups of the layer below.

    .. math:: h_l[p] = \varphi\bigl(W_l\,(h_{l-1}[s_l p], h_{l-1}[s_l p + d_l], \dots,
              h_{l-1}[s_l p + (k_l - 1)\,d_l]) + b_l\bigr)

    with the same :math:`W_l` and :math:`b_l` at every place p ("neurons of the same colour share
    parameters"); the last layer has one place and no activation. The window is what that place
    depends on: :math:`1 + \sum_l (k_l - 1)\,d_l\,s_1 \cdots s_{l-1}` samples. Called with windows,
    it answers for each; `scan` answers for every window of a longer signal.

    At the edges of a scan: window n begins at sample n·stride − padding, where the padding is
    zeros on both sides of the signal, and only windows that fit count, so there are
    ⌊(length + 2·padding − window) / stride⌋ + 1 of them. `coverage` gives the numbers, and how
    many samples no window reaches.

    Args:
        channels: of the signal.
        layers: (filters, width, stride, dilation) of each, the lowest first; stride and dilation
            are 1 when left out. All but filters may be one number an axis.
        dimensions: axes of the signal: 1, 2 or 3.
        activation: what `activation` takes; behind all layers but the last. Where torch has the
            same function as a module, that module is used.
        padding: of scans that are given none.
        seed: of the initial draws, which follow the activation's rules for first, hidden and last
            layers.

    Raises:
        PenchantError: a number does not fit, or the activation is complex.

    Example:
        >>> mlp = ScanningMLP(1, [(4, 2, 2), (3, 2, 2), (2, 2, 2)])
        >>> mlp.window, mlp(torch.zeros(5, 1, 8)).shape
        ((8,), torch.Size([5, 2]))
        >>> mlp.scan(torch.zeros(1, 1, 100), stride=1).shape
        torch.Size([1, 2, 93])
        >>> mlp.to_conv()
        Sequential(
          (0): Conv1d(1, 4, kernel_size=(2,), stride=(2,))
          (1): ReLU()
          (2): Conv1d(4, 3, kernel_size=(2,), stride=(2,))
          (3): ReLU()
          (4): Conv1d(3, 2, kernel_size=(2,), stride=(2,))
        )
        >>> mlp.parameter_counts
        ParameterCounts(dense=260, unshared=116, shared=53)

    Source: Waibel et al., "Phoneme recognition using time-delay neural networks", 1989; LeCun,
    "Generalization and network design strategies", 1989.
    """

    def __init__(
        self,
        channels: int,
        layers: Sequence[Sequence[PerAxis]],
        *,
        dimensions: int = 1,
        activation: ActivationLike = "relu",
        padding: PerAxis = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if dimensions not in (1, 2, 3):
            raise PenchantError(f"ScanningMLP(dimensions={dimensions!r}): needs 1, 2 or 3")
        read = scan_layers("ScanningMLP", layers, dimensions)
        self.structure = Structure(count("ScanningMLP(channels", channels), read)
        self.padding = each_axis("ScanningMLP(padding", padding, dimensions, least=0)
        self.layers = nn.ModuleList(
            skip_init(nn.Linear, self.structure.features[index] * _taps(layer), layer.filters)  # type: ignore[no-untyped-call]
            for index, layer in enumerate(read)
        )
        self.activations = nn.ModuleList()
        self._fill(activation, seed)
        for index in range(len(read)):
            for axis, arithmetic in enumerate(self.structure.axes):
                groups = torch.tensor(arithmetic.groups(index)).flatten()
                in_turn = torch.equal(groups, torch.arange(len(arithmetic.places[index])))
                name = f"_groups_{index}_{axis}"
                self.register_buffer(name, None if in_turn else groups, persistent=False)

    def _fill(self, given: ActivationLike, seed: int) -> None:
        member = _real(given)
        last = len(self.layers) - 1
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Linear)
            draws = generator(seed, f"init/layers.{index}")
            if index == last:
                member.initialise_head_(layer.weight, layer.bias, draws)
            elif index == 0:
                member.initialise_first_(layer.weight, layer.bias, draws)
            else:
                member.initialise_hidden_(layer.weight, layer.bias, draws)
            self.activations.append(nn.Identity() if index == last else plain(member))

    @property
    def window(self) -> tuple[int, ...]:
        """Samples that one output spans, one number an axis."""
        return self.structure.window

    @property
    def stride(self) -> tuple[int, ...]:
        """Samples between outputs when every layer takes its own stride, one number an axis."""
        return self.structure.stride

    @property
    def parameter_counts(self) -> ParameterCounts:
        """Weights and biases of the dense, the unshared and the shared form, by formula."""
        return self.structure.parameter_counts

    def forward(
        self, windows: Float[Tensor, "batch channels *window"]
    ) -> Float[Tensor, "batch outputs"]:
        """Answer for each window.

        Args:
            windows: of exactly the MLP's window.

        Returns:
            The last layer's filters.

        Raises:
            PenchantError: the windows have another number of channels or another size.
        """
        wanted = (self.structure.channels, *self.window)
        if tuple(windows.shape[1:]) != wanted:
            raise PenchantError(
                f"ScanningMLP(windows of shape {tuple(windows.shape)}): needs (batch, "
                f"{', '.join(map(str, wanted))}); `scan` takes longer signals"
            )
        require_type("ScanningMLP", windows, self._weight(0))
        h = windows.movedim(1, -1)  # batch *places channels
        for index, (layer, phi) in enumerate(zip(self._linears(), self.activations, strict=True)):
            h = phi(F.linear(self._gathered(h, index), self._taps_first(index), layer.bias))
        return h.flatten(1)

    def _gathered(self, h: Tensor, index: int) -> Tensor:
        # batch *below channels → batch *places (taps·channels)
        axes, channels = h.dim() - 2, h.shape[-1]
        shape = [len(h)]
        for axis, width in enumerate(self.structure.layers[index].width):
            groups = cast(Tensor | None, getattr(self, f"_groups_{index}_{axis}"))
            if groups is not None:
                h = h.index_select(1 + axis, groups)
            shape += [h.shape[1 + axis] // width, width]
        h = h.reshape(*shape, channels)
        places = [1 + 2 * axis for axis in range(axes)]
        taps = [2 + 2 * axis for axis in range(axes)]
        return h.permute(0, *places, *taps, h.dim() - 1).flatten(1 + axes)

    def _taps_first(self, index: int) -> Tensor:
        return self._weight(index).movedim(1, -1).flatten(1)

    def _weight(self, index: int) -> Tensor:
        """View a layer's weight as a convolution's: filters, channels, *width."""
        layer = self.structure.layers[index]
        return self._linears()[index].weight.reshape(
            layer.filters, self.structure.features[index], *layer.width
        )

    def _linears(self) -> list[nn.Linear]:
        return cast(list[nn.Linear], list(self.layers))

    def scan(
        self,
        signal: Float[Tensor, "batch channels *length"],
        *,
        stride: PerAxis | None = None,
        padding: PerAxis | None = None,
    ) -> Float[Tensor, "batch outputs *places"]:
        """Answer for every window of a signal; differentiable.

        No position is computed twice: layers above a stride are evaluated with holes (à trous), on
        the coarsest grid that holds all that the windows ask for. Where the windows hardly
        overlap, so that they cost fewer multiply-adds by themselves, each is taken alone. Without
        gradients, long signals go in overlapping blocks.

        Args:
            signal: at least as long as the window, with the padding.
            stride: samples from one window to the next; the MLP's own `stride` when not given.
            padding: zeros on both sides of the signal; the MLP's own `padding` when not given.

        Returns:
            One place a window; see the class for where they lie.

        Raises:
            PenchantError: channels, length, stride or padding do not fit.

        Source: Shensa, "The discrete wavelet transform: wedding the à trous and Mallat
        algorithms", 1992; Sermanet et al., "OverFeat", 2014.
        """
        strides, paddings = self._scan("scan", stride, padding)
        self._require_signal("scan", tuple(signal.shape), paddings)
        require_type("ScanningMLP.scan", signal, self._weight(0))
        costs = self.structure.multiply_adds(signal.shape[2:], strides, paddings)
        extended = padded(signal, paddings)
        if costs.windows < costs.converted:
            return self._by_windows(extended, strides)
        return evaluate_stages(scanned_at(self._stages(), strides), extended)

    def _by_windows(self, signal: Tensor, stride: Sequence[int]) -> Tensor:
        views = signal
        for axis, (window, step) in enumerate(zip(self.window, stride, strict=True)):
            views = views.unfold(2 + axis, window, step)
        axes = len(self.window)
        views = views.movedim(1, 1 + axes)  # batch *places channels *window
        layers = range(len(self.layers))
        largest = max(self.structure.places(i) * self.structure.features[i] for i in layers)
        windows = views.shape[: 1 + axes].numel() // views.shape[1]
        answers = [
            self(piece.flatten(0, axes)).reshape(*piece.shape[: 1 + axes], -1)
            for piece in torch.split(views, max(1, BLOCK_NUMBERS // (largest * windows)), dim=1)
        ]
        return torch.cat(answers, dim=1).movedim(-1, 1)

    def coverage(
        self,
        length: PerAxis,
        *,
        stride: PerAxis | None = None,
        padding: PerAxis | None = None,
    ) -> Coverage:
        """Say where the windows of a scan lie, and how many samples none reaches.

        Args:
            length: of the signal, in samples.
            stride: as in `scan`.
            padding: as in `scan`.

        Raises:
            PenchantError: no window fits, or a number does not.

        Example:
            >>> ScanningMLP(1, [(4, 2, 2), (2, 4, 4)]).coverage(100, stride=3, padding=1)
            Coverage(outputs=(32,), first=(-1,), last=(92,), unreached=(0,))
        """
        strides, paddings = self._scan("coverage", stride, padding)
        lengths = each_axis("ScanningMLP.coverage(length", length, len(self.window))
        self._require_signal("coverage", (1, self.structure.channels, *lengths), paddings)
        return self.structure.coverage(lengths, strides, paddings)

    def multiply_adds(
        self,
        length: PerAxis,
        *,
        stride: PerAxis | None = None,
        padding: PerAxis | None = None,
    ) -> MultiplyAdds:
        """Count the multiply-adds of a scan by formula, for each of the three forms.

        Args:
            length: of the signal, in samples.
            stride: as in `scan`.
            padding: as in `scan`.

        Raises:
            PenchantError: no window fits, or a number does not.

        Example:
            >>> mlp = ScanningMLP(1, [(4, 2, 2), (3, 2, 2), (2, 2, 2)])
            >>> mlp.multiply_adds(8), mlp.multiply_adds(1007, stride=1).windows
            (MultiplyAdds(dense=236, windows=92, converted=92), 92000)
        """
        strides, paddings = self._scan("multiply_adds", stride, padding)
        lengths = each_axis("ScanningMLP.multiply_adds(length", length, len(self.window))
        self._require_signal("multiply_adds", (1, self.structure.channels, *lengths), paddings)
        return self.structure.multiply_adds(lengths, strides, paddings)

    def to_conv(
        self, *, stride: PerAxis | None = None, padding: PerAxis | None = None
    ) -> nn.Sequential:
        """Return the convolutional network that scans at a stride, as plain torch modules.

        At the MLP's own stride its layers have the MLP's widths and strides; at any other, strides
        and dilations are those with which no position is computed twice.

        Args:
            stride: as in `scan`.
            padding: as in `scan`; the first convolution's.

        Returns:
            Convolutions and activations, with parameters of their own.

        Raises:
            PenchantError: stride or padding does not fit.

        Example:
            >>> ScanningMLP(1, [(4, 2, 2), (3, 2, 2), (2, 2, 2)]).to_conv(stride=1)[4]
            Conv1d(3, 2, kernel_size=(2,), stride=(1,), dilation=(4,))
        """
        strides, paddings = self._scan("to_conv", stride, padding)
        return as_modules(scanned_at(self._stages(), strides), paddings)

    @classmethod
    def from_conv(cls, network: nn.Sequential) -> Self:
        """Return the scanning MLP that a convolutional network is.

        Its `stride` and `padding` are the network's, so that `scan` gives what the network gives.

        Args:
            network: Conv1d, Conv2d or Conv3d and pointwise modules; dropout and batch
                normalisation in evaluation mode are left out and folded in. Only the first
                convolution may pad.

        Raises:
            PenchantError: another module, or a convolution that is none of a scanning MLP; the
                message names it and says why.

        Example:
            >>> ScanningMLP.from_conv(nn.Sequential(nn.Conv1d(1, 4, 6), nn.ReLU())).window
            (6,)
        """
        stages, padding = read_stages("ScanningMLP.from_conv", network, softmax=False)
        structure = structure_of(stages)
        mlp = cls(
            structure.channels,
            structure.layers,
            dimensions=len(structure.window),
            padding=padding,
        ).to(stages[0].weight)
        for layer, stage in zip(mlp._linears(), stages, strict=True):
            with torch.no_grad():
                layer.weight.copy_(stage.weight.flatten(1))
                if stage.bias is None:
                    layer.register_parameter("bias", None)
                else:
                    layer.bias.copy_(stage.bias)
        mlp.activations = nn.ModuleList(copy.deepcopy(stage.after) for stage in stages)
        return mlp

    def unshared(self) -> nn.Sequential:
        """Return the MLP with every repeated block written out, its zeros visible.

        Its layers hold, channel by channel, the places that the output depends on; the samples of
        the window come in as `nn.Flatten` lays them out.

        Returns:
            Flatten, Linear layers and activations, with parameters of their own.

        Example:
            >>> mlp = ScanningMLP(1, [(1, 2, 2), (1, 2, 2)])
            >>> (mlp.unshared()[1].weight != 0).int()
            tensor([[1, 1, 0, 0],
                    [0, 0, 1, 1]], dtype=torch.int32)
        """
        return as_linears(self._stages())

    def _stages(self) -> list[Stage]:
        return [
            Stage(self._weight(index), linear.bias, layer.stride, layer.dilation, phi)
            for index, (linear, layer, phi) in enumerate(
                zip(self._linears(), self.structure.layers, self.activations, strict=True)
            )
        ]

    def _scan(
        self, call: str, stride: PerAxis | None, padding: PerAxis | None
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        axes = len(self.window)
        return (
            self.stride
            if stride is None
            else each_axis(f"ScanningMLP.{call}(stride", stride, axes),
            self.padding
            if padding is None
            else each_axis(f"ScanningMLP.{call}(padding", padding, axes, least=0),
        )

    def _require_signal(self, call: str, shape: tuple[int, ...], padding: Sequence[int]) -> None:
        require_room(f"ScanningMLP.{call}", self.structure.channels, self.window, shape, padding)

    def extra_repr(self) -> str:
        """Show the window and what is scanned by default."""
        return f"window={self.window}, stride={self.stride}, padding={self.padding}"


def _taps(layer: ScanLayer) -> int:
    return math.prod(layer.width)


def _real(given: ActivationLike) -> Activation:
    member = activation(given)
    if member.is_complex:
        raise PenchantError(
            f"ScanningMLP(activation={member.name!r}): its values are complex, and the equal "
            "convolutional network is real; take another activation"
        )
    return member
