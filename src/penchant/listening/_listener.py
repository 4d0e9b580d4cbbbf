"""A spoken digit heard chunk by chunk: log-mel frames, a streamed TDNN, the posterior so far.

The weights are derived from the Free Spoken Digit Dataset (Jackson et al., CC BY-SA 4.0) by
studies/train_listener.py, and are under that licence.
"""

import json
from importlib.resources import as_file, files
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from penchant.errors import PenchantError
from penchant.files import write_whole
from penchant.nn import TDNN, stream
from penchant.tasks import LogMel, LogMelStream

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

ORIGIN = "weights derived from the Free Spoken Digit Dataset, CC BY-SA 4.0, and under it"
"""Kept in the file, since it may be copied without the package."""

SILENCE = 0.15
"""Seconds of silence that end a recording, so that its last frames reach the last layer."""


class Listener:
    r"""Tells which digit is said, while it is said.

    .. math:: P(c \mid x_{\le t}) = \mathrm{softmax}\Big(\frac1{T\,p} \sum_{j=1}^{p} z_j\Big)_c

    with z_j the network's logits at the p places that have been heard and T the temperature that
    calibrates it for a speaker that it has not heard.

    Args:
        dtype: of the computation.

    Attributes:
        rate: samples a second that it hears.
        classes: the digits' names.

    Example:
        >>> listener = Listener()
        >>> posterior = listener.hear(torch.zeros(800))
        >>> posterior.shape, round(float(posterior[-1].sum()), 3)
        (torch.Size([2, 10]), 1.0)
    """

    classes = CLASSES

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        with as_file(files("penchant.listening") / "digits.safetensors") as path:
            self.network, self.numbers = _read(path)
        self.network.to(dtype)
        self.mel = LogMel().to(dtype)
        self.rate = self.mel.rate
        self._frames = LogMelStream(self.mel)
        self._network = stream(self.network)
        self._dtype = dtype

    @property
    def seconds_between(self) -> float:
        """Seconds from one posterior to the next."""
        return self._network.stride * self.mel.hop / self.rate

    @property
    def delay(self) -> float:
        """Seconds of sound that the first posterior needs: a frame's window, and the network's."""
        return (self.mel.samples + self._network.delay * self.mel.hop) / self.rate

    @property
    def state_size(self) -> int:
        """Bytes kept between chunks."""
        return self._frames.state_size + self._network.state_size

    def hear(self, samples: Float[Tensor, " time"]) -> Float[Tensor, "places classes"]:
        """Hear the next samples, any number of them.

        Args:
            samples: in [-1, 1], at the listener's rate.

        Returns:
            The posteriors that are ready, one every 40 ms of sound, each of all that was heard.
        """
        frames = self._standardised(self._frames(samples.to(self._dtype)))
        return self._posterior(self._network(frames[None])[0].T)

    def finish(self) -> Float[Tensor, "places classes"]:
        """End the recording with a moment of silence, and begin anew.

        Returns:
            The last posteriors.
        """
        last = self.hear(torch.zeros(round(SILENCE * self.rate)))
        self._frames.reset()
        self._network.reset()
        return last

    def whole(self, samples: Float[Tensor, " time"]) -> Float[Tensor, " classes"]:
        """Return the posterior of a whole recording in one pass, silence behind it."""
        silence = torch.zeros(round(SILENCE * self.rate))
        sound = torch.cat([samples, silence]).to(self._dtype)
        with torch.no_grad():
            logits = self.network(self._standardised(self.mel(sound))[None])
        return self._posterior(logits)[0]

    def _standardised(self, frames: Tensor) -> Tensor:
        return (frames - self.numbers["mean"]) / self.numbers["deviation"]

    def _posterior(self, logits: Tensor) -> Tensor:
        return (logits / self.numbers["temperature"]).softmax(dim=1)


def write_listener(
    path: Path, network: TDNN, mean: float, deviation: float, temperature: float
) -> None:
    """Write what a `Listener` reads.

    Args:
        path: of the file.
        network: of the default layers.
        mean: of log-mel frames.
        deviation: of log-mel frames.
        temperature: that calibrates it.
    """
    numbers = {"mean": mean, "deviation": deviation, "temperature": temperature}
    # One entry, since safetensors writes several in any order.
    words = json.dumps({"origin": ORIGIN, "numbers": numbers})
    write_whole(path, save(network.state_dict(), {"penchant": words}))


def _read(path: Path) -> tuple[TDNN, dict[str, float]]:
    with safe_open(path, framework="pt") as file:
        numbers: dict[str, float] = json.loads((file.metadata() or {})["penchant"])["numbers"]
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    width, channels = state["layers.1.weight"].shape[:2]
    network = TDNN(channels, len(CLASSES), width=width)
    network.load_state_dict(state)
    if channels != LogMel().bands:
        raise PenchantError(f"{path}: takes {channels} bands, and frames have {LogMel().bands}")
    return network.eval(), numbers
