"""The notes on shared parameters."""

from penchant.claims._claim import Claim

SHARED: tuple[Claim, ...] = ()
