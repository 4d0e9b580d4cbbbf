"""A design and a task that a run must not lose its place with: draws, batch norm, augmentation.

A module of its own, so that worker processes can import it.
"""

import multiprocessing
from dataclasses import replace

import torch
from torch import nn
from training.networks import drawing, jittered

from penchant.study import CoordinateDesign, Job, _jobs
from penchant.tasks import GridSplit, PictureTask

if multiprocessing.current_process().name != "MainProcess":
    # In a worker, which no test can reach otherwise: a state after every step.
    _jobs.BETWEEN_CHECKPOINTS = 0.0

STEPS = 40


class RememberingDesign(CoordinateDesign):
    """Dropout, stochastic depth and batch norm."""

    def build(self, shape: tuple[int, ...], outputs: int, seed: int) -> nn.Module:
        assert self.width is not None
        network = drawing(self.width, seed)
        network[-1] = nn.Linear(self.width, outputs)
        with torch.no_grad():
            for parameter in network[-1].parameters():
                parameter.fill_(0.1)
        return network


class AugmentedTask(PictureTask):
    """Points that are moved a little, anew at each step."""

    def __reduce__(self) -> tuple[object, ...]:
        _, arguments = super().__reduce__()
        return AugmentedTask, arguments

    def split(self, seed: int, *, validation: bool = False) -> GridSplit:
        split = super().split(seed, validation=validation)
        split.augment = jittered
        return split


def job(optimizer: str = "adam", seed: int = 0, **changes: object) -> Job:
    settings = RememberingDesign(
        width=8, optimizer=optimizer, learning_rate=1e-2, weight_decay=1e-2
    ).resolved()
    made = Job(0, "waves", settings.label, settings, seed, STEPS, 50, "psnr_held_out")
    return replace(made, **changes)
