"""Gradient flow: its numbers, its silence on healthy networks, its names for faults, no trace."""

import math
from collections.abc import Callable

import pytest
import torch
from probes.cases import (
    CLASSES,
    FAULTS,
    HEALTHY,
    Recurrent,
    ResNet,
    TorchViT,
    Unrolled,
    batch,
    drawn,
    loss,
    mlp,
    train,
)
from torch import Tensor, nn
from torch.nn import functional as F

from penchant.errors import PenchantError
from penchant.probes import GradientFlow, GradientReport, gradient_flow

QUICK = (
    "mlp-6-ReLU",
    "mlp-10-GELU",
    "vit-torch",
    "lstm",
    "lstm-cell",
    "rezero",
    "half-frozen",
    "batch-norm",
    "zero-branches",
    "experts",
)


def measure(network: nn.Module) -> GradientReport:
    return gradient_flow(network, loss, *batch(64, 999))


def hooks(network: nn.Module) -> int:
    return sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks)
        for m in network.modules()
    ) + sum(len(p._backward_hooks or {}) for p in network.parameters())


# --- numbers ---------------------------------------------------------------------------------


def test_norms_are_those_of_autograd() -> None:
    network = drawn(lambda: mlp(4, nn.Tanh), 0).double()
    pictures, classes = batch(16)
    x, outputs = pictures.double(), []
    for layer in network:
        x = layer(x)
        if isinstance(layer, nn.Linear):
            outputs.append(x)
    value = F.cross_entropy(x, classes)
    expected = torch.autograd.grad(value, outputs, retain_graph=True)
    report = gradient_flow(network, loss, pictures.double(), classes)
    for one, gradient in zip(report.layers, expected, strict=True):
        assert one.activation == pytest.approx(float(gradient.norm()), rel=1e-12)
    for one in report.layers:
        own = torch.autograd.grad(value, network[int(one.name)].parameters(), retain_graph=True)
        assert one.parameters == pytest.approx(math.hypot(*(float(g.norm()) for g in own)))
    levels = torch.tensor([one.activation for one in report.layers]).double().log10()
    depth = torch.stack([torch.ones(4), torch.arange(4)]).double().T
    line = torch.linalg.lstsq(depth, levels[:, None]).solution
    assert report.decay == pytest.approx(float(line[1]))
    assert report.span == pytest.approx(float(levels[-1] - levels[0]))
    rest = (levels[:, None] - depth @ line).square().sum() / 2 / 5
    assert report.interval[1] - report.decay == pytest.approx(4.302653 * float(rest.sqrt()))


def test_a_linear_network_decays_by_its_gain() -> None:
    network = nn.Sequential(*(nn.Linear(8, 8, bias=False) for _ in range(12))).double()
    draws = torch.Generator().manual_seed(0)
    for layer in network:
        matrix = torch.randn(8, 8, generator=draws, dtype=torch.float64)
        layer.weight.data = torch.linalg.qr(matrix)[0] / 2
    inputs = torch.randn(5, 8, generator=draws, dtype=torch.float64)
    report = gradient_flow(network, lambda y, t: (y - t).square().sum(), inputs, 1 - inputs)
    assert report.decay == pytest.approx(math.log10(2), rel=1e-9)
    assert report.interval == pytest.approx((report.decay, report.decay), rel=1e-6)
    assert report.span == pytest.approx(11 * math.log10(2), rel=1e-9)


def test_far_below_and_above_float32s_squares_norms_are_right() -> None:
    network = nn.Linear(3, 3, bias=False)
    for scale in (1e-30, 1e30):
        with GradientFlow(network) as flow:
            network(torch.ones(4, 3)).mul(scale).sum().backward()
        assert flow.report.layers[0].activation == pytest.approx(math.sqrt(12) * scale, rel=1e-5)


