"""Log-mel features: what a short stretch of sound contains, band by band.

A frame depends on its own window alone, so features can be had while a recording is still heard.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError


def hertz_to_mel(hertz: float) -> float:
    """Return a frequency's place on HTK's mel scale, 2595 log₁₀(1 + f/700).

    Example:
        >>> round(hertz_to_mel(1000.0), 1)
        1000.0
    """
    return 2595 * math.log10(1 + hertz / 700)


def mel_filters(
    rate: int, bins: int, bands: int, lowest: float = 60.0
) -> Float[Tensor, "bands bins"]:
    r"""Make triangular filters that stand equally far apart on HTK's mel scale.

    .. math:: H_b(f) = \max\Big(0, \min\Big(\frac{f - f_{b-1}}{f_b - f_{b-1}},
              \frac{f_{b+1} - f}{f_{b+1} - f_b}\Big)\Big), \qquad
              m(f) = 2595 \log_{10}(1 + f/700)

    with f₀ the lowest frequency, f of the last the half of the rate, and m(f_b) equally spaced.
    Each filter is then divided by its sum, so that white noise has one level in all bands.

    Args:
        rate: samples a second.
        bins: of a real spectrum, from 0 Hz to half the rate.
        bands: filters.
        lowest: where the first filter begins, in Hz; speech has nothing below 60.

    Returns:
        Weights in float64, each row with sum 1.

    Raises:
        PenchantError: so many bands that one has no bin of the spectrum.

    Example:
        >>> filters = mel_filters(8000, 101, 32)
        >>> filters.shape, round(float(filters[5].sum()), 6)
        (torch.Size([32, 101]), 1.0)

    Source: Davis & Mermelstein, "Comparison of parametric representations for monosyllabic word
    recognition", 1980; the scale's formula is O'Shaughnessy's, 1987, as in the HTK book.
    """
    ends = hertz_to_mel(lowest), hertz_to_mel(rate / 2)
    mels = torch.linspace(*ends, bands + 2, dtype=torch.float64)
    edges = 700 * (10 ** (mels / 2595) - 1)
    frequencies = torch.linspace(0, rate / 2, bins, dtype=torch.float64)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (frequencies - low) / (middle - low)
    falling = (high - frequencies) / (high - middle)
    filters = torch.minimum(rising, falling).clamp(min=0)
    sums = filters.sum(dim=1, keepdim=True)
    if not bool((sums > 0).all()):
        empty = int((sums[:, 0] == 0).sum())
        raise PenchantError(
            f"mel_filters(rate={rate}, bins={bins}, bands={bands}): {empty} bands lie between two "
            "bins of the spectrum; take fewer bands or a longer window"
        )
    return filters / sums


class LogMel(nn.Module):
    r"""The logarithm of a sound's power in mel bands, frame by frame.

    .. math:: y_{b,j} = \log\Big(\varepsilon + \sum_k H_b(f_k)
              \Big|\frac{2}{\sum_n w_n} \sum_n w_n\, x_{jh+n}\, e^{-2\pi i k n / N}\Big|^2\Big)

    with a Hann window w of N samples, hop h and H of `mel_filters`. A sine of amplitude a thus has
    power a² at its bin. Frame j needs the samples from j·h to j·h + N − 1 and no others: nothing
    is padded and nothing is normalised over the recording.

    Args:
        rate: samples a second.
        bands: mel bands.
        window: seconds that a frame looks at.
        hop: seconds from one frame to the next.
        floor: ε, the power that silence is given; 1e-7 is 70 dB below a full sine.

    Attributes:
        samples: N, samples that a frame looks at.
        hop: h, samples from one frame to the next.

    Raises:
        PenchantError: fewer than 2 samples a window or 1 a hop, or too many bands.

    Example:
        >>> mel = LogMel()
        >>> mel(torch.zeros(8000)).shape, round(float(mel(torch.zeros(200)).mean()), 2)
        (torch.Size([32, 98]), -16.12)
    """

    window: Tensor
    filters: Tensor

    def __init__(
        self,
        rate: int = 8000,
        bands: int = 32,
        *,
        window: float = 0.025,
        hop: float = 0.010,
        floor: float = 1e-7,
    ) -> None:
        super().__init__()
        self.rate, self.bands, self.floor = rate, bands, floor
        self.samples, self.hop = round(window * rate), round(hop * rate)
        if self.samples < 2 or self.hop < 1:
            raise PenchantError(
                f"LogMel(rate={rate}, window={window:g}, hop={hop:g}): a window of {self.samples} "
                f"samples and a hop of {self.hop}; at least 2 and 1 are needed"
            )
        hann = torch.hann_window(self.samples, dtype=torch.float64)
        filters = mel_filters(rate, self.samples // 2 + 1, bands)
        kind = torch.get_default_dtype()
        self.register_buffer("window", (hann * 2 / hann.sum()).to(kind), persistent=False)
        self.register_buffer("filters", filters.to(kind), persistent=False)

    def frames(self, samples: int) -> int:
        """Count the frames of a recording of so many samples."""
        return max(0, (samples - self.samples) // self.hop + 1)

    def forward(self, sound: Float[Tensor, "*batch samples"]) -> Float[Tensor, "*batch bands f"]:
        """Return the frames of a sound.

        Args:
            sound: samples in [-1, 1]; of the module's type.

        Returns:
            A frame for each whole window; none where the sound is shorter than one.
        """
        if not self.frames(sound.shape[-1]):
            return sound.new_empty((*sound.shape[:-1], self.bands, 0))
        spectrum = torch.stft(
            sound, self.samples, self.hop, window=self.window, center=False, return_complex=True
        )
        # Not abs().square(), whose root takes longer than the transform itself.
        parts = torch.view_as_real(spectrum).square()
        power: Tensor = self.filters @ (parts[..., 0] + parts[..., 1])
        return torch.log(power + self.floor)


class LogMelStream:
    """The same frames from samples that come in chunks.

    Args:
        mel: the features.

    Example:
        >>> mel, sound = LogMel(), torch.randn(1000)
        >>> hearing = LogMelStream(mel)
        >>> parts = [hearing(chunk) for chunk in sound.split(300)]
        >>> [part.shape[1] for part in parts]
        [2, 4, 3, 2]
        >>> torch.allclose(torch.cat(parts, dim=1), mel(sound), atol=1e-5)
        True
    """

    def __init__(self, mel: LogMel) -> None:
        self.mel = mel
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._kept = self.mel.window.new_empty(0)

    @property
    def state_size(self) -> int:
        """Bytes kept between chunks, at the most: a window less one sample."""
        return (self.mel.samples - 1) * self.mel.window.element_size()

    def __call__(self, chunk: Float[Tensor, " samples"]) -> Float[Tensor, "bands frames"]:
        """Hear the next samples, any number of them.

        Returns:
            The frames whose windows are complete.
        """
        heard = torch.cat([self._kept, chunk])
        # .clone(), so that what is kept does not hold the whole chunk.
        self._kept = heard[self.mel.frames(len(heard)) * self.mel.hop :].clone()
        frames: Tensor = self.mel(heard)
        return frames
