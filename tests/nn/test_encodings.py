"""One contract for every encoding; a new member is one entry in FORMULAS."""

import math
import pickle

import numpy as np
import pytest
import torch

from penchant.errors import PenchantError
from penchant.nn import ENCODINGS, NeRF, NoEncoding, OneBlob, RandomFourier, encoding
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


# The code of one point, number by number, without torch.
FORMULAS = {"none": lambda code, x: x, "nerf": nerf, "fourier": fourier, "oneblob": oneblob}

each = pytest.mark.parametrize("name", ENCODINGS)


def points(inputs: int = 2) -> torch.Tensor:
    draws = torch.Generator().manual_seed(0)
    return torch.rand(7, inputs, generator=draws, dtype=torch.float64) * 2 - 1


def test_every_member_has_a_formula() -> None:
    assert set(FORMULAS) == set(ENCODINGS)


@each
@pytest.mark.parametrize("inputs", [1, 2, 5])
def test_code_is_the_formula(name: str, inputs: int) -> None:
    code = encoding(name, inputs)
    x = points(inputs)
    expected = np.stack([FORMULAS[name](code, point) for point in x.numpy()])
    assert expected.shape == (7, code.features)
    np.testing.assert_allclose(code(x).numpy(), expected, atol=1e-12)


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
    assert not list(code.parameters()) and code.name == name


@pytest.mark.unchecked
@each
def test_compiles_whole(name: str) -> None:
    torch.compiler.reset()
    code = encoding(name, 2)
    compiled = torch.compile(code, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(points()), code(points()))


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
    for code in (NoEncoding(2), RandomFourier(2), OneBlob(2)):
        assert code.period is None
    assert NoEncoding(2).highest_frequency is None and OneBlob(2).highest_frequency is None


def test_random_fourier_is_drawn_from_its_generator() -> None:
    one = RandomFourier(2, frequencies=2000, bandwidth=5, generator=generator(3, "init/encoding"))
    same = RandomFourier(2, frequencies=2000, bandwidth=5, generator=generator(3, "init/encoding"))
    assert torch.equal(one.matrix, same.matrix)
    assert one.matrix.std().item() == pytest.approx(5, rel=0.03)
    assert not torch.equal(one.matrix, RandomFourier(2, frequencies=2000, bandwidth=5).matrix)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("call", "message"),
    [
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
