"""Published tables of receptive fields, and networks whose fields are known by hand.

The table is that of Araujo, Norris & Sim's library ("Computing receptive fields of convolutional
neural networks", 2019, github.com/google-research/receptive_field): sizes and effective strides of
TF-slim's models at their last convolutional layer, VGG-16 and AlexNet behind their last pooling.
Its effective padding is −start where layers pad as PyTorch's do (AlexNet, VGG); TF-slim's ResNets
and MobileNet pad strided layers behind more than in front, so that theirs is smaller than −start.

ResNet v1 has its stride in the first 1×1 convolution of a stage (He et al., 2016; TF-slim puts it
into the last 3×3 of the stage before, which gives the same size): 483 for ResNet-50. With the
stride in the 3×3 ("v1.5", as PyTorch's own models have it) it is 427.
"""

import pytest
import torch
from geometry import networks
from geometry.judge import agree
from torch import nn

from penchant.geometry import receptive_field

TABLE = {
    "AlexNet, pool5": (networks.alexnet, 227, 195, 32, -64),
    "VGG-16, pool5": (networks.vgg16, 224, 212, 32, -90),
    "VGG-16, conv5_3": (lambda: networks.vgg16()[:-1], 224, 196, 16, -90),
    "ResNet-50 v1": (lambda: networks.resnet((3, 4, 6, 3), first=True), 224, 483, 32, -241),
    "ResNet-101 v1": (lambda: networks.resnet((3, 4, 23, 3), first=True), 224, 1027, 32, -513),
    "ResNet-152 v1": (lambda: networks.resnet((3, 8, 36, 3), first=True), 224, 1507, 32, -753),
    "MobileNet v1": (networks.mobilenet, 224, 315, 32, -157),
    # Sums by hand of d·(k − 1)·j along the longest path.
    "ResNet-50 v1.5": (lambda: networks.resnet((3, 4, 6, 3)), 224, 427, 32, -213),
    "ResNet-18": (lambda: networks.resnet((2, 2, 2, 2), basic=True), 224, 435, 32, -217),
    "GoogLeNet, (5b)": (networks.googlenet, 224, 715, 32, -357),
    "DenseNet-121": (networks.densenet, 224, 2071, 32, -1021),
}


DEEP = ("ResNet-101 v1", "ResNet-152 v1", "DenseNet-121")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in DEEP else []) for name in TABLE],
)
def test_published_sizes_strides_and_starts(name: str) -> None:
    build, side, size, stride, start = TABLE[name]
    fields = receptive_field(build().eval(), (1, 3, side, side))
    assert fields.method == "traced"
    assert fields.size == (size, size)
    assert fields.stride == (stride, stride)
    assert fields.start == (start, start)
    assert not fields.notes


def test_the_size_does_not_hang_on_the_input() -> None:
    network = networks.resnet((2, 2, 2, 2), basic=True).eval()
    for side in (33, 150):
        assert receptive_field(network, (1, 3, side, side)).size == (435, 435)


def test_densenet_by_hand() -> None:
    # 7×7 at jump 1, pooling of 3 at 2, then 3×3s at 4, 8, 16, 32 and poolings of 2 between.
    counts = (6, 12, 24, 16)
    size, jump = 1 + 6 + 2 * 2, 4
    for stage, count in enumerate(counts):
        size += 2 * jump * count
        if stage < 3:
            size, jump = size + jump, 2 * jump
    assert size == TABLE["DenseNet-121"][2]


def test_fields_layer_by_layer() -> None:
    fields = receptive_field(networks.vgg16(), (1, 3, 64, 64))
    by_path = {layer.path: layer for layer in fields.layers}
    assert by_path["0"].field.size == (3, 3)
    assert by_path["4"].field.size == (6, 6)
    assert by_path["4"].field.stride == (2, 2)
    assert by_path["30"].output_shape == (1, 8, 2, 2)
    assert fields.layer("28").field.size == (196, 196)
    assert [layer.kind for layer in fields.layers[:3]] == ["Conv2d", "ReLU", "Conv2d"]


def test_u_net_against_the_gradient() -> None:
    agree(networks.UNet(2), (1, 1, 60, 60), looks=2)
    # At full depth the fields take 16 forms in turn, as one unpooled cell has 16 places.
    fields = receptive_field(networks.UNet(), (1, 1, 572, 572))
    assert fields.outputs[0].output_shape == (1, 2, 388, 388)
    assert fields.stride == (1, 1)
    assert "moves by 16 every 16 outputs" in fields.field.axes[0].note


@pytest.mark.parametrize("name", ["resnet", "densenet", "googlenet", "mobilenet"])
def test_small_relatives_against_the_gradient(name: str) -> None:
    small = {
        "resnet": lambda: networks.resnet((1, 1, 1)),
        "densenet": lambda: networks.densenet((2, 2)),
        "googlenet": lambda: networks.googlenet()[:7],
        "mobilenet": lambda: networks.mobilenet()[:9],
    }
    agree(small[name]().eval(), (1, 3, 40, 32), looks=4, seed=name)


class Causal(nn.Module):
    """A stack of dilated causal convolutions with gates and skips (van den Oord et al., 2016)."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(2, 4, 2, dilation=2**at) for at in range(blocks))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = torch.zeros_like(x)
        for layer in self.layers:
            y = layer(nn.functional.pad(x, (layer.dilation[0], 0)))
            one, two = y.chunk(2, 1)
            z = torch.tanh(one) * torch.sigmoid(two)
            x, skips = x + z, skips + z
        return skips


def test_wavenet() -> None:
    fields = receptive_field(Causal(10), (1, 2, 3100))
    assert fields.size == (1024,)
    assert fields.start == (-1023,)
    assert fields.field.axes[0].interval(3000) == (1977, 3000)
    agree(Causal(4), (1, 2, 30))
