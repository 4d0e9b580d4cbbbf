"""Published networks from their papers' descriptions, as far as their receptive fields go."""

import torch
from torch import Tensor, nn


def conv(inputs: int, outputs: int, kernel, stride=1, padding=0, **more) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False, **more),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def alexnet() -> nn.Sequential:
    """Krizhevsky et al., 2012, as one column (Krizhevsky, 2014): no padding in front."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 11, 4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(8, 8, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.MaxPool2d(3, 2),
    )


def vgg16() -> nn.Sequential:
    """Simonyan & Zisserman, 2015, configuration D without its classifier."""
    layers: list[nn.Module] = []
    inputs = 3
    for count in (2, 2, 3, 3, 3):
        for _ in range(count):
            layers += [nn.Conv2d(inputs, 8, 3, padding=1), nn.ReLU(inplace=True)]
            inputs = 8
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class Bottleneck(nn.Module):
    """He et al., 2016; the stride stands in the first 1×1 (v1) or in the 3×3 (v1.5)."""

    def __init__(self, inputs: int, width: int, stride: int, first: bool) -> None:
        super().__init__()
        self.first = conv(inputs, width, 1, stride if first else 1)
        self.second = conv(width, width, 3, 1 if first else stride, 1)
        self.third = nn.Sequential(nn.Conv2d(width, 4 * width, 1), nn.BatchNorm2d(4 * width))
        same = stride == 1 and inputs == 4 * width
        self.short = nn.Identity() if same else nn.Conv2d(inputs, 4 * width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.third(self.second(self.first(x)))
        y += self.short(x)
        return torch.relu_(y)


class Basic(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = conv(inputs, width, 3, stride, 1)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.BatchNorm2d(width))
        same = stride == 1 and inputs == width
        self.short = nn.Identity() if same else nn.Conv2d(inputs, width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(self.first(x)) + self.short(x))


def resnet(counts: tuple[int, ...], first: bool = False, basic: bool = False) -> nn.Sequential:
    """He et al., 2016, up to the last block. `first`: the stride stands in the first 1×1."""
    layers: list[nn.Module] = [conv(3, 8, 7, 2, 3), nn.MaxPool2d(3, 2, 1)]
    inputs = 8
    for stage, count in enumerate(counts):
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            if basic:
                layers.append(Basic(inputs, 8, stride))
                inputs = 8
            else:
                layers.append(Bottleneck(inputs, 2, stride, first))
                inputs = 8
    return nn.Sequential(*layers)


def mobilenet() -> nn.Sequential:
    """Howard et al., 2017."""
    layers: list[nn.Module] = [conv(3, 4, 3, 2, 1)]
    for stride in (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1):
        layers += [conv(4, 4, 3, stride, 1, groups=4), conv(4, 4, 1)]
    return nn.Sequential(*layers)


class Dense(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(conv(inputs, 4, 1), conv(4, 2, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.layers(x)], 1)


def densenet(counts: tuple[int, ...] = (6, 12, 24, 16)) -> nn.Sequential:
    """Huang et al., 2017: DenseNet-121 up to its last block."""
    layers: list[nn.Module] = [conv(3, 4, 7, 2, 3), nn.MaxPool2d(3, 2, 1)]
    width = 4
    for stage, count in enumerate(counts):
        for _ in range(count):
            layers.append(Dense(width))
            width += 2
        if stage < len(counts) - 1:
            layers += [conv(width, 4, 1), nn.AvgPool2d(2)]
            width = 4
    return nn.Sequential(*layers)


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = conv(4, 1, 1)
        self.three = nn.Sequential(conv(4, 1, 1), conv(1, 1, 3, 1, 1))
        self.five = nn.Sequential(conv(4, 1, 1), conv(1, 1, 5, 1, 2))
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1)


def googlenet() -> nn.Sequential:
    """Szegedy et al., 2015, up to inception (5b)."""
    pool = [nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(
        conv(3, 4, 7, 2, 3),
        *pool,
        conv(4, 4, 1),
        conv(4, 4, 3, 1, 1),
        *pool,
        *(Inception() for _ in range(2)),
        *pool,
        *(Inception() for _ in range(5)),
        *pool,
        *(Inception() for _ in range(2)),
    )


class UNet(nn.Module):
    """Ronneberger et al., 2015: valid convolutions, crops, transposed convolutions of 2."""

    def __init__(self, depth: int = 4) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(1 if level == 0 else 2, 2, 3), nn.Conv2d(2, 2, 3))
            for level in range(depth + 1)
        )
        self.up = nn.ModuleList(nn.ConvTranspose2d(2, 2, 2, 2) for _ in range(depth))
        self.merge = nn.ModuleList(
            nn.Sequential(nn.Conv2d(4, 2, 3), nn.Conv2d(2, 2, 3)) for _ in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for number, block in enumerate(self.down):
            x = block(x)
            if number < len(self.up):
                kept.append(x)
                x = torch.max_pool2d(x, 2)
        for up, merge in zip(self.up, self.merge, strict=True):
            x, skip = up(x), kept.pop()
            edge = (skip.shape[-1] - x.shape[-1]) // 2
            skip = skip[..., edge : edge + x.shape[-2], edge : edge + x.shape[-1]]
            x = merge(torch.cat([skip, x], 1))
        return x
