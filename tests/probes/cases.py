"""Networks that probes must leave alone, and planted faults that they must name: two tables.

A new case is one entry. Everything is drawn from a seed; digits are 8×8 pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

PICTURE = 8
CLASSES = 10


@cache
def digits() -> tuple[Tensor, Tensor]:
    """All pictures as N×8×8 with mean 0 and variance 1, and their classes.

    With a background of exact zeros a ConvNeXt's first norm divides by nothing but its ε: there
    the gradient does explode, by 10⁴.
    """
    data = load_digits()
    pictures = torch.tensor(data.images, dtype=torch.float32)
    return (pictures - pictures.mean()) / pictures.std(), torch.tensor(data.target)


def batch(size: int = 64, seed: int = 0) -> tuple[Tensor, Tensor]:
    pictures, classes = digits()
    chosen = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(seed))[:size]
    return pictures[chosen], classes[chosen]


def loss(output: object, classes: Tensor) -> Tensor:
    return F.cross_entropy(logits(output), classes)


def logits(output: object) -> Tensor:
    if isinstance(output, Tensor):
        return output
    return output["logits"] if isinstance(output, dict) else output[0]  # type: ignore[index]


def train(network: nn.Module, steps: int, rate: float = 1e-3) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    for step in range(steps):
        pictures, classes = batch(64, step)
        optimizer.zero_grad()
        loss(network(pictures), classes).backward()
        optimizer.step()


def mlp(depth: int, activation: Callable[[], nn.Module], width: int = 64) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(PICTURE**2, width), activation()]
    for _ in range(depth - 2):
        layers += [nn.Linear(width, width), activation()]
    return nn.Sequential(*layers, nn.Linear(width, CLASSES))


def normed_mlp(depth: int, width: int = 64) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for before in (PICTURE**2, *(width for _ in range(depth - 2))):
        layers += [nn.Linear(before, width), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Linear(width, CLASSES))


def he_mlp(depth: int, gain: float) -> nn.Sequential:
    """A ReLU MLP, He's start times a gain."""
    network = mlp(depth, nn.ReLU)
    for layer in network:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
            layer.weight.data.mul_(gain)
    return network


class Block(nn.Module):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.stride, self.more = stride, width - before
        self.cut = False

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu_(self.norm1(self.conv1(x)))
        inner = self.norm2(self.conv2(inner.detach() if self.cut else inner))
        skip = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))
        return F.relu_(inner.add_(skip))


