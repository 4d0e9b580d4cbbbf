"""Scanning MLPs and the CNNs that they are: equal outputs in both directions, and their counts."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from penchant.claims._claim import Evidence
from penchant.claims._draws import apart, drawn, normal, whole
from penchant.claims._setting import Setting
from penchant.claims._tally import Tally
from penchant.nn import ParameterCounts, ScanningMLP, count_parameters
from penchant.randomness import generator

EXAMPLE = ((4, 2, 2), (3, 2, 2), (2, 2, 2))
"""The notes' own: filters, kernel width and stride of each layer."""
COUNTS = ParameterCounts(dense=260, unshared=116, shared=53)
"""Of the example, with biases."""
PURPOSE = "claims scanning"


def same_outputs(setting: Setting) -> Evidence:
    """Compare a CNN over whole signals with its MLP on each window by itself."""
    tally = Tally()
    for case in range(setting.several(smoke=20, quick=200, full=1000)):
        draws = generator(case, PURPOSE)
        _compare(tally, "the notes' 4-3-2", drawn(ScanningMLP(1, EXAMPLE), draws), draws)
        channels, layers, axes = _random(draws)
        mlp = drawn(ScanningMLP(channels, layers, dimensions=axes), draws)
        _compare(tally, "any other", mlp, draws)
    return {"checks": tally.checks(), "layers": [list(layer) for layer in EXAMPLE], "inputs": 8}


def _compare(tally: Tally, which: str, mlp: ScanningMLP, draws: torch.Generator) -> None:
    axes = len(mlp.window)
    longest = 20 if axes == 1 else 4
    length = [size + whole(0, longest, draws) for size in mlp.window]
    stride = [whole(1, size, draws) for size in mlp.window]
    signal = normal((2, mlp.structure.channels, *length), draws)
    case = f"{mlp.structure.channels} channels, layers {_short(mlp)}, length {length}"
    one_by_one = _by_windows(mlp, signal, stride)
    written = _by_windows(mlp.unshared(), signal, stride, mlp.window)
    with torch.no_grad():
        cnn = mlp.to_conv(stride=stride)(signal)
        tally.add(f"{which}: MLP to CNN", apart(cnn, one_by_one), case)
        tally.add(f"{which}: MLP with each repeated block written out", apart(cnn, written), case)
        # The second direction starts from torch's convolutions, with draws of their own.
        own = drawn(mlp.to_conv(), draws)
        back = ScanningMLP.from_conv(own)
        tally.add(
            f"{which}: CNN to MLP",
            apart(own(signal), _by_windows(back, signal, mlp.stride)),
            case,
        )


def _by_windows(
    mlp: nn.Module,
    signal: Tensor,
    stride: Sequence[int],
    window: Sequence[int] | None = None,
) -> Tensor:
    """Cut every window out and ask the MLP about it alone; the slow and obvious way."""
    sizes = mlp.window if isinstance(mlp, ScanningMLP) else window
    assert sizes is not None
    places = [
        range(0, length - size + 1, step)
        for length, size, step in zip(signal.shape[2:], sizes, stride, strict=True)
    ]
    answers = []
    with torch.no_grad():
        for start in torch.cartesian_prod(*map(torch.tensor, places)).reshape(-1, len(places)):
            piece = signal
            for axis, (first, size) in enumerate(zip(start.tolist(), sizes, strict=True)):
                piece = piece.narrow(2 + axis, first, size)
            answers.append(mlp(piece.contiguous()))
    shape = (*answers[0].shape, *map(len, places))
    return torch.stack(answers, dim=-1).reshape(shape)


def counts(setting: Setting) -> Evidence:
    """Count parameters by formula, and in the networks themselves."""
    tally = Tally()
    example = _counted(drawn(ScanningMLP(1, EXAMPLE), generator(0, PURPOSE)))
    for form, wanted in COUNTS._asdict().items():
        tally.add(f"the notes' 4-3-2: {form}, {wanted}", getattr(example, form) - wanted)
    for mlp, case in _networks(setting):
        for form, formula in mlp.parameter_counts._asdict().items():
            counted = getattr(_counted(mlp), form)
            tally.add(f"{form}: formula and count", counted - formula, case)
        in_the_cnn = count_parameters(mlp.to_conv())
        tally.add("shared: MLP and CNN", in_the_cnn - count_parameters(mlp), case)
    return {"checks": tally.checks(), "example": example._asdict()}


def fewer(setting: Setting) -> Evidence:
    """See in which networks sharing saves parameters."""
    tally = Tally()
    shares = []
    for mlp, case in _networks(setting):
        dense, unshared, shared = _counted(mlp)
        repeated = any(mlp.structure.places(i + 1) > 1 for i in range(len(mlp.layers)))
        if repeated:
            shares.append(shared / dense)
            tally.require("shared < unshared, where a block is repeated", shared < unshared, case)
            tally.require("unshared < dense, where a block is repeated", unshared < dense, case)
        else:
            tally.require("shared = unshared, where none is", shared == unshared, case)
    middle = sorted(shares)[len(shares) // 2]
    return {"checks": tally.checks(), "median_share_of_dense": round(middle, 6)}


def _networks(setting: Setting) -> list[tuple[ScanningMLP, str]]:
    found = []
    for case in range(setting.several(smoke=30, quick=300, full=2000)):
        draws = generator(case, PURPOSE, 1)
        channels, layers, axes = _random(draws)
        mlp = drawn(ScanningMLP(channels, layers, dimensions=axes), draws)
        found.append((mlp, f"{channels} channels, layers {_short(mlp)}"))
    return found


def _counted(mlp: ScanningMLP) -> ParameterCounts:
    """Count in the written-out MLP: all its numbers, and those that are not zero."""
    linears = [layer for layer in mlp.unshared() if isinstance(layer, nn.Linear)]
    biases = sum(layer.bias.numel() for layer in linears)
    dense = sum(layer.weight.numel() for layer in linears) + biases
    connected = sum(int(layer.weight.count_nonzero()) for layer in linears) + biases
    return ParameterCounts(dense, connected, count_parameters(mlp))


def _random(draws: torch.Generator) -> tuple[int, list[tuple[int, int, int, int]], int]:
    """Draw a network: channels; filters, width, stride and dilation of 1 to 3 layers; axes."""
    axes = whole(1, 4, draws) // 4 + 1  # one in four is for pictures
    widest = 3 if axes == 1 else 2
    layers = [
        (whole(1, 4, draws), whole(1, widest, draws), whole(1, 3, draws), whole(1, 2, draws))
        for _ in range(whole(1, 3, draws) if axes == 1 else 2)
    ]
    return whole(1, 3, draws), layers, axes


def _short(mlp: ScanningMLP) -> str:
    return ", ".join(
        f"{layer.filters} of width {layer.width} at stride {layer.stride}"
        for layer in mlp.structure.layers
    )
