"""A network that takes a recording as it comes: the same outputs, each as soon as it can be."""

import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Inexact
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn._checks import count
from penchant.nn._stream_graph import plan
from penchant.nn._stream_stages import Stage

FRESH, HEARING, FINISHED = range(3)


def stream(model: nn.Module, batch: int = 1, channels: int | None = None) -> "Streaming":
    r"""Turn a network that hears whole recordings into one that hears them as they come.

    The network consists of 1-D convolutions and poolings with any stride, dilation, padding and
    groups, of layers that look at one frame alone, and of branches that meet; its `forward` may
    be anything that torch.fx can trace. With S the product of strides along the way and D the
    delay, output j comes with sample

    .. math:: t_j = j\,S + D, \qquad D = \sum_l S_l\,(d_l\,(k_l - 1) - p_l)

    (both counted from 0; for layers l of kernel k, dilation d and left padding p, S_l samples
    between their inputs; over branches the largest D), which is as soon as its receptive field has
    been heard. A step costs each layer the frames that its kernel taps, however far they are apart
    and however long the recording is, and each output of each layer is computed once.

    A mean over the whole recording (`AdaptiveAvgPool1d(1)`, `x.mean(-1)`) streams as the mean so
    far: outputs come at each frame, and the last one, after `finish`, is the whole pass's.

    Args:
        model: the network, in evaluation mode; from (batch, channels, time) to outputs over time.
            Its parameters are not copied.
        batch: recordings heard side by side.
        channels: of what is heard; read off the first layer when not given.

    Returns:
        The stream; call it with chunks of shape (batch, channels, any number of samples).

    Raises:
        PenchantError: a layer looks at the whole recording, or cannot be streamed; its path.

    Example:
        >>> tdnn = nn.Sequential(nn.Conv1d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv1d(4, 2, 2))
        >>> recording = torch.randn(1, 1, 10)
        >>> streaming = stream(tdnn)
        >>> parts = [streaming(chunk) for chunk in recording.split(4, dim=-1)]
        >>> parts.append(streaming.finish())
        >>> [part.shape[-1] for part in parts], streaming.delay
        ([2, 4, 2, 1], 2)
        >>> torch.allclose(torch.cat(parts, dim=-1), tdnn(recording), atol=1e-6)
        True

    Source: Waibel et al., "Phoneme recognition using time-delay neural networks", 1989; Rybakov et
    al., "Streaming keyword spotting on mobile devices", 2020, for layers that keep their state.
    """
    return Streaming(model, batch, channels)


