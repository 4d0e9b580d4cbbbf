r"""The empirical tangent kernel: which answers a network learns together, and how fast.

Decisions:
- Up to 2,048 answers the kernel is formed, from Jacobians in blocks of half a gigabyte; beyond, its
  leading eigenvalues are found by Lanczos' iteration on products K v = J (Jᵀ v), each a pass
  backward and one forward. Both are of the same kernel: nothing is sampled.
- Derivatives are taken in the network's own precision and multiplied in float64.
- An eigenvector's frequency is that of the plane wave that it holds most of.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.probes._finding import Finding
from penchant.probes._passes import table
from penchant.probes._segments import checked_count
from penchant.probes._weight_function import WeightFunction, weight_function
from penchant.randomness import generator

EXACT = 2048
"""Answers up to which the kernel is formed."""
DIRECTIONS = 3
"""Coordinates up to which eigenvectors have a frequency."""
WAVES = 4096
"""Plane waves that an eigenvector is held against, at most; those of lowest frequency."""


@dataclass(frozen=True, eq=False)
class TangentKernel:
    """Eigenvalues of a tangent kernel, its leading eigenvectors and their frequencies."""

    eigenvalues: Float[Tensor, " kept"]
    """From the largest on: all of them where `exact`, else the leading ones."""
    eigenvectors: Float[Tensor, "rows leading"]
    """Of the leading ones, of length 1; a row is a point, or with `per_output` an answer."""
    frequencies: tuple[float, ...]
    """In cycles per unit, of each leading eigenvector; empty where points are no coordinates."""
    trace: float
    """The sum of all eigenvalues."""
    residual: float
    """The largest ‖Kv − λv‖ over λ₁: 0 up to rounding where `exact`."""
    exact: bool
    """Whether the kernel was formed."""
    matrix: Float[Tensor, "rows rows"] | None
    """The kernel itself, where it was formed."""
    points: int
    """Samples."""
    outputs: int
    """Numbers in a sample's answer."""
    per_output: bool
    """Whether a row is one number of an answer; else the kernel is summed over outputs."""

    @property
    def held(self) -> int | None:
        """How many leading eigenvalues sum to 90 % of the trace; None beyond those known."""
        if not self.trace:
            return 0
        index = int(torch.searchsorted(self.eigenvalues.cumsum(0), 0.9 * self.trace))
        return index + 1 if index < len(self.eigenvalues) else None

    @property
    def sentence(self) -> str:
        """The outcome in a sentence."""
        held = f"more than {len(self.eigenvalues)}" if self.held is None else str(self.held)
        way = "exact" if self.exact else f"by products, residual {self.residual:.0e} of the largest"
        rows = self.points * (self.outputs if self.per_output else 1)
        told = (
            f"{held} of {rows:,} eigenvalues hold 90% of the tangent kernel ({way}); "
            f"the largest, {float(self.eigenvalues[0]):.3g}, holds "
            f"{float(self.eigenvalues[0]) / self.trace if self.trace else 0:.0%}"
        )
        if self.frequencies:
            told += f"; the leading {len(self.frequencies)} eigenvectors reach "
            told += f"{max(self.frequencies):.3g} cycles per unit"
        return told

    @property
    def findings(self) -> tuple[Finding, ...]:
        """A kernel of zeros: no step moves any answer."""
        if self.trace:
            return ()
        said = "no weight moves an answer at any of the points (tangent kernel 0)"
        return (Finding("detached", "the network", said),)

    def __str__(self) -> str:
        count = min(10, self.eigenvectors.shape[1])
        known = [f"{one:.2f}" for one in self.frequencies] or [""] * count
        share = 1 / self.trace if self.trace else 0.0
        rows = [
            (
                str(index + 1),
                f"{float(self.eigenvalues[index]):.3g}",
                f"{float(self.eigenvalues[index]) * share:.1%}",
                known[index],
            )
            for index in range(count)
        ]
        heads = ("eigenvector", "eigenvalue", "of the trace", "cycles per unit")
        return "\n".join(
            [table(heads, rows), self.sentence, *(f"- {one}" for one in self.findings)]
        )


