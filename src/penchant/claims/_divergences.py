"""The notes on divergences."""

from penchant.claims._claim import Claim

DIVERGENCES: tuple[Claim, ...] = ()