def test_a_recurrent_layer_and_its_cell_unrolled_agree_over_time() -> None:
    layer, cell = drawn(lambda: Recurrent("RNN"), 0), drawn(lambda: Unrolled("RNNCell"), 0)
    for name, parameter in cell.cell.named_parameters():
        parameter.data = getattr(layer.over_time, f"{name}_l0").data
    cell.head.load_state_dict(layer.head.state_dict())
    pictures, classes = batch(16)
    rows = pictures.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(cell(rows), classes), rows)
    by_layer, by_cell = measure_on(layer, pictures, classes), measure_on(cell, pictures, classes)
    assert by_layer.layers[0].steps == pytest.approx(gradient.norm(dim=(0, 2)).tolist(), rel=1e-4)
    assert len(by_cell.layers[0].steps) == 8
    assert by_cell.layers[0].calls == 8


def measure_on(network: nn.Module, pictures: Tensor, classes: Tensor) -> GradientReport:
    return gradient_flow(network, loss, pictures, classes)


@pytest.mark.parametrize("packed", [False, True])
def test_recurrent_layers_take_what_torch_does(packed: bool) -> None:
    lstm = nn.LSTM(4, 5, num_layers=2, bidirectional=True)
    rows: object = torch.randn(6, 3, 4)
    if packed:
        rows = nn.utils.rnn.pack_padded_sequence(rows, torch.tensor([6, 4, 2]))
    with GradientFlow(lstm) as flow:
        lstm(rows)[1][0].sum().backward()
    (layer,) = flow.report.layers
    assert len(layer.steps) == 6
    assert layer.activation > 0


# --- anyone's loop -----------------------------------------------------------------------------


def test_in_a_loop_every_few_steps() -> None:
    network = drawn(lambda: mlp(3, nn.ReLU), 0)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    flow = GradientFlow(network, every=4)
    spans = []
    for step in range(9):
        pictures, classes = batch(32, step)
        optimizer.zero_grad()
        with flow:
            assert (hooks(network) > 0) == (step % 4 == 0)
            loss(network(pictures), classes).backward()
        optimizer.step()
        spans.append(flow.report.span)
    assert len(set(spans)) == 3
    assert hooks(network) == 0


def test_watching_changes_no_number() -> None:
    gradients = []
    for watched in (False, True):
        network = drawn(Recurrent, 0)
        value = loss
        if watched:
            with GradientFlow(network):
                value(network(batch()[0]), batch()[1]).backward()
        else:
            value(network(batch()[0]), batch()[1]).backward()
        gradients.append([p.grad for p in network.parameters()])
    for plain, seen in zip(*gradients, strict=True):
        assert torch.equal(plain, seen)


def test_several_backwards_are_averaged() -> None:
    network = drawn(lambda: mlp(3, nn.ReLU), 0)
    with GradientFlow(network) as once:
        loss(network(batch()[0]), batch()[1]).backward()
    with GradientFlow(network) as thrice:
        for _ in range(3):
            loss(network(batch()[0]), batch()[1]).backward()
    for one, other in zip(once.report.layers, thrice.report.layers, strict=True):
        assert one.activation == pytest.approx(other.activation)
        assert one.parameters == pytest.approx(other.parameters)
        assert other.calls == 1


def test_only_the_backward_inside_is_judged_by_parameters() -> None:
    network = drawn(lambda: mlp(30, nn.Sigmoid), 0)
    value = loss(network(batch()[0]), batch()[1])
    with GradientFlow(network) as flow:
        value.backward()
    assert math.isnan(flow.report.layers[0].activation)
    assert "parameters" in flow.report.sentence
    assert [found.kind for found in flow.report.findings] == ["vanishing"]


def test_nested() -> None:
    network = drawn(lambda: mlp(3, nn.ReLU), 0)
    with GradientFlow(network) as outer, GradientFlow(network[3]) as inner:
        loss(network(batch()[0]), batch()[1]).backward()
    assert inner.report.layers[0].activation == outer.report.layers[1].activation
    with pytest.raises(PenchantError, match="already"), outer, outer:
        pass
    assert hooks(network) == 0


def test_in_place_activations() -> None:
    plain, in_place = (
        drawn(lambda act=act: mlp(5, act), 0) for act in (nn.ReLU, lambda: nn.ReLU(inplace=True))
    )
    expected, found = measure(plain), measure(in_place)
    assert [one.activation for one in found.layers] == pytest.approx(
        [one.activation for one in expected.layers]
    )


