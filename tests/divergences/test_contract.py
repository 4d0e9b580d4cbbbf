"""What every divergence promises, run over the family: see `cases.py`."""

import copy
import pickle

import pytest
import torch
from divergences.cases import CASES, Case, by_hand
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import one_hot

from penchant.divergences import DIVERGENCES, Divergence, divergence

each = pytest.mark.parametrize("case", CASES, ids=str)
matched = [
    case
    for case in CASES
    if case.link == case.member.matching_link != "identity" and not case.numbers
]
of_any_output = [c for c in CASES if c.link != "identity" or c.targets == "numbers"]
shapes = st.one_of(
    st.tuples(st.integers(1, 4), st.integers(2, 4)),
    st.tuples(st.integers(1, 3), st.integers(2, 3), st.integers(1, 3)),
)
EXACT = {"rtol": 1e-11, "atol": 1e-13}


def answer(case: Case, output: Tensor) -> Tensor:
    if case.link == "identity":
        return output
    return output.sigmoid() if case.link == "sigmoid" else output.softmax(1)


def gradient(member: Divergence, output: Tensor, target: Tensor) -> Tensor:
    leaf = output.clone().requires_grad_()
    (slope,) = torch.autograd.grad(member(leaf, target).sum(), leaf)
    return slope


def test_every_member_has_its_cases_behind_every_link_it_may_stand_behind() -> None:
    tested = {(case.member.name, case.link) for case in CASES}
    assert tested == {(name, link) for name, member in DIVERGENCES.items() for link in member.links}


@each
@given(shape=shapes, seed=st.integers(0, 999), corner=st.booleans())
@settings(max_examples=12, deadline=None)
def test_values_are_the_definition(
    case: Case, shape: tuple[int, ...], seed: int, corner: bool
) -> None:
    output = case.output(seed, shape)
    target = (case.corner if corner else case.target)(seed, shape)
    values = case.build(reduction="none")(output, target)
    torch.testing.assert_close(values, by_hand(case, answer(case, output), target), **EXACT)
    total = case.build(reduction="sum")(output, target)
    torch.testing.assert_close(total, values.sum(), **EXACT)
    mean = case.build()(output, target)
    torch.testing.assert_close(mean, values.sum() / len(output), **EXACT)


@each
@given(shape=shapes, seed=st.integers(0, 999), corner=st.booleans())
@settings(max_examples=12, deadline=None)
def test_the_derivative_is_autograds(
    case: Case, shape: tuple[int, ...], seed: int, corner: bool
) -> None:
    output = case.output(seed, shape)
    target = (case.corner if corner else case.target)(seed, shape)
    for reduction in ("mean", "sum", "none"):
        member = case.build(reduction=reduction)
        derivative = member.derivative(output, target)
        torch.testing.assert_close(derivative, gradient(member, output, target), **EXACT)
        with torch.no_grad():
            assert torch.equal(member.derivative(output, target), derivative)


@each
def test_the_derivative_is_finite_differences(case: Case) -> None:
    shape = (3, 4)
    output, target = case.output(5, shape, 0.5), case.target(6, shape)
    member = case.build(validate=False)  # a step leaves the simplex
    slope = torch.zeros(shape, dtype=torch.float64)
    step = 1e-6
    for place in torch.cartesian_prod(torch.arange(3), torch.arange(4)).tolist():
        moved = torch.zeros(shape, dtype=torch.float64)
        moved[tuple(place)] = step
        ahead, behind = member(output + moved, target), member(output - moved, target)
        slope[tuple(place)] = (ahead - behind) / (2 * step)
    torch.testing.assert_close(member.derivative(output, target), slope, rtol=1e-6, atol=1e-8)


@each
@pytest.mark.parametrize("corner", [False, True])
@pytest.mark.filterwarnings("ignore:Input #0 requires gradient and is not a double")
def test_is_differentiable_twice(case: Case, corner: bool) -> None:
    shape = (2, 3)
    output = case.output(7, shape, 0.5)
    target = case.corner(8, shape) if corner else case.target(8, shape)
    member = case.build(validate=False)
    leaf = output.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: member(z, target), leaf)
    assert torch.autograd.gradgradcheck(lambda z: member(z, target), leaf)
    # The closed form is differentiable too, and its Jacobian is the Hessian.
    hessian = torch.func.jacrev(torch.func.grad(member))(output, target)
    torch.testing.assert_close(
        torch.func.jacrev(member.derivative)(output, target), hessian, rtol=1e-9, atol=1e-12
    )


@each
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's own, on first use
def test_is_differentiable_forward_over_reverse(case: Case) -> None:
    output, target = case.output(7, (2, 3)), case.target(8, (2, 3))
    member = case.build(validate=False)
    reverse = torch.func.jacrev(torch.func.grad(member))(output, target)
    torch.testing.assert_close(torch.func.hessian(member)(output, target), reverse, **EXACT)


