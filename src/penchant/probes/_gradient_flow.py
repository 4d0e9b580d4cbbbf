"""Gradient flow: how large the gradient is when it arrives at each layer.

Decisions:
- Forward hooks put a hook on each layer's output tensor. Unlike torch's full backward hooks these
  make no view of it, so that in-place activations behind a layer work; the gradient is the one of
  the layer's output before the activation.
- Each gradient is reduced to its norm when it passes, so that no tensor lives longer than without.
- A recurrent layer is one call for all time steps, and only its input has the steps apart. A first
  layer's input needs no gradient: it gets a view of it that does.
"""

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.hooks import RemovableHandle

from penchant.errors import PenchantError
from penchant.probes._gradient_report import GradientReport, LayerGradient, State, gradient_report
from penchant.probes._layers import (
    find_layers,
    hooked,
    own_parameters,
    tensors_in,
    without_trace,
)

_EXACT = (1e-15, 1e15)
"""Norms whose squares are far from float32's ends."""


@dataclass
class _Call:
    """One call of a layer: the norms that arrived at its outputs, and at its input by time step."""

    arrived: list[Tensor | float] = field(default_factory=list)
    steps: list[Float[Tensor, " steps"]] = field(default_factory=list)


@dataclass
class _Watched:
    """What a step saw of one layer."""

    passes: list[list[_Call]] = field(default_factory=lambda: [[]])
    """The calls in each pass of the model."""
    parameters: dict[str, list[Tensor | float]] = field(default_factory=dict)
    """For each backward."""