@pytest.mark.unchecked
def test_compiled_networks_are_seen() -> None:
    network = drawn(lambda: mlp(3, nn.ReLU), 0)
    compiled = torch.compile(network, backend="eager")
    compiled(batch()[0])
    assert [one.name for one in measure(compiled).layers] == ["1", "3", "5"]
    assert [one.activation for one in measure(compiled).layers] == pytest.approx(
        [one.activation for one in measure(network).layers]
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripted_ones_say_what_to_do() -> None:
    network = torch.jit.trace(nn.Sequential(nn.Linear(4, 4)), torch.ones(1, 4))
    with pytest.raises(PenchantError, match="give it the module that was scripted"):
        GradientFlow(network)
    outer = nn.Sequential(network, nn.Linear(4, 2))
    with GradientFlow(outer) as flow:
        outer(torch.ones(3, 4)).sum().backward()
    assert [one.name for one in flow.report.layers] == ["0", "1"]
    assert not flow.report.findings


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision(dtype: torch.dtype) -> None:
    network = drawn(lambda: mlp(4, nn.ReLU), 0)
    exact = measure(network)
    with GradientFlow(network) as flow:
        with torch.autocast("cpu", dtype):
            value = loss(network(batch(64, 999)[0]), batch(64, 999)[1])
        (1024 * value).backward()
    assert not flow.report.findings
    assert flow.report.span == pytest.approx(exact.span, abs=0.02)


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed_networks(reentrant: bool) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read, self.body = nn.Linear(64, 64), mlp(4, nn.ReLU)

        def forward(self, pictures: Tensor) -> Tensor:
            x = self.read(pictures.flatten(1))
            return torch.utils.checkpoint.checkpoint(self.body, x, use_reentrant=reentrant)

    network = drawn(Checkpointed, 0)
    with GradientFlow(network) as flow:
        loss(network(batch()[0]), batch()[1]).backward()
    assert not flow.report.findings
    assert all(one.activation > 0 and one.calls <= 2 for one in flow.report.layers)


def test_reentrant_checkpoints_are_refused_where_they_would_seem_cut_off() -> None:
    class Checkpointed(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return torch.utils.checkpoint.checkpoint(super().forward, x, use_reentrant=True)

    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), Checkpointed(nn.Linear(64, CLASSES)))
    with pytest.raises(PenchantError, match="use_reentrant=False"):
        measure(network)


