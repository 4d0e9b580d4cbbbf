"""How a network learns: gradients computed fast, optimisers, budgets. Knows nothing of pictures."""

from penchant.training._batched_muon import BatchedMuon as BatchedMuon
from penchant.training._checkpoint import from_bytes as from_bytes
from penchant.training._checkpoint import to_bytes as to_bytes
from penchant.training._descent import GradientDescent as GradientDescent
from penchant.training._device import usable_device as usable_device
from penchant.training._gradient import Gradient as Gradient
from penchant.training._gradients import AutogradGradient as AutogradGradient
from penchant.training._gradients import gradient_of as gradient_of
from penchant.training._optimizer import Optimizer as Optimizer
from penchant.training._optimizer import OptimizerName as OptimizerName
from penchant.training._optimizer import hidden_matrices as hidden_matrices
from penchant.training._stream import keyed_stream as keyed_stream
from penchant.training._temperature import Temperature as Temperature
from penchant.training._temperature import calibrate as calibrate
from penchant.training._threads import one_thread as one_thread
from penchant.training._tiled_gradient import TiledGradient as TiledGradient
from penchant.training._training import Recipe as Recipe
from penchant.training._training import Training as Training
from penchant.training._training_stack import TrainingStack as TrainingStack
from penchant.training._training_stack import apart as apart

__all__ = [
    "AutogradGradient",
    "BatchedMuon",
    "Gradient",
    "GradientDescent",
    "Optimizer",
    "OptimizerName",
    "Recipe",
    "Temperature",
    "TiledGradient",
    "Training",
    "TrainingStack",
    "apart",
    "calibrate",
    "from_bytes",
    "gradient_of",
    "hidden_matrices",
    "keyed_stream",
    "one_thread",
    "to_bytes",
    "usable_device",
]
