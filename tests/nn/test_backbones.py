"""ViT and ConvNeXt: published counts, every non-linearity, keyed draws, a plain module's face."""

import math
import subprocess
import sys
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import Activation, ConvNeXt, Sine, ViT, count_parameters
from penchant.nn._patch_positions import sinusoidal_positions

SMALL = {
    "vit": lambda **choices: ViT(8, 5, channels=2, patch=2, width=16, depth=3, **choices),
    "convnext": lambda **choices: ConvNeXt(5, channels=2, width=8, depths=(1, 2, 1), **choices),
}
"""Each family at a size for tests: 8×8 pixels of 2 channels to 5 classes."""

NON_LINEARITIES = {"vit": 3, "convnext": 4}
"""One a block."""

PUBLISHED = [
    (ViT, "tiny", 5_717_416),
    (ViT, "small", 22_050_664),
    (ViT, "base", 86_567_656),
    (ConvNeXt, "tiny", 28_589_128),
    (ConvNeXt, "small", 50_223_688),
    (ConvNeXt, "base", 88_591_464),
]


@pytest.fixture(params=sorted(SMALL))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def pictures(count: int = 3) -> Tensor:
    return torch.randn(count, 2, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("network", "name", "parameters"), PUBLISHED)
def test_published_sizes_have_the_published_number_of_parameters(
    network: type[ViT | ConvNeXt], name: str, parameters: int
) -> None:
    with torch.device("meta"):
        built = network.published(name, activation="relu")  # type: ignore[arg-type]
    assert count_parameters(built) == parameters
    answers = built(torch.empty(2, 3, 224, 224, device="meta"))
    assert answers.shape == (2, 1000)


def test_any_size_channels_and_classes() -> None:
    net = ViT((8, 12), 3, channels=5, patch=4, width=17, depth=1, heads=4)
    assert net(torch.zeros(2, 5, 8, 12)).shape == (2, 3)
    for sides in ((8, 8), (9, 13)):
        assert SMALL["convnext"]()(torch.zeros(2, 2, *sides)).shape == (2, 5)


def placed(positions: str, **choices: Any) -> ViT:
    """Build a ViT for pictures of 8×12 pixels, 24 patches, with the positions."""
    return ViT((8, 12), 5, channels=2, patch=2, width=16, depth=2, positions=positions, **choices)  # type: ignore[arg-type]


@pytest.mark.parametrize("positions", ["none", "sinusoidal"])
def test_positions_that_are_not_learned_are_no_parameters(positions: str) -> None:
    learned, net = placed("learned"), placed(positions)
    assert count_parameters(learned) - count_parameters(net) == (24 + 1) * 16
    # What both have starts from the same draws, the class token too.
    state = learned.state_dict()
    position = "model.vit.embeddings.position_embeddings"
    assert state.keys() - net.state_dict().keys() == {position}
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert any(name.endswith("cls_token") for name, _ in net.named_parameters())
    with torch.device("meta"):
        assert placed(positions)(torch.empty(3, 2, 8, 12)).shape == (3, 5)
    net.eval()
    inputs = torch.randn(3, 2, 8, 12, generator=torch.Generator().manual_seed(0))
    exported = torch.export.export(net, (inputs,)).module()
    assert torch.allclose(exported(inputs), net(inputs), atol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "sine"])
def test_only_without_positions_patches_may_change_places(activation: str) -> None:
    draws = torch.Generator().manual_seed(0)
    patches = torch.randn(3, 24, 2, 2, 2, generator=draws, dtype=torch.float64)
    order = torch.randperm(24, generator=draws)

    def picture(patches: Tensor) -> Tensor:
        rows = patches.reshape(3, 4, 6, 2, 2, 2)  # row, column, channel, and within the patch
        return rows.permute(0, 3, 1, 4, 2, 5).reshape(3, 2, 8, 12)

    assert torch.equal(picture(patches)[:, :, 2:4, 4:6], patches[:, 6 + 2])
    for positions, change in {"none": 0.0, "learned": 1e-2, "sinusoidal": 1e-2}.items():
        net = placed(positions, activation=activation).double()
        # Transformers' written-out attention has its softmax in float32 whatever comes in.
        cast(Any, net.model).set_attn_implementation("sdpa")
        first, second = net(picture(patches)), net(picture(patches[:, order]))
        moved = (first - second).abs().max() / first.abs().max()
        assert moved > change if change else moved < 1e-13, (positions, moved)


