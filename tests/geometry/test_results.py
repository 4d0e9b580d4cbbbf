"""What the results say: holes, edges, misaligned branches, fallbacks, what goes in."""

from fractions import Fraction

import pytest
import torch
from geometry.test_receptive_field import Does
from torch import nn
from torch.nn import functional as F

from penchant.errors import PenchantError
from penchant.geometry import receptive_field

PLANE = (1, 2, 12, 12)


def test_holes_and_edges() -> None:
    axis = receptive_field(nn.Conv1d(1, 1, 3, dilation=3, padding=3), (1, 1, 10)).field.axes[0]
    assert (axis.size, axis.stride, axis.start) == (7, 1, -3)
    assert axis.offsets == (0, 3, 6)
    assert axis.holes == 4
    assert axis.positions(0) == (0, 3)
    assert axis.positions(5) == (2, 5, 8)
    assert axis.interval(9) == (6, 9)
    with pytest.raises(PenchantError, match="0 to 9"):
        axis.positions(10)


def test_the_joint_set_is_exact() -> None:
    rows_and_columns = Does(
        lambda m, x: m["a"](x) + m["b"](x),
        a=nn.Conv2d(2, 2, (1, 3), padding=(0, 1)),
        b=nn.Conv2d(2, 2, (3, 1), padding=(1, 0)),
    )
    field = receptive_field(rows_and_columns, PLANE).field
    cross = field.seen((0, None, 5, 5))
    assert cross.nonzero().tolist() == [[4, 5], [5, 4], [5, 5], [5, 6], [6, 5]]
    assert torch.equal(field.seen((0, 0, -7, -7)), field.seen((0, 0, 5, 5)))
    with pytest.raises(PenchantError, match="needs 4 indices"):
        field.seen((0, 0, 12, 0))


def test_upsampling_has_a_fractional_stride() -> None:
    field = receptive_field(nn.Upsample(scale_factor=2, mode="bilinear"), PLANE).field
    assert field.stride == (Fraction(1, 2), Fraction(1, 2))
    assert "every 2 outputs" in field.notes[0]


