"""The notes on residual networks."""

import torch
from torch import nn

from penchant.claims._claim import Claim, Evidence, Statement
from penchant.claims._rules import check, exactly
from penchant.claims._setting import Setting
from penchant.nn import Residual
from penchant.randomness import generator


def _sums(setting: Setting) -> Evidence:
    """Compare blocks with g(z + a), written out, with and without a projection."""
    cases = setting.several(smoke=50, quick=200, full=1000)
    largest = {"identity": 0.0, "projection": 0.0}
    for case in range(cases):
        draws = generator(case, "skip-form", 0)
        width, out = (int(n) for n in torch.randint(1, 9, (2,), generator=draws))
        a = torch.randn(4, width, generator=draws, dtype=torch.float64)
        for name, size in (("identity", width), ("projection", out)):
            inner = nn.Linear(width, size).double()
            across = nn.Linear(width, size, bias=False).double() if name == "projection" else None
            _draw(inner, draws)
            skip = a if across is None else _draw(across, draws)(a)
            written = torch.relu(a @ inner.weight.T + inner.bias + skip)
            error = (Residual(inner, "relu", across)(a) - written).abs().max().item()
            largest[name] = max(largest[name], error)
    return {
        "checks": [
            check("Residual(inner)(a) = g(z + a)", cases, largest["identity"]),
            check("Residual(inner, projection=P)(a) = g(z + P·a)", cases, largest["projection"]),
        ]
    }


def _draw(layer: nn.Linear, draws: torch.Generator) -> nn.Linear:
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=draws)
    return layer


SKIP_FORM = Claim(
    id="skip-form",
    words="With a skip connection “the new activation is g(z + a)”.",
    meaning="z is the layer's affine output, a the block's input, g the activation: the sum goes "
    "in before g. Where shapes differ, a passes a projection P.",
    statements=(
        Statement(
            name="sum",
            says="A residual block's output is g(z + a), and g(z + P·a) where it projects: equal "
            "in float64 to the formula written out, for random widths, weights and inputs.",
            kind="exact",
            gather=_sums,
            rule=exactly(1e-12),
        ),
    ),
    literature=(
        "He et al. (2015) add the input before the last ReLU of a block: y = ReLU(F(x) + x).",
        "He et al. (2016, “Identity mappings”) move the activation into F, so that nothing stands "
        "after the sum; their networks of 1,001 layers then train better.",
    ),
)

RESIDUAL: tuple[Claim, ...] = (SKIP_FORM,)
