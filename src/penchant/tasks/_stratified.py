"""Drawing the same share of every class: a mask, or an order of which any beginning will do."""

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
    order, place, counts = _shuffled(labels, draws)
    wanted = np.maximum(1, np.round(fraction * counts))
    chosen = np.zeros(len(labels), bool)
    chosen[order[place < np.repeat(wanted, counts)]] = True
    return chosen


def in_turn(
    labels: Int[np.ndarray, "samples"], draws: torch.Generator
) -> Int[np.ndarray, "samples"]:
    """Order samples so that every beginning of the order is stratified.

    The i-th drawn of a class with n samples has the place (i + ½) / n among all (Webster's rule),
    so a longer beginning holds every shorter one, and no class's part depends on other classes.

    Args:
        labels: each sample's class, whole numbers from 0.
        draws: says which samples of a class come first.

    Returns:
        The samples' indices, each once.

    Example:
        >>> labels = np.repeat([0, 1], [100, 50])
        >>> order = in_turn(labels, torch.Generator())
        >>> [np.bincount(labels[order[:few]]).tolist() for few in (3, 30, 60)]
        [[2, 1], [20, 10], [40, 20]]

    Source: Balinski, Young, "Fair representation", 1982, on why largest remainders will not do.
    """
    order, place, counts = _shuffled(labels, draws)
    return order[np.argsort((place + 0.5) / np.repeat(counts, counts), kind="stable")]


def _shuffled(
    labels: Int[np.ndarray, "samples"], draws: torch.Generator
) -> tuple[Int[np.ndarray, "samples"], Int[np.ndarray, "samples"], Int[np.ndarray, "classes"]]:
    """Return samples class by class, shuffled within; their places in it; the classes' counts."""
    order = torch.randperm(len(labels), generator=draws).numpy()
    order = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels)
    starts = np.cumsum(counts) - counts
    return order, np.arange(len(labels)) - np.repeat(starts, counts), counts