class ResNet(nn.Module):
    """6n + 2 layers with batch norm, as He et al. have it for small pictures."""

    def __init__(self, depth: int = 20, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        blocks, before = [], width
        for stage in range(3):
            for place in range((depth - 2) // 6):
                after = width << stage
                blocks.append(Block(before, after, 2 if stage and not place else 1))
                before = after
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(before, CLASSES)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, pictures: Tensor) -> Tensor:
        maps = self.blocks(F.relu_(self.norm(self.stem(pictures[:, None]))))
        return self.head(maps.mean((2, 3)))


class TorchViT(nn.Module):
    """Rows as tokens through torch's own encoder; gives out a tuple."""

    def __init__(self, width: int = 32, depth: int = 4) -> None:
        super().__init__()
        self.read = nn.Linear(PICTURE, width)
        self.places = nn.Parameter(torch.randn(PICTURE, width) / 50)
        one = nn.TransformerEncoderLayer(width, 4, 64, 0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(one, depth, enable_nested_tensor=False)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.encoder(self.read(pictures) + self.places)
        return self.head(tokens.mean(1)), tokens


class Backbone(nn.Module):
    """One of transformers' classifiers, which gives out a ModelOutput."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        import transformers

        if kind == "vit":
            self.inner: nn.Module = transformers.ViTForImageClassification(
                transformers.ViTConfig(
                    hidden_size=32,
                    num_hidden_layers=4,
                    num_attention_heads=4,
                    intermediate_size=64,
                    image_size=PICTURE,
                    patch_size=2,
                    num_channels=1,
                    num_labels=CLASSES,
                )
            )
        else:
            self.inner = transformers.ConvNextForImageClassification(
                transformers.ConvNextConfig(
                    num_channels=1,
                    patch_size=2,
                    hidden_sizes=[8, 16],
                    depths=[2, 2],
                    num_stages=2,
                    num_labels=CLASSES,
                )
            )

    def forward(self, pictures: Tensor) -> object:
        return self.inner(pixel_values=pictures[:, None])


class Recurrent(nn.Module):
    """A picture's rows as time; the last state answers. `steps` repeats the rows."""

    def __init__(self, kind: str = "LSTM", steps: int = PICTURE, width: int = 32, **more: object):
        super().__init__()
        self.over_time = getattr(nn, kind)(PICTURE, width, batch_first=True, **more)
        self.head = nn.Linear(width, CLASSES)
        self.steps = steps

    def forward(self, pictures: Tensor) -> Tensor:
        return self.head(self.over_time(rows(pictures, self.steps))[0][:, -1])


class Unrolled(nn.Module):
    """The same, a cell called at each step."""

    def __init__(
        self, kind: str = "LSTMCell", steps: int = PICTURE, width: int = 32, **more: object
    ):
        super().__init__()
        self.cell = getattr(nn, kind)(PICTURE, width, **more)
        self.head = nn.Linear(width, CLASSES)
        self.steps = steps

    def forward(self, pictures: Tensor) -> Tensor:
        state = None
        for row in rows(pictures, self.steps).unbind(1):
            state = self.cell(row, state)
        return self.head(state[0] if isinstance(state, tuple) else state)


def rows(pictures: Tensor, steps: int) -> Tensor:
    return pictures.repeat(1, -(-steps // PICTURE), 1)[:, :steps]


def twice(network: Recurrent | Unrolled) -> nn.Module:
    """Orthogonal recurrent weights, times 2."""
    for module in network.modules():
        if isinstance(module, nn.RNNBase | nn.RNNCellBase):
            for name, weight in module.named_parameters():
                if name.startswith("weight_hh"):
                    for part in weight.data.split(weight.shape[1]):
                        nn.init.orthogonal_(part, 2.0)
    return network


class ReZero(nn.Module):
    """Branches that a learned zero closes at the start."""

    def __init__(self, depth: int = 6, width: int = 32) -> None:
        super().__init__()
        self.read = nn.Linear(PICTURE**2, width)
        self.inner = nn.ModuleList(mlp_block(width) for _ in range(depth))
        self.scales = nn.Parameter(torch.zeros(depth))
        self.head = nn.Linear(width, CLASSES)

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.read(pictures.flatten(1))
        for inner, scale in zip(self.inner, self.scales, strict=True):
            x = x + scale * inner(x)
        return self.head(x)


def mlp_block(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, width))


class Tied(nn.Module):
    """One block, applied again and again."""

    def __init__(self, times: int = 6, width: int = 32) -> None:
        super().__init__()
        self.read = nn.Linear(PICTURE**2, width)
        self.block = mlp_block(width)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, CLASSES)
        self.times = times

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.read(pictures.flatten(1))
        for _ in range(self.times):
            x = self.norm(x + self.block(x))
        return self.head(x)


class Cut(nn.Module):
    """An MLP, or two branches of one, with a `.detach()` in its forward."""

    def __init__(self, behind: int, branch: bool = False) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(
            [nn.Linear(PICTURE**2, 32), *(nn.Linear(32, 32) for _ in range(5))]
        )
        self.beside = nn.Linear(PICTURE**2, 32) if branch else None
        self.head = nn.Linear(32, CLASSES)
        self.behind = behind

    def forward(self, pictures: Tensor) -> Tensor:
        x = pictures.flatten(1)
        beside = torch.relu(self.beside(x)) if self.beside else 0
        for place, layer in enumerate(self.hidden):
            x = torch.relu(layer(x))
            if place == self.behind:
                x = x.detach()
        return self.head(x + beside)


class Spare(nn.Module):
    """A layer that no forward calls."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp(4, nn.ReLU)
        self.spare = nn.Linear(3, 3)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.body(pictures)


class ZeroBranches(nn.Module):
    """Residual blocks whose last layers are zero at the start."""

    def __init__(self, depth: int = 4, width: int = 32) -> None:
        super().__init__()
        self.read = nn.Linear(PICTURE**2, width)
        self.inner = nn.ModuleList(mlp_block(width) for _ in range(depth))
        for inner in self.inner:
            nn.init.zeros_(inner[2].weight)
            nn.init.zeros_(inner[2].bias)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.read(pictures.flatten(1))
        for inner in self.inner:
            x = x + inner(x)
        return self.head(x)


class Experts(nn.Module):
    """Each sample goes to one of several experts; the last gets none."""

    def __init__(self, experts: int = 3, width: int = 32) -> None:
        super().__init__()
        self.read = nn.Linear(PICTURE**2, width)
        self.route = nn.Linear(width, experts)
        self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(experts))
        self.head = nn.Linear(width, CLASSES)
        nn.init.constant_(self.route.bias[-1], -100.0)

    def forward(self, pictures: Tensor) -> Tensor:
        x = torch.relu(self.read(pictures.flatten(1)))
        weight, chosen = self.route(x).softmax(1).max(1, keepdim=True)
        y = torch.zeros_like(x)
        for place, expert in enumerate(self.experts):
            here = chosen[:, 0] == place
            y[here] = weight[here] * expert(x[here])
        return self.head(torch.relu(y))


def half_frozen() -> nn.Module:
    network = mlp(6, nn.ReLU)
    for place in (1, 3, 7):
        network[place].requires_grad_(False)
    return network


HEALTHY: dict[str, Callable[[], nn.Module]] = {
    **{
        f"mlp-{depth}-{act.__name__}": lambda depth=depth, act=act: mlp(depth, act)
        for depth in (3, 6, 10)
        for act in (nn.ReLU, nn.Tanh, nn.GELU)
    },
    "he-mlp-30": lambda: he_mlp(30, 1.0),
    "resnet-20": ResNet,
    "vit-torch": TorchViT,
    "vit": lambda: Backbone("vit"),
    "convnext": lambda: Backbone("convnext"),
    "lstm": Recurrent,
    "lstm-28": lambda: Recurrent(steps=28),
    "lstm-cell": Unrolled,
    "gru-28": lambda: Recurrent("GRU", 28),
    "rnn": lambda: Recurrent("RNN"),
    "rezero": ReZero,
    "tied": Tied,
    "half-frozen": half_frozen,
    "batch-norm": lambda: normed_mlp(6),
    "zero-branches": ZeroBranches,
    "experts": Experts,
}


@dataclass(frozen=True)
class Fault:
    build: Callable[[], nn.Module]
    kind: str
    layer: str


def weakened(build: Callable[[], nn.Module], layer: str) -> Fault:
    """One layer's weights times 1e-3."""

    def broken() -> nn.Module:
        network = build()
        network.get_submodule(layer).weight.data.mul_(1e-3)
        return network

    return Fault(broken, "gain", layer)


def strengthened(build: Callable[[], nn.Module], layer: str) -> Callable[[], nn.Module]:
    """One layer's weights times 1e4."""

    def broken() -> nn.Module:
        network = build()
        network.get_submodule(layer).weight.data.mul_(1e4)
        return network

    return broken


def not_a_number() -> nn.Module:
    network = mlp(6, nn.ReLU)
    network[5].weight.data[0, 0] = float("nan")
    return network


def cut_block() -> nn.Module:
    network = ResNet()
    network.blocks[4].cut = True
    return network


FAULTS: dict[str, Fault] = {
    **{f"gain-mlp-{n}": weakened(lambda: mlp(6, nn.ReLU), str(n)) for n in (1, 3, 7, 11)},
    "gain-tanh": weakened(lambda: mlp(10, nn.Tanh), "9"),
    "gain-gelu": weakened(lambda: mlp(10, nn.GELU), "9"),
    "gain-conv1": weakened(ResNet, "blocks.4.conv1"),
    "gain-conv2": weakened(ResNet, "blocks.4.conv2"),
    "gain-norm": weakened(lambda: normed_mlp(6), "10"),
    "strong-last": Fault(strengthened(lambda: mlp(2, nn.ReLU), "3"), "exploding", "3"),
    "nan": Fault(not_a_number, "not finite", "5"),
    "gain-vit": weakened(TorchViT, "encoder.layers.1.linear2"),
    "exploding-rnn": Fault(
        lambda: twice(Recurrent("RNN", 28, nonlinearity="relu")), "exploding", "over_time"
    ),
    "exploding-rnn-tanh": Fault(lambda: twice(Recurrent("RNN", 28)), "exploding", "over_time"),
    "exploding-cell": Fault(
        lambda: twice(Unrolled("RNNCell", 28, nonlinearity="relu")), "exploding", "cell"
    ),
    "detached": Fault(lambda: Cut(3), "detached", "hidden.3"),
    "detached-branch": Fault(lambda: Cut(5, branch=True), "detached", "hidden.5"),
    "detached-block": Fault(cut_block, "detached", "blocks.4.conv1"),
    "vanishing": Fault(lambda: mlp(30, nn.Sigmoid), "vanishing", "1"),
    "exploding": Fault(lambda: he_mlp(30, 2.0), "exploding", "1"),
    "unused": Fault(Spare, "unused", "spare"),
}


def drawn(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a network from a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()
