import pickle

import pytest
import torch
from torch import nn

from penchant.errors import PenchantError
from penchant.nn import (
    ACTIVATIONS,
    ENCODINGS,
    CoordinateNet,
    NeRF,
    Sine,
    count_parameters,
    encoding,
)

each_activation = pytest.mark.parametrize("name", ACTIVATIONS)
SMALL = {"width": 16, "depth": 3}


def points(count: int = 20) -> torch.Tensor:
    return torch.rand(count, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1


@each_activation
def test_forward_is_the_layers_in_turn(name: str) -> None:
    net = CoordinateNet(2, 3, activation=name, encoding="nerf", **SMALL)
    h = net.encoding(points())
    for index in range(3):
        layer = net.layers[index]
        h = net.activations[index](h.to(layer.weight.dtype) @ layer.weight.T + layer.bias)
    expected = h @ net.head.weight.T + net.head.bias
    found = net(points())
    torch.testing.assert_close(found, expected.real, rtol=1e-4, atol=1e-5)
    assert found.dtype == torch.float32 and found.shape == (20, 3)
    assert net(points().reshape(4, 5, 2)).shape == (4, 5, 3)


@each_activation
@pytest.mark.parametrize("encoding_name", ENCODINGS)
def test_depends_on_its_seed_alone(name: str, encoding_name: str) -> None:
    before = torch.get_rng_state()
    kinds = {"activation": name, "encoding": encoding_name, **SMALL}
    one = CoordinateNet(2, 3, seed=5, **kinds)
    torch.rand(3)
    two = CoordinateNet(2, 3, seed=5, **kinds)
    other = CoordinateNet(2, 3, seed=6, **kinds)
    for key, value in one.state_dict().items():
        assert value.isfinite().all()
        assert torch.equal(value, two.state_dict()[key])
    assert not torch.equal(one.head.weight, other.head.weight)
    torch.set_rng_state(before)
    CoordinateNet(2, 3, seed=5, **kinds)
    assert torch.equal(before, torch.get_rng_state())


@each_activation
def test_initial_draws_do_not_depend_on_threads(name: str) -> None:
    threads = torch.get_num_threads()
    states = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            states.append(CoordinateNet(2, 3, activation=name, width=600, depth=2).state_dict())
    finally:
        torch.set_num_threads(threads)
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key])


@each_activation
def test_outputs_start_small_but_not_at_zero(name: str) -> None:
    outputs = [
        CoordinateNet(2, 4, width=256, activation=name, seed=seed)(points(200)) for seed in range(8)
    ]
    spread = torch.stack(outputs).detach().square().mean().sqrt().item()
    assert 1 / 60 < spread < 1 / 15


@each_activation
def test_gradients_reach_every_parameter(name: str) -> None:
    net = CoordinateNet(2, 3, activation=name, **SMALL)
    net(points()).square().sum().backward()
    for parameter in net.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all() and parameter.grad.abs().max() > 0


@each_activation
def test_state_and_pickle_round_trip(name: str) -> None:
    net = CoordinateNet(2, 3, activation=name, encoding="fourier", seed=1, **SMALL)
    twin = CoordinateNet(2, 3, activation=name, encoding="fourier", seed=2, **SMALL)
    twin.load_state_dict(net.state_dict())
    for other in (twin, pickle.loads(pickle.dumps(net))):
        assert torch.equal(other(points()), net(points()))


@pytest.mark.unchecked
@pytest.mark.parametrize("name", ["finer", "relu", "wire"])
def test_compiles_whole(name: str) -> None:
    torch.compiler.reset()
    net = CoordinateNet(2, 3, activation=name, encoding="nerf", **SMALL)
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(points()), net(points()))


@pytest.mark.parametrize("name", ["finer", "relu", "wire"])
def test_vmap_over_points(name: str) -> None:
    net = CoordinateNet(2, 3, activation=name, **SMALL)
    torch.testing.assert_close(torch.func.vmap(net)(points()), net(points()), rtol=1e-4, atol=1e-5)


@each_activation
def test_default_dtype_makes_a_double_network(name: str) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        net = CoordinateNet(2, 3, activation=name, encoding="fourier", **SMALL)
    finally:
        torch.set_default_dtype(torch.float32)
    single = CoordinateNet(2, 3, activation=name, encoding="fourier", **SMALL)
    found = net(points().double())
    assert found.dtype == torch.float64
    torch.testing.assert_close(single(points()), found.float(), rtol=2e-2, atol=2e-2)


def test_designs_of_one_shape_share_their_draws() -> None:
    relu = CoordinateNet(2, 3, activation="relu")
    for name in ("gelu", "gaussian", "sine"):
        net = CoordinateNet(2, 3, activation=name)
        for one, other in zip(relu.layers, net.layers, strict=True):
            ratio = other.weight / one.weight
            torch.testing.assert_close(ratio, ratio[0, 0].expand_as(ratio), rtol=1e-4, atol=0)


def test_complex_layers_follow_a_real_first_one() -> None:
    net = CoordinateNet(2, 3, activation="wire", **SMALL)
    assert [layer.weight.is_complex() for layer in net.layers] == [False, True, True]
    assert net.head.weight.is_complex() and not net(points()).is_complex()


def test_parameters_are_real_numbers_counted_once() -> None:
    first, hidden, head = 2 * 16 + 16, 16 * 16 + 16, 16 * 3 + 3
    sine = CoordinateNet(2, 3, activation="sine", encoding="none", **SMALL)
    assert count_parameters(sine) == first + 2 * hidden + head
    wire = CoordinateNet(2, 3, activation="wire", **SMALL)
    assert count_parameters(wire) == first + 2 * (2 * hidden + head)
    shared = nn.Linear(3, 3)
    assert count_parameters(nn.Sequential(shared, shared)) == 12


def test_each_layer_has_its_own_activation() -> None:
    net = CoordinateNet(2, 3, activation=Sine(7), **SMALL)
    assert len({id(phi) for phi in net.activations}) == 3
    assert [phi.scale for phi in net.activations] == [7, 7, 7]


def test_an_encoding_of_ones_own() -> None:
    code = NeRF(2, frequencies=3)
    net = CoordinateNet(2, 1, encoding=code, **SMALL)
    assert net.encoding is code and net.layers[0].in_features == code.features


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CoordinateNet(0, 3), r"CoordinateNet\(inputs=0\)"),
        (lambda: CoordinateNet(2, 3, width=-4), r"CoordinateNet\(width=-4\)"),
        (lambda: CoordinateNet(2, 3, depth=0), r"CoordinateNet\(depth=0\)"),
        (lambda: CoordinateNet(2, 3, depth=1.5), r"CoordinateNet\(depth=1.5\)"),
        (lambda: CoordinateNet(2, 3, activation="rellu"), "did you mean 'relu'"),
        (lambda: CoordinateNet(2, 3, encoding="nerv"), "did you mean 'nerf'"),
        (lambda: CoordinateNet(2, 3, encoding=encoding("nerf", 3)), "takes 3 coordinates"),
        (lambda: CoordinateNet(2, 3)(torch.zeros(4, 3)), r"shape \(4, 3\)\): needs 2"),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(PenchantError, match=message):
        call()
