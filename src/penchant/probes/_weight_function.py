"""A network's answers as a function of its weights: what the tangent kernel differentiates.

Decisions:
- Complex weights are pairs of real ones, as gradient descent moves them; complex answers are pairs
  of real ones too.
- A sample's answer must depend on nothing but that sample and the weights, since a kernel is of two
  samples. This is tried on a few points, not read off the network's modules.
- The network is left as it was: buffers are copies, and torch's random stream is put back.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, jacrev, jvp, vjp, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from penchant.errors import PenchantError
from penchant.probes._passes import check_inputs, check_network, kept_stream, slow_attention

NUMBERS = 2**26
"""Numbers of a Jacobian that are held at once: half a gigabyte of float64."""
TRIED = 4
"""Points on which a network is run in two ways."""

Weights = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class WeightFunction:
    """f(w, x) for the trainable weights w of a network, all of them real."""

    weights: Weights
    """At the network's own values."""
    outputs: int
    """Real numbers in a sample's answer."""
    run: Callable[[Weights, Tensor], Tensor]
    """Weights and points to answers, a row a point."""
    caller: str
    """Who asks, for errors."""

    @property
    def size(self) -> int:
        """How many real weights there are."""
        return sum(one.numel() for one in self.weights.values())

    def jacobian(self, points: Tensor) -> Float[Tensor, "points outputs weights"]:
        """∂f/∂w at every point, each for itself."""

        def single(weights: Weights, point: Tensor) -> Tensor:
            return self.run(weights, point[None])[0]

        with self._refusing():
            parts = vmap(jacrev(single), in_dims=(None, 0))(self.weights, points)
        return torch.cat([part.flatten(2) for part in parts.values()], 2)

    @property
    def points_at_once(self) -> int:
        """Points whose Jacobian is held at once."""
        return max(1, NUMBERS // (self.outputs * self.size))

    def pushed(self, points: Tensor, directions: Weights) -> Float[Tensor, "points outputs"]:
        """J·ξ, by how much answers move when the weights move along `directions`."""
        with self._refusing(), warnings.catch_warnings():
            # Of torch's own making: its first forward derivative scripts some formulas.
            warnings.filterwarnings("ignore", ".*torch.jit.script.*", DeprecationWarning)
            moved = [
                jvp(lambda w, part=part: self.run(w, part), (self.weights,), (directions,))[1]
                for part in torch.split(points, self._rows)
            ]
        return torch.cat(moved)

    def pulled(
        self, points: Tensor, answers: Float[Tensor, "points outputs"]
    ) -> Float[Tensor, " weights"]:
        """Jᵀ·v, the weights' direction that a residual v pulls along."""
        total = torch.zeros(self.size, dtype=torch.float64, device=points.device)
        with self._refusing():
            for part, given in zip(
                torch.split(points, self._rows), torch.split(answers, self._rows), strict=True
            ):
                found, back = _vjp(self.run, self.weights, part)
                (gradient,) = back(given.to(found))
                total += torch.cat([one.flatten() for one in gradient.values()]).double()
        return total

    def split(self, vector: Float[Tensor, " weights"]) -> Weights:
        """Give a vector of all weights their names and shapes."""
        pieces = torch.split(vector, [one.numel() for one in self.weights.values()])
        return {
            name: piece.view(one.shape).to(one)
            for (name, one), piece in zip(self.weights.items(), pieces, strict=True)
        }

    _rows = 8192

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # functorch's own: data-dependent branches, no derivative
            said = str(error).strip().split("\n")[0]
            raise PenchantError(
                f"{self.caller}: torch.func cannot differentiate the network ({said}); one whose "
                "forward has no branches on data and no writing into its inputs would fit"
            ) from error


def weight_function(network: nn.Module, points: Tensor, caller: str) -> WeightFunction:
    """Make the function, having tried it on the first points.

    Args:
        network: any module.
        points: what it will be asked.
        caller: who asks, for errors.

    Raises:
        PenchantError: no module, no trainable weight, an answer that is no tensor with a row for
            each point, or one that depends on other samples or on chance.
    """
    check_network(caller, network)
    check_inputs(f"{caller}(points)", points)
    trained = {name: p.detach() for name, p in network.named_parameters() if p.requires_grad}
    if not trained:
        raise PenchantError(
            f"{caller}: {type(network).__name__} has no trainable parameter; the tangent kernel is "
            "taken over parameters with requires_grad=True"
        )
    frozen = {name: p.detach() for name, p in network.named_parameters() if not p.requires_grad}
    buffers = {name: buffer.detach().clone() for name, buffer in network.named_buffers()}
    waves = {name for name, p in trained.items() if p.is_complex()}

    def run(weights: Weights, asked: Tensor) -> Tensor:
        whole = {
            name: torch.complex(one[..., 0], one[..., 1]) if name in waves else one
            for name, one in weights.items()
        }
        # Fused attention has no forward derivative.
        with sdpa_kernel(SDPBackend.MATH), slow_attention():
            answer = functional_call(network, {**frozen, **buffers, **whole}, (asked,))
        if not isinstance(answer, Tensor) or not answer.ndim or len(answer) != len(asked):
            raise PenchantError(
                f"{caller}: {type(network).__name__} answers {_describe(answer)} to "
                f"{len(asked)} samples; a tensor with a row for each would fit"
            )
        answer = torch.view_as_real(answer) if answer.is_complex() else answer
        return answer.reshape(len(asked), -1)

    weights = {
        name: torch.view_as_real(one) if name in waves else one for name, one in trained.items()
    }
    outputs = _try(network, lambda asked: run(weights, asked), points[:TRIED], caller)
    return WeightFunction(weights, outputs, run, caller)


def _vjp(
    run: Callable[[Weights, Tensor], Tensor], weights: Weights, points: Tensor
) -> tuple[Tensor, Callable[[Tensor], tuple[Weights]]]:
    answers, back = vjp(lambda w: run(w, points), weights)[:2]
    return answers, back


def _try(network: nn.Module, run: Callable[[Tensor], Tensor], points: Tensor, caller: str) -> int:
    """Hold answers to several samples against those to each alone; return how many there are."""
    with torch.no_grad(), kept_stream(network):
        together = run(points)
        try:
            alone = torch.cat([run(point[None]) for point in points])
        except ValueError:  # batch norm in training refuses a single sample
            alone = torch.full_like(together, torch.nan)
    apart = float((together - alone).abs().max()) if alone.isfinite().all() else torch.inf
    if not together.isfinite().all():
        raise PenchantError(f"{caller}: the network's answers are not finite at these points")
    if apart > 1e-3 * float(together.abs().max()) + 1e-6:
        raise PenchantError(
            f"{caller}: a sample's answer depends on the other samples or on chance, as in batch "
            "norm or dropout in training; network.eval() would fit, as a kernel is of two samples"
        )
    return together.shape[1]


def _describe(answer: object) -> str:
    if isinstance(answer, Tensor):
        return f"a tensor of shape {tuple(answer.shape)}"
    return f"a {type(answer).__name__}"
