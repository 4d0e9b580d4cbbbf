"""What shape comes out of a sliding layer, or of a chain of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from penchant.errors import PenchantError
from penchant.geometry._window import Kind, Padding, Window, window

if TYPE_CHECKING:
    from torch import nn


@overload
def output_shape(
    input: int,
    kernel: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = ...,
    padding: Padding = ...,
    dilation: int | Sequence[int] = ...,
    ceil_mode: bool = ...,
    kind: Kind = ...,
    output_padding: int | Sequence[int] = ...,
) -> int: ...
@overload
def output_shape(
    input: Sequence[int],
    kernel: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = ...,
    padding: Padding = ...,
    dilation: int | Sequence[int] = ...,
    ceil_mode: bool = ...,
    kind: Kind = ...,
    output_padding: int | Sequence[int] = ...,
) -> tuple[int, ...]: ...
def output_shape(
    input: int | Sequence[int],
    kernel: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    kind: Kind = "conv",
    output_padding: int | Sequence[int] = 0,
) -> int | tuple[int, ...]:
    r"""Return the spatial shape that comes out of a convolution, a pooling or its transpose.

    .. math:: \mathrm{out} = \left\lfloor \frac{\mathrm{in} + p_{before} + p_{after}
              - d\,(k - 1) - 1}{s} \right\rfloor + 1

    With ``ceil_mode`` the division is rounded up, and a last window that would start behind the
    last sample is dropped. A transposed convolution gives
    (in − 1)·s − p_before − p_after + d·(k − 1) + output_padding + 1.

    Args:
        input: the length that goes in, or one length an axis (batch and channels left out).
        kernel: taps of the window, one number for all axes or one an axis.
        stride: steps between windows; 1 when not given, for pooling the kernel, as in torch.
        padding: a number, ``"same"`` (stride 1 keeps the size), ``"valid"`` (none), or one entry
            an axis, each a number or a pair (before, after).
        dilation: steps between taps.
        ceil_mode: whether a last, incomplete window counts; for pooling.
        kind: ``"conv"``, ``"pool"`` or ``"transposed"``.
        output_padding: samples added at the end; for transposed convolution.

    Returns:
        A length where `input` is one, else one length an axis.

    Raises:
        PenchantError: nothing fits, or a number that torch's layers refuse.

    Example:
        >>> output_shape((224, 224), 7, stride=2, padding=3)
        (112, 112)
        >>> output_shape(112, 3, stride=2, kind="pool", ceil_mode=True)
        56
        >>> output_shape(5, 7)
        Traceback (most recent call last):
            ...
        penchant.errors.PenchantError: output_shape(input=5): nothing fits:
        ⌊(5 + 2·0 − 1·(7 − 1) − 1) / 1⌋ + 1 = -1; needs an input of at least 7, a padding of at
        least 1 on each side, or dilation·(kernel − 1) + 1 of at most 5

    Source: Dumoulin & Visin, "A guide to convolution arithmetic for deep learning", 2016.
    """
    lengths = (input,) if isinstance(input, int) else tuple(input)
    layer = window(
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
        kind=kind,
        output_padding=output_padding,
        axes=len(lengths),
    )
    answer = layer.output_shape(lengths)
    return answer[0] if isinstance(input, int) else answer


def chain_shapes(
    input: int | Sequence[int], layers: "Sequence[Window | nn.Module]"
) -> tuple[tuple[int, ...], ...]:
    """Return the spatial shapes along a chain of sliding layers, the input's first.

    Args:
        input: the length that goes in, or one length an axis.
        layers: windows, or torch's convolutions, poolings and transposed convolutions; a layer
            of another kind keeps the size.

    Returns:
        One shape more than there are layers.

    Raises:
        PenchantError: a layer into which nothing fits; its number in the chain is named.

    Example:
        >>> from penchant.geometry import window
        >>> chain_shapes(8, [window(2, stride=2), window(2, stride=2), window(2, stride=2)])
        ((8,), (4,), (2,), (1,))
        >>> chain_shapes(8, [window(5), window(5)])
        Traceback (most recent call last):
            ...
        penchant.errors.PenchantError: chain_shapes(layers[1]): output_shape(input=4): nothing fits:
        ⌊(4 + 2·0 − 1·(5 − 1) − 1) / 1⌋ + 1 = 0; needs an input of at least 5, a padding of at
        least 1 on each side, or dilation·(kernel − 1) + 1 of at most 4
    """
    shapes = [(input,) if isinstance(input, int) else tuple(input)]
    for number, layer in enumerate(layers):
        described = layer if isinstance(layer, Window) else window_of(layer)
        try:
            shapes.append(described.output_shape(shapes[-1]) if described else shapes[-1])
        except PenchantError as error:
            raise PenchantError(f"chain_shapes(layers[{number}]): {error}") from None
    return tuple(shapes)


def window_of(module: "nn.Module") -> Window | None:
    """Read the window off one of torch's sliding layers.

    Args:
        module: any module.

    Returns:
        Its window, or None where it is no convolution, pooling or transposed convolution (an
        adaptive pooling has no window of its own).

    Example:
        >>> from torch import nn
        >>> window_of(nn.Conv2d(3, 8, (5, 3), padding="same")).output_shape((32, 32))
        (32, 32)
    """
    from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
    from torch.nn.modules.pooling import _AvgPoolNd, _LPPoolNd, _MaxPoolNd

    if isinstance(module, _ConvNd):
        transposed = isinstance(module, _ConvTransposeNd)
        return window(
            module.kernel_size,
            stride=module.stride,
            padding=module.padding,
            dilation=module.dilation,
            kind="transposed" if transposed else "conv",
            output_padding=module.output_padding,
        )
    if isinstance(module, _MaxPoolNd | _AvgPoolNd | _LPPoolNd):
        given: dict[str, Any] = {
            name: getattr(module, name)
            for name in ("stride", "padding", "dilation", "ceil_mode")
            if hasattr(module, name)
        }
        kernel: Any = module.kernel_size
        return window(kernel, kind="pool", axes=int(type(module).__name__[-2]), **given)
    return None


@overload
def same_padding(kernel: int, dilation: int = ..., stride: int = ...) -> int | tuple[int, int]: ...
@overload
def same_padding(
    kernel: Sequence[int], dilation: int | Sequence[int] = ..., stride: int | Sequence[int] = ...
) -> tuple[int | tuple[int, int], ...]: ...
def same_padding(
    kernel: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    stride: int | Sequence[int] = 1,
) -> int | tuple[int, int] | tuple[int | tuple[int, int], ...]:
    r"""Return the padding that keeps the size, whatever the size is.

    .. math:: p_{before} + p_{after} = d\,(k - 1)

    At stride 1 as many samples come out as go in, at stride s one in s, rounded up. Where
    d·(k − 1) is odd, as it is for an even kernel at odd dilation, no symmetric padding does this;
    the pair that does has the extra sample behind, as torch's ``"same"`` has.

    Args:
        kernel: taps of the window; several for several axes.
        dilation: steps between taps.
        stride: steps between windows. It does not change the answer: no other total gives
            ⌈in / s⌉ for every length.

    Returns:
        A number where a symmetric padding does it, else a pair (before, after); for several axes
        a tuple of these. Each fits :func:`output_shape`.

    Raises:
        PenchantError: a number below 1.

    Example:
        >>> same_padding(3), same_padding(3, dilation=4), same_padding(4), same_padding((3, 2))
        (1, 4, (1, 2), (1, (0, 1)))

    Source: Dumoulin & Visin, "A guide to convolution arithmetic for deep learning", 2016.
    """
    axes = window(kernel, dilation=dilation, stride=stride).axes
    answers: list[int | tuple[int, int]] = []
    for axis in axes:
        total = axis.extent - 1
        half = total // 2
        answers.append(half if total % 2 == 0 else (half, total - half))
    return answers[0] if isinstance(kernel, int) and len(answers) == 1 else tuple(answers)