def test_a_gradient_that_is_not_a_number_is_no_healthy_one() -> None:
    class Root(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 0 * (x - x).sqrt()  # a slope of 0·∞

    network = drawn(lambda: mlp(5, nn.ReLU), 0)
    network[4] = Root()
    report = measure(network)
    assert [(one.kind, one.layer) for one in report.findings] == [("not finite", "3")]
    assert "not finite at 3" in report.sentence
    assert math.isinf(report.layers[0].activation) and math.isfinite(report.layers[-1].activation)


def test_a_layer_that_blocks_since_it_is_zero_says_so() -> None:
    network = drawn(lambda: mlp(4, nn.ReLU), 0)
    nn.init.zeros_(network[5].weight)
    (found,) = measure(network).findings
    assert (found.kind, found.layer) == ("vanishing", "5")
    assert "2 layers before it get none, since its weights are all zero" in found.sentence


@torch.inference_mode()
def test_under_inference_mode() -> None:
    with torch.inference_mode(False):
        network, (pictures, classes) = drawn(lambda: mlp(3, nn.ReLU), 0), batch()
        expected = gradient_flow(network, loss, pictures, classes)
    assert gradient_flow(network, loss, pictures, classes) == expected


class Structured(nn.Module):
    """Layers that give out tuples and dicts, and parametrized or listed weights."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.normed = nn.utils.parametrizations.weight_norm(nn.Linear(8, 8))
        self.own = nn.ParameterList([nn.Parameter(torch.eye(8))])

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        x = self.attention(pictures, pictures, pictures, need_weights=False)[0]
        x = self.normed(x) @ self.own[0]
        return {"logits": F.pad(x.mean(1), (0, 2))}


def test_outputs_of_any_structure() -> None:
    report = measure(drawn(Structured, 0))
    assert {one.name for one in report.layers} == {
        "attention",
        "attention.out_proj",
        "normed",
        "Structured",
    }
    assert not report.findings, report.findings


def test_no_trace_is_left_by_one_call() -> None:
    network = drawn(lambda: nn.Sequential(ResNet(8, 4), nn.Dropout(0.5)), 0).train()
    network[0].head.weight.grad = torch.ones_like(network[0].head.weight)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    stream = torch.get_rng_state()
    measure(network)
    assert torch.equal(stream, torch.get_rng_state())
    assert network.training
    assert hooks(network) == 0
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert torch.equal(network[0].head.weight.grad, torch.ones_like(network[0].head.weight))
    assert all(p.grad is None for n, p in network.named_parameters() if "head.weight" not in n)


def test_no_hook_stays_on_an_exception_or_in_the_graph() -> None:
    network = drawn(lambda: mlp(3, nn.ReLU), 0)
    with pytest.raises(RuntimeError, match="mine"), GradientFlow(network) as flow:
        raise RuntimeError("mine")
    assert hooks(network) == 0
    with pytest.raises(PenchantError, match="nothing is measured"):
        _ = flow.report
    with flow:
        value = loss(network(batch()[0]), batch()[1])
        value.backward(retain_graph=True)
    before = flow.report
    value.backward()
    assert flow.report == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GradientFlow(nn.ReLU()), "has no layer"),
        (lambda: GradientFlow(nn.Linear(2, 2), every=0), "every=0"),
        (lambda: GradientFlow(nn.LazyLinear(3)), "no shape yet"),
        (lambda: measure(mlp(3, nn.ReLU).requires_grad_(False)), "no trainable"),
        (lambda: gradient_flow(mlp(3, nn.ReLU), lambda y, t: y, *batch()), "shape"),
    ],
)
def test_what_does_not_fit_is_said_in_a_line(make: Callable[[], object], message: str) -> None:
    with pytest.raises(PenchantError, match=message) as told:
        make()
    assert "\n" not in str(told.value)


def test_a_forward_alone_is_said() -> None:
    network = mlp(3, nn.ReLU)
    with GradientFlow(network) as flow:
        network(batch()[0])
    with pytest.raises(PenchantError, match="no gradient came"):
        _ = flow.report


# --- silence and names ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("steps", [0, 30])
def test_healthy_networks_are_left_alone(name: str, steps: int) -> None:
    network = drawn(HEALTHY[name], 1)
    train(network, steps)
    report = measure(network)
    assert report.findings == ()
    assert report.sentence.startswith("healthy")


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named(name: str) -> None:
    fault = FAULTS[name]
    report = measure(drawn(fault.build, 1))
    assert [(found.kind, found.layer) for found in report.findings] == [(fault.kind, fault.layer)]
    assert report.sentence.startswith(f"{fault.kind} at {fault.layer}")


@pytest.mark.slow
def test_the_rate_of_false_alarms(record_property: Callable[[str, object], None]) -> None:
    """Every healthy network, of several seeds, at the start and at three moments of training."""
    alarms, cases = [], 0
    for name, build in HEALTHY.items():
        for seed in range(3):
            network = drawn(build, seed)
            for steps in (0, 20, 60, 120):
                train(network, steps)
                cases += 1
                found = measure(network).findings
                alarms += [f"{name} seed {seed} + {steps} steps: {one}" for one in found]
    record_property("false_alarms", f"{len(alarms)} of {cases}")
    print(f"false alarms: {len(alarms)} of {cases}", *alarms, sep="\n")
    assert cases >= 200
    assert not alarms


@pytest.mark.slow
def test_the_rate_of_faults_that_are_missed() -> None:
    missed, cases = [], 0
    for name, fault in FAULTS.items():
        for seed in range(10):
            report = measure(drawn(fault.build, seed))
            cases += 1
            if [(f.kind, f.layer) for f in report.findings] != [(fault.kind, fault.layer)]:
                missed.append(f"{name} seed {seed}: {report.findings}")
    print(f"missed: {len(missed)} of {cases}", *missed, sep="\n")
    assert not missed


def test_a_table() -> None:
    text = str(measure(drawn(TorchViT, 0)))
    assert text.splitlines()[0].split() == ["layer", "activations", "parameters"]
    assert "encoder.layers.3.linear2" in text
