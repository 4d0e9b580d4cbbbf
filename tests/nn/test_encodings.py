"""One contract for every encoding; a new member is one entry in FORMULAS."""

import functools
import itertools
import math
import operator
import pickle

import numpy as np
import pytest
import torch

from penchant.errors import PenchantError
from penchant.nn import (
    ENCODINGS,
    Grid,
    NeRF,
    NoEncoding,
    OneBlob,
    RandomFourier,
    count_parameters,
    encoding,
)
from penchant.randomness import generator


def nerf(code: NeRF, x: np.ndarray) -> np.ndarray:
    angles = [[math.pi / 2 * 2**i * c for c in x for i in range(code.frequencies)]]
    return np.concatenate((x, np.sin(angles)[0], np.cos(angles)[0]))


def fourier(code: RandomFourier, x: np.ndarray) -> np.ndarray:
    angles = [2 * math.pi * float(row @ x) for row in code.matrix.double().numpy()]
    return np.concatenate((np.sin(angles), np.cos(angles)))


def oneblob(code: OneBlob, x: np.ndarray) -> np.ndarray:
    sigma = 2 / code.bins
    return np.array(
        [
            math.exp(-((c - (-1 + (j + 0.5) * sigma)) ** 2) / (2 * sigma**2))
            for c in x
            for j in range(code.bins)
        ]
    )


def grid(code: Grid, x: np.ndarray) -> np.ndarray:
    found, start = [], 0
    nodes = code.nodes.detach().double().numpy()
    for resolution in code.resolutions:
        own = resolution ** len(x) <= code.table
        place = (x + 1) / 2 * (resolution - 1)
        low = np.minimum(place.astype(int), resolution - 2)
        features = np.zeros(code.per_level)
        for corner in itertools.product((0, 1), repeat=len(x)):
            node = [int(j) for j in low + corner]
            weight = math.prod(t if c else 1 - t for c, t in zip(corner, place - low, strict=True))
            if own:
                row = sum(j * resolution**axis for axis, j in enumerate(node))
            else:
                primes = (1, 2654435761, 805459861, 3674653429)
                row = (
                    functools.reduce(
                        operator.xor, (j * p for j, p in zip(node, primes, strict=False))
                    )
                    % code.table
                )
            features += weight * nodes[:, start + row]
        found.append(features)
        start += min(resolution ** len(x), code.table)
    assert start == nodes.shape[1]
    return np.concatenate(found)


# The code of one point, number by number, without torch.
FORMULAS = {
    "none": lambda code, x: x,
    "nerf": nerf,
    "fourier": fourier,
    "oneblob": oneblob,
    "grid": grid,
}

each = pytest.mark.parametrize("name", ENCODINGS)


def points(inputs: int = 2) -> torch.Tensor:
    draws = torch.Generator().manual_seed(0)
    return torch.rand(7, inputs, generator=draws, dtype=torch.float64) * 2 - 1


def test_every_member_has_a_formula() -> None:
    assert set(FORMULAS) == set(ENCODINGS)


@each
@pytest.mark.parametrize("inputs", [1, 2, 4])
def test_code_is_the_formula(name: str, inputs: int) -> None:
    code = encoding(name, inputs)
    x = points(inputs)
    expected = np.stack([FORMULAS[name](code, point) for point in x.numpy()])
    assert expected.shape == (7, code.features)
    np.testing.assert_allclose(code(x).detach().numpy(), expected, atol=1e-12)


@each
def test_shape_dtype_and_device(name: str) -> None:
    code = encoding(name, 2)
    for shape in ((2,), (0, 2), (3, 4, 2)):
        assert code(torch.zeros(shape)).shape == (*shape[:-1], code.features)
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        assert code(points().to(dtype)).dtype == dtype
    assert code.to("meta")(points().to("meta")).device.type == "meta"