class Steps(nn.Module):
    """A recurrent cell, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state, states = torch.zeros(x.shape[0], 4), []
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
            states.append(state)
        return torch.stack(states, 1)


def test_steps_that_are_stacked_keep_what_each_saw() -> None:
    axis = receptive_field(Steps(), (1, 6, 3), axes=(1,)).field.axes[0]
    assert axis.follows == 1
    assert [axis.positions(step) for step in (0, 2)] == [(0,), (0, 1, 2)]
    # A token that sees all beside tokens that see their own place.
    tokens = Does(lambda _, x: torch.cat([x.mean(1, keepdim=True), x], 1))
    axis = receptive_field(tokens, (1, 4, 3), axes=(1,)).field.axes[0]
    assert [axis.positions(index) for index in (0, 1, 4)] == [(0, 1, 2, 3), (0,), (3,)]
    assert axis.stride is None


def test_misaligned_branches_have_no_size() -> None:
    model = Does(
        lambda m, x: m["a"](x)[..., :6, :6] + m["b"](x), a=nn.Conv2d(2, 2, 1), b=nn.MaxPool2d(2)
    )
    fields = receptive_field(model, PLANE)
    assert fields.size == (None, None)
    assert any("misaligned: branches of stride 1 and 2" in note for note in fields.notes)
    # What each output sees is exact all the same.
    assert fields.field.axes[0].positions(3) == (3, 6, 7)


def test_branches_off_centre_are_said() -> None:
    model = Does(lambda m, x: m["a"](x) + x[..., 1:, 1:], a=nn.Conv2d(2, 2, 2))
    fields = receptive_field(model, PLANE)
    assert fields.size == (2, 2)
    assert any("up to 1/2 apart" in note for note in fields.notes)


def test_whole_axes_and_global_operations() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    fields = receptive_field(model, PLANE)
    assert fields.size == (12, 12)
    assert fields.stride == (None, None)
    assert all(axis.whole for axis in fields.field.axes)
    # A stride that leaves the last samples out is seen.
    thin = receptive_field(nn.Sequential(nn.Conv2d(2, 3, 2, 5), nn.Flatten()), PLANE)
    assert thin.layers[0].field.axes[0].positions(1) == (5, 6)
    flat = receptive_field(
        nn.Sequential(nn.Conv2d(2, 3, 2, 5), nn.Flatten(), nn.Linear(27, 4)), PLANE
    )
    assert flat.field.axes[0].positions() == (0, 1, 5, 6, 10, 11)


def test_statistics_are_left_out_or_counted() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4))
    fields = receptive_field(model, PLANE)
    assert fields.size == (3, 3)
    assert any("group_norm" in note for note in fields.notes)
    assert receptive_field(model, PLANE, statistics=True).size == (12, 12)
    per_place = Does(lambda m, x: m["n"](x.permute(0, 2, 3, 1)), n=nn.LayerNorm(2))
    assert receptive_field(per_place, PLANE, statistics=True).size == (1, 1)
    training = nn.BatchNorm2d(2)
    before = {name: buffer.clone() for name, buffer in training.named_buffers()}
    assert receptive_field(training, PLANE).size == (1, 1)
    assert all(torch.equal(before[name], b) for name, b in training.named_buffers())


def test_a_network_that_decides_by_its_numbers_is_measured() -> None:
    def decides(m, x):
        return m["c"](x) if x.sum() > 0 else -m["c"](x)

    fields = receptive_field(Does(decides, c=nn.Conv2d(2, 2, 3, 2, 1)), PLANE)
    assert fields.method == "measured"
    assert "not traced" in fields.notes[0]
    assert (fields.size, fields.stride, fields.start) == ((3, 3), (2, 2), (-1, -1))
    assert fields.field.seen((0, None, 2, 2)).sum() == 9
    assert fields.layers[0].kind == "Conv2d"


def test_an_unknown_operation_is_measured_and_named() -> None:
    model = Does(lambda m, x: torch.linalg.inv(m["c"](x)), c=nn.Conv2d(2, 2, 3, padding=1))
    fields = receptive_field(model, PLANE)
    assert "linalg_inv" in fields.notes[0]
    assert fields.size == (12, 12)


def test_masks_by_hand_are_not_followed_in_silence() -> None:
    def attention(m, x):
        shut = torch.ones(6, 6, dtype=torch.bool).triu(1)
        return torch.softmax((x @ x.mT).masked_fill(shut, -torch.inf), -1) @ x

    fields = receptive_field(Does(attention), (1, 6, 3), axes=(1,))
    assert fields.field.axes[0].whole
    assert any("masked_fill" in note for note in fields.notes)


def test_every_rule_names_an_operation_of_torch() -> None:
    from penchant.geometry._rules import RULES

    schemas = torch._C._jit_get_all_schemas()
    names = {schema.name.removeprefix("aten::").strip("_") for schema in schemas}
    assert not set(RULES) - names - {name.removesuffix("_copy") for name in names}


def test_what_goes_in() -> None:
    plain = nn.Conv2d(2, 2, 3)
    assert receptive_field(plain, torch.zeros(PLANE)).size == (3, 3)
    two = Does(lambda m, a, b: a[..., 1:-1, 1:-1] + m["c"](b), c=nn.Conv2d(2, 2, 3))
    fields = receptive_field(two, [PLANE, PLANE])
    assert [field.size for field in fields.outputs[0].fields] == [(1, 1), (3, 3)]
    one = Does(lambda m, d: {"sum": d["a"] + m["c"](d["b"])}, c=nn.Conv2d(2, 2, 3, padding=1))
    fields = receptive_field(one, {"a": PLANE, "b": PLANE})
    assert [output.path for output in fields.outputs] == ["output.sum"]
    assert [field.size for field in fields.outputs[0].fields] == [(1, 1), (3, 3)]


class Named(nn.Module):
    def forward(self, image: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return F.avg_pool2d(image, 2) * scale


def test_named_arguments() -> None:
    assert receptive_field(Named(), {"image": PLANE, "scale": 2.0}).size == (2, 2)


def test_tied_layers_and_modules_that_run_again() -> None:
    tied = nn.Conv2d(2, 2, 3)
    fields = receptive_field(nn.Sequential(tied, nn.ReLU(), tied), PLANE)
    assert fields.size == (5, 5)
    again = Does(lambda m, x: m["c"](m["c"](x)), c=tied)
    paths = [layer.path for layer in receptive_field(again, PLANE).layers]
    assert paths == ["layers.c", "layers.c@1"]


def test_lazy_modules_stay_lazy() -> None:
    from torch.nn.parameter import is_lazy

    model = nn.Sequential(nn.LazyConv2d(2, 3), nn.LazyBatchNorm2d(), nn.LazyConv2d(2, 3))
    state = torch.random.get_rng_state()
    assert receptive_field(model, PLANE).size == (5, 5)
    assert is_lazy(model[0].weight)
    assert torch.equal(state, torch.random.get_rng_state())
    with pytest.raises(PenchantError, match=r"does not run"):
        receptive_field(model, (1, 2, 3, 3))


def test_integers_in_and_no_gradient_needed() -> None:
    model = nn.Sequential(nn.Embedding(9, 3), Does(lambda m, x: m["c"](x.mT), c=nn.Conv1d(3, 2, 5)))
    fields = receptive_field(model, torch.zeros(1, 20, dtype=torch.long))
    assert fields.size == (5,)


def test_bad_input() -> None:
    with pytest.raises(PenchantError, match=r"does not run"):
        receptive_field(nn.Conv2d(3, 2, 3), PLANE)
    with pytest.raises(PenchantError, match=r"needs a tensor, a shape"):
        receptive_field(nn.Conv2d(3, 2, 3), "image")
    with pytest.raises(PenchantError, match=r"did you mean 'layers\.c'"):
        receptive_field(Does(lambda m, x: m["c"](x), c=nn.Conv2d(2, 2, 3)), PLANE).layer("layer.c")


def test_a_region_without_gradients_and_a_checkpoint() -> None:
    from torch.utils.checkpoint import checkpoint

    def frozen(m, x):
        with torch.no_grad():
            y = m["c"](x)
        return m["d"](y) + 1

    model = Does(frozen, c=nn.Conv2d(2, 2, 3), d=nn.Conv2d(2, 2, 3))
    assert receptive_field(model, PLANE).size == (5, 5)
    saved = Does(lambda m, x: checkpoint(m["c"], x, use_reentrant=False), c=nn.Conv2d(2, 2, 3))
    assert receptive_field(saved, PLANE).size == (3, 3)


def test_the_model_is_left_alone() -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2), nn.Dropout())
    before = {name: held.clone() for name, held in model.state_dict().items()}
    state = torch.random.get_rng_state()
    receptive_field(model, PLANE)
    assert model.training
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(before[name], held) for name, held in model.state_dict().items())
