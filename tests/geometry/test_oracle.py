"""The gradient of a linearised copy, where networks cannot be traced or hold odd things."""

from dataclasses import dataclass

import pytest
import torch
from geometry.judge import agree
from geometry.test_receptive_field import Does
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from penchant.errors import PenchantError
from penchant.geometry import effective_receptive_field, receptive_field

LINE = (1, 1, 24)
PLANE = (1, 1, 12, 12)


def _measured(model: nn.Module, shape: tuple[int, ...], **more):
    fields = receptive_field(model, shape, **more)
    assert fields.method == "measured"
    return fields


def _undecided(function):
    """Make a forward that cannot be traced, as it decides by its numbers."""
    return lambda layers, x: function(layers, x) if x.sum() > -1e9 else x


def _gates(layers, x: Tensor) -> Tensor:
    for layer in layers.values():
        one, two = layer(x).chunk(2, 1)
        x = torch.tanh(one) * torch.sigmoid(two)
    return x


def test_products_of_activations_do_not_overflow() -> None:
    layers = {f"l{at}": nn.Conv1d(1, 2, 2) for at in range(14)}
    agree(Does(_gates, **layers), LINE, looks=2)
    assert _measured(Does(_undecided(_gates), **layers), LINE).size == (15,)


def test_gates_of_a_recurrence_do_not_saturate() -> None:
    model = Does(_undecided(lambda m, x: m["r"](100 * m["p"](x))[0]), r=nn.LSTM(3, 4), p=nn.ReLU())
    fields = _measured(model, (20, 1, 3), axes=(0,))
    assert fields.field.axes[0].positions(19) == tuple(range(20))


def _unpool(layers, x: Tensor) -> Tensor:
    y, places = F.max_pool2d(layers["a"](x), 2, return_indices=True)
    return layers["b"](F.max_unpool2d(y, places, 2))


def test_unpooling_may_fill_its_whole_window() -> None:
    model = Does(_unpool, a=nn.Conv2d(1, 1, 3, padding=1), b=nn.Conv2d(1, 1, 3, padding=1))
    axis = _measured(model, PLANE).field.axes[0]
    # Three places lie in two windows of 2, and those see 4 + 2 positions.
    assert axis.size == 6
    assert axis.positions(6) == tuple(range(3, 9))


def test_what_is_picked_by_rank_sees_all() -> None:
    model = Does(_undecided(lambda _, x: x.sort(2)[0] + x.topk(24, 2)[0]))
    assert _measured(model, LINE).field.axes[0].whole


def test_masks_near_minus_infinity_shut() -> None:
    near = (torch.arange(8)[:, None] - torch.arange(8)).abs() < 2

    def attention(_, x: Tensor) -> Tensor:
        return (x @ x.mT).masked_fill(~near, -torch.inf).softmax(-1) @ x

    fields = _measured(Does(_undecided(attention)), (1, 8, 3), axes=(1,))
    assert (fields.size, fields.start) == ((3,), (-1,))


def test_a_function_without_a_rule_is_named_without_its_address() -> None:
    model = Does(lambda m, x: torch.func.vmap(m["c"])(x), c=nn.Conv1d(1, 2, 3))
    fields = _measured(model, (2, 1, 12))
    assert fields.size == (3,)
    assert " at 0x" not in fields.notes[0]


def test_types_that_a_forward_asks_for() -> None:
    def forward(m, x):
        y = torch.zeros(1, 1, 24, dtype=torch.float32) + x.half().to(torch.float32)
        return m["c"](y.float() + torch.ones(24))

    agree(Does(forward, c=nn.Conv1d(1, 2, 3)), LINE)
    assert _measured(Does(_undecided(forward), c=nn.Conv1d(1, 2, 3)), LINE).size == (3,)
    assert torch.get_default_dtype() == torch.float32


def test_regions_without_gradients_are_measured_too() -> None:
    def forward(m, x):
        with torch.no_grad():
            y = m["c"](x)
        return m["c"](y)

    fields = _measured(Does(_undecided(forward), c=nn.Conv1d(1, 1, 3)), LINE)
    assert fields.size == (5,)
    assert torch.is_grad_enabled()