def tangent_kernel(
    network: nn.Module,
    points: Shaped[Tensor, "points *features"],
    *,
    per_output: bool = False,
    exact: bool | None = None,
    leading: int = 32,
    seed: int = 0,
) -> TangentKernel:
    r"""Return a network's empirical tangent kernel on points, its eigenvalues and frequencies.

    .. math:: K_{ij} = \sum_c \frac{\partial f_c(x_i)}{\partial w} \cdot
              \frac{\partial f_c(x_j)}{\partial w}, \qquad
              \frac{d}{dt}(f - y) = -\tfrac{1}{N} K (f - y)

    the second under gradient flow on half the mean squared error, while weights are near their
    start: a residual along an eigenvector of eigenvalue λ falls as :math:`e^{-\lambda t/N}`. The
    kernel is summed over outputs; with `per_output` it has a row for each output of each point, all
    outputs of the first point first. Complex weights count as pairs of real ones. The network is
    taken in the mode it is in, and nothing of it changes.

    Args:
        network: any module that `torch.func.functional_call` takes.
        points: samples.
        per_output: a row for each output, in place of the sum over them.
        exact: form the kernel, or find its leading eigenvalues by products; when not given, by
            whether there are at most 2,048 answers.
        leading: eigenvectors to keep, and eigenvalues to find by products.
        seed: of the vector that products start from.

    Returns:
        Eigenvalues in falling order, leading eigenvectors and the frequencies that they hold: that
        of the plane wave, up to the points' mean spacing, with the largest share of each. They are
        told for points of at most 3 coordinates.

    Raises:
        PenchantError: nothing to train, an answer that is no tensor with a row for each point or
            that depends on other samples or chance, or a forward that torch.func cannot
            differentiate.

    Example:
        >>> found = tangent_kernel(nn.Linear(2, 1, bias=False), torch.eye(2))
        >>> found.matrix.tolist(), found.exact
        ([[1.0, 0.0], [0.0, 1.0]], True)

    Source: Jacot et al., "Neural tangent kernel", 2018; Novak et al., "Fast finite width neural
    tangent kernel", 2022.
    """
    function = weight_function(network, points, "tangent_kernel")
    leading = checked_count("tangent_kernel(leading", leading)
    answers = len(points) * function.outputs
    rows = answers if per_output else len(points)
    with torch.no_grad():
        if exact is None:
            exact = answers <= EXACT or leading >= rows - 1
        if not exact and leading >= rows - 1:
            raise PenchantError(
                f"tangent_kernel(leading={leading}, exact=False): fewer than {rows - 1} "
                f"eigenvalues of {rows} can be found by products; exact=True gives all"
            )
        matrix = _formed(function, points, per_output) if exact else None
        if matrix is not None:
            values, vectors = _decomposed(matrix)
            trace = float(matrix.trace())
            vectors = vectors[:, :leading]
            images = matrix @ vectors
        else:
            values, vectors = _lanczos(function, points, per_output, leading, seed)
            trace = _trace(function, points)
            columns = [_product(function, points, per_output, one) for one in vectors.T]
            images = torch.stack(columns, 1)
        apart = torch.linalg.vector_norm(images - vectors * values[: vectors.shape[1]], dim=0)
    largest = float(values[0])
    return TangentKernel(
        eigenvalues=values,
        eigenvectors=vectors,
        frequencies=_frequencies(points, vectors, function.outputs if per_output else 1),
        trace=trace,
        residual=float(apart.max()) / largest if largest else 0.0,
        exact=exact,
        matrix=matrix,
        points=len(points),
        outputs=function.outputs,
        per_output=per_output,
    )


def _formed(
    function: WeightFunction, points: Tensor, per_output: bool
) -> Float[Tensor, "rows rows"]:
    """Form the kernel from two blocks of the Jacobian at a time."""
    several = function.outputs if per_output else 1
    blocks = torch.split(points, function.points_at_once)
    size = len(points) * several
    matrix = torch.zeros(size, size, dtype=torch.float64, device=points.device)
    top = 0
    for index, block in enumerate(blocks):
        left = _rows(function.jacobian(block), per_output)
        side = top
        for other in blocks[index:]:
            right = left if other is block else _rows(function.jacobian(other), per_output)
            part = left @ right.T
            matrix[top : top + len(left), side : side + len(right)] = part
            matrix[side : side + len(right), top : top + len(left)] = part.T
            side += len(right)
        top += len(left)
    if not matrix.isfinite().all():
        raise PenchantError("tangent_kernel: the network's derivatives are not finite here")
    return matrix


def _rows(
    jacobian: Float[Tensor, "points outputs weights"], per_output: bool
) -> Float[Tensor, "rows numbers"]:
    return jacobian.double().flatten(0, 1) if per_output else jacobian.double().flatten(1)


def _decomposed(
    matrix: Float[Tensor, "rows rows"],
) -> tuple[Float[Tensor, " rows"], Float[Tensor, "rows rows"]]:
    values, vectors = torch.linalg.eigh(matrix)
    return values.flip(0).clamp_min(0), vectors.flip(1)


