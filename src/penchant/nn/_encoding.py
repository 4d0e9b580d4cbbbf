"""What a position encoding is: a map from coordinates to what a coordinate network is given.

Coordinates are on [-1, 1]; frequencies are in cycles per unit of them, so a picture of N pixels
across samples up to N/4 cycles per unit.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn._checks import count


class Encoding(nn.Module, ABC):
    """A map from coordinates to features, fixed or learned.

    Args:
        inputs: coordinates a point has.

    Example:
        >>> from penchant.nn import NeRF
        >>> NeRF(2, frequencies=6).features
        26
    """

    name: str
    """The name in the table of encodings."""
    source: str
    """Paper and year."""
    numbers: tuple[str, ...] = ()
    """The numbers that the constructor takes."""
    inputs: int
    """Coordinates a point has."""
    features: int
    """Numbers the code of a point has."""
    period: float | None = None
    """Smallest shift of a coordinate after which its waves all repeat; None when they never do."""
    highest_frequency: float | None = None
    """Of its waves, or of those that its grid can hold, in cycles per unit; None without either."""
    closed_form: bool = False
    """Whether `value_and_backward` gives the gradients of what it learns."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.inputs = count(f"{type(self).__name__}(inputs", inputs)

    def forward(self, x: Float[Tensor, "*points inputs"]) -> Float[Tensor, "*points features"]:
        """Return the code of every point.

        Args:
            x: coordinates on [-1, 1].

        Returns:
            A tensor of x's shape, with `features` in place of `inputs`.

        Raises:
            PenchantError: x has another number of coordinates.
        """
        if x.ndim == 0 or x.shape[-1] != self.inputs:
            raise PenchantError(
                f"{type(self).__name__}(x of shape {tuple(x.shape)}): needs {self.inputs} "
                "coordinates in the last dimension"
            )
        return self.encode(x)

    @abstractmethod
    def encode(self, x: Float[Tensor, "*points inputs"]) -> Float[Tensor, "*points features"]:
        """Return the code of every point whose shape was found to fit."""

    def value_and_backward(
        self, x: Float[Tensor, "points inputs"]
    ) -> tuple[Float[Tensor, "points features"], Callable[[Tensor, Sequence[Tensor]], None]]:
        """Return the code and, where the encoding learns, the way back, without autograd.

        Args:
            x: coordinates on [-1, 1].

        Returns:
            The code, and a function of a divergence's gradient in the code, (points, features),
            and of one tensor for each parameter, to which it adds the gradient in that parameter.
        """

        def backward(gradient: Tensor, into: Sequence[Tensor]) -> None:
            """Add nothing, since nothing is learned."""

        return self(x), backward

    @classmethod
    def defaults(cls) -> dict[str, float | None]:
        """Return the member's numbers where none are given; None is one that follows from others.

        Example:
            >>> from penchant.nn import NeRF
            >>> NeRF.defaults()
            {'frequencies': 6}
        """
        taken = inspect.signature(cls).parameters
        return {number: taken[number].default for number in cls.numbers}

    @classmethod
    def size(cls, inputs: int, **numbers: float) -> int:
        """Count the numbers that the member learns, without making it: unless it says more, none.

        Args:
            inputs: coordinates a point has, as many as the member takes.
            numbers: of the member, where they differ from its defaults.
        """
        return 0

    @classmethod
    def check(cls, numbers: Mapping[str, float]) -> None:
        """Refuse numbers that the member does not have.

        Args:
            numbers: values by name.

        Raises:
            PenchantError: which one, and those that it has.
        """
        for number, value in numbers.items():
            if number not in cls.numbers:
                raise PenchantError(
                    f"encoding({cls.name!r}, {number}={value}): {cls.name} has no {number}, only "
                    f"{', '.join(cls.numbers) or 'its inputs'}"
                )

    def extra_repr(self) -> str:
        """Show the numbers."""
        own = (f"{number}={getattr(self, number):g}" for number in self.numbers)
        return ", ".join((str(self.inputs), *own))
