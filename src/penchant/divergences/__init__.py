"""How far an answer is from its target: value and closed-form derivative. Needs torch alone."""

from penchant.divergences._cross_entropy import BinaryCrossEntropy as BinaryCrossEntropy
from penchant.divergences._cross_entropy import CrossEntropy as CrossEntropy
from penchant.divergences._distances import L1 as L1
from penchant.divergences._distances import L2 as L2
from penchant.divergences._distances import Huber as Huber
from penchant.divergences._divergence import Divergence as Divergence
from penchant.divergences._divergences import DIVERGENCES as DIVERGENCES
from penchant.divergences._divergences import divergence as divergence
from penchant.divergences._functions import binary_cross_entropy as binary_cross_entropy
from penchant.divergences._functions import binary_kl as binary_kl
from penchant.divergences._functions import cross_entropy as cross_entropy
from penchant.divergences._functions import huber as huber
from penchant.divergences._functions import kl as kl
from penchant.divergences._functions import l1 as l1
from penchant.divergences._functions import l2 as l2
from penchant.divergences._kl import KL as KL
from penchant.divergences._kl import BinaryKL as BinaryKL
from penchant.divergences._links import LinkName as LinkName
from penchant.divergences._links import ReductionName as ReductionName

__all__ = [
    "DIVERGENCES",
    "L1",
    "L2",
    "KL",
    "BinaryCrossEntropy",
    "BinaryKL",
    "CrossEntropy",
    "Divergence",
    "Huber",
    "LinkName",
    "ReductionName",
    "binary_cross_entropy",
    "binary_kl",
    "cross_entropy",
    "divergence",
    "huber",
    "kl",
    "l1",
    "l2",
]
