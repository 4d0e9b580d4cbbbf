"""Networks that probes are tried on, as people write them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """ResNet's block as torchvision writes it: in place, one ReLU for two places."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, norm: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs) if norm else nn.Identity()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs) if norm else nn.Identity()
        self.relu = nn.ReLU(inplace=True)
        self.downsample = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        identity = self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


def small_resnet(width: int = 4) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, 1, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        BasicBlock(width, width),
        BasicBlock(width, 2 * width, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, 3),
    )


class PaddedShortcut(nn.Module):
    """The parameter-free shortcut of ResNets for small pictures: every second pixel, zeros."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(2 * channels, 2 * channels, 3, 1, 1),
        )
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        half = self.channels // 2
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, half)) + self.inner(x)


class Functional(nn.Module):
    """A dense network whose activations are functions in one forward."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(6, 16)
        self.fc2 = nn.Linear(16, 16)
        self.fc3 = nn.Linear(16, 16)
        self.out = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        x = self.fc3(x)
        x.relu_()
        return self.out(x)


class Cell(nn.Module):
    """A recurrent cell."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.from_input = nn.Linear(inputs, units)
        self.from_state = nn.Linear(units, units)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        return torch.tanh(self.from_input(x) + self.from_state(state))


class Recurrent(nn.Module):
    """A recurrent network with its loop in Python."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.cell = Cell(inputs, units)
        self.units = units

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), self.units)
        for step in x.unbind(1):
            state = self.cell(step, state)
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
        for step in self.cell.from_input(x).transpose(0, 1):
            state = torch.tanh(step + self.cell.from_state(state))
        return state


def state_of(network: nn.Module) -> dict[str, object]:
    """All that a probe must leave as it was."""
    return {
        "mode": [module.training for module in network.modules()],
        "gradients": [p.grad is None for p in network.parameters()],
        "required": [p.requires_grad for p in network.parameters()],
        "numbers": [(name, one.clone()) for name, one in network.state_dict().items()],
        "hooks": [
            (len(module._forward_hooks), len(module._forward_pre_hooks))
            for module in network.modules()
        ],
        "stream": torch.get_rng_state(),
    }


def assert_untouched(network: nn.Module, before: dict[str, object]) -> None:
    after = state_of(network)
    for (name, one), (_, other) in zip(before.pop("numbers"), after.pop("numbers"), strict=True):
        assert torch.equal(one, other), name
    assert torch.equal(before.pop("stream"), after.pop("stream"))
    assert before == after


class Series(nn.Module):
    """A Fourier series, linear in its weights: its kernel knows every frequency's rate."""

    def __init__(self, sizes: dict[float, float]) -> None:
        super().__init__()
        self.frequencies = torch.tensor(list(sizes), dtype=torch.float64)
        self.sizes = torch.tensor(list(sizes.values()), dtype=torch.float64)
        self.weight = nn.Parameter(torch.zeros(2 * len(sizes), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        angles = 2 * torch.pi * x * self.frequencies
        waves = torch.cat([angles.sin() * self.sizes, angles.cos() * self.sizes], 1)
        return waves @ self.weight[:, None]
