"""What a probe says of one layer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a network, where, and by which measure.

    Example:
        >>> str(Finding("dead", "hidden.2", "91% of its units answer 0 to every sample"))
        'dead: hidden.2: 91% of its units answer 0 to every sample'
    """

    kind: str
    """What is wrong: "vanishing", "exploding", "detached", "dead", "saturated", "gain", ..."""
    layer: str
    """The module's dotted name, as `named_modules` has it."""
    sentence: str
    """Plain words, with the number and the criterion that it fails."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.layer}: {self.sentence}"
