"""Modules that make inspection hard, and that what is given stays as it was."""

import copy
import json
import threading

import pytest
import torch
from inspection.networks import Attention, Cnn, FromDictionary, Tied, TwoInputs
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from penchant.errors import PenchantError
from penchant.inspection import BUILT_IN, Inspection, Layer, inspect


def _rows(found: Inspection) -> list[tuple[str, str, int]]:
    return [(layer.path, layer.kind, layer.call) for layer in found.layers]


def test_tied_and_recursive() -> None:
    found = inspect(Tied(steps=3), "int:7")
    cells = [layer for layer in found.layers if layer.path == "cell"]
    assert [layer.call for layer in cells] == [0, 1, 2]
    assert [(layer.parameters, layer.shared) for layer in cells] == [(156, 0), (0, 156), (0, 156)]
    assert {layer.multiply_adds for layer in cells} == {7 * 12 * 12}
    head = found.layers[-1]
    assert (head.parameters, head.shared, head.shared_with) == (0, 600, "embed")
    products = [layer for layer in found.layers if layer.kind == "mul"]
    assert [layer.parameters for layer in products] == [12, 0, 0]
    assert found.parameters == 600 + 156 + 12 + 12
    assert found.shared == 600 + 156 + 12
    assert any("unused.weight, unused.bias (12 parameters)" in note for note in found.notes)


class TwoNames(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv1d(2, 2, 3)
        self.two = self.one

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.one(x))


def test_one_module_under_two_names() -> None:
    found = inspect(TwoNames(), (2, 9))
    assert _rows(found) == [("one", "Conv1d", 0), ("one", "Conv1d", 1)]
    assert found.parameters == 14
    assert [layer.field.size for layer in found.layers if layer.field] == [(3,), (5,)]


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.LazyConv2d(8, 3)
        self.norm = nn.LazyBatchNorm2d()
        self.head = nn.LazyLinear(10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(x)).flatten(1))


def test_lazy_modules_stay_lazy() -> None:
    model = Lazy()
    found = inspect(model, (3, 16, 16))
    assert [layer.kind for layer in found.layers] == ["Conv2d", "BatchNorm2d", "Linear"]
    assert [layer.parameters for layer in found.layers] == [224, 16, 8 * 14 * 14 * 10 + 10]
    assert found.layers[0].field is not None and found.layers[0].field.size == (3, 3)
    assert isinstance(model.head, nn.LazyLinear)
    assert nn.parameter.is_lazy(model.conv.weight)
    late = nn.Sequential(nn.LazyLinear(5), nn.Linear(4, 2))
    with pytest.raises(PenchantError, match=r"1 is Linear\(4, 2\) but gets 5 features"):
        inspect(late, (3,))


def test_several_inputs() -> None:
    wanted = inspect(TwoInputs(), ["3x8x8", "int:5"])
    assert wanted.inputs == {"image": ((1, 3, 8, 8), "float32"), "ids": ((1, 5), "int64")}
    given = (
        ["image=3x8x8", "ids=int:5"],
        ["ids=int64:5", "image=3x8x8"],
        {"image": (3, 8, 8), "ids": "int:5"},
        {"image": torch.zeros(1, 3, 8, 8), "ids": torch.zeros(1, 5, dtype=torch.int64)},
        [(3, 8, 8), torch.zeros(1, 5, dtype=torch.int64)],
    )
    for one in given:
        found = inspect(TwoInputs(), one)
        assert found.layers == wanted.layers
        assert dict(found.inputs) == dict(wanted.inputs)
    found = inspect(FromDictionary(), {"picture": (3, 8, 8), "words": "int:5"}, fields=False)
    assert found.multiply_adds == wanted.multiply_adds == 36 * 4 * 27
    assert found.outputs == ((1, 4), (1, 5))


def test_parametrised_layers_are_one_row() -> None:
    found = inspect(nn.Sequential(weight_norm(nn.Conv1d(3, 4, 3)), nn.ReLU()), (3, 20))
    assert [layer.path for layer in found.layers] == ["0", "1"]
    assert found.layers[0].parameters == 4 * 9 + 4 + 4


class Slope(nn.Module):
    """A gradient within a forward."""

    def __init__(self) -> None:
        super().__init__()
        self.energy = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.clone().requires_grad_(True)
            (slope,) = torch.autograd.grad(self.energy(x).sum(), x)
        return slope