def _trace(function: WeightFunction, points: Tensor) -> float:
    parts = torch.split(points, function.points_at_once)
    return math.fsum(float(function.jacobian(part).double().square().sum()) for part in parts)


def _product(
    function: WeightFunction, points: Tensor, per_output: bool, vector: Float[Tensor, " rows"]
) -> Float[Tensor, " rows"]:
    """K v: for the sum over outputs, that of each output's kernel times v."""
    if per_output:
        answers = vector.view(len(points), -1)
        pulled = function.pulled(points, answers)
        return function.pushed(points, function.split(pulled)).double().flatten()
    total = torch.zeros_like(vector)
    for output in range(function.outputs):
        answers = vector.new_zeros(len(points), function.outputs)
        answers[:, output] = vector
        pulled = function.pulled(points, answers)
        total += function.pushed(points, function.split(pulled))[:, output].double()
    return total


def _lanczos(
    function: WeightFunction, points: Tensor, per_output: bool, leading: int, seed: int
) -> tuple[Float[Tensor, " kept"], Float[Tensor, "rows kept"]]:
    from scipy.sparse.linalg import LinearOperator, eigsh

    rows = len(points) * (function.outputs if per_output else 1)

    def product(vector: np.ndarray) -> np.ndarray:
        given = torch.as_tensor(vector, dtype=torch.float64, device=points.device).flatten()
        return _product(function, points, per_output, given).cpu().numpy()

    start = torch.randn(rows, generator=generator(seed, "probe/lanczos"), dtype=torch.float64)
    precision = max(torch.finfo(one.dtype).eps for one in function.weights.values())
    values, vectors = eigsh(
        LinearOperator((rows, rows), matvec=product, dtype="float64"),
        k=leading,
        which="LA",
        v0=start.numpy(),
        tol=10 * precision,
    )
    return (
        torch.from_numpy(values[::-1].copy()).to(points.device),
        torch.from_numpy(vectors[:, ::-1].copy()).to(points.device),
    )


def _frequencies(
    points: Tensor, vectors: Float[Tensor, "rows leading"], several: int
) -> tuple[float, ...]:
    """The frequency of the plane wave that each vector holds most of."""
    places = points.flatten(1).double() if points.is_floating_point() else points.new_zeros(0, 0)
    if not 0 < places.shape[1] <= DIRECTIONS or len(places) < 2:
        return ()
    waves = _waves(places)
    angles = 2 * math.pi * places @ waves.T
    shared = vectors.reshape(len(places), several, -1)  # points, outputs, leading
    # Least squares on a cosine and a sine, since over half a period the two are not alike in size.
    power = torch.zeros(len(waves), vectors.shape[1], dtype=torch.float64, device=vectors.device)
    cosine, sine = angles.cos(), angles.sin()
    cc, ss, cs = cosine.square().sum(0), sine.square().sum(0), (cosine * sine).sum(0)
    bent = cc * ss - cs.square()
    for output in range(several):
        a, b = cosine.T @ shared[:, output], sine.T @ shared[:, output]
        both = (ss[:, None] * a**2 - 2 * cs[:, None] * a * b + cc[:, None] * b**2) / bent[:, None]
        one = a.square() / cc.clamp_min(1e-12)[:, None]
        power += torch.where((bent > 1e-6 * len(places) ** 2)[:, None], both, one)
    found: list[float] = torch.linalg.vector_norm(waves, dim=1)[power.argmax(0)].tolist()
    return tuple(found)


def _waves(places: Float[Tensor, "points axes"]) -> Float[Tensor, "waves axes"]:
    """Wave vectors in steps of 1/(2·extent) up to the mean spacing's limit, one of ±each."""
    extent = (places.amax(0) - places.amin(0)).clamp_min(1e-12)
    axes = places.shape[1]
    side = len(places) ** (1 / axes)  # points along an axis, were they a grid
    limit = (side - 1) / 2 / extent
    reach = max(1, min(int(2 * side), int(WAVES ** (1 / axes))))
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64, device=places.device)
    lattice = torch.cartesian_prod(*[steps] * axes).view(-1, axes) / 2 / extent
    first = lattice[:, 0] >= 0
    inside = (lattice.abs() <= limit * (1 + 1e-9)).all(1)
    lattice = lattice[first & inside]
    return lattice[torch.linalg.vector_norm(lattice, dim=1).argsort(stable=True)][:WAVES]
