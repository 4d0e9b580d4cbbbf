"""What divergences cost beside torch's own losses: a value and its gradient, on one thread.

The sides of a line take turns within one run on the same tensors, in processor seconds; times are
medians over the turns, ratios medians of the turns' ratios.
"""

import argparse
import contextlib
import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from penchant.divergences import Divergence, divergence

SAMPLES = 1_000_000
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""glibc's malloc.h"""


def keep_memory() -> None:
    """Have glibc keep what is freed, so that arithmetic is compared and not page faults.

    Left alone it hands large blocks back to the kernel, or keeps them, depending on what was freed
    before, which makes a factor of up to five and falls on either side of a line.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


@dataclass(frozen=True)
class Case:
    """A divergence with its link, the outputs of a sample, and the loss of torch's that it is."""

    name: str
    link: str
    outputs: tuple[int, ...]
    words: str
    torch_loss: Callable[[Tensor, Tensor], Tensor]
    targets: str = "numbers"

    def tensors(self, samples: int) -> tuple[Tensor, Tensor]:
        draws = torch.Generator().manual_seed(0)
        shape = (samples, *self.outputs)
        output = torch.randn(shape, generator=draws)
        if self.targets == "classes":
            target = torch.randint(self.outputs[0], (samples,), generator=draws)
        elif self.targets == "rows":
            target = torch.randn(shape, generator=draws).softmax(1)
        elif self.targets == "one-hot rows":
            classes = torch.randint(self.outputs[0], (samples,), generator=draws)
            target = F.one_hot(classes, self.outputs[0]).float()
        elif self.targets == "fractions":
            target = torch.rand(shape, generator=draws)
        elif self.targets == "zeros and ones":
            target = torch.randint(2, shape, generator=draws).float()
        else:
            target = torch.randn(shape, generator=draws)
        if self.link == "identity" and self.targets != "numbers":
            output = torch.sigmoid(output) if not self.outputs else output.softmax(1)
        return output.requires_grad_(), target


def nll(y: Tensor, d: Tensor) -> Tensor:
    return F.nll_loss(y.log(), d)


def binary_kl_of_logits(z: Tensor, d: Tensor) -> Tensor:
    yes = F.kl_div(F.logsigmoid(z), d, reduction="batchmean")
    return yes + F.kl_div(F.logsigmoid(-z), 1 - d, reduction="batchmean")


def binary_kl_of_probabilities(y: Tensor, d: Tensor) -> Tensor:
    yes = F.kl_div(y.log(), d, reduction="batchmean")
    return yes + F.kl_div((1 - y).log(), 1 - d, reduction="batchmean")


def kl_of_logits(z: Tensor, d: Tensor) -> Tensor:
    return F.kl_div(F.log_softmax(z, 1), d, reduction="batchmean")


def kl_of_probabilities(y: Tensor, d: Tensor) -> Tensor:
    return F.kl_div(y.log(), d, reduction="batchmean")


def cases() -> list[Case]:
    bce, logits = F.binary_cross_entropy, F.binary_cross_entropy_with_logits
    return [
        *(
            case
            for outputs in ((), (3,), (10,))
            for case in (
                Case("l2", "identity", outputs, "mse_loss", F.mse_loss),
                Case("l1", "identity", outputs, "l1_loss", F.l1_loss),
                Case("huber", "identity", outputs, "huber_loss", F.huber_loss),
            )
        ),
        *(
            case
            for kind in ("zeros and ones", "fractions")
            for case in (
                Case("binary_cross_entropy", "sigmoid", (), "..._with_logits", logits, kind),
                Case("binary_cross_entropy", "identity", (), "binary_cross_entropy", bce, kind),
                Case("binary_kl", "sigmoid", (), "kl_div twice", binary_kl_of_logits, kind),
                Case("binary_kl", "identity", (), "kl_div twice", binary_kl_of_probabilities, kind),
            )
        ),
        *(
            case
            for outputs in ((2,), (10,))
            for case in (
                Case(
                    "cross_entropy", "softmax", outputs, "cross_entropy", F.cross_entropy, "classes"
                ),
                Case("cross_entropy", "softmax", outputs, "cross_entropy", F.cross_entropy, "rows"),
                Case("cross_entropy", "identity", outputs, "nll_loss of log", nll, "classes"),
                *(
                    case
                    for kind in ("rows", "one-hot rows")
                    for case in (
                        Case("kl", "softmax", outputs, "kl_div of log_softmax", kl_of_logits, kind),
                        Case("kl", "identity", outputs, "kl_div of log", kl_of_probabilities, kind),
                    )
                ),
            )
        ),
    ]


def gradient(loss: Callable[[Tensor, Tensor], Tensor], output: Tensor, target: Tensor) -> None:
    output.grad = None
    loss(output, target).backward()


@torch.no_grad()
def derivative(loss: Divergence, output: Tensor, target: Tensor) -> None:
    loss.derivative(output, target)


def seconds(function: Callable[[], object]) -> float:
    started = time.thread_time()  # processor seconds: other work on the machine counts less
    function()
    return time.thread_time() - started


def measure(case: Case, turns: int, samples: int) -> list[str]:
    output, target = case.tensors(samples)
    checked: Divergence = divergence(case.name, link=case.link)  # type: ignore[arg-type]
    plain: Divergence = divergence(case.name, link=case.link, validate=False)  # type: ignore[arg-type]
    plainly = output.detach()
    sides: list[Callable[[], object]] = [
        lambda: gradient(case.torch_loss, output, target),
        lambda: gradient(checked, output, target),
        lambda: gradient(plain, output, target),
        lambda: derivative(checked, plainly, target),
    ]
    for side in sides:
        side()
    taken = [[seconds(side) for side in sides] for _ in range(turns)]
    medians = [statistics.median(turn[i] for turn in taken) for i in range(4)]
    ratios = [statistics.median(turn[i] / turn[0] for turn in taken) for i in range(4)]
    shape = "×".join(f"{size:,}" for size in (samples, *case.outputs))
    return [
        f"{case.name} ({case.link})",
        shape,
        case.targets,
        case.words,
        f"{medians[0] * 1e3:.1f} ms",
        f"{medians[1] * 1e3:.1f} ms",
        f"{ratios[1]:.2f}",
        f"{ratios[2]:.2f}",
        f"{ratios[3]:.2f}",
    ]


def table(turns: int, samples: int = SAMPLES, only: str = "") -> str:
    """Measure every case and lay them out as Markdown; on one thread, whatever is set."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    keep_memory()
    lines = [
        "| divergence (link) | batch | targets | torch's own | its time | ours | ratio | unchecked "
        "| derivative |",
        "|---|---|---|---|--:|--:|--:|--:|--:|",
    ]
    for case in cases():
        if only in f"{case.name} {case.link}":
            lines.append(f"| {' | '.join(measure(case, turns, samples))} |")
    torch.set_num_threads(threads)
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--only", default="", help="part of 'name link'")
    given = parser.parse_args()
    print(table(given.turns, given.samples, given.only))
