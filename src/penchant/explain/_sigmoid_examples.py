"""The Gaussian classes of `explain sigmoid`."""

import torch

from penchant.tasks import GaussianClasses


def _classes(means: object, covariances: object, priors: object) -> GaussianClasses:
    return GaussianClasses(
        torch.tensor(means, dtype=torch.float64),
        torch.tensor(covariances, dtype=torch.float64),
        torch.tensor(priors, dtype=torch.float64),
    )


def equal_line() -> GaussianClasses:
    """Return the worked example: one feature, one variance."""
    return _classes([[-1.0], [2.0]], [[1.5]], [0.75, 0.25])


def unequal_line() -> GaussianClasses:
    """Return the same with a narrow class 0 and a broad class 1."""
    return _classes([[-1.0], [2.0]], [[[0.5]], [[3.0]]], [0.75, 0.25])


def equal_plane() -> GaussianClasses:
    """Return two features with one covariance: what learners are given first."""
    return _classes([[-0.8, 0.0], [0.8, 0.0]], [[1.0, 0.5], [0.5, 1.0]], [0.5, 0.5])


def unequal_plane() -> GaussianClasses:
    """Return two features, round in class 0 and long in class 1."""
    return _classes(
        [[-0.4, 0.0], [0.4, 0.0]], [[[1.0, 0.0], [0.0, 1.0]], [[0.25, 0.0], [0.0, 3.0]]], [0.5, 0.5]
    )


def three_classes() -> GaussianClasses:
    """Return three classes in the plane with one covariance."""
    means = [[-1.5, 0.0], [1.5, 0.0], [0.0, 2.0]]
    return _classes(means, [[1.0, 0.3], [0.3, 0.8]], [0.5, 0.3, 0.2])
