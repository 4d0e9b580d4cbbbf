"""Operations are counted as torch itself counts them, and shares follow from the counts."""

import gradients
import limit
import pytest
import rates
import torch
from limit import Reached, Workload
from rates import Rates
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from penchant.nn import CoordinateNet
from penchant.training import Optimizer

CAN = Rates(
    sgemm=50.0, onednn=100.0, half=200.0, memory=10.0, sines=5.0, exponentials=4.0, call=0.01
)


def test_products_of_a_gradient_are_those_that_torch_counts() -> None:
    network = CoordinateNet(2, 3, width=16, depth=gradients.DEPTH, activation="sine")
    with FlopCounterMode(display=False) as counted:
        network(torch.rand(32, 2)).square().sum().backward()
    assert gradients.multiplications(16, 2, 3, 32) == counted.get_total_flops()


def test_products_of_muons_step_are_those_that_torch_counts() -> None:
    network = CoordinateNet(2, 3, width=16, depth=gradients.DEPTH, activation="sine")
    network(torch.rand(4, 2)).sum().backward()
    optimizer = Optimizer(network, "muon", 1e-3)
    with FlopCounterMode(display=False) as counted:
        optimizer.step(1.0)
    assert gradients.orthogonalisations(16) == counted.get_total_flops()


def test_kinds_take_their_time_at_the_limit() -> None:
    work = Workload("w", list, products=100, halves=100, sines=10, exponentials=2, memory=5)
    expected = {"matrix products": 1.5, "transcendentals": 2.5, "memory": 0.5}
    assert work.seconds(CAN, CAN.product) == expected
    assert work.seconds(CAN, CAN.sgemm)["matrix products"] == 2.5


@pytest.mark.parametrize(
    ("products", "functions", "memory", "calls", "word"),
    [
        (6, 2, 1, 0, "matrix products (60% of its time)"),
        (2, 5, 1, 0, "transcendentals (50% of its time)"),
        (1, 1, 9, 0, "memory (90% of its time)"),
        (1, 1, 1, 6, "calls (60% of its time)"),
        (1, 1, 1, 1, "passes over buffers (70% of its time)"),
    ],
)
def test_a_workload_is_bound_by_the_largest_part_of_its_time(
    products: float, functions: float, memory: float, calls: float, word: str
) -> None:
    kinds = {
        "matrix products": products,
        "transcendentals": functions,
        "memory": memory,
        "calls": calls,
    }
    found = Reached(4, kinds, measured=10)
    assert found.share == 0.4
    assert found.bound_by == word


def test_the_limit_takes_the_faster_library_and_the_longer_of_work_and_memory() -> None:
    work = Workload("w", lambda: None, products=100, sines=10)
    found = limit.reach(work, CAN, turns=1)
    assert found.limit == 3 and found.kinds["matrix products"] == 2 and found.kinds["calls"] == 0
    work = Workload("w", lambda: None, products=100, memory=50)
    assert limit.reach(work, CAN, turns=1).limit == 5


def test_calls_are_counted_with_those_of_the_way_back() -> None:
    x = torch.ones(3, requires_grad=True)
    forward = limit.calls_of(lambda: x.sin().sum())
    assert forward == 2
    assert limit.calls_of(lambda: x.sin().sum().backward()) > forward


def test_bytes_that_autograd_saves_leave_parameters_out() -> None:
    layer = nn.Linear(4, 8)
    x = torch.ones(16, 4, requires_grad=True)
    # A sigmoid keeps its value, the linear map its input.
    assert limit.saved_bytes(lambda: layer(x).sigmoid().sum(), layer) == 4 * (16 * 8 + 16 * 4)


@pytest.mark.parametrize("activation", ["sine", "gaussian", "relu"])
def test_a_step_of_fit_is_counted_by_its_batch(activation: str) -> None:
    work = limit.coordinate(activation, 16, samples=64)
    work.work()
    values = 64 * 16 * gradients.DEPTH
    assert work.products == gradients.multiplications(16, 2, 3, 64)
    assert work.sines == (2 * values if activation == "sine" else 0)
    assert work.exponentials == (values if activation == "gaussian" else 0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: limit.wire(8, samples=64),
        lambda: limit.scan(filters=2, depth=3),
        lambda: limit.l2(1000),
        lambda: limit.cross_entropy(1000),
    ],
    ids=["wire", "scan", "l2", "cross-entropy"],
)
def test_workloads_run_and_get_a_row(make: object) -> None:
    work = make()  # type: ignore[operator]
    found = limit.reach(work, rates.measure(turns=1, scale=64), turns=2)
    assert found.measured > 0 and found.limit > 0
    assert limit.row(work, found).count("|") == 9


def test_wires_complex_products_are_four_times_as_many() -> None:
    real = Workload("", list, products=gradients.multiplications(8, 2, 3, 64)).products
    complex_ = limit.wire(8, samples=64).products
    first = 64 * 2 * 2 * 2 * 8  # coordinates and first weights are real
    assert complex_ - first == 4 * (real - first)


def test_the_machine_is_measured() -> None:
    found = rates.measure(turns=1, scale=64)
    assert all(value > 0 for name, value in vars(found).items() if name != "onednn")
    assert found.product == max(found.sgemm, found.onednn)
    text = rates.table(found, None, 2)
    assert "matrix products, bfloat16" in text and text.count("\n") == 8
