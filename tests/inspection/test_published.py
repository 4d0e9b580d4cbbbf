"""Parameters and multiply-adds of networks from their papers, against what is published."""

from collections.abc import Callable

import pytest
import torch
from inspection.networks import alexnet, resnet, vgg16
from torch import nn

from penchant.inspection import inspect

# Parameters exactly; multiply-adds in thousand millions as torchvision and the papers round them.
PUBLISHED: dict[str, tuple[Callable[[], nn.Module], int, float]] = {
    "AlexNet": (alexnet, 61_100_840, 0.71),
    "VGG-16": (vgg16, 138_357_544, 15.47),
    "ResNet-18": (lambda: resnet((2, 2, 2, 2), False), 11_689_512, 1.81),
    "ResNet-50": (lambda: resnet((3, 4, 6, 3), True), 25_557_032, 4.09),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_multiply_adds(name: str) -> None:
    make, parameters, billions = PUBLISHED[name]
    with torch.device("meta"):
        model = make()
    found = inspect(model, (3, 224, 224), fields=False)
    assert found.parameters == sum(layer.parameters for layer in found.layers) == parameters
    assert found.multiply_adds == sum(layer.multiply_adds for layer in found.layers)
    assert round(found.multiply_adds / 1e9, 2) == billions
    assert found.outputs == ((1, 1000),)
    assert found.shared == 0


def test_fields_of_a_residual_network() -> None:
    found = inspect(resnet((1, 1), False), (3, 64, 64))
    sizes = {layer.path: layer.field and layer.field.size[0] for layer in found.layers}
    # By hand: r += (k − 1)·j; 7/2, 3/2, then 3, 3 at j = 4, then 3 at j = 4 and 3 at j = 8.
    assert sizes["0"], sizes["3"] == (7, 11)
    assert (sizes["4.convs.1"], sizes["5.convs.0"], sizes["5.convs.1"]) == (27, 35, 51)
    assert (sizes["5.skip.0"], sizes["5.skip.1"]) == (27, 27)
    assert found.field is not None and found.field.whole