class GradientFlow:
    """Watches the gradients that arrive at a network's layers while anyone's code trains it.

    Each ``with`` is a step. The forward and the backward belong inside, one or several of them
    (they are averaged); where only the backward is, parameters' gradients are judged
    instead. What is measured is over with the step: no hook stays, whatever is raised.

    Args:
        model: any module; compiled ones run uncompiled inside.
        every: steps from one that is measured to the next; the others cost nothing.

    Raises:
        PenchantError: the model has no layers, is scripted, or `every` is no whole number above 0.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
        >>> with GradientFlow(model) as flow:
        ...     model(torch.ones(3, 4)).square().sum().backward()
        >>> [layer.name for layer in flow.report.layers], flow.report.findings
        (['0', '2'], ())

        In a loop, ``flow = GradientFlow(model, every=16)`` before it, and ``with flow:`` around
        forward and backward.

    Source: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010.
    """

    def __init__(self, model: nn.Module, every: int = 1) -> None:
        if not isinstance(every, int) or isinstance(every, bool) or every < 1:
            raise PenchantError(f"GradientFlow(every={every!r}): a whole number above 0 would fit")
        self._model = model
        self._layers = find_layers(model, "GradientFlow")
        self._every = every
        self._steps = 0
        self._open: ExitStack | None = None
        self._inside = False
        self._order: list[str] = []
        self._inputs: list[Tensor] = []
        self._reached: set[str] = set()
        self._now: dict[str, _Watched] = {}
        self._last: tuple[dict[str, _Watched], list[str]] | None = None

    def __enter__(self) -> Self:
        if self._inside:
            raise PenchantError("GradientFlow: it is already watching; a second one can be nested")
        self._inside = True
        if self._steps % self._every == 0:
            self._now = {name: _Watched() for name in self._layers}
            self._order, self._inputs = [], []
            with ExitStack() as stack:  # also where hooking fails
                self._watch(stack)
                self._open = stack.pop_all()
        self._steps += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._inside = False
        if self._open is None:
            return
        self._open.close()
        self._open = None
        if kind is None:
            called = set(self._order)
            self._last = self._now, [*self._order, *(n for n in self._layers if n not in called)]
            self._reached |= {name for name, one in self._now.items() if _arrives(one)}
        self._now, self._inputs = {}, []

    @property
    def report(self) -> GradientReport:
        """The last step that was measured.

        Raises:
            PenchantError: none was, or no backward ran in it.
        """
        if self._last is None:
            raise PenchantError(
                "GradientFlow.report: nothing is measured yet; run forward and backward inside "
                "`with flow:`"
            )
        watched, order = self._last
        if not any(_arrives(one) for one in watched.values()):
            raise PenchantError(
                "GradientFlow.report: no gradient came; run loss.backward() inside `with flow:`, "
                "behind the forward"
            )
        called = any(any(one.passes) for one in watched.values())
        return gradient_report([self._layer(name, watched[name], called) for name in order])

    def _layer(self, name: str, seen: _Watched, called: bool) -> LayerGradient:
        module = self._layers[name]
        own = own_parameters(module)
        state: State = "reached"
        if not _arrives(seen) and name not in self._reached:
            if not any(p.requires_grad for p in own.values()):
                state = "frozen"
            else:
                state = "unused" if called and not any(seen.passes) else "detached"
        by_pass = [[n for call in calls for n in call.arrived] for calls in seen.passes]
        by_parameter = [_mean([[n] for n in norms]) for norms in seen.parameters.values()]
        return LayerGradient(
            name,
            type(module).__name__,
            _mean(by_pass),
            math.hypot(*by_parameter) if by_parameter else math.nan,
            _steps(seen),
            max(map(len, seen.passes)),
            state,
            _gain(own),
        )

    def _watch(self, stack: ExitStack) -> None:
        handles: list[RemovableHandle] = []
        stack.callback(_take_off, handles)
        handles.append(self._model.register_forward_pre_hook(self._begin))
        for name, layer in self._layers.items():
            for own, parameter in own_parameters(layer).items():
                if parameter.requires_grad:
                    norms = self._now[name].parameters.setdefault(own, [])
                    handles.append(_listen(parameter, _into(norms, _norm)))
            if isinstance(layer, nn.RNNBase):
                enter = partial(self._enter_recurrent, name, handles)
                handles.append(layer.register_forward_pre_hook(enter, with_kwargs=True))
        stack.enter_context(hooked(self._layers, partial(self._leave, handles)))

    def _begin(self, *_: Any) -> None:
        """Begin a pass of the whole model."""
        if any(one.passes[-1] for one in self._now.values()):
            for one in self._now.values():
                one.passes.append([])

    def _leave(
        self, handles: list[RemovableHandle], name: str, module: nn.Module, output: Any
    ) -> None:
        calls = self._now[name].passes[-1]
        if not isinstance(module, nn.RNNBase):
            calls.append(_Call())
        if name not in self._order:
            self._order.append(name)
        for tensor in tensors_in(output):
            if tensor.requires_grad:
                handles.append(_listen(tensor, _into(calls[-1].arrived, _norm)))

    def _enter_recurrent(
        self,
        name: str,
        handles: list[RemovableHandle],
        module: nn.RNNBase,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Listen at the input's time steps."""
        call = _Call()
        self._now[name].passes[-1].append(call)
        given: Any = args[0] if args else kwargs.get("input")
        packed = isinstance(given, PackedSequence)
        tensor = given.data if packed else given
        if not isinstance(tensor, Tensor) or not torch.is_grad_enabled():
            return None
        lengths = given.batch_sizes.tolist() if packed else None
        axis = 1 if module.batch_first and tensor.ndim == 3 else 0
        norms = partial(_norms_over_time, lengths=lengths, axis=axis)
        if tensor.requires_grad:
            handles.append(_listen(tensor, _into(call.steps, norms)))
            return None
        view = tensor.detach().requires_grad_()
        self._inputs.append(view)
        handles.append(_listen(view, _into(call.steps, norms)))
        replaced = given._replace(data=view) if packed else view
        return ((replaced, *args[1:]), kwargs) if args else (args, {**kwargs, "input": replaced})


def gradient_flow(
    network: nn.Module,
    divergence: Callable[[Any, Any], Tensor],
    inputs: Any,
    targets: Any,
) -> GradientReport:
    r"""Measure the gradient at each layer's activations and parameters, once.

    .. math:: g_l = \lVert \partial D / \partial a_l \rVert, \qquad
              \text{decay} = \text{slope of } \log_{10} g_l \text{ on } l

    The network is taken in the mode it is in, and nothing of it changes: no gradients, no running
    statistics, no draws from torch's stream.

    Args:
        network: any module.
        divergence: what the network gives out, and targets, to a scalar: ``KL("softmax")``, or for
            outputs that are no tensor ``lambda out, target: kl(out.logits, target)``.
        inputs: what the network is given, one argument; of several make a network of one, or put
            `GradientFlow` around your own forward and backward.
        targets: what it should answer.

    Returns:
        Norms by layer, their decay with its interval, a sentence, and findings that name layers.

    Raises:
        PenchantError: no layer, no trainable parameter, a divergence that is no scalar of them, or
            reentrant checkpoints.

    Example:
        >>> from penchant.divergences import L2
        >>> cut = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> with torch.no_grad():
        ...     _ = cut[0].bias.fill_(-100)
        >>> report = gradient_flow(cut, L2(), torch.ones(4, 2), torch.ones(4, 1))
        >>> print(report.findings[0])
        vanishing: 2: the gradient that it passes back is exactly zero: 1 layer before it gets none

    Source: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010.
    """
    flow = GradientFlow(network)
    parameters = [p for p in network.parameters() if p.requires_grad]
    if not parameters:
        raise PenchantError(
            f"gradient_flow: {type(network).__name__} has no trainable parameter; at least one "
            "with requires_grad=True is needed for a gradient"
        )
    # A caller may be under inference_mode or no_grad; the gradient is wanted all the same.
    graph = torch.inference_mode(False), torch.enable_grad()
    with flow, graph[0], graph[1], without_trace(network) as forward:
        value = divergence(forward(inputs), targets)
        if not isinstance(value, Tensor) or value.ndim != 0 or not value.requires_grad:
            shape = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
            raise PenchantError(
                f"gradient_flow: the divergence gave {type(value).__name__} of {shape}; a scalar "
                "that depends on the parameters would fit, since its gradient is asked for"
            )
        _refuse_reentrant(value)
        torch.autograd.grad(value, [*parameters, *flow._inputs], allow_unused=True)
    return flow.report


def _refuse_reentrant(value: Tensor) -> None:
    """Refuse blocks whose gradient torch gives in a backward alone: they would seem cut off."""
    seen, ahead = set[Any](), [value.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() == "CheckpointFunctionBackward":
            raise PenchantError(
                "gradient_flow: a checkpointed block with use_reentrant=True has a gradient in "
                "loss.backward() alone; give use_reentrant=False, or put GradientFlow around your "
                "own backward"
            )
        ahead += [below for below, _ in node.next_functions]


def _take_off(handles: list[RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()


def _listen(tensor: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    handle: RemovableHandle = tensor.register_hook(hook)  # type: ignore[no-untyped-call]
    return handle


def _into(norms: list[Any], measure: Callable[[Tensor], Any]) -> Callable[[Tensor], None]:
    def hook(gradient: Tensor) -> None:
        norms.append(measure(gradient.detach()))

    return hook


def _norm(gradient: Tensor) -> Tensor | float:
    """‖g‖; a device's own number stays there until a report is asked for."""
    if gradient.is_sparse:
        gradient = gradient.coalesce().values()
    if gradient.is_complex():
        gradient = torch.view_as_real(gradient)
    if gradient.device.type == "cpu":
        half = gradient.dtype in (torch.float16, torch.bfloat16)
        quick = float(torch.linalg.vector_norm(gradient, dtype=torch.float32 if half else None))
        if _EXACT[0] < quick < _EXACT[1]:
            return quick
    wide = torch.float32 if gradient.device.type == "mps" else torch.float64
    norm: Tensor = torch.linalg.vector_norm(gradient, dtype=wide)
    return norm


def _norms_over_time(
    gradient: Tensor, lengths: list[int] | None, axis: int
) -> Float[Tensor, " steps"]:
    if lengths is None:
        steps = list(gradient.double().unbind(axis))
    else:
        steps = list(torch.split(gradient.double(), lengths))
    return torch.stack([torch.linalg.vector_norm(step) for step in steps])


def _arrives(seen: _Watched) -> bool:
    return any(seen.parameters.values()) or any(c.arrived for calls in seen.passes for c in calls)


def _mean(passes: list[list[Tensor | float]]) -> float:
    """The root of the mean over passes of the sum of squares within each; nan without any.

    A norm that is nan counts as infinite: something arrived, and it is not finite.
    """
    norms = [math.hypot(*map(float, norms)) for norms in passes if norms]
    mean = math.hypot(*norms) / math.sqrt(len(norms)) if norms else math.nan
    return math.inf if norms and math.isnan(mean) else mean


def _steps(seen: _Watched) -> tuple[float, ...]:
    """Of the last pass: by time step where the layer itself has them, else by call."""
    for calls in reversed(seen.passes):
        inner = [float(norm) for call in calls for steps in call.steps for norm in steps]
        outer = [math.hypot(*map(float, call.arrived)) for call in calls if call.arrived]
        steps = inner or outer
        if len(steps) > 1:
            return tuple(steps)
    return ()


def _gain(own: dict[str, nn.Parameter]) -> float:
    matrices = [p.detach() for p in own.values() if p.ndim > 1]
    norms = [float(torch.linalg.vector_norm(p)) / math.sqrt(max(len(p), 1)) for p in matrices]
    return math.inf if any(map(math.isnan, norms)) else max(norms)
