"""torch's graph of a network, without a word on the terminal.

Decisions:
- The exported graph keeps conv2d, max_pool2d, batch_norm, ... whole, so that rules are few; it is
  made on fake tensors, so nothing is computed.
- Where a view is written to, the graph is rewritten without mutation, which takes as long again.
"""

import io
import logging
import operator
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import torch
from torch import nn

from penchant.geometry._copies import unpacked


class UntraceableError(Exception):
    """The network cannot be traced, or has an operation without a rule."""


def exported(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> torch.export.ExportedProgram:
    """Export a network.

    Args:
        model: the network.
        args: its positional arguments.
        kwargs: its named arguments.

    Returns:
        Its graph, in which no view is written to.

    Raises:
        UntraceableError: with torch's reason.
    """
    with _quiet():
        try:
            with _plain_outputs(model):
                program = torch.export.export(model, args, kwargs, strict=False)
            if _writes_to_views(program.graph_module):
                program = program.run_decompositions({})
        except Exception as error:  # whatever a user's code raises under export
            reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
            raise UntraceableError(f"{type(error).__name__}: {reason}"[:200]) from error
    return program


@contextmanager
def _plain_outputs(model: nn.Module) -> Iterator[None]:
    handle = model.register_forward_hook(lambda _, __, output: unpacked(output))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("torch")
    level = logger.level
    loggers = [logging.getLogger(name) for name in ("torch.fx", "torch.export", "torch._dynamo")]
    levels = [one.level for one in loggers]
    # Where a graph cannot be made, torch prints as much of it as there is.
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        for one in (logger, *loggers):
            one.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for one, before in zip((logger, *loggers), (level, *levels), strict=True):
                one.setLevel(before)


def _is_view(node: Any) -> bool:
    target = getattr(node, "target", None)
    if target is operator.getitem:
        return _is_view(node.args[0])
    if not isinstance(target, torch._ops.OpOverload) or target._schema.is_mutable:
        return False
    return any(result.alias_info is not None for result in target._schema.returns)


def _writes_to_views(module: torch.fx.GraphModule) -> bool:
    for node in module.graph.nodes:
        target = node.target
        if not isinstance(target, torch._ops.OpOverload) or not target._schema.is_mutable:
            continue
        written = node.args[0] if node.args else None
        if not isinstance(written, torch.fx.Node) or not target._schema.arguments[0].is_write:
            continue
        if _is_view(written) or any(_is_view(user) for user in written.users):
            return True
    return any(
        _writes_to_views(child)
        for child in module.children()
        if isinstance(child, torch.fx.GraphModule)
    )
