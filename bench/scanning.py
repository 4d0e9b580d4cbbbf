"""A scanning MLP window by window against the convolutional network that it equals.

Window by window stands at its best: the windows are a view of the signal (`unfold`), taken in
blocks of the size that is quickest here, and evaluated in the two ways that know the groups, the
MLP's own and the strided convolutions over a batch of windows; the quicker one counts. Beside it
stand the plain MLP with its zeros written out, on a tenth of the windows, and a loop that takes one
window at a time, on a two-hundredth. All sides take turns on one thread, in processor seconds;
times are medians over the turns, ratios medians of the turns'.
"""

import argparse

import torch
from divergence_cost import keep_memory
from torch import Tensor, nn
from turns import interleaved

from penchant.nn import ScanningMLP, dense_pass, evaluate_in_blocks

SAMPLES = 100_000
BLOCKS = (256, 512, 1024, 2048, 4096)
TENTH = 10
FEW = 200
HEADER = (
    "multiply-adds: dense | by window | converted | fewer | written out | by window "
    "| converted | sooner than written out | than by window | than one at a time |"
)


def by_windows(model: nn.Module, windows: Tensor, block: int) -> Tensor:
    pieces = windows.split(block)
    first: Tensor = model(pieces[0]).flatten(1)
    answers = first.new_empty(len(windows), first.shape[1])
    answers[: len(first)] = first
    for index, piece in enumerate(pieces[1:], 1):
        answers[index * block : index * block + len(piece)] = model(piece).flatten(1)
    return answers


def quickest_block(model: nn.Module, windows: Tensor) -> int:
    part = windows[: 4 * BLOCKS[-1]]
    taken = interleaved([lambda b=b: by_windows(model, part, b) for b in BLOCKS], 3)  # type: ignore[misc]
    return min(BLOCKS, key=lambda block: taken.median(BLOCKS.index(block)))


def compare(channels: int, filters: int, depth: int, turns: int) -> str:
    """Measure one scanning MLP of layers of width 2 and stride 2, scanned at stride 1."""
    mlp = ScanningMLP(channels, [(filters, 2, 2)] * depth)
    signal = torch.randn(1, channels, SAMPLES, generator=torch.Generator().manual_seed(0))
    windows = signal[0].unfold(-1, mlp.window[0], 1).movedim(0, 1)
    strided, dense, written = mlp.to_conv(), mlp.to_conv(stride=1), mlp.unshared()
    tenth, few = windows[: len(windows) // TENTH], windows[: len(windows) // FEW]
    own, conv, plain = (quickest_block(model, windows) for model in (mlp, strided, written))
    agree(evaluate_in_blocks(dense, signal)[0].T, by_windows(mlp, windows, own))
    taken = interleaved(
        [
            lambda: by_windows(mlp, windows, own),
            lambda: by_windows(strided, windows, conv),
            lambda: by_windows(written, tenth, plain),
            lambda: evaluate_in_blocks(dense, signal),
            lambda: by_windows(mlp, few, 1),
        ],
        turns,
    )
    quicker = min((0, 1), key=taken.median)
    counts = mlp.multiply_adds(SAMPLES, stride=1)
    return (
        f"| {channels} | {filters} | {mlp.window[0]} | {counts.dense / 1e6:,.0f} M "
        f"| {counts.windows / 1e6:,.0f} M | {counts.converted / 1e6:,.0f} M "
        f"| {counts.windows / counts.converted:.1f}× | {TENTH * taken.median(2) * 1e3:,.0f} ms "
        f"| {taken.median(quicker) * 1e3:.0f} ms | {taken.median(3) * 1e3:.1f} ms "
        f"| {TENTH * taken.ratio(2, 3):.0f}× | {taken.ratio(quicker, 3):.1f}× "
        f"| {FEW * taken.ratio(4, 3):,.0f}× |"
    )


def dense_first(filters: int, window: int, turns: int) -> str:
    """Measure an MLP whose first layer is dense over the window."""
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(window, filters), nn.ReLU(), nn.Linear(filters, 10)
    )
    converted = dense_pass(model, window=window)
    signal = torch.randn(1, 1, SAMPLES, generator=torch.Generator().manual_seed(0))
    windows = signal[0].unfold(-1, window, 1).movedim(0, 1)
    block = quickest_block(model, windows)
    agree(evaluate_in_blocks(converted, signal)[0].T, by_windows(model, windows, block))
    taken = interleaved(
        [
            lambda: by_windows(model, windows, block),
            lambda: converted(signal),
            lambda: evaluate_in_blocks(converted, signal),
        ],
        turns,
    )
    products = len(windows) * (window * filters + filters * 10)
    return (
        f"| {window} | {filters} | {products / 1e6:,.0f} M | {products / 1e6:,.0f} M "
        f"| {taken.median(0) * 1e3:.0f} ms | {taken.median(1) * 1e3:.0f} ms "
        f"| {taken.median(2) * 1e3:.0f} ms | {taken.ratio(0, 2):.2f}× |"
    )


def agree(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def table(turns: int = 5) -> str:
    """Measure all of it and lay it out as Markdown; on one thread, whatever is set."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    keep_memory()
    rule = "|--:" * 13 + "|"
    head = f"| channels | filters | window | {HEADER}"
    lines = [head, rule]
    for channels, filters in ((1, 8), (1, 16), (1, 32), (16, 16), (40, 16)):
        lines.append(compare(channels, filters, 6, turns))
    lines += ["", "As the window grows:", "", head, rule]
    lines += [compare(1, 16, depth, turns) for depth in (3, 4, 5, 6, 7)]
    lines += [
        "",
        "A first layer that is dense over the window (then ReLU and 10 outputs):",
        "",
        "| window | units | multiply-adds: by window | converted | by window | converted "
        "| converted, in blocks | sooner |",
        "|--:" * 8 + "|",
    ]
    lines += [dense_first(units, 64, turns) for units in (16, 128)]
    torch.set_num_threads(threads)
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    print(table(given.turns))
