"""Biases to build with: activations, position encodings and the coordinate network.

Plain torch modules that know nothing of studies; torch is all they need.
"""

from penchant.nn._activation import Activation as Activation
from penchant.nn._activations import ACTIVATIONS as ACTIVATIONS
from penchant.nn._activations import ActivationLike as ActivationLike
from penchant.nn._activations import activation as activation
from penchant.nn._autoencoder import Autoencoder as Autoencoder
from penchant.nn._backbones import ConvNeXt as ConvNeXt
from penchant.nn._backbones import ViT as ViT
from penchant.nn._batched_linear import BatchedLinear as BatchedLinear
from penchant.nn._blocks import evaluate_in_blocks as evaluate_in_blocks
from penchant.nn._bumps import Gaussian as Gaussian
from penchant.nn._bumps import Laplacian as Laplacian
from penchant.nn._bumps import MultiQuadratic as MultiQuadratic
from penchant.nn._bumps import Quadratic as Quadratic
from penchant.nn._bumps import Sinc as Sinc
from penchant.nn._coordinate import CoordinateNet as CoordinateNet
from penchant.nn._coordinate import count_parameters as count_parameters
from penchant.nn._coordinate_stack import CoordinateStack as CoordinateStack
from penchant.nn._coordinate_stack import stacked as stacked
from penchant.nn._coordinate_stack import unstackable as unstackable
from penchant.nn._dense_pass import dense_pass as dense_pass
from penchant.nn._encoding import Encoding as Encoding
from penchant.nn._encodings import ENCODINGS as ENCODINGS
from penchant.nn._encodings import NeRF as NeRF
from penchant.nn._encodings import NoEncoding as NoEncoding
from penchant.nn._encodings import OneBlob as OneBlob
from penchant.nn._encodings import RandomFourier as RandomFourier
from penchant.nn._encodings import encoding as encoding
from penchant.nn._grid_encoding import Grid as Grid
from penchant.nn._own import Own as Own
from penchant.nn._picture_net import NOISE_CHANNELS as NOISE_CHANNELS
from penchant.nn._picture_net import PictureNet as PictureNet
from penchant.nn._pictures import Pictures as Pictures
from penchant.nn._plain_twin import plain_twin as plain_twin
from penchant.nn._rectifiers import ELU as ELU
from penchant.nn._rectifiers import GELU as GELU
from penchant.nn._rectifiers import ReLU as ReLU
from penchant.nn._rectifiers import Sigmoid as Sigmoid
from penchant.nn._rectifiers import SiLU as SiLU
from penchant.nn._rectifiers import Softplus as Softplus
from penchant.nn._rectifiers import SquaredReLU as SquaredReLU
from penchant.nn._rectifiers import Tanh as Tanh
from penchant.nn._residual import Residual as Residual
from penchant.nn._resnet import ResNet as ResNet
from penchant.nn._scan_structure import Coverage as Coverage
from penchant.nn._scan_structure import MultiplyAdds as MultiplyAdds
from penchant.nn._scan_structure import ParameterCounts as ParameterCounts
from penchant.nn._scan_structure import ScanLayer as ScanLayer
from penchant.nn._scanning import ScanningMLP as ScanningMLP
from penchant.nn._streaming import Streaming as Streaming
from penchant.nn._streaming import stream as stream
from penchant.nn._tdnn import DELAYS as DELAYS
from penchant.nn._tdnn import TDNN as TDNN
from penchant.nn._tdnn import Delays as Delays
from penchant.nn._tdnn import LocallyConnected as LocallyConnected
from penchant.nn._tdnn import Unshared as Unshared
from penchant.nn._tiled import TiledNet as TiledNet
from penchant.nn._waves import FINER as FINER
from penchant.nn._waves import Gabor as Gabor
from penchant.nn._waves import Sine as Sine

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "ActivationLike",
    "Autoencoder",
    "BatchedLinear",
    "ConvNeXt",
    "CoordinateNet",
    "CoordinateStack",
    "Coverage",
    "DELAYS",
    "Delays",
    "ELU",
    "ENCODINGS",
    "Encoding",
    "FINER",
    "GELU",
    "Gabor",
    "Gaussian",
    "Grid",
    "Laplacian",
    "LocallyConnected",
    "MultiQuadratic",
    "MultiplyAdds",
    "NOISE_CHANNELS",
    "NeRF",
    "NoEncoding",
    "OneBlob",
    "Own",
    "ParameterCounts",
    "PictureNet",
    "Pictures",
    "Quadratic",
    "RandomFourier",
    "ReLU",
    "ResNet",
    "Residual",
    "ScanLayer",
    "ScanningMLP",
    "SiLU",
    "Sigmoid",
    "Sinc",
    "Sine",
    "Streaming",
    "Softplus",
    "SquaredReLU",
    "TDNN",
    "Tanh",
    "TiledNet",
    "Unshared",
    "ViT",
    "activation",
    "count_parameters",
    "dense_pass",
    "encoding",
    "evaluate_in_blocks",
    "plain_twin",
    "stacked",
    "stream",
    "unstackable",
]
