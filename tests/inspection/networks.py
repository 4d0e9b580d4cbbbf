"""Networks from their papers' descriptions, and small ones with what makes inspection hard."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> list:
    return [nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.ReLU()]


def alexnet() -> nn.Sequential:
    """Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014."""
    features = nn.Sequential(
        *_conv(3, 64, 11, 4, 2),
        nn.MaxPool2d(3, 2),
        *_conv(64, 192, 5, 1, 2),
        nn.MaxPool2d(3, 2),
        *_conv(192, 384, 3, 1, 1),
        *_conv(384, 256, 3, 1, 1),
        *_conv(256, 256, 3, 1, 1),
        nn.MaxPool2d(3, 2),
    )
    sizes = (9216, 4096, 4096, 1000)
    dense = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    return nn.Sequential(features, nn.Flatten(), *dense)


def vgg16() -> nn.Sequential:
    """Simonyan & Zisserman, 2014, configuration D."""
    parts, channels = [], 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            parts += _conv(channels, width, 3, 1, 1)
            channels = width
        parts.append(nn.MaxPool2d(2))
    dense = [nn.Linear(25088, 4096), nn.Linear(4096, 4096), nn.Linear(4096, 1000)]
    return nn.Sequential(nn.Sequential(*parts), nn.Flatten(), *dense)


class Residual(nn.Module):
    """He et al., 2015; the stride of a bottleneck is in its 3×3 convolution."""

    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        outputs = 4 * width if bottleneck else width
        if bottleneck:
            plan = ((inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1))
        else:
            plan = ((inputs, width, 3, stride), (width, width, 3, 1))
        self.convs = nn.ModuleList(nn.Conv2d(a, b, k, s, k // 2, bias=False) for a, b, k, s in plan)
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for _, b, _, _ in plan)
        self.skip = nn.Identity()
        if stride > 1 or inputs != outputs:
            down = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.skip = nn.Sequential(down, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for conv, norm in zip(self.convs, self.norms, strict=True):
            y = norm(conv(F.relu(y) if y is not x else y))
        return F.relu(y + self.skip(x))


def resnet(counts: tuple[int, ...], bottleneck: bool) -> nn.Sequential:
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    parts, channels = [*stem, nn.MaxPool2d(3, 2, 1)], 64
    for stage, count in enumerate(counts):
        width = 64 << stage
        for number in range(count):
            stride = 2 if stage and not number else 1
            parts.append(Residual(channels, width, stride, bottleneck))
            channels = 4 * width if bottleneck else width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000)]
    return nn.Sequential(*parts, *head)


class Cnn(nn.Module):
    """Two convolutions, functions between them, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, padding=2)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2)
        self.norm = nn.BatchNorm2d(16)
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(16 * 6 * 6, 10))

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        return self.head(F.relu(self.norm(self.conv2(x))))


class Tied(nn.Module):
    """A word model: embedding and head are one matrix, and one cell is run at each word."""

    def __init__(self, steps: int = 6) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 12)
        self.cell = nn.Linear(12, 12)
        self.scale = nn.Parameter(torch.ones(12))
        self.head = nn.Linear(12, 50, bias=False)
        self.head.weight = self.embed.weight
        self.unused = nn.Linear(3, 3)
        self.steps = steps

    def forward(self, ids: Tensor) -> Tensor:
        h = self.embed(ids)
        for _ in range(self.steps):
            h = torch.tanh(self.cell(h) * self.scale)
        return self.head(h)


class Attention(nn.Module):
    """A transformer's block, with attention as a function."""

    def __init__(self, width: int = 16, heads: int = 2, tokens: int = 10) -> None:
        super().__init__()
        self.heads = heads
        self.place = nn.Parameter(torch.zeros(1, tokens, width))
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        x = x + self.place
        parts = self.qkv(self.norm(x)).view(batch, tokens, 3, self.heads, -1)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(y.transpose(1, 2).reshape(batch, tokens, width))


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Conv2d(3, 4, 3)
        self.words = nn.Embedding(100, 4)

    def forward(self, image: Tensor, ids: Tensor, scale: float = 1.0) -> Tensor:
        return scale * self.image(image).mean((2, 3)) + self.words(ids).mean(1)


class FromDictionary(TwoInputs):
    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:  # type: ignore[override]
        return {"sum": super().forward(batch["picture"], batch["words"]), "ids": batch["words"]}