@pytest.mark.parametrize("width", [16, 17])
def test_sinusoidal_positions_are_those_of_the_paper(width: int) -> None:
    found = sinusoidal_positions(4, 6, width)
    waves = math.ceil(width / 4)
    for patch in (0, 1, 8, 23):
        places = {"row": patch // 6, "column": patch % 6}
        numbers = [
            math.sqrt(2) * wave(place / 10000 ** (i / waves))
            for place in places.values()
            for wave in (math.sin, math.cos)
            for i in range(waves)
        ]
        assert torch.allclose(found[patch], torch.tensor(numbers[:width]), atol=1e-5)
    embeddings = cast(Any, placed("sinusoidal", heads=1).model).vit.embeddings
    held = embeddings.position_embeddings[0]
    assert not held[0].any(), "nothing for the class token"
    assert float(held[1:].square().mean().sqrt()) == pytest.approx(0.2, rel=1e-5)


class Counted(nn.Module):
    """A non-linearity that counts how often it is called."""

    calls = 0

    def forward(self, z: Tensor) -> Tensor:
        type(self).calls += 1
        return torch.tanh(z)


def test_the_activation_stands_at_every_non_linearity(family: str) -> None:
    net = SMALL[family](activation=Counted())
    standing = [module for module in net.modules() if isinstance(module, Activation)]
    assert len(standing) == len({id(module) for module in standing}) == NON_LINEARITIES[family]
    Counted.calls = 0
    net(pictures())
    assert Counted.calls == NON_LINEARITIES[family]
    # Nothing of transformers' own is left, and no function of torch's is called in its place.
    kinds = {type(m).__module__ for m in net.modules()}
    assert not {kind for kind in kinds if kind.startswith("transformers.activations")}
    called = functions_of(net)
    assert called & {"tanh"} and not called & {"gelu", "relu", "silu", "sigmoid"}


def functions_of(net: nn.Module) -> set[str]:
    """Names of all functions that a forward calls."""
    names: set[str] = set()

    class Listening(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            names.add(getattr(func, "__name__", ""))
            return func(*args, **(kwargs or {}))

    with Listening():
        net(pictures())
    return names


def test_draws_are_keyed_by_seed_and_name_and_leave_the_global_stream(family: str) -> None:
    before = torch.random.get_rng_state()
    one, same, other = (SMALL[family](seed=seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    pairs = zip(one.named_parameters(), same.parameters(), other.parameters(), strict=True)
    for (name, a), b, c in pairs:
        assert torch.equal(a, b), name
        assert torch.equal(a, c) == (not a.any() or a.std() == 0), name


def test_designs_of_one_seed_share_draws_where_shapes_agree(family: str) -> None:
    gelu, sine = (SMALL[family](activation=name) for name in ("gelu", Sine(scale=1)))
    for (name, a), b in zip(gelu.named_parameters(), sine.parameters(), strict=True):
        assert torch.equal(a, b), name


@pytest.mark.parametrize("activation", ["gelu", "sine", "gaussian"])
def test_pre_activations_start_at_second_moment_one(family: str, activation: str) -> None:
    wide = {
        "vit": lambda: ViT(8, 5, channels=2, patch=2, width=64, depth=2, activation=activation),
        "convnext": lambda: ConvNeXt(5, channels=2, width=64, depths=(2,), activation=activation),
    }[family]()
    seen: list[float] = []
    for module in wide.modules():
        if isinstance(module, Activation):
            module.register_forward_pre_hook(
                lambda phi, z: seen.append(float((phi.scale * z[0].detach()).square().mean()))
            )
    wide(torch.randn(32, 2, 8, 8, generator=torch.Generator().manual_seed(0)))
    assert len(seen) == 2
    assert all(0.8 < moment < 1.25 for moment in seen), seen


def test_the_last_linear_layer_is_given_the_pooled_features(family: str) -> None:
    net = SMALL[family]()
    *_, last = (module for module in net.modules() if isinstance(module, nn.Linear))
    given: list[Tensor] = []
    last.register_forward_hook(lambda _, inputs, __: given.append(inputs[0]))
    answers = net(pictures())
    assert given[0].shape == (3, last.in_features)
    assert torch.equal(answers, given[0] @ last.weight.T + last.bias) or torch.allclose(
        answers, nn.functional.linear(given[0], last.weight, last.bias)
    )


def test_it_learns(family: str) -> None:
    net = SMALL[family]()
    inputs, labels = pictures(20), torch.arange(20) % 5
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = nn.functional.cross_entropy(net(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert all(p.grad is not None for p in net.parameters())
    assert losses[-1] < 0.3 * losses[0]


def test_it_exports_and_is_inspected(family: str) -> None:
    from penchant.inspection import inspect

    net = SMALL[family]().eval()
    exported = torch.export.export(net, (pictures(),)).module()
    assert torch.allclose(exported(pictures()), net(pictures()), atol=1e-6)
    assert inspect(net, (2, 8, 8)).parameters == count_parameters(net)


def test_double_precision_and_second_derivatives(family: str) -> None:
    net = SMALL[family]().double()
    loss = net(pictures().double()).square().sum()
    parameters = [p for p in net.parameters() if p.ndim > 1]
    first = torch.autograd.grad(loss, parameters, create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in first), parameters)
    assert all(bool(g.isfinite().all()) and g.dtype == torch.float64 for g in second)


BAD = [
    (lambda: ViT(28, patch=5), "ViT(size=(28, 28), patch=5): a patch's side must divide"),
    (lambda: ViT(28, width=3), "ViT(heads=4, width=3): needs a whole number of at least 4"),
    (lambda: ViT((28, 28, 1)), "ViT(size=(28, 28, 1)): needs (height, width)"),
    (lambda: ViT(activation="wire"), "ViT(activation='wire'): its values are complex"),
    (lambda: ViT.published("huge"), "ViT.published('huge'): no such size; known: base, small"),  # type: ignore[arg-type]
    (lambda: ConvNeXt(depths=(2, 0)), "ConvNeXt(depths: a stage=0): needs a whole number"),
    (lambda: SMALL["vit"]()(torch.zeros(1, 1, 8, 8)), "ViT: pictures of shape (1, 1, 8, 8); N×2×8"),
    (lambda: SMALL["vit"]()(torch.zeros(1, 128)), "ViT: pictures of shape (1, 128); N×2×8×8"),
    (lambda: SMALL["vit"]()(torch.zeros(0, 2, 8, 8)), "N×2×8×8 is needed, of at least 1"),
    (
        lambda: placed("learnt"),
        "ViT(positions='learnt'): no such positions; did you mean 'learned'",
    ),
    (lambda: ViT("16"), "ViT(size='16'): needs (height, width)"),
    (lambda: ConvNeXt(depths=()), "ConvNeXt(depths=()): needs blocks"),
    (lambda: ConvNeXt(depths=3), "ConvNeXt(depths=3): needs blocks"),
    (lambda: ConvNeXt(layer_scale="x"), "ConvNeXt(layer_scale='x'): needs a finite number"),
    (lambda: ConvNeXt(layer_scale=float("nan")), "layer_scale=nan"),
    (lambda: SMALL["convnext"]()(torch.zeros(1, 2, 7, 9)), "of at least 8 pixels a side"),
]


@pytest.mark.unchecked
@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input_is_said_in_one_line(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PenchantError) as error:
        call()
    assert message in str(error.value) and "\n" not in str(error.value)


def test_without_transformers_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(PenchantError, match=r"pip install 'penchant\[backbones\]'"):
        ViT()


def test_it_is_silent_and_imports_transformers_only_when_called() -> None:
    code = (
        "import sys, penchant.nn as nn\n"
        "assert 'transformers' not in sys.modules\n"
        "net = nn.ViT(8, patch=2, width=8, depth=1); net.train(); net.eval()\n"
        "nn.ConvNeXt(width=4)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