@each
def test_points_are_independent_and_vmap_works(name: str) -> None:
    code = encoding(name, 2)
    x = points()
    alone = torch.stack([code(point) for point in x])
    torch.testing.assert_close(code(x), alone)
    torch.testing.assert_close(torch.func.vmap(code)(x), alone)


@each
def test_pickling_and_state(name: str) -> None:
    code = encoding(name, 2, generator=generator(0, "one"))
    other = encoding(name, 2, generator=generator(0, "other"))
    other.load_state_dict(code.state_dict())
    for twin in (other, pickle.loads(pickle.dumps(code))):
        assert torch.equal(twin(points()), code(points()))
    assert bool(list(code.parameters())) == code.closed_form and code.name == name


@pytest.mark.unchecked
@each
def test_compiles_whole(name: str) -> None:
    torch.compiler.reset()
    code = encoding(name, 2)
    compiled = torch.compile(code, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(points()), code(points()))


@each
def test_code_without_a_record_is_the_code_and_its_way_back_is_autograds(name: str) -> None:
    code = encoding(name, 2).double()
    found, backward = code.value_and_backward(points())
    torch.testing.assert_close(found, code(points()))
    weights = torch.rand(found.shape, generator=generator(0, "weights"), dtype=torch.float64)
    into = [torch.ones_like(p) for p in code.parameters()]
    backward(weights, into)
    if into:
        wanted = torch.autograd.grad((weights * code(points())).sum(), list(code.parameters()))
        for one, other in zip(into, wanted, strict=True):
            torch.testing.assert_close(one, other + 1)  # added to what was there


@each
def test_numbers_are_named_and_have_defaults(name: str) -> None:
    code, member = encoding(name, 2), ENCODINGS[name]
    assert set(member.defaults()) == set(member.numbers)
    for number, value in member.defaults().items():
        assert value is None or getattr(code, number) == value
    assert member.size(2) == count_parameters(code)


@each
def test_global_stream_is_left_alone(name: str) -> None:
    before = torch.get_rng_state()
    encoding(name, 2)
    assert torch.equal(before, torch.get_rng_state())


def test_nerf_repeats_after_its_period_and_not_before() -> None:
    code = NeRF(1, frequencies=4)
    x = points(1)
    waves = code(x)[:, 1:]
    torch.testing.assert_close(code(x + code.period)[:, 1:], waves)
    for shorter in (1, 2, 3):
        assert (code(x + shorter)[:, 1:] - waves).abs().max() > 0.1
    edges = code(torch.tensor([[-1.0], [1.0]]))[:, 1:]
    assert (edges[0] - edges[1]).abs().max() > 1  # nothing wraps inside [-1, 1]


@pytest.mark.parametrize("code", [NeRF(1, frequencies=5), RandomFourier(1)], ids=str)
def test_highest_frequency_is_seen_in_the_code(code: NeRF | RandomFourier) -> None:
    # The steepest wave climbs at 2π·frequency per unit, at its crossing of zero.
    x = torch.zeros(1, 1, dtype=torch.float64)
    slopes = torch.autograd.functional.jacobian(code, x).abs()
    assert slopes.max().item() / (2 * math.pi) == pytest.approx(code.highest_frequency, rel=1e-6)


def test_what_has_no_period_says_so() -> None:
    for code in (NoEncoding(2), RandomFourier(2), OneBlob(2), Grid(2)):
        assert code.period is None
    assert NoEncoding(2).highest_frequency is None and OneBlob(2).highest_frequency is None


def test_random_fourier_is_drawn_from_its_generator() -> None:
    one = RandomFourier(2, frequencies=2000, bandwidth=5, generator=generator(3, "init/encoding"))
    same = RandomFourier(2, frequencies=2000, bandwidth=5, generator=generator(3, "init/encoding"))
    assert torch.equal(one.matrix, same.matrix)
    assert one.matrix.std().item() == pytest.approx(5, rel=0.03)
    assert not torch.equal(one.matrix, RandomFourier(2, frequencies=2000, bandwidth=5).matrix)


