"""The sharpest direction of a loss: the Hessian's largest eigenvalue, without the Hessian.

Decisions:
- The network runs once; each Hessian-vector product is one more pass backward through the graph
  that is kept. So dropout's mask is one and the same for all products, and the Hessian is one.
- A pair counts as found once its residual is below the square root of the number type's precision,
  relative to the spectrum: the eigenvalue errs by the residual's square over the gap to the next
  one, so that a smaller residual would not change its digits.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from penchant.errors import PenchantError
from penchant.randomness import generator

_Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Curvature:
    """The largest eigenvalue of a Hessian, its direction, and how far to trust them."""

    largest: float
    """λ, the largest eigenvalue (the most positive one), in divergence per squared weight."""
    direction: tuple[Tensor, ...]
    """Its eigenvector, of length 1: a tensor for each trainable parameter, in their order."""
    residual: float
    """‖Hv − λv‖: some eigenvalue lies within this of `largest`."""
    smallest: float
    """The least Rayleigh quotient that was met: the smallest eigenvalue is this or lower."""
    products: int
    """Hessian-vector products that were taken."""
    converged: bool
    """Whether the residual is below √ε of the spectrum's reach, ε the number type's precision."""

    @property
    def step_limit(self) -> float:
        """2/λ, above which gradient descent's steps grow along `direction`; ∞ for λ ≤ 0."""
        return 2 / self.largest if self.largest > 0 else math.inf


def largest_curvature(
    network: nn.Module,
    divergence: Callable[[Tensor, Tensor], Tensor],
    inputs: Shaped[Tensor, "samples *features"],
    targets: Shaped[Tensor, "samples *answer"],
    *,
    iterations: int = 200,
    seed: int = 0,
) -> Curvature:
    r"""Find the largest eigenvalue of the divergence's Hessian over a network's parameters.

    .. math:: H = \nabla^2_w D(w), \qquad H v = \nabla_w (\nabla_w D \cdot v), \qquad
              \lambda = \max_{\lVert v\rVert = 1} v \cdot H v

    Near a minimum gradient descent multiplies the distance along an eigenvector by 1 − ηλ a step,
    so that step sizes below 2/λ converge and larger ones do not. Found by Lanczos' iteration with
    full reorthogonalisation on products by automatic differentiation: H itself, of the parameters'
    number squared, is never formed. The network is taken in the mode it is in, and nothing of it
    changes: no gradients, no running statistics.

    Args:
        network: any module with real parameters; frozen ones stand still, tied ones count once.
        divergence: output and targets to a scalar, for example ``KL("softmax")``.
        inputs: what the network is given.
        targets: what it should answer.
        iterations: at most so many products before the last, which gives the residual; memory for
            as many vectors of the parameters' size is needed where all of them are taken.
        seed: of the starting vector.

    Returns:
        The eigenvalue, its direction and their residual. An eigenvalue of several directions comes
        with one of them.

    Raises:
        PenchantError: no parameter is trainable, one is complex, the divergence is no finite
            scalar that depends on them, or `iterations` is not a whole number above 0.

    Example:
        >>> from penchant.divergences import L2
        >>> net = nn.Linear(2, 1, bias=False)
        >>> inputs = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
        >>> found = largest_curvature(net, L2(), inputs, torch.zeros(2, 1))
        >>> round(found.largest, 4), round(found.smallest, 4), round(found.step_limit, 4)
        (4.5, 0.5, 0.4444)
        >>> found.direction[0].abs().round(decimals=3)
        tensor([[1., 0.]])

    Source: Lanczos, "An iteration method for the solution of the eigenvalue problem", 1950;
    Pearlmutter, "Fast exact multiplication by the Hessian", 1994; Cohen et al., "Gradient descent
    on neural networks typically occurs at the edge of stability", 2021.
    """
    if not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 1:
        raise PenchantError(
            f"largest_curvature(iterations={iterations!r}): needs a whole number of at least 1"
        )
    parameters = _trainable(network)
    product = _hessian(network, parameters, divergence, inputs, targets)
    size = sum(p.numel() for p in parameters)
    precision = max(torch.finfo(p.dtype).eps for p in parameters)
    dtype = torch.promote_types(parameters[0].dtype, torch.float32)
    for p in parameters:
        dtype = torch.promote_types(dtype, p.dtype)
    start = torch.randn(size, generator=generator(seed, "curvature"), dtype=torch.float64)
    start = start.to(parameters[0].device, dtype)

    vector, ends, taken = _lanczos(product, start, min(iterations, size), precision)
    image = product(vector)
    largest = float(vector @ image)
    residual = float(torch.linalg.vector_norm(image - largest * vector))
    reach = max(abs(end) for end in ends)
    vector = vector * vector[vector.abs().argmax()].sign()  # of the two, always the same one
    return Curvature(
        largest=largest,
        direction=tuple(_like(vector, parameters)),
        residual=residual,
        smallest=min(ends[0], largest),
        products=taken + 1,
        converged=residual <= math.sqrt(precision) * reach,
    )