@pytest.mark.filterwarnings("ignore:Complex modules")
def test_complex_parameters_and_plain_attributes() -> None:
    model = Does(_undecided(lambda m, x: m["c"](x * m.shift + 0j).abs()))
    model.layers["c"] = nn.Conv1d(1, 2, 3).to(torch.complex64)
    model.layers.shift = torch.ones(24)
    assert _measured(model, LINE).size == (3,)


def test_a_forward_that_takes_gradients_is_refused() -> None:
    def force(m, x):
        x = x.requires_grad_()
        return torch.autograd.grad(torch.tanh(m["c"](x)).sum(), x)[0]

    with pytest.raises(PenchantError, match="takes gradients"):
        receptive_field(Does(force, c=nn.Conv1d(1, 2, 3)), LINE)


def test_nothing_known_is_said() -> None:
    model = Does(_undecided(lambda _, x: torch.from_numpy(x.detach().clone().numpy())))
    with pytest.raises(PenchantError, match=r"not traced \(.*nothing is known|does not run"):
        receptive_field(model, LINE)


def test_what_a_forward_raises_is_told_in_one_line() -> None:
    def fails(_, x):
        raise RuntimeError("first\n" + "long " * 100)

    with pytest.raises(PenchantError) as caught:
        receptive_field(Does(fails), LINE)
    assert "does not run: first long" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
def test_compiled_parts_are_named() -> None:
    scripted = torch.jit.trace(nn.Conv1d(1, 1, 3), torch.zeros(LINE))
    with pytest.raises(PenchantError, match="1 is a TopLevelTracedModule"):
        receptive_field(nn.Sequential(nn.ReLU(), scripted), LINE)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
def test_weights_that_are_computed() -> None:
    model = nn.Sequential(torch.nn.utils.weight_norm(nn.Conv1d(1, 2, 3)), nn.Conv1d(2, 2, 3))
    model(torch.zeros(LINE))
    agree(model, LINE)
    assert effective_receptive_field(model, LINE).map.count_nonzero() == 5
    agree(nn.Sequential(weight_norm(nn.Conv1d(1, 2, 3))), LINE)


@dataclass
class Result:
    logits: Tensor
    hidden: list[Tensor]


def test_dataclasses_come_out() -> None:
    def forward(m, x):
        y = m["c"](x)
        return Result(m["c"](y), [x, y])

    fields = agree(Does(forward, c=nn.Conv1d(1, 1, 3)), LINE)
    names = {output.path: output.field.size for output in fields.outputs}
    assert names == {"output.logits": (5,), "output.hidden.0": (1,), "output.hidden.1": (3,)}
    assert len(_measured(Does(_undecided(forward), c=nn.Conv1d(1, 1, 3)), LINE).outputs) == 3


def test_constant_masks_as_indices() -> None:
    even = Does(lambda m, x: m["c"](x)[:, :, torch.arange(22) % 2 == 0], c=nn.Conv1d(1, 1, 3))
    fields = receptive_field(even, LINE)
    assert (fields.size, fields.stride) == ((3,), (2,))


def test_samples_at_places_that_the_input_decides() -> None:
    def forward(m, x):
        theta = m["l"](x.flatten(1)).view(-1, 2, 3)
        grid = F.affine_grid(theta, x.shape, align_corners=False)
        return m["c"](F.grid_sample(m["c"](x), grid, align_corners=False))

    layers = {"l": nn.Linear(144, 6), "c": nn.Conv2d(1, 1, 3, padding=1)}
    fields = agree(Does(forward, **layers), PLANE, looks=2)
    assert any("grid_sample" in note for note in fields.notes)
    turned = torch.tensor([[[-1.0, 0, 0], [0, 1, 0]]])
    grid = F.affine_grid(turned, PLANE, align_corners=False)
    fixed = Does(lambda _, x: F.grid_sample(x, grid.to(x), "nearest", align_corners=False))
    axis = _measured(fixed, PLANE).field.axes[1]
    assert axis.stride == -1


def test_casts_are_traced() -> None:
    model = Does(lambda m, x: m["c"](x.double().to(torch.float32)), c=nn.Conv1d(1, 1, 3))
    assert receptive_field(model, LINE).method == "traced"
