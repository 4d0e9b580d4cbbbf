"""Which samples of labelled data are held out: its own test part, a share of a class, or groups."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int

from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks._labelled import Labelled
from penchant.tasks._stratified import stratified

SHARE = 0.3
"""What is held out of data without a test part of its own."""

VALIDATION = 0.2
"""The share of what is seen that pilots keep for validation."""


@dataclass(frozen=True)
class Part:
    """What is held out; made by `parse_part`. At most one of share and group is given.

    Attributes:
        share: of each class, drawn by the seed.
        group: whose members are held out as a whole, chosen by the seed.
        count: how many of these.
    """

    share: float = 0.0
    group: str = ""
    count: int = 0

    def __str__(self) -> str:
        """Write the pattern as `parse_part` reads it, always in the same words."""
        if self.group:
            return f"{self.group}:{self.count}"
        return f"random:{self.share}" if self.share else "test"

    @property
    def drawn(self) -> bool:
        """Whether it depends on the seed."""
        return bool(self.share or self.group)

    def turns(self, data: Labelled) -> int:
        """Count the seeds after which the same groups are held out again; 0 where none are."""
        members = len(np.unique(data.groups[self.group])) if self.group else 0
        return members // math.gcd(members, self.count) if members else 0

    def mask(self, data: Labelled, seed: int) -> Bool[np.ndarray, "samples"]:
        """Mark the held-out samples."""
        if self.share:
            return stratified(data.labels, self.share, generator(seed, "held-out"))
        if self.group:
            return np.isin(data.groups[self.group], self._order(data, seed)[: self.count])
        return np.arange(len(data.labels)) >= len(data.labels) - data.test

    def validation(
        self, data: Labelled, seed: int, seen: Int[np.ndarray, "seen"]
    ) -> Bool[np.ndarray, "seen"]:
        """Mark the seen samples that pilots keep: of whole groups where these are held out.

        Tuning thus asks the question that the study asks.
        """
        if self.group:
            left = self._order(data, seed)[self.count :]
            kept = left[: max(1, round(VALIDATION * len(left)))]
            return np.isin(data.groups[self.group][seen], kept)
        return stratified(data.labels[seen], VALIDATION, generator(seed, "validation"))

    def _order(self, data: Labelled, seed: int) -> np.ndarray:
        # The seeds take turns, so that as many seeds as groups hold each out equally often.
        members = np.unique(data.groups[self.group])
        shuffled = members[torch.randperm(len(members), generator=generator(0, "groups")).numpy()]
        return np.roll(shuffled, -seed * self.count)

    def said(self, data: Labelled) -> str:
        """Say in a sentence what is held out."""
        mixed = "; its own test part is mixed in with the rest" if data.test else ""
        if self.share:
            share = f"{100 * self.share:g} % of each class is held out, drawn anew for each seed"
            return share + mixed
        if self.group:
            members = len(np.unique(data.groups[self.group]))
            return (
                f"{self.count} of {members} {self.group} are held out, by turns from seed to seed"
                + mixed
            )
        own = [group for group in data.groups if divides(data, group)]
        wholly = f", which are other {' and '.join(own)}" if own else ""
        return f"held out is the data's own test part, its last {data.test} samples{wholly}"


def divides(data: Labelled, group: str) -> bool:
    """Say whether the data's own test part consists of whole groups."""
    values, seen = data.groups[group], len(data.labels) - data.test
    return data.test > 0 and not np.isin(values[seen:], values[:seen]).any()


def parse_part(text: str, data: Labelled) -> Part:
    """Read what is to be held out.

    ===============  ==============================================================================
    ``test``         the data's own test part, or where it has none 30 % of each class
    ``random:0.3``   that share of each class, drawn by the seed
    ``speakers``     whole groups, by name: those of the own test part where it consists of whole
                     groups (the spoken digits' takes 0 to 4), else one, another for each seed
    ``speakers:2``   so many groups, others for each seed
    ===============  ==============================================================================

    Args:
        text: the pattern; groups are those that the data has.
        data: what is divided.

    Returns:
        What is held out.

    Raises:
        PenchantError: an unknown pattern, or as many groups as there are.

    Example:
        >>> who = {"speakers": np.tile(["ann", "bob", "cy"], 4)}
        >>> data = Labelled("yes", np.eye(12), np.repeat([0, 1], 6), groups=who)
        >>> part = parse_part("speakers", data)
        >>> [str(who["speakers"][part.mask(data, seed)][0]) for seed in range(3)]
        ['cy', 'bob', 'ann']
    """
    word, colon, number = (piece.strip() for piece in text.partition(":"))
    if word in data.groups:
        return _group(text, word, number if colon else None, data)
    if text.strip() == "test":
        return Part(share=0 if data.test else SHARE)
    try:
        share = float(number) if word == "random" else 0.0
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        groups = "".join(f", '{group}'" for group in data.groups)
        raise PenchantError(
            f"held-out {text!r} of labelled data: 'test' (the data's own test part, or 30 % of "
            f"each class){groups} or 'random:0.3' with a share between 0 and 1 is needed"
        )
    return Part(share=share)


def _group(text: str, group: str, number: str | None, data: Labelled) -> Part:
    if number is None and divides(data, group):
        return Part()
    members = len(np.unique(data.groups[group]))
    count = int(number) if number and number.isdecimal() and len(number) < 10 else 0
    count = 1 if number is None else count
    if not 1 <= count < members:
        raise PenchantError(
            f"held-out {text!r} of {data.name!r}: there are {members} {group}; from 1 to "
            f"{members - 1} of them can be held out"
        )
    return Part(group=group, count=count)
