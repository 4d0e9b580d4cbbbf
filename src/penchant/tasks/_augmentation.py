"""Augmentation: what training sees of a picture is moved or flipped anew at every step.

Labels stay as they are, and so does whatever is scored: held-out samples, and the seen ones too.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from penchant.errors import PenchantError, nearest
from penchant.tasks._moving import moved

OPERATIONS = ("shift", "crop", "flip")

_MOVES = ("shift", "crop")

Operation = tuple[str, int]
"""An operation's name, and by how many pixels it may move; 0 for a flip."""


@dataclass(frozen=True, eq=False)
class Augmentation:
    """Operations on pictures, one after another, each sample with draws of its own.

    =============  ================================================================================
    ``shift:p``    move by −p to p pixels down and −p to p across, all (2p + 1)² moves being equally
                   likely; the background comes in over the borders
    ``crop:p``     pad each side by p pixels of background and cut a picture of the old size out at
                   a random place, as is usual with CIFAR; the same as ``shift:p`` by its other name
    ``flip``       exchange left and right with probability ½
    =============  ================================================================================

    Args:
        operations: as `parse_augmentation` reads them.
        shape: a sample's own shape, height × width or height × width × channels.
        background: one value a channel, in the units of the rows.

    Example:
        >>> augment = Augmentation((("flip", 0),), (1, 2), torch.zeros(1))
        >>> rows = torch.tensor([[1.0, 2.0]]).expand(200, -1)
        >>> augment(rows, torch.Generator().manual_seed(0)).unique(dim=0)
        tensor([[1., 2.],
                [2., 1.]])

    Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015, section 4.2.
    """

    operations: tuple[Operation, ...]
    shape: tuple[int, ...]
    background: Float[Tensor, "channels"]

    def __call__(
        self, rows: Float[Tensor, "batch inputs"], draws: torch.Generator
    ) -> Float[Tensor, "batch inputs"]:
        """Return new rows; the given ones stay as they are.

        Args:
            rows: samples, flattened.
            draws: on the CPU; what is drawn depends on how many samples there are, not on them.
        """
        height, width = self.shape[:2]
        pictures = rows.reshape(len(rows), height, width, -1)
        for name, reach in self.operations:
            if name == "flip":
                turned = torch.rand(len(rows), generator=draws) < 0.5
                pictures = _flipped(pictures, turned)
            else:
                by = torch.randint(-reach, reach + 1, (len(rows), 2), generator=draws)
                pictures = moved(pictures, by, self.background)
        return pictures.reshape(rows.shape)


def parse_augmentation(text: str, shape: tuple[int, ...]) -> tuple[Operation, ...]:
    """Read ``shift:2,flip`` and its like.

    Args:
        text: operations in the order in which they are done, see `Augmentation`; empty for none.
        shape: a sample's own shape.

    Returns:
        The operations.

    Raises:
        PenchantError: an unknown operation, a number that is missing, too large or not wanted, or
            samples that are no pictures.

    Example:
        >>> parse_augmentation("shift:2, flip", (28, 28, 1))
        (('shift', 2), ('flip', 0))
    """
    if not text.strip():
        return ()
    if len(shape) < 2:
        raise PenchantError(
            f"augment={text!r}: samples of shape {shape} are no pictures, which alone can be moved "
            "and flipped"
        )
    return tuple(_operation(text, part.strip(), shape) for part in text.split(","))


def augmentation_text(operations: tuple[Operation, ...]) -> str:
    """Write operations as `parse_augmentation` reads them."""
    return ",".join(f"{name}:{reach}" if reach else name for name, reach in operations)


def _operation(text: str, part: str, shape: tuple[int, ...]) -> Operation:
    name, colon, number = (piece.strip() for piece in part.partition(":"))
    if name not in OPERATIONS:
        raise PenchantError(f"augment={text!r}: {name!r} is unknown; {nearest(name, OPERATIONS)}")
    if name not in _MOVES:
        if colon:
            raise PenchantError(f"augment={text!r}: {name} takes no number; write {name!r}")
        return name, 0
    reach = int(number) if number.isdecimal() and len(number) < 10 else 0
    most = min(shape[:2]) - 1
    if not 1 <= reach <= most:
        raise PenchantError(
            f"augment={text!r}: {part!r} of pictures {shape[0]}×{shape[1]}; {name}:1 to "
            f"{name}:{most} fit, in pixels"
        )
    return name, reach


def _flipped(
    pictures: Float[Tensor, "batch height width channels"], turned: Bool[Tensor, "batch"]
) -> Float[Tensor, "batch height width channels"]:
    where = turned.to(pictures.device)[:, None, None, None]
    return torch.where(where, pictures.flip(2), pictures)