def curvatures(case: Case, output: Tensor, target: Tensor) -> Tensor:
    """Eigenvalues of the Hessian of a single sample's value, smallest first."""
    count = output.numel()
    slope = torch.func.grad(case.build(validate=False))
    hessian = torch.func.jacrev(slope)(output, target)
    return torch.linalg.eigvalsh(hessian.reshape(count, count))


@each
def test_is_convex_where_it_says_so_and_has_a_counter_example_where_not(case: Case) -> None:
    convex = case.build().convex_in_logits
    assert convex == (case.link in case.member.convex_links)
    if convex:
        # By the definition too, so that kinks are tested: never above the chord.
        member = case.build(reduction="none", validate=False)
        a, b = case.output(1, (50, 3), 4), case.output(2, (50, 3), 4)
        target = case.target(3, (50, 3))
        for share in (0.1, 0.5, 0.8):
            chord = share * member(a, target) + (1 - share) * member(b, target)
            assert (member(share * a + (1 - share) * b, target) <= chord + 1e-12).all()
    smallest = torch.stack(
        [
            curvatures(case, case.output(seed, (1, 3), 4), case.corner(seed, (1, 3)))[0]
            for seed in range(40)
        ]
    )
    assert bool((smallest > -1e-12).all()) == convex


@each
@given(
    shape=shapes,
    seed=st.integers(0, 999),
    size=st.sampled_from([0.0, 1.0, 30.0, 1e4]),
    corner=st.booleans(),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.float16, torch.bfloat16]),
)
@settings(max_examples=25, deadline=None)
def test_no_nan_at_extremes(
    case: Case,
    shape: tuple[int, ...],
    seed: int,
    size: float,
    corner: bool,
    dtype: torch.dtype,
) -> None:
    draws = case.raw(seed, shape).sign()
    if case.link == "identity" and case.targets == "fractions":
        output = (draws + 1) / 2 if size else torch.full(shape, 0.5, dtype=torch.float64)
    elif case.link == "identity" and case.targets != "numbers":
        output = (draws * size).softmax(1)
    else:
        output = draws * size
    target = (case.corner if corner else case.target)(seed, shape)
    target = target.to(dtype) if target.is_floating_point() else target
    output = output.to(dtype)
    for reduction in ("mean", "none"):
        member = case.build(reduction=reduction)
        leaf = output.clone().requires_grad_()
        value = member(leaf, target)
        assert not value.isnan().any() and bool((value >= -1e-6).all())
        derivative = member.derivative(output, target)
        assert derivative.dtype == dtype and derivative.shape == output.shape
        (slope,) = torch.autograd.grad(value.sum(), leaf, create_graph=True)
        assert not derivative.isnan().any() and not slope.isnan().any()
        if slope.requires_grad:
            (second,) = torch.autograd.grad(slope.double().sum(), leaf, allow_unused=True)
            assert second is None or not second.isnan().any()
        if case.link != "identity":
            assert value.isfinite().all() and slope.isfinite().all()
            tolerance = 1e-6 if dtype in (torch.float64, torch.float32) else 1e-2
            torch.testing.assert_close(slope.detach(), derivative, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", matched, ids=str)
@given(seed=st.integers(0, 999), size=st.sampled_from([30.0, 1e4]))
@settings(max_examples=10, deadline=None)
def test_the_matching_link_gives_y_minus_d_at_any_logit(case: Case, seed: int, size: float) -> None:
    logits = case.raw(seed, (4, 3)).sign() * size
    target = case.corner(seed, (4, 3))
    expected = answer(case, logits) - (one_hot(target, 3) if target.ndim == 1 else target)
    member = case.build(reduction="sum")
    torch.testing.assert_close(member.derivative(logits, target), expected, rtol=0, atol=1e-15)
    torch.testing.assert_close(gradient(member, logits, target), expected, rtol=0, atol=1e-15)


@each
def test_nan_and_inf_pass_through_where_nothing_is_looked_at(case: Case) -> None:
    target = case.target(1, (3, 2))
    member = case.build(validate=False)
    for bad in (float("nan"), float("inf"), -float("inf")):
        output = case.output(0, (3, 2))
        output[1] = bad
        value = member(output, target)
        if bad != bad or (case.link, case.targets) == ("identity", "numbers"):
            assert not value.isfinite()
        member.derivative(output, target)


@each
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32_under_autocast_and_without(
    case: Case, dtype: torch.dtype
) -> None:
    output = case.output(1, (200, 3)).to(dtype)
    target = case.target(2, (200, 3))
    narrow = target.to(dtype) if target.is_floating_point() else target
    member = case.build(reduction="sum")
    wide = target.to(dtype).float() if target.is_floating_point() else target
    expected = case.build(reduction="sum", validate=False)(output.float(), wide)
    assert torch.equal(member(output, narrow), expected)
    with torch.autocast("cpu", torch.bfloat16):
        value = member(output, narrow)
    assert value.dtype == torch.float32
    assert torch.equal(value, expected)


@pytest.mark.parametrize("case", of_any_output, ids=str)
def test_as_the_last_step_of_a_network_under_autocast(case: Case) -> None:
    weight = case.raw(0, (3, 3)).float().requires_grad_()
    target = case.target(1, (8, 3))
    target = target.float() if target.is_floating_point() else target
    with torch.autocast("cpu", torch.bfloat16):
        value = case.build()(case.raw(2, (8, 3)).float() @ weight, target)
    value.backward()
    assert value.dtype == torch.float32 and weight.grad is not None
    assert weight.grad.isfinite().all() and weight.grad.abs().sum() > 0


@each
@pytest.mark.filterwarnings("error")
def test_vmap_and_functional_gradients(case: Case) -> None:
    shape = (5, 3)
    output, target = case.output(1, shape), case.target(2, shape)
    member = case.build()
    each_value = case.build(reduction="none")(output, target)
    single = torch.vmap(lambda z, d: member(z[None], d[None]))
    torch.testing.assert_close(single(output, target), each_value, **EXACT)
    slopes = torch.vmap(torch.func.grad(lambda z, d: member(z[None], d[None])))(output, target)
    expected = case.build(reduction="sum").derivative(output, target)
    torch.testing.assert_close(slopes, expected, **EXACT)
    closed = torch.vmap(lambda z, d: member.derivative(z[None], d[None])[0])
    torch.testing.assert_close(closed(output, target), expected, **EXACT)
    # Only one of the two batched.
    for function in (member, member.derivative):
        over_outputs = torch.vmap(lambda z, f=function: f(z[None], target[:1]))(output)
        over_targets = torch.vmap(lambda d, f=function: f(output[:1], d[None]))(target)
        for i in range(5):
            first, own = slice(0, 1), slice(i, i + 1)
            torch.testing.assert_close(over_outputs[i], function(output[own], target[first]))
            torch.testing.assert_close(over_targets[i], function(output[first], target[own]))


@each
@pytest.mark.unchecked
def test_compiles_whole(case: Case) -> None:
    torch.compiler.reset()
    output = case.output(1, (6, 3)).requires_grad_()
    target = case.target(2, (6, 3))
    member = case.build()
    compiled = torch.compile(member, backend="aot_eager", fullgraph=True)
    value = compiled(output, target)
    torch.testing.assert_close(value, member(output, target), **EXACT)
    (slope,) = torch.autograd.grad(value, output)
    torch.testing.assert_close(slope, member.derivative(output.detach(), target), **EXACT)


@pytest.mark.unchecked
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inductor's own imports
@pytest.mark.parametrize("name", ["kl", "cross_entropy"])
def test_compiles_with_inductor(name: str) -> None:
    torch.compiler.reset()
    member = divergence(name)
    case = next(c for c in CASES if c.member.name == name and c.link == "softmax")
    output, target = case.output(1, (6, 3)), case.target(2, (6, 3))
    compiled = torch.compile(member, fullgraph=True)
    torch.testing.assert_close(compiled(output, target), member(output, target))


@each
def test_pickling_copying_state_and_repr(case: Case) -> None:
    member = case.build(reduction="sum")
    output, target = case.output(1, (4, 3)), case.target(2, (4, 3))
    for twin in (pickle.loads(pickle.dumps(member)), copy.deepcopy(member)):
        assert torch.equal(twin(output, target), member(output, target))
        assert repr(twin) == repr(member)
    assert f"link={case.link!r}" in repr(member) and "reduction='sum'" in repr(member)
    for name, value in case.numbers:
        assert f"{name}={value:g}" in repr(member)
    assert member.state_dict() == {} and not list(member.parameters())
    assert member.noise != "not stated" and member.name in DIVERGENCES


@each
def test_the_function_is_the_module(case: Case) -> None:
    import penchant.divergences as family

    function = getattr(family, case.member.name)
    output, target = case.output(1, (4, 3)), case.target(2, (4, 3))
    words = dict(case.numbers)
    for reduction in ("mean", "sum", "none"):
        value = function(output, target, link=case.link, reduction=reduction, **words)
        assert torch.equal(value, case.build(reduction=reduction)(output, target))


@each
def test_neither_argument_is_changed(case: Case) -> None:
    output, target = case.output(1, (4, 3)), case.corner(2, (4, 3))
    before = output.clone(), target.clone()
    member = case.build()
    with torch.no_grad():
        member(output, target)
        member.derivative(output, target)
    assert torch.equal(output, before[0]) and torch.equal(target, before[1])


@pytest.mark.parametrize("case", [c for c in CASES if c.targets != "classes"], ids=str)
def test_learned_targets_have_gradients(case: Case) -> None:
    output, target = case.output(1, (2, 3)), case.target(2, (2, 3)).requires_grad_()
    member = case.build(validate=False)
    assert torch.autograd.gradcheck(lambda d: member(output, d), target)
