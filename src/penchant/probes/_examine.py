"""All probes on one network: what a reader should know of it before anything else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.probes._activity import ActivityReport, activity
from penchant.probes._finding import Finding
from penchant.probes._gradient_flow import gradient_flow
from penchant.probes._gradient_report import GradientReport
from penchant.probes._layers import tensors_in
from penchant.probes._linearity import LinearityReport, identity_shares
from penchant.probes._path_lengths import PathLengths, path_lengths
from penchant.probes._shift import ShiftReport, shift_response
from penchant.probes._signal import SignalReport, signal_propagation
from penchant.randomness import generator

Report = (
    ActivityReport | GradientReport | LinearityReport | PathLengths | ShiftReport | SignalReport
)


@dataclass(frozen=True)
class Examination:
    """What each probe says of a network. Printed, the findings stand first.

    Args:
        reports: by the probe's name.
        left_out: by the probe's name, why it does not apply.
    """

    reports: Mapping[str, Report]
    left_out: Mapping[str, str]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that the probes warn of."""
        return tuple(finding for report in self.reports.values() for finding in report.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and words, as ``penchant inspect --probe --json`` prints them."""
        return {
            "findings": [vars(finding) for finding in self.findings],
            "probes": {name: report.sentence for name, report in self.reports.items()},
            "left_out": dict(self.left_out),
        }

    def __str__(self) -> str:
        nothing = (
            "no probe warns of anything" if self.reports else "no probe could measure anything"
        )
        warned = [f"! {finding}" for finding in self.findings] or [nothing]
        said = [f"{name}: {report.sentence}" for name, report in self.reports.items()]
        alike: dict[str, list[str]] = {}
        for name, why in self.left_out.items():
            alike.setdefault(why, []).append(name)
        missing = [f"{', '.join(names)}: not measured: {why}" for why, names in alike.items()]
        return "\n".join([*warned, *said, *missing])


def examine(
    network: nn.Module,
    inputs: Shaped[Tensor, "samples *shape"],
    targets: Tensor | None = None,
    divergence: Callable[[Any, Any], Tensor] | None = None,
) -> Examination:
    """Ask every probe that applies.

    The network is taken in the mode it is in, and nothing of it changes.

    Args:
        network: any module from one tensor to one tensor.
        inputs: a batch of what it is given.
        targets: what it should answer; without them all that it answers is held against keyed
            draws of a normal distribution, which is enough to see whether gradients arrive.
        divergence: answers and targets to a scalar; by default the mean squared difference.

    Returns:
        The probes' reports and findings. Paths are left out where there are no residual blocks, a
        shift's response where the inputs are no pictures, and whatever the network raises at.

    Raises:
        PenchantError: inputs that are no tensor, or targets without a divergence or the other way.

    Example:
        >>> network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> with torch.no_grad():
        ...     _ = network[0].bias.fill_(-100)
        >>> print(examine(network, torch.ones(16, 4)).findings[-1].layer)
        1
    """
    if (targets is None) != (divergence is None):
        raise PenchantError("examine: targets and divergence go together; give both or neither")
    if not isinstance(inputs, Tensor):
        raise PenchantError(
            f"examine(inputs): a {type(inputs).__name__}; one tensor of samples would fit (of "
            "several inputs make a network of one, or use GradientFlow in your own loop)"
        )
    against = divergence or _against_draws
    asked: dict[str, Callable[[], Report]] = {
        "gradients": lambda: gradient_flow(network, against, inputs, targets),
        "signal": lambda: signal_propagation(network, inputs),
        "activity": lambda: activity(network, [inputs]),
        "identity": lambda: identity_shares(network, inputs),
        "paths": lambda: path_lengths(
            network, against, inputs, inputs[:0] if targets is None else targets
        ),
        "shift": lambda: shift_response(network, inputs),
    }
    reports: dict[str, Report] = {}
    left_out: dict[str, str] = {}
    for name, ask in asked.items():
        why = _not_for(name, inputs, reports)
        try:
            if why:
                left_out[name] = why
            else:
                reports[name] = ask()
        except PenchantError as error:
            left_out[name] = str(error)
        except Exception as error:  # a user's forward may raise whatever it likes
            left_out[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return Examination(reports, left_out)


def _not_for(name: str, inputs: Tensor, reports: Mapping[str, Report]) -> str:
    """Say why a probe does not apply, in words, or nothing."""
    if name == "shift" and inputs.ndim != 4:
        return "the inputs are no pictures (samples × channels × height × width)"
    found = reports.get("identity")
    if name == "paths" and isinstance(found, LinearityReport) and not found.blocks:
        return "there are no residual blocks"
    return ""


def _against_draws(answer: Any, _: Any) -> Tensor:
    """Hold every tensor of an answer against draws, so that what leads to any of them is asked."""
    found = [one for one in tensors_in(answer) if one.numel()]
    if not found:
        raise PenchantError(
            f"examine: the network answers with {type(answer).__name__}, in which there is no "
            "tensor of real numbers; give targets and a divergence that takes its answer"
        )
    total = torch.zeros((), device=found[0].device)
    for step, one in enumerate(found):
        numbers = torch.view_as_real(one) if one.is_complex() else one
        draws = torch.randn(numbers.shape, generator=generator(0, "probes/targets", step))
        total = total + (numbers - draws.to(numbers)).square().mean()
    return total
