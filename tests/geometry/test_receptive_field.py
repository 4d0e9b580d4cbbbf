"""Traced receptive fields against the gradient of a linearised copy, operation by operation."""

import pytest
import torch
from geometry.judge import agree
from torch import Tensor, nn
from torch.nn import functional as F

PLANE = (2, 4, 9, 8)


class Does(nn.Module):
    """A module whose forward is a function, with layers to call."""

    def __init__(self, function, **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.ModuleDict(layers)

    def forward(self, *inputs):
        return self.function(self.layers, *inputs)


def _writes(_, x: Tensor) -> Tensor:
    y = x.clone()
    y[:, :, 1:] += x[:, :, :-1]
    y[:, 0] = 0
    y[:, 2, 2] = x[:, 1, 5]
    return y


def _windows(_, x: Tensor) -> Tensor:
    batch, deep, high, wide = x.shape
    x = x.view(batch, deep, high // 3, 3, wide // 4, 4).permute(0, 2, 4, 3, 5, 1)
    x = x.reshape(-1, 12, deep).mean(1, keepdim=True).expand(-1, 12, -1)
    x = x.reshape(batch, high // 3, wide // 4, 3, 4, deep).permute(0, 5, 1, 3, 2, 4)
    return x.reshape(batch, deep, high, wide)


def _tokens(layers, x: Tensor) -> Tensor:
    tokens = layers["patch"](x).flatten(2).transpose(1, 2)
    tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1)
    return layers["head"](tokens[:, 1:])


def _tokens_apart(layers, x: Tensor) -> Tensor:
    tokens = layers["patch"](x).flatten(2).transpose(1, 2)
    tokens = torch.cat([torch.zeros(2, 1, 3, dtype=x.dtype), tokens], 1)
    return layers["head"](tokens)


def _se(layers, x: Tensor) -> Tensor:
    return layers["c"](x) * torch.sigmoid(x.mean((2, 3), keepdim=True))


CASES: dict[str, nn.Module] = {
    "convolution": nn.Conv2d(4, 3, 3, stride=2, padding=1),
    "dilated": nn.Conv2d(4, 3, (3, 2), dilation=(2, 3), padding=(2, 0)),
    "grouped": nn.Conv2d(4, 6, 3, groups=2),
    "depthwise": nn.Conv2d(4, 4, 3, groups=4, padding="same"),
    "same with an even kernel": nn.Conv2d(4, 3, 4, padding="same"),
    "circular": nn.Conv2d(4, 3, 3, padding=1, padding_mode="circular"),
    "reflected": nn.Conv2d(4, 3, 5, padding=2, padding_mode="reflect"),
    "replicated": nn.Conv2d(4, 3, 5, padding=2, padding_mode="replicate"),
    "maximum": nn.MaxPool2d(3, 2, 1),
    "maximum with holes": nn.MaxPool2d(2, 2, dilation=3, ceil_mode=True),
    "average": nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    "adaptive": nn.AdaptiveAvgPool2d((4, 3)),
    "adaptive maximum": nn.AdaptiveMaxPool2d((5, 1)),
    "nearest": nn.Upsample(scale_factor=2),
    "nearest by 1.5": nn.Upsample(scale_factor=1.5),
    "nearest to a size": nn.Upsample((5, 20)),
    "linear": nn.Upsample(scale_factor=2, mode="bilinear"),
    "linear by 3, aligned": nn.Upsample(scale_factor=3, mode="bilinear", align_corners=True),
    "linear, smaller": nn.Upsample(scale_factor=0.5, mode="bilinear"),
    "cubic": nn.Upsample(scale_factor=2, mode="bicubic"),
    "transposed": nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1),
    "transposed with holes": nn.ConvTranspose2d(4, 4, 2, stride=3, groups=2, dilation=2),
    "constant padding": nn.ConstantPad2d((1, 2, 0, 3), 1.0),
    "cropping padding": nn.ZeroPad2d((-1, -2, 1, 0)),
    "pixel shuffle": nn.PixelShuffle(2),
    "shuffle, convolve": nn.Sequential(nn.PixelShuffle(2), nn.Conv2d(1, 2, 3, stride=2)),
    "channel shuffle": nn.Sequential(
        nn.Conv2d(4, 4, 3, groups=4), nn.ChannelShuffle(2), nn.Conv2d(4, 4, 1, groups=2)
    ),
    "batch norm in training": nn.Sequential(nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3), nn.ReLU(True)),
    "global mean": nn.Sequential(nn.Conv2d(4, 3, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "flatten and linear": nn.Sequential(
        nn.Conv2d(4, 3, 2, 2), nn.Flatten(), nn.Linear(48, 5), nn.Tanh()
    ),
    "slices": Does(lambda _, x: x[:, 1:3, 2:-1, ::2]),
    "flip and roll": Does(lambda _, x: x.flip(2).roll((1, -2), (2, 3))),
    "rows and columns": Does(
        lambda m, x: m["a"](x) + m["b"](x),
        a=nn.Conv2d(4, 2, (1, 3), padding=(0, 1)),
        b=nn.Conv2d(4, 2, (3, 1), padding=(1, 0)),
    ),
    "channels kept apart": Does(
        lambda m, x: torch.cat([m["c"](x), x], 1)[:, 2:6], c=nn.Conv2d(4, 3, 3, padding=1)
    ),
    "chunks": Does(
        lambda m, x: torch.cat([m["c"](x.chunk(2, 1)[0]), x.chunk(2, 1)[1]], 1),
        c=nn.Conv2d(2, 2, 3, padding=1),
    ),
    "places concatenated": Does(lambda _, x: torch.cat([x, x.flip(2)[:, :, :2]], 2)),
    "transposed image": Does(lambda _, x: x + x.transpose(2, 3).reshape(2, 4, 9, 8)),
    "squeeze and excite": Does(_se, c=nn.Conv2d(4, 4, 3, padding=1)),
    "unfold, linear": Does(
        lambda m, x: m["l"](F.unfold(x, (3, 2), dilation=(2, 1), padding=1, stride=2).mT),
        l=nn.Linear(24, 5),
    ),
    "unfold alone": nn.Unfold(3, stride=2),
    "unfold and fold": Does(lambda _, x: F.fold(F.unfold(x, 3, padding=1), (9, 8), 3, padding=1)),
    "windows of rows": Does(lambda _, x: x.unfold(2, 4, 2).unfold(3, 3, 1).mean((4, 5))),
    "windows apart": Does(lambda _, x: x.unfold(2, 4, 2)),
    "windows like Swin's": Does(_windows),
    "tokens": Does(_tokens, patch=nn.Conv2d(4, 3, 3, 2), head=nn.Linear(3, 2)),
    "tokens apart": Does(_tokens_apart, patch=nn.Conv2d(4, 3, 3, 2), head=nn.Linear(3, 2)),
    "written to": Does(_writes),
    "softmax over a row": nn.Softmax(3),
    "mean over rows": Does(lambda _, x: x.mean(2)),
    "largest of a column": Does(lambda _, x: x.amax(3, keepdim=True) + x),
    "products of rows": Does(lambda _, x: x @ x.transpose(2, 3)),
    "einsum": Does(lambda _, x: torch.einsum("bchw,bdhw->bcdw", x, x)),
    "linear over columns": nn.Linear(8, 3),
    "repeat": Does(lambda _, x: x.repeat(1, 2, 1, 3)[..., 5:12].repeat_interleave(2, 2)),
    "stack and unbind": Does(lambda _, x: torch.stack(x.unbind(2)[::3], 1)),
    "picked": Does(lambda _, x: x[:, :, [0, 3, 3, 8]].index_select(3, torch.tensor([7, 1]))),
    "squeezed": Does(lambda _, x: x.mean(1, keepdim=True).squeeze(1).unsqueeze(0).movedim(1, 3)),
    "gates": Does(lambda _, x: F.glu(torch.cat([x[..., 1:], x[..., :-1]], 1), 1)),
    "bilinear": Does(lambda m, x: m["b"](x, x.flip(2)), b=nn.Bilinear(8, 8, 3)),
    "two convolutions, one skip": Does(
        lambda m, x: x[:, :3, 2:-2, 2:-2] + m["b"](F.relu(m["a"](x), inplace=True)),
        a=nn.Conv2d(4, 3, 3),
        b=nn.Conv2d(3, 3, 3),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_exactly_what_the_gradient_reaches(name: str) -> None:
    given = (2, 4, 9, 8) if "Swin" not in name else (1, 2, 9, 8)
    agree(CASES[name].eval() if "training" not in name else CASES[name], given, seed=name)


def test_pixels_become_channels() -> None:
    agree(nn.PixelUnshuffle(2), (1, 2, 6, 8))
    agree(nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(8, 2, 3, padding=1)), (1, 2, 6, 8))


SEQUENCES: dict[str, tuple[nn.Module, tuple[int, ...], tuple[int, ...] | None]] = {
    "one dimension": (
        nn.Sequential(nn.Conv1d(2, 3, 3, 2, 1), nn.MaxPool1d(2), nn.ConvTranspose1d(3, 2, 4, 2)),
        (1, 2, 21),
        None,
    ),
    "three dimensions": (
        nn.Sequential(nn.Conv3d(1, 2, (3, 1, 2), (1, 2, 1)), nn.MaxPool3d(2), nn.Conv3d(2, 1, 2)),
        (1, 1, 7, 8, 9),
        None,
    ),
    "trilinear": (nn.Upsample(scale_factor=2, mode="trilinear"), (1, 1, 3, 4, 2), None),
    "cumulative sum": (Does(lambda _, x: x.cumsum(1)), (1, 6, 2), (1,)),
    "LSTM": (
        Does(lambda m, x: m["r"](x)[0], r=nn.LSTM(2, 3, 2, batch_first=True)),
        (1, 6, 2),
        (1,),
    ),
    "LSTM both ways": (
        Does(lambda m, x: m["r"](x)[0], r=nn.LSTM(2, 3, bidirectional=True)),
        (6, 1, 2),
        (0,),
    ),
    "GRU's state": (Does(lambda m, x: m["r"](x)[1], r=nn.GRU(2, 3)), (6, 1, 2), (0,)),
    "attention": (
        nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True),
        (1, 5, 4),
        (1,),
    ),
    "attention by hand": (
        Does(lambda m, x: torch.softmax(m["q"](x) @ x.transpose(1, 2), -1) @ x, q=nn.Linear(4, 4)),
        (1, 5, 4),
        (1,),
    ),
    "masked attention": (
        Does(
            lambda _, x: F.scaled_dot_product_attention(
                x, x, x, attn_mask=torch.ones(5, 5, dtype=torch.bool).tril().triu(-1)
            )
        ),
        (1, 2, 5, 4),
        (2,),
    ),
    "causal attention": (
        Does(lambda _, x: F.scaled_dot_product_attention(x, x, x, is_causal=True)),
        (1, 2, 5, 4),
        (2,),
    ),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences_and_volumes(name: str) -> None:
    model, shape, axes = SEQUENCES[name]
    agree(model, shape, axes=axes, seed=name)