class Listed(nn.Module):
    """Parameters in a list, and a layer whose weights are used without calling it."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList([torch.zeros(4, 4) for _ in range(2)])
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        for weight in self.weights:
            x = x @ weight
        return nn.functional.linear(x, self.head.weight, self.head.bias)


def test_gradients_and_weights_used_by_functions() -> None:
    assert inspect(Slope(), (4,), fields=False).multiply_adds == 8
    found = inspect(Listed(), (4,))
    assert [layer.kind for layer in found.layers] == ["matmul", "matmul", "linear"]
    assert [layer.parameters for layer in found.layers] == [16, 16, 15]
    assert not any("not used" in note for note in found.notes)


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_what_deepcopy_refuses() -> None:
    kept = nn.utils.weight_norm(nn.Linear(4, 3))
    assert inspect(kept, (4,)).parameters == 12 + 3 + 3
    locked = nn.Linear(4, 3)
    locked.lock = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(PenchantError, match="Linear cannot be copied"):
        inspect(locked, (4,))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # raised where torch.compile is loaded
def test_networks_that_do_nothing_and_compiled_ones() -> None:
    for nothing in (nn.Identity(), nn.Sequential()):
        found = inspect(nothing, (4,))
        assert (found.parameters, found.multiply_adds, found.outputs) == (0, 0, ((1, 4),))
    compiled = torch.compile(nn.Linear(3, 2))
    assert inspect(compiled, (3,)).parameters == 8  # type: ignore[arg-type]


def test_groups() -> None:
    model = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 4, 3)), nn.Flatten())
    whole, grouped = inspect(model, (1, 8, 8)), inspect(model, (1, 8, 8), depth=1)
    assert _rows(grouped) == [("0", "Sequential", 0), ("1", "Flatten", 0)]
    assert grouped.layers[0].parameters == sum(layer.parameters for layer in whole.layers)
    assert grouped.layers[0].multiply_adds == whole.multiply_adds
    assert grouped.layers[0].field == whole.layers[1].field
    assert grouped.layers[0].field is not None and grouped.layers[0].field.size == (5, 5)
    assert inspect(model, (1, 8, 8), depth=2).layers == whole.layers


class Remembers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("count", torch.zeros(()))
        self.last: Tensor | None = None
        self.plain = torch.ones(3)

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        self.last = x
        return self.norm(x) * self.plain


def test_what_is_given_stays_as_it_was() -> None:
    for model, shape in ((Remembers().train(), (3,)), (Cnn().train(), (1, 28, 28))):
        model.get_submodule(next(name for name, _ in model.named_children())).eval()
        modes = [module.training for module in model.modules()]
        numbers = copy.deepcopy(model.state_dict())
        draws = torch.random.get_rng_state()
        inspect(model, shape)
        assert [module.training for module in model.modules()] == modes
        assert all(torch.equal(numbers[name], held) for name, held in model.state_dict().items())
        assert torch.equal(draws, torch.random.get_rng_state())
        assert not any(module._forward_hooks for module in model.modules())
        assert not any(module._forward_pre_hooks for module in model.modules())
        assert torch.is_grad_enabled() and torch.backends.mha.get_fastpath_enabled()
        assert getattr(model, "last", None) is None
        assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_no_numbers_are_computed() -> None:
    with torch.device("meta"):
        large = nn.Sequential(nn.Linear(100_000, 100_000), nn.Linear(100_000, 100_000))
    found = inspect(large, (100_000,), fields=False)
    assert (found.parameters, found.multiply_adds) == (20_000_200_000, 20_000_000_000)


def test_sequences_with_features_last() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
    behind, first = inspect(network, (10, 4)), inspect(network, (10, 4), axes=(1,))
    assert behind.field is not None and behind.field.size == (4,)
    assert first.field is not None and (first.field.size, first.field.axes) == ((1,), (1,))


def test_batches_that_a_view_mixes_are_said() -> None:
    class View(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.view(-1, 8)

    (note,) = (note for note in inspect(View(), (4, 4), fields=False).notes if "view" in note)
    assert "makes 2 rows of a batch of 1; a sample has 4·4 = 16 numbers" in note


def test_types_and_complex_numbers() -> None:
    model = nn.Linear(3, 2).double()
    assert inspect(model, (3,)).inputs["input"] == ((1, 3), "float64")
    assert inspect(model, "float64:3").inputs == inspect(model, "3").inputs
    model.weight = nn.Parameter(model.weight.to(torch.complex128))
    model.bias = nn.Parameter(model.bias.to(torch.complex128))
    assert any("complex" in note for note in inspect(model, "complex128:3", fields=False).notes)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_networks(name: str) -> None:
    found = inspect(name)
    assert found.field is not None
    assert found.parameters == sum(layer.parameters for layer in found.layers) > 0
    assert not any("no receptive fields" in note for note in found.notes)


def test_as_data() -> None:
    found = inspect(Cnn(), (1, 28, 28))
    frame = found.to_pandas()
    assert list(frame["path"]) == [layer.path for layer in found.layers]
    assert frame["parameters"].sum() == found.parameters
    read = json.loads(json.dumps(found.to_dict()))
    assert len(read["layers"]) == len(found.layers)
    assert read["inputs"] == {"x": {"shape": [1, 1, 28, 28], "dtype": "float32"}}
    assert isinstance(found.layers[0], Layer)
    html = found._repr_html_()
    assert html.count("<tr>") == len(found.layers) + 2
    assert "⌊(14 − 3) / 2⌋ + 1 = 6" in html


def test_a_longer_input_has_no_fields() -> None:
    found = inspect(nn.Conv1d(1, 2, 3), (1, 100_000))
    assert found.field is None
    assert any("100,000 long" in note for note in found.notes)
    assert found.layers[0].output_shape == (1, 2, 99_998)


def test_functions_have_rows_where_they_matter() -> None:
    kinds = [layer.kind for layer in inspect(Attention(), (10, 16), axes=(1,)).layers]
    attention = "scaled_dot_product_attention"
    assert kinds == ["add", "LayerNorm", "Linear", attention, "Linear", "add"]


class Force(nn.Module):
    """The gradient of an energy, in a forward that is run as torch runs it by default."""

    def __init__(self) -> None:
        super().__init__()
        self.energy = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = x.requires_grad_()
        return -torch.autograd.grad(self.energy(x).sum(), x)[0]


def test_a_forward_that_counts_on_gradients() -> None:
    found = inspect(Force(), (3,))
    assert found.outputs == ((1, 3),)
    assert found.parameters == 41
    assert torch.is_grad_enabled()