class Streaming:
    """A network that hears a recording in chunks; made by `stream`, see there.

    Outputs are those of the whole pass up to rounding (1e-12 in float64): a matrix product of
    other sizes may add in another order. No gradients are kept.

    Example:
        >>> streaming = stream(nn.Conv1d(1, 1, 3, padding=1))
        >>> streaming
        Streaming(Conv1d, batch=1, stride=1, delay=1, state_size=32)
        >>> streaming(torch.randn(1, 1, 5)).shape, streaming.finish().shape
        (torch.Size([1, 1, 4]), torch.Size([1, 1, 1]))
    """

    def __init__(self, model: nn.Module, batch: int = 1, channels: int | None = None) -> None:
        self.batch = count("stream(batch", batch)
        if channels is not None:
            count("stream(channels", channels)
        self._name = type(model).__name__
        self._plan, self._blank = plan(model, channels)
        self._result = self._plan.result
        self._phase = FRESH
        self.reset()

    @property
    def stride(self) -> int:
        """Samples from one output to the next."""
        return self._result.timing.stride

    @property
    def delay(self) -> int:
        """D: output j comes with sample j·stride + D, both counted from 0.

        A network whose padding looks back alone has 0, right context adds what it looks ahead, and
        a network without padding has its receptive field less 1. Below 0 where padding gives
        outputs before any sample.
        """
        return self._result.timing.lag

    @property
    def state_size(self) -> int:
        """Bytes kept between chunks, whatever has been heard."""
        return sum(one.numel() * one.element_size() for one in self.state_dict().values())

    @property
    def heard(self) -> int:
        """Samples heard since the start."""
        return self._heard

    @torch.no_grad()
    def __call__(
        self, chunk: Inexact[Tensor, "batch channels samples"]
    ) -> Inexact[Tensor, "batch *outputs"]:
        """Hear the next samples.

        Args:
            chunk: of shape (batch, channels, samples), of any number of samples, also 0.

        Returns:
            The outputs that are ready, of shape (batch, outputs, frames), frames 0 where none is;
            (batch, frames, outputs) for a network that ends so; one that ends in a mean over time
            has a frame for each mean so far. NaN where a stream that was reset
            alone has none while others have.

        Raises:
            PenchantError: the chunk's shape, type or device does not fit, or this is finished.
        """
        if self._phase == FINISHED:
            raise PenchantError("streaming(chunk) after finish(): call reset() first")
        fits = (self.batch, self._blank.shape[1])
        if chunk.ndim != 3 or tuple(chunk.shape[:2]) != fits:
            raise PenchantError(
                f"streaming(chunk of shape {tuple(chunk.shape)}): needs "
                f"(batch, channels, samples) = ({fits[0]}, {fits[1]}, any)"
            )
        if (chunk.dtype, chunk.device) != (self._blank.dtype, self._blank.device):
            raise PenchantError(
                f"streaming(chunk of {chunk.dtype} on {chunk.device}): the network is of "
                f"{self._blank.dtype} on {self._blank.device}"
            )
        begun = self._start()
        outputs = self._through("push", chunk)
        self._heard += chunk.shape[-1]
        return self._given([*begun, outputs])

    @torch.no_grad()
    def finish(self) -> Inexact[Tensor, "batch *outputs"]:
        """End the recording.

        Returns:
            The outputs that padding on the right still owes, as a chunk returns them.

        Raises:
            PenchantError: the stream is finished already, or its branches end at different lengths.
        """
        if self._phase == FINISHED:
            raise PenchantError("streaming.finish() after finish(): call reset() first")
        begun = self._start()
        outputs = self._through("finish", self._blank.expand(self.batch, -1, -1))
        self._phase = FINISHED
        return self._given([*begun, outputs])

    @torch.no_grad()
    def reset(self, streams: Sequence[int] | None = None) -> None:
        """Forget what was heard and begin anew.

        Single streams begin anew beside others that go on. All share one clock, so this is at a
        multiple of the stride; what the others still get with the delay is NaN for these.

        Args:
            streams: which of the batch; all when not given.

        Raises:
            PenchantError: these streams cannot begin anew now; when they could.

        Example:
            >>> streaming = stream(nn.Conv1d(1, 1, 2, bias=False), batch=2)
            >>> _ = streaming(torch.ones(2, 1, 4))
            >>> streaming.reset([1])
            >>> streaming(torch.ones(2, 1, 2)).isnan().tolist()
            [[[False, False]], [[True, False]]]
        """
        if streams is None:
            for stage in self._plan.stages:
                stage.clear(self.batch)
            self._phase = FRESH
            self._heard = 0
            self._next = min(0, self._result.timing.first)
            self._began = torch.zeros(self.batch, dtype=torch.int64, device=self._blank.device)
            self._latest = 0
            return
        self._restart(list(streams))

    def _restart(self, streams: list[int]) -> None:
        call = f"streaming.reset({streams})"
        if not all(0 <= one < self.batch for one in streams):
            raise PenchantError(f"{call}: the batch has streams 0 to {self.batch - 1}")
        if self._phase == FINISHED:
            raise PenchantError(f"{call} after finish(): only all begin anew together, reset()")
        stages = self._plan.stages
        for path, stage in zip(self._plan.paths, stages, strict=True):
            if stage.timing.first > 0:
                raise PenchantError(
                    f"{call}: {path} pads more than it looks back, so the others have had outputs "
                    "that these would have first; only all begin anew together, reset()"
                )
        clock = math.lcm(*(stage.timing.stride for stage in stages))
        if self._heard % clock:
            raise PenchantError(
                f"{call} after {self._heard} samples: single streams begin anew at multiples of "
                f"the stride {clock}, for instance {clock - self._heard % clock} samples on"
            )
        chosen = torch.tensor(streams, dtype=torch.int64, device=self._blank.device)
        for stage in stages:
            stage.restart(chosen, self._heard)
        self._began[chosen] = self._latest = self._heard

    def state_dict(self) -> dict[str, Tensor]:
        """Return all that is kept between chunks, as copies: tensors alone, fit for safetensors.

        Example:
            >>> sorted(stream(nn.Conv1d(1, 1, 3)).state_dict())
            ['0.0.frames', 'began', 'heard', 'phase']
        """
        state = {
            "phase": torch.tensor(self._phase),
            "heard": torch.tensor(self._heard),
            "began": self._began.clone(),
        }
        for name, stage in self._named():
            state |= {f"{name}.{key}": one for key, one in stage.memory().items()}
        return state

    def _named(self) -> Iterator[tuple[str, Stage]]:
        for number, (path, stage) in enumerate(
            zip(self._plan.paths, self._plan.stages, strict=True)
        ):
            yield f"{number}.{path}", stage

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on where `state_dict` was taken.

        Args:
            state: of a stream of the same network and batch.

        Raises:
            PenchantError: the state is another network's or batch's.
        """
        for name, mine in self.state_dict().items():
            given = state.get(name)
            if given is None or given.shape != mine.shape:
                what = "nothing" if given is None else f"shape {tuple(given.shape)}"
                raise PenchantError(
                    f"streaming.load_state_dict: {what} for {name}, which here has shape "
                    f"{tuple(mine.shape)}; a state of the same network and batch fits"
                )
        self._phase, self._heard = int(state["phase"]), int(state["heard"])
        self._began.copy_(state["began"])
        self._latest = int(self._began.max())
        fresh = self._phase == FRESH
        following = self._result.timing.next(self._heard)
        self._next = min(0, following) if fresh else following
        for name, stage in self._named():
            stage.clear(self.batch)
            if not fresh:
                memory = {key: state[f"{name}.{key}"] for key in stage.memory()}
                stage.remember(memory, self._heard, self._began)

    def _start(self) -> list[Tensor]:
        if self._phase != FRESH:
            return []
        self._phase = HEARING
        return [self._through("start", self._blank.expand(self.batch, -1, -1))]

    def _through(self, step: str, frames: Tensor) -> Tensor:
        values = [frames]
        for stage, sources in zip(self._plan.stages, self._plan.sources, strict=True):
            values.append(getattr(stage, step)(*[values[one] for one in sources]))
        return values[self._result.place]

    def _given(self, parts: list[Tensor]) -> Tensor:
        outputs = torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]
        first, self._next = self._next, self._next + outputs.shape[-1]
        if first < 0:
            outputs = outputs[..., min(-first, outputs.shape[-1]) :]
            first = self._next - outputs.shape[-1]
        if first * self.stride < self._latest:
            places = torch.arange(first, self._next, device=outputs.device)
            foreign = places * self.stride < self._began.unsqueeze(-1)
            outputs = outputs.masked_fill(foreign.unsqueeze(1), float("nan"))
        return outputs.transpose(1, 2) if self._result.layout == "channels" else outputs

    def __repr__(self) -> str:
        return (
            f"Streaming({self._name}, batch={self.batch}, stride={self.stride}, "
            f"delay={self.delay}, state_size={self.state_size})"
        )
