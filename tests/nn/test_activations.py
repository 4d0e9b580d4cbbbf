"""One contract for every activation; a new member is one entry in FORMULAS and one in MOMENTS."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special
from scipy.stats import norm
from torch import nn

from penchant.errors import PenchantError
from penchant.nn import (
    ACTIVATIONS,
    FINER,
    Activation,
    CoordinateNet,
    Gabor,
    Gaussian,
    Laplacian,
    MultiQuadratic,
    Own,
    Quadratic,
    ReLU,
    Sinc,
    Sine,
    activation,
)

# φ as a function of (s, z), written without torch.
FORMULAS = {
    "sine": lambda s, z: np.sin(s * z),
    "finer": lambda s, z: np.sin(s * z + s * np.sign(z) * z**2),
    "wire": lambda s, z: (np.cos(20 * z) + 1j * np.sin(20 * z)) * np.e ** (-(s**2) * z**2),
    "gaussian": lambda s, z: np.e ** (-(s**2) * z**2),
    "laplacian": lambda s, z: np.minimum(np.exp(s * z), np.exp(-s * z)),
    "quadratic": lambda s, z: 1 / (1 + s**2 * z**2),
    "multiquadratic": lambda s, z: 1 / np.hypot(1, s * z),
    "sinc": lambda s, z: np.sinc(s * z / np.pi),
    "relu": lambda s, z: np.where(z > 0, s * z, 0),
    "gelu": lambda s, z: s * z * norm.cdf(s * z),
    "silu": lambda s, z: s * z / (1 + np.exp(-s * z)),
    "tanh": lambda s, z: 1 - 2 / (np.exp(2 * s * z) + 1),
    "sigmoid": lambda s, z: 1 / (1 + np.exp(-s * z)),
    "softplus": lambda s, z: np.log(1 + np.exp(s * z)),
    "elu": lambda s, z: np.where(z > 0, s * z, np.exp(s * z) - 1),
    "squared_relu": lambda s, z: np.where(z > 0, (s * z) ** 2, 0),
}

# E[φ²(u)], u ~ N(0, 1), where a closed form is known.
MOMENTS = {
    "sine": (1 - math.exp(-2)) / 2,
    "gaussian": 1 / math.sqrt(5),
    "laplacian": math.exp(2) * special.erfc(math.sqrt(2)),
    "quadratic": 0.5,
    "multiquadratic": math.sqrt(math.pi * math.e / 2) * special.erfc(1 / math.sqrt(2)),
    "sinc": math.sqrt(math.pi / 2) * math.erf(math.sqrt(2)) - (1 - math.exp(-2)) / 2,
    "relu": 0.5,
    "gelu": 1 / 3 + 1 / (2 * math.sqrt(3) * math.pi),
    "elu": 1 + math.e**2 * norm.cdf(-2) - 2 * math.sqrt(math.e) * norm.cdf(-1),
    "squared_relu": 1.5,
}

# (built from the paper's numbers, the paper's formula)
CONVERSIONS = {
    "SIREN": (Sine.from_omega_0(25), lambda z: np.sin(25 * z)),
    "FINER": (FINER.from_paper(25, 4), lambda z: np.sin(25 * (np.abs(z) + 1) * z)),
    "WIRE": (Gabor.from_paper(15, 5), lambda z: np.exp(15j * z) * np.exp(-((5 * np.abs(z)) ** 2))),
    "Gaussian": (Gaussian.from_a(0.07), lambda z: np.exp(-0.5 * z**2 / 0.07**2)),
    "Laplacian": (Laplacian.from_a(0.2), lambda z: np.exp(-np.abs(z) / 0.2)),
    "quadratic": (Quadratic.from_a(8), lambda z: 1 / (1 + (8 * z) ** 2)),
    "multi-quadratic": (MultiQuadratic.from_a(8), lambda z: 1 / np.sqrt(1 + (8 * z) ** 2)),
    "sinc": (Sinc.from_omega(8), lambda z: np.sinc(8 * z / np.pi)),
}

each = pytest.mark.parametrize("name", ACTIVATIONS)
SCALES = (0.7, None)
each_scale = pytest.mark.parametrize("scale", SCALES)


def points(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Points on both sides of zero and close to it, but not on a kink."""
    draws = torch.randn(400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.cat((draws, draws / 30, draws / 1000)).reshape(30, 40).to(dtype)


def buffers(phi: Activation, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    dtype = z.dtype.to_complex() if phi.is_complex else z.dtype
    return torch.full_like(z, math.nan, dtype=dtype), torch.full_like(z, math.nan, dtype=dtype)


def test_every_member_has_a_formula() -> None:
    assert set(FORMULAS) == set(ACTIVATIONS)


@each
@each_scale
def test_forward_is_the_formula(name: str, scale: float | None) -> None:
    phi = activation(name, scale=scale)
    z = points()
    expected = FORMULAS[name](phi.scale, z.numpy())
    np.testing.assert_allclose(phi(z).numpy(), expected, rtol=1e-11, atol=1e-13)


@each
@each_scale
def test_derivative_is_autograds(name: str, scale: float | None) -> None:
    phi = activation(name, scale=scale)
    z = points().requires_grad_()
    value = phi(z)
    parts = (value.real, value.imag) if phi.is_complex else (value,)
    expected = [torch.autograd.grad(part.sum(), z, retain_graph=True)[0] for part in parts]
    slope = phi.derivative(z.detach())
    found = [slope.real, slope.imag] if phi.is_complex else [slope]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9 * phi.scale)


@each
@each_scale
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_buffers_get_value_and_derivative(
    name: str, scale: float | None, dtype: torch.dtype
) -> None:
    phi = activation(name, scale=scale)
    z = points(dtype)
    value, derivative = buffers(phi, z)
    addresses = value.data_ptr(), derivative.data_ptr()
    phi.value_and_derivative_(z.clone(), value, derivative)
    assert addresses == (value.data_ptr(), derivative.data_ptr())
    tolerance = 1e-11 if dtype == torch.float64 else 2e-4
    exact = points(dtype).double()
    wanted = phi(exact), phi.derivative(exact)
    torch.testing.assert_close(value.to(wanted[0]), wanted[0], rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(
        derivative.to(wanted[1]), wanted[1], rtol=tolerance, atol=tolerance * phi.scale
    )


@each
def test_zero_is_no_exception(name: str) -> None:
    phi = activation(name)
    z = torch.zeros(3, dtype=torch.float64)
    value, derivative = buffers(phi, z)
    phi.value_and_derivative_(z.clone(), value, derivative)
    assert torch.equal(value, phi(z)) and value.isfinite().all()
    assert torch.equal(derivative, phi.derivative(z)) and derivative.isfinite().all()
    leaf = z.clone().requires_grad_()
    phi(leaf).abs().sum().backward()
    assert leaf.grad is not None and leaf.grad.isfinite().all()


@given(st.floats(-0.3, 0.3))
def test_sincs_derivative_does_not_cancel(u: float) -> None:
    # d sinc/du = -j1(u), the spherical Bessel function of order 1.
    z = torch.tensor([u], dtype=torch.float64)
    expected = -special.spherical_jn(1, u) if abs(u) > 1e-100 else -u / 3
    assert Sinc(scale=1).derivative(z).item() == pytest.approx(expected, abs=1e-14)


@each
@pytest.mark.parametrize("scale", [0.5, None])
def test_second_moment_is_the_closed_form(name: str, scale: float | None) -> None:
    phi = activation(name, scale=scale)
    if phi.is_complex:
        draws = torch.randn(400_000, dtype=torch.complex128, generator=torch.Generator())
        sampled = phi(draws / phi.canonical_scale).abs().square().mean().item()
        assert phi.second_moment == pytest.approx(sampled, rel=0.02)
    elif name in MOMENTS:
        assert phi.second_moment == pytest.approx(MOMENTS[name], rel=1e-6)
    else:
        expected, _ = integrate.quad(
            lambda u: float(FORMULAS[name](phi.scale, u / phi.scale)) ** 2 * norm.pdf(u),
            -12,
            12,
            limit=1000,
        )
        assert phi.second_moment == pytest.approx(expected, rel=1e-6)


@each
@pytest.mark.parametrize("scale_factor", [0.5, 1, 2])
def test_pre_activations_keep_their_second_moment(name: str, scale_factor: float) -> None:
    """What is held: E[(s·z)²] over units, points of [-1, 1]² and four seeds is within [1/2, 2].

    At hidden layers 2 to 8 of a network of width 512 as it is initialised, at half, once and
    twice the default scale. The first layer is not held to it: there the scale sets the bandwidth.
    WIRE is held at E|q·z|², which is E|s·z|² at its default ω = 2s.
    """
    moments = torch.zeros(8)
    for seed in range(4):
        numbers = {"scale": ACTIVATIONS[name].default_scale * scale_factor}
        phi = activation(name, **numbers)
        canonical = phi.canonical_scale if isinstance(phi, Gabor) else phi.scale
        net = CoordinateNet(2, 1, width=512, depth=8, activation=phi, seed=seed)
        h = torch.rand(256, 2, generator=torch.Generator().manual_seed(seed)) * 2 - 1
        with torch.no_grad():
            for index, (layer, member) in enumerate(zip(net.layers, net.activations, strict=True)):
                z = layer(h)
                moments[index] += (canonical * z).abs().square().mean() / 4
                h = member(z)
    assert (moments[1:] >= 0.5).all() and (moments[1:] <= 2).all(), moments


def test_a_wide_wavelet_does_not_explode() -> None:
    net = CoordinateNet(2, 1, width=256, depth=8, activation=Gabor(scale=1, omega=40))
    assert net(torch.rand(64, 2) * 2 - 1).isfinite().all()


@each
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_dtype_is_kept(name: str, dtype: torch.dtype) -> None:
    phi = activation(name, scale=1)
    if phi.is_complex and dtype in (torch.bfloat16, torch.float16):
        pytest.skip("torch has no complex type of this precision")
    z = points(dtype)
    expected = dtype.to_complex() if phi.is_complex else dtype
    assert phi(z).dtype == phi.derivative(z).dtype == expected
    value, derivative = buffers(phi, z)
    phi.value_and_derivative_(z.clone(), value, derivative)
    tolerance = 0.06 if dtype in (torch.bfloat16, torch.float16) else 1e-5
    torch.testing.assert_close(value, phi(z), rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(derivative, phi.derivative(z), rtol=tolerance, atol=tolerance)


@each
@pytest.mark.parametrize("device", ["meta", "cuda"])
def test_device_is_kept(name: str, device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    phi = activation(name).to(device)
    z = points(torch.float32).to(device)
    assert phi(z).device.type == phi.derivative(z).device.type == device
    assert phi(z).shape == phi.derivative(z).shape == z.shape


@each
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 1, 3, 1)])
def test_any_shape(name: str, shape: tuple[int, ...]) -> None:
    phi = activation(name)
    z = torch.zeros(shape)
    assert phi(z).shape == phi.derivative(z).shape == shape


@each
def test_vmap_and_second_derivatives(name: str) -> None:
    phi = activation(name, scale=1)
    z = points()
    torch.testing.assert_close(torch.func.vmap(phi)(z), phi(z))
    torch.testing.assert_close(torch.func.vmap(phi.derivative)(z), phi.derivative(z))
    if not phi.is_complex:
        second = torch.func.vmap(torch.func.grad(lambda u: phi.derivative(u)))(z.flatten())
        assert second.isfinite().all()


@each
def test_pickling_copying_and_state(name: str) -> None:
    phi = activation(name, scale=3)
    z = points()
    for twin in (pickle.loads(pickle.dumps(phi)), copy.deepcopy(phi)):
        assert twin.scale == 3
        assert torch.equal(twin(z), phi(z))
    assert phi.state_dict() == {}
    assert phi.name == name and phi.source and phi.default_scale > 0


@pytest.mark.unchecked
@each
def test_compiles_whole(name: str) -> None:
    torch.compiler.reset()
    phi = activation(name, scale=1)
    z = points(torch.float32).requires_grad_()
    compiled = torch.compile(phi, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(z), phi(z))


@pytest.mark.unchecked
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inductor's own imports
def test_compiles_with_inductor() -> None:
    torch.compiler.reset()
    phi = activation("finer")
    z = points(torch.float32)
    torch.testing.assert_close(torch.compile(phi)(z), phi(z), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("paper", CONVERSIONS)
def test_papers_notation(paper: str) -> None:
    phi, formula = CONVERSIONS[paper]
    z = points()
    np.testing.assert_allclose(phi(z).numpy(), formula(z.numpy()), rtol=1e-10, atol=1e-13)


def test_gabors_wirtinger_derivatives() -> None:
    phi = Gabor(scale=0.8, omega=1.7)
    draws = torch.Generator().manual_seed(1)
    z = torch.randn(50, dtype=torch.complex128, generator=draws)
    # ∂/∂z = (∂x − i∂y)/2 and ∂/∂z̄ = (∂x + i∂y)/2, the real derivatives by autograd.
    x, y = z.real.clone().requires_grad_(), z.imag.clone().requires_grad_()
    value = phi(torch.complex(x, y))
    real = torch.autograd.grad(value.real.sum(), (x, y), retain_graph=True)
    imaginary = torch.autograd.grad(value.imag.sum(), (x, y))
    by_x, by_y = (torch.complex(r, i) for r, i in zip(real, imaginary, strict=True))
    by_z, by_conjugate = phi.wirtinger(z)
    torch.testing.assert_close(by_z, (by_x - 1j * by_y) / 2)
    torch.testing.assert_close(by_conjugate, (by_x + 1j * by_y) / 2)
    # On the real line the two add up to the derivative.
    line = torch.linspace(-1, 1, 9, dtype=torch.float64)
    torch.testing.assert_close(sum(phi.wirtinger(line.to(z.dtype))), phi.derivative(line))
    # The combination that its docstring gives for torch's gradient of a real loss.
    leaf = z.clone().requires_grad_()
    g = torch.randn(50, dtype=torch.complex128, generator=draws)
    (gradient,) = torch.autograd.grad(phi(leaf), leaf, g)
    torch.testing.assert_close(gradient, by_z.conj() * g + by_conjugate * g.conj())


@pytest.mark.unchecked
def test_complex_input_has_no_derivative() -> None:
    with pytest.raises(PenchantError, match=r"complex64.*wirtinger"):
        Gabor().derivative(torch.zeros(2, dtype=torch.complex64))


def test_siren_starts_with_its_published_numbers() -> None:
    weight, bias = torch.empty(4000, 2), torch.empty(4000)
    Sine(25).initialise_first_(weight, bias, torch.Generator())
    assert weight.abs().max() == pytest.approx(1 / 2, rel=1e-2)
    assert bias.abs().max() == pytest.approx(1 / math.sqrt(2), rel=1e-2)
    weight, bias = torch.empty(200, 300), torch.empty(200)
    for phi in (Sine(25), FINER(25)):
        phi.initialise_hidden_(weight, bias, torch.Generator(), second_moment=0.1)
        assert weight.abs().max() == pytest.approx(math.sqrt(6 / 300) / 25, rel=1e-3)
        assert not bias.any()
    Sine(30).initialise_head_(weight, bias, torch.Generator())
    assert weight.abs().max() == pytest.approx(math.sqrt(6 / 300) / 30, rel=0.08)


def test_relu_starts_with_hes_numbers() -> None:
    weight, bias = torch.empty(200, 300), torch.empty(200)
    ReLU().initialise_hidden_(weight, bias, torch.Generator())
    assert weight.abs().max() == pytest.approx(math.sqrt(6 / 300), rel=1e-3)
    assert not bias.any()


def test_finers_k_bounds_the_first_biases() -> None:
    weight, bias = torch.empty(4000, 3), torch.empty(4000)
    FINER(k=5).initialise_first_(weight, bias, torch.Generator())
    assert bias.abs().max() == pytest.approx(5, rel=1e-2)
    FINER().initialise_first_(weight, bias, torch.Generator())
    assert bias.abs().max() == pytest.approx(1 / math.sqrt(3), rel=1e-2)


@each
def test_members_share_their_draws(name: str) -> None:
    """Pairing: from one seed the weights of two members differ by a factor alone."""
    phi, reference = activation(name), ReLU()
    for method in ("initialise_first_", "initialise_hidden_", "initialise_head_"):
        dtype = torch.complex64 if phi.is_complex and "first" not in method else torch.float32
        weight, bias = torch.empty(8, 5, dtype=dtype), torch.empty(8, dtype=dtype)
        other, other_bias = torch.empty(8, 5), torch.empty(8)
        getattr(phi, method)(weight, bias, torch.Generator().manual_seed(3))
        getattr(reference, method)(other, other_bias, torch.Generator().manual_seed(3))
        ratio = weight.real / other
        torch.testing.assert_close(ratio, ratio[0, 0].expand_as(ratio), rtol=1e-4, atol=0)


class Snake(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.sin(self.a * x) ** 2 / self.a


def bent(x: torch.Tensor) -> torch.Tensor:
    return x / (1 + x.abs())


class Cube(Activation):
    name = "cube"
    source = "a user"

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return (self.scale * z) ** 3

    def derivative(self, z: torch.Tensor) -> torch.Tensor:
        return 3 * self.scale**3 * z**2


@pytest.mark.parametrize(
    "own",
    [Snake, Snake(), bent, torch.atan, nn.Softsign()],
    ids=["class", "instance", "function", "builtin", "module"],
)
def test_ones_own_is_wrapped(own: object) -> None:
    phi = activation(own, scale=1.5)
    assert isinstance(phi, Own) and not phi.closed_form and phi.scale == 1.5
    z = points(torch.float32)
    function = own() if isinstance(own, type) else own
    torch.testing.assert_close(phi(z), function(1.5 * z))
    leaf = z.clone().requires_grad_()
    (expected,) = torch.autograd.grad(function(1.5 * leaf).sum(), leaf)
    torch.testing.assert_close(phi.derivative(z), expected)
    value, derivative = buffers(phi, z)
    with torch.no_grad():
        phi.value_and_derivative_(z.clone(), value, derivative)
    torch.testing.assert_close(value, phi(z))
    torch.testing.assert_close(derivative, expected)
    assert torch.equal(pickle.loads(pickle.dumps(phi))(z), phi(z))
    assert phi.second_moment == pytest.approx(
        torch.trapezoid(
            function(torch.linspace(-9, 9, 9001)).detach().square()
            * torch.exp(-(torch.linspace(-9, 9, 9001) ** 2) / 2),
            dx=18 / 9000,
        ).item()
        / math.sqrt(2 * math.pi),
        rel=1e-4,
    )


def test_ones_own_parameters_are_learned_layer_by_layer() -> None:
    net = CoordinateNet(2, 1, depth=3, activation=Snake)
    learned = [name for name, _ in net.named_parameters() if name.endswith("function.a")]
    assert learned == [f"activations.{index}.function.a" for index in range(3)]
    net(torch.rand(4, 2)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_a_subclass_and_an_instance_are_taken_as_they_are() -> None:
    assert activation(Cube, scale=2).scale == 2
    built = Cube()
    assert activation(built) is built
    z = points()
    value, derivative = torch.empty_like(z), torch.empty_like(z)
    built.value_and_derivative_(z, value, derivative)  # the base class's default
    assert torch.equal(value, z**3) and torch.equal(derivative, 3 * z**2)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (nn.Softmax(dim=-1), "not pointwise"),
        (nn.Dropout(0.5), "random"),
        (lambda x: x[:2], "shape"),
        (lambda x: x.double(), "float64"),
        (lambda x: x.sum(), "shape"),
        (lambda x: x.tolist(), "fails"),
        (lambda x: None, "fails"),
        (lambda x: (x > 0).float(), "cannot be differentiated"),
        (lambda x: x * 0, "zero"),
        (lambda x: x.log(), "not finite"),
        (lambda x, y: x + y, "fails"),
        (nn.Linear(3, 3), "fails"),
        (nn.Linear, "without arguments"),
        (int, "must be an nn.Module"),
        (3, "needs a name"),
    ],
)
def test_what_is_no_activation_is_refused(own: object, message: str) -> None:
    before = torch.get_rng_state()
    with pytest.raises(PenchantError, match=message) as caught:
        activation(own)
    assert str(caught.value).startswith("activation(") and "\n" not in str(caught.value)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: activation("gausian"), r"activation\('gausian'\).*did you mean 'gaussian'"),
        (lambda: activation("relu", omega=3), "relu has no omega, only scale"),
        (lambda: activation("sine", k=3), "sine has no k, only scale"),
        (lambda: activation(bent, k=3), "only scale"),
        (lambda: activation(Sine(), scale=3), "built already"),
        (lambda: activation("sine", scale=0), r"Sine\(scale=0\)"),
        (lambda: activation("sine", scale=math.nan), r"Sine\(scale=nan\)"),
        (lambda: activation("sine", scale=math.inf), r"Sine\(scale=inf\)"),
        (lambda: activation("sine", scale="big"), r"Sine\(scale='big'\)"),
        (lambda: activation("wire", omega=-1), r"Gabor\(omega=-1\)"),
        (lambda: activation("finer", k=0), r"FINER\(k=0\)"),
        (lambda: Gaussian.from_a(0), r"Gaussian.from_a\(a=0\)"),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(PenchantError, match=message):
        call()