GRIDS = [  # all levels with nodes of their own, some, none; one level; an odd table
    {"levels": 4, "coarsest": 2, "finest": 7, "table": 7**4},
    {"levels": 5, "coarsest": 2, "finest": 19, "table": 50, "per_level": 3},
    {"levels": 3, "coarsest": 9, "finest": 33, "table": 8, "per_level": 1},
    {"levels": 1, "coarsest": 2, "finest": 12, "table": 100},
]


@pytest.mark.parametrize("inputs", [1, 2, 3, 4])
@pytest.mark.parametrize("numbers", GRIDS, ids=str)
def test_grids_of_any_shape_are_the_formula(numbers: dict[str, int], inputs: int) -> None:
    code = Grid(inputs, **numbers).double()
    x = points(inputs)
    x[0], x[1] = 1, -1  # the corners of the domain are nodes
    wanted = np.stack([grid(code, point) for point in x.numpy()])
    np.testing.assert_allclose(code(x).detach().numpy(), wanted, atol=1e-15)
    assert Grid.size(inputs, **numbers) == count_parameters(code)


def test_a_grid_holds_any_linear_function_and_ends_at_its_edges() -> None:
    code = Grid(2, levels=2, coarsest=3, finest=5, table=25, per_level=1).double()
    for start, n in ((0, 3), (9, 5)):
        across = torch.linspace(-1, 1, n, dtype=torch.float64)
        plane = 3 * across[None, :] - 2 * across[:, None]  # the first axis runs fastest
        code.nodes.data[0, start : start + n * n] = plane.flatten()
    x = points()
    wanted = (3 * x[:, :1] - 2 * x[:, 1:]).expand(-1, 2)
    torch.testing.assert_close(code(x).detach(), wanted)
    torch.testing.assert_close(code(3 * x), code((3 * x).clamp(-1, 1)))


def test_a_grids_features_start_small_and_keyed() -> None:
    one, same = (Grid(2, generator=generator(3, "init/encoding")) for _ in range(2))
    assert torch.equal(one.nodes, same.nodes) and not torch.equal(one.nodes, Grid(2).nodes)
    assert 0.99e-4 < one.nodes.abs().max().item() <= 1e-4
    assert abs(one.nodes.mean().item()) < 1e-5


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Grid(5), r"Grid\(inputs=5\): at most 4"),
        (lambda: Grid(2, coarsest=1), r"Grid\(coarsest=1\).*at least 2"),
        (lambda: Grid(2, levels=0), r"Grid\(levels=0\)"),
        (lambda: Grid(2, coarsest=9, finest=8), r"Grid\(coarsest=9, finest=8\): the finest"),
        (lambda: encoding("grid", 2, bins=3), "grid has no bins, only levels, coarsest, finest"),
        (lambda: encoding("furier", 2), r"encoding\('furier'\).*did you mean 'fourier'"),
        (lambda: encoding("nerf", 2, bandwidth=3), "nerf has no bandwidth, only frequencies"),
        (lambda: encoding("none", 2, bins=3), "none has no bins, only its inputs"),
        (lambda: encoding("nerf", 0), r"NeRF\(inputs=0\)"),
        (lambda: encoding("nerf", 2, frequencies=0), r"NeRF\(frequencies=0\)"),
        (lambda: encoding("nerf", 2, frequencies=2.5), r"NeRF\(frequencies=2.5\)"),
        (lambda: encoding("fourier", 2, bandwidth=-1), r"RandomFourier\(bandwidth=-1\)"),
        (lambda: encoding("oneblob", 2, bins=1), r"OneBlob\(bins=1\).*at least 2"),
        (lambda: NeRF(2)(torch.zeros(5, 3)), r"NeRF\(x of shape \(5, 3\)\): needs 2"),
        (lambda: NeRF(2)(torch.zeros(())), r"NeRF\(x of shape \(\)\): needs 2"),
    ],
)
@pytest.mark.unchecked
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(PenchantError, match=message):
        call()