def _lanczos(
    product: _Product, start: Float[Tensor, " size"], iterations: int, precision: float
) -> tuple[Float[Tensor, " size"], tuple[float, float], int]:
    """Return the top Ritz vector, the lowest and highest Ritz value, and the products taken.

    In the basis Q of the Krylov space the matrix is tridiagonal, T; (θ, s) of T gives the pair
    (θ, Qs), whose residual is the next off-diagonal entry times s's last component.
    """
    basis = start.new_empty(iterations, len(start))
    diagonal, beside = [], []
    following = start
    for step in range(iterations):
        basis[step] = following / torch.linalg.vector_norm(following)
        known = basis[: step + 1]
        following = product(basis[step])
        diagonal.append(float(basis[step] @ following))
        for _ in range(2):  # twice is enough (Giraud et al., 2005)
            following = following - known.T @ (known @ following)
        beside.append(float(torch.linalg.vector_norm(following)))
        values, vectors = torch.linalg.eigh(_tridiagonal(diagonal, beside[:-1]))
        reach = float(values.abs().max())
        # Stricter by 4 than what is then asked of the true residual, which rounding disturbs;
        # nothing left over means that the whole space the start can reach is known.
        if beside[-1] * abs(float(vectors[-1, -1])) <= math.sqrt(precision) * reach / 4:
            break
    ritz = known.T @ vectors[:, -1].to(start)
    return (
        ritz / torch.linalg.vector_norm(ritz),
        (float(values[0]), float(values[-1])),
        len(diagonal),
    )


def _tridiagonal(diagonal: list[float], beside: list[float]) -> Float[Tensor, "steps steps"]:
    matrix = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    off = torch.tensor(beside, dtype=torch.float64)
    return matrix + torch.diag(off, 1) + torch.diag(off, -1)


def _hessian(
    network: nn.Module,
    parameters: list[nn.Parameter],
    divergence: Callable[[Tensor, Tensor], Tensor],
    inputs: Tensor,
    targets: Tensor,
) -> _Product:
    """The map v -> Hv; the graph of the gradient lives as long as it does."""
    # A forward pass may write into buffers (running statistics): it gets copies. Fused attention
    # has no second derivative; the plain one has.
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        value = divergence(functional_call(network, buffers, (inputs,)), targets)
        if value.ndim != 0 or not value.requires_grad or not bool(value.isfinite()):
            raise PenchantError(
                f"largest_curvature: the divergence gave {_describe(value)}; a finite scalar that "
                "depends on the parameters would fit, since its second derivatives are asked for"
            )
        firsts = torch.autograd.grad(value, parameters, create_graph=True, allow_unused=True)
    # What the divergence is linear in, or does not know, has no second derivative: zeros.
    bent = [i for i, first in enumerate(firsts) if first is not None and first.requires_grad]
    gradients = [firsts[i] for i in bent]

    def product(vector: Tensor) -> Tensor:
        pieces = _like(vector, parameters)
        seconds: tuple[Tensor | None, ...] = (None,) * len(parameters)
        if bent:
            seconds = torch.autograd.grad(
                gradients,
                parameters,
                [pieces[i] for i in bent],
                retain_graph=True,
                allow_unused=True,
            )
        image = torch.cat(
            [
                (torch.zeros_like(p) if second is None else second).flatten().to(vector)
                for p, second in zip(parameters, seconds, strict=True)
            ]
        ).detach()
        if not bool(image.isfinite().all()):
            raise PenchantError(
                "largest_curvature: a second derivative is not finite at these parameters; "
                "parameters and inputs where the divergence is smooth would fit"
            )
        return image

    return product


def _trainable(network: nn.Module) -> list[nn.Parameter]:
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    for name, p in named:
        if p.is_complex():
            raise PenchantError(
                f"largest_curvature: parameter {name!r} of shape {tuple(p.shape)} is complex; real "
                "parameters would fit, since the Hessian is taken over real numbers"
            )
    if not named:
        raise PenchantError(
            f"largest_curvature: {type(network).__name__} has no trainable parameter; the Hessian "
            "is taken over parameters with requires_grad=True"
        )
    return [p for _, p in named]


def _like(vector: Tensor, parameters: list[nn.Parameter]) -> list[Tensor]:
    pieces = torch.split(vector, [p.numel() for p in parameters])
    return [piece.view(p.shape).to(p) for piece, p in zip(pieces, parameters, strict=True)]


def _describe(value: Tensor) -> str:
    if value.ndim != 0:
        return f"a tensor of shape {tuple(value.shape)}"
    return f"{value.item():g}" + ("" if value.requires_grad else ", which has no gradient")
