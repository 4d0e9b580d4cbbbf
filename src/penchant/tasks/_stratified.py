"""Drawing the same share of every class."""

import numpy as np
import torch
from jaxtyping import Bool, Int


def stratified(
    labels: Int[np.ndarray, "samples"], fraction: float, draws: torch.Generator
) -> Bool[np.ndarray, "samples"]:
    """Choose a share of each class at random: round(fraction · samples), at least one.

    Args:
        labels: each sample's class, whole numbers from 0.
        fraction: the share to choose, between 0 and 1.
        draws: says which; how many of a class are chosen does not depend on it.

    Returns:
        True where a sample is chosen.

    Example:
        >>> labels = np.array([0, 1, 0, 1, 1, 1])
        >>> np.bincount(labels[stratified(labels, 0.5, torch.Generator())])
        array([1, 2])
    """
    order = torch.randperm(len(labels), generator=draws).numpy()
    order = order[np.argsort(labels[order], kind="stable")]  # class by class, shuffled within
    counts = np.bincount(labels)
    starts = np.cumsum(counts) - counts
    place = np.arange(len(labels)) - np.repeat(starts, counts)
    wanted = np.maximum(1, np.round(fraction * counts))
    chosen = np.zeros(len(labels), bool)
    chosen[order[place < np.repeat(wanted, counts)]] = True
    return chosen
