"""How close a signal is to another: PSNR, SNR, SSIM, and the error by frequency.

Quality of pictures is judged on what can be shown, so PSNR and SSIM clip the prediction to [0, 1].
The error by frequency is plain Fourier analysis and clips nothing.

A large signal is scored in strips, so that no copy of the whole is made; the same numbers come of
it up to rounding.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

import numpy as np
from jaxtyping import Bool, Float

PSNR_CAP = 120.0
"""PSNR or SNR of a perfect match, in dB: a finite number, beyond what float32 can tell apart."""

WHOLE = 2**22
"""Samples up to which a signal is scored in one piece."""

_STRIP = 2**19  # samples
_SSIM_WINDOW = 7
_NO_ENERGY = 1e-24  # relative to the whole signal: what rounding leaves in an empty band


def strips(shape: Sequence[int]) -> Iterator[slice]:
    """Cut a grid along its first axis into pieces that are scored one by one.

    Args:
        shape: of the grid.

    Yields:
        The first axis's part; all of it if the grid has at most 4 million samples.

    Example:
        >>> list(strips((2000, 2000))), next(strips((4000, 6000)))
        ([slice(0, 2000, None)], slice(0, 87, None))
    """
    samples = math.prod(shape)
    rows = shape[0] if samples <= WHOLE else max(1, _STRIP * shape[0] // samples)
    for top in range(0, shape[0], rows):
        yield slice(top, min(top + rows, shape[0]))


def psnr(
    prediction: Float[np.ndarray, "..."],
    truth: Float[np.ndarray, "..."],
    chosen: Bool[np.ndarray, "*grid"] | None = None,
) -> float:
    r"""Return the peak signal-to-noise ratio of values in [0, 1].

    .. math:: \mathrm{PSNR} = -10 \log_{10} \mathrm{mean}\,
              (\mathrm{clip}(\mathrm{prediction}, 0, 1) - \mathrm{truth})^2

    Args:
        prediction: of any shape; clipped to [0, 1].
        truth: of the same shape.
        chosen: over the first axes, the samples that are meant; all by default.

    Returns:
        Decibels for a peak of 1, at most 120 (a perfect match); nan for nan or no values.

    Example:
        >>> psnr(np.array([0.4, 0.6]), np.array([0.5, 0.5]))
        20.0
        >>> psnr(np.array([2.0]), np.array([1.0]))
        120.0
    """
    total, count = 0.0, 0
    for answers, wanted in _pieces(prediction, truth, chosen):
        difference = answers.astype(np.float64).clip(0, 1) - wanted
        total += float(np.sum(difference**2))
        count += difference.size
    return math.nan if count == 0 or math.isnan(total) else decibels(total / count)


def _pieces(
    prediction: np.ndarray, truth: np.ndarray, chosen: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if chosen is None:
        yield prediction, truth
        return
    for rows in strips(chosen.shape):
        yield prediction[rows][chosen[rows]], truth[rows][chosen[rows]]


def decibels(error: float) -> float:
    """Return the PSNR of a mean squared error of values in [0, 1], at most 120.

    Example:
        >>> decibels(0.01), decibels(0.0)
        (20.0, 120.0)
    """
    return min(PSNR_CAP, -10 * math.log10(max(error, 1e-300)))


def snr(prediction: Float[np.ndarray, "..."], truth: Float[np.ndarray, "..."]) -> float:
    r"""Return the signal-to-noise ratio of a reconstruction.

    .. math:: \mathrm{SNR} = 10 \log_{10} \frac{\sum s^2}{\sum (s - \hat s)^2}

    Args:
        prediction: of any shape.
        truth: of the same shape.

    Returns:
        Decibels, at most 120 (a perfect match); nan for nan, no values or silence.

    Example:
        >>> snr(np.array([0.9, -0.9]), np.array([1.0, -1.0])), snr(np.zeros(2), np.zeros(2))
        (20.0, nan)
    """
    exact = truth.astype(np.float64)
    signal, noise = float((exact**2).sum()), float(((prediction - exact) ** 2).sum())
    if math.isnan(noise) or signal == 0:
        return math.nan
    return min(PSNR_CAP, 10 * math.log10(signal / max(noise, 1e-300)))


def ssim_map(
    prediction: Float[np.ndarray, "*grid channels"],
    truth: Float[np.ndarray, "*grid channels"],
) -> Float[np.ndarray, "*grid"]:
    """Return the structural similarity around each sample, averaged over channels.

    scikit-image's map with its uniform window, a square or cube of side 7 or the largest odd one
    that fits.

    Args:
        prediction: clipped to [0, 1].
        truth: in [0, 1].

    Returns:
        Similarity, at most 1; nan everywhere if a side is below 3, where no window fits.

    Example:
        >>> grey = np.full((8, 8, 1), 0.5)
        >>> float(ssim_map(grey, grey).mean())
        1.0

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", 2004.
    """
    from skimage.metrics import structural_similarity

    side = min(truth.shape[:-1])
    if side < 3:
        return np.full(truth.shape[:-1], np.nan)
    _, similarity = structural_similarity(  # type: ignore[no-untyped-call]
        prediction.astype(np.float64).clip(0, 1),
        truth.astype(np.float64),
        win_size=min(_SSIM_WINDOW, side - 1 + side % 2),
        data_range=1.0,
        channel_axis=-1,
        full=True,
    )
    similarity_mean: np.ndarray = np.asarray(similarity).mean(axis=-1)
    return similarity_mean


def mean_ssim(
    prediction: Float[np.ndarray, "*grid channels"],
    truth: Float[np.ndarray, "*grid channels"],
    parts: Mapping[str, Bool[np.ndarray, "*grid"]],
) -> dict[str, float]:
    """Return the mean over each part of the whole signal's `ssim_map`.

    Args:
        prediction: clipped to [0, 1].
        truth: in [0, 1].
        parts: by name, the samples that each is about.

    Example:
        >>> grey = np.full((8, 8, 1), 0.5)
        >>> mean_ssim(grey, grey, {"seen": np.ones((8, 8), bool)})
        {'seen': 1.0}
    """
    height, totals = len(truth), dict.fromkeys(parts, 0.0)
    for rows in strips(truth.shape[:-1]):
        # With what the windows of its outer samples see; at an end a window has to fit in.
        first = max(0, min(rows.start - _SSIM_WINDOW // 2, height - _SSIM_WINDOW))
        last = max(_SSIM_WINDOW, rows.stop + _SSIM_WINDOW // 2)
        similarity = ssim_map(prediction[first:last], truth[first:last])
        similarity = similarity[rows.start - first : rows.stop - first]
        for part, chosen in parts.items():
            totals[part] += float(similarity[chosen[rows]].sum())
    return {part: totals[part] / int(parts[part].sum()) for part in parts}


def band_edges(bands: int = 8) -> tuple[float, ...]:
    """Return the borders of equally wide radial frequency bands from 0 to Nyquist.

    Args:
        bands: how many.

    Returns:
        bands + 1 frequencies in cycles per pixel; the last band also takes the corners of the
        spectrum beyond the last border (up to √½).

    Example:
        >>> band_edges(4)
        (0.0, 0.125, 0.25, 0.375, 0.5)
    """
    return tuple(0.5 * edge / bands for edge in range(bands + 1))


def band_energies(
    values: Float[np.ndarray, "*grid channels"],
    bands: int = 8,
    less: Float[np.ndarray, "..."] | float = 0.0,
) -> Float[np.ndarray, "bands"]:
    r"""Return how much of a signal's energy lies in each radial frequency band.

    .. math:: E_b = \frac{1}{n} \sum_{f \in b} |\hat v(f)|^2, \qquad
              \sum_b E_b = \sum_{x} v(x)^2 \quad\text{(Parseval)}

    Args:
        values: on the full grid; the mean (frequency 0) counts in the first band.
        bands: how many, as in `band_edges`.
        less: taken away from the values; of their shape, or one number a channel.

    Returns:
        One energy a band, lowest first, summed over channels.

    Example:
        >>> band_energies(np.ones((4, 4, 1)), bands=2)
        array([16.,  0.])
    """
    shape = values.shape[:-1]
    if math.prod(shape) > WHOLE:
        return _energies_in_blocks(values, bands, np.broadcast_to(less, values.shape))
    spectrum = np.fft.fftn(values.astype(np.float64) - less, axes=range(len(shape)))
    power = (np.abs(spectrum) ** 2).sum(axis=-1) / math.prod(shape)
    frequency = reduce(np.hypot.outer, map(np.abs, map(np.fft.fftfreq, shape)))
    band = np.digitize(frequency, band_edges(bands)[1:-1])
    return np.bincount(band.ravel(), weights=power.ravel(), minlength=bands)


def _energies_in_blocks(
    values: Float[np.ndarray, "*grid channels"],
    bands: int,
    less: Float[np.ndarray, "*grid channels"],
) -> Float[np.ndarray, "bands"]:
    """Return the same, a channel and a block of the last axis's frequencies at a time."""
    from scipy import fft

    if values.ndim == 2:  # an axis of length 1 adds no frequency
        values, less = values[None], less[None]
    *others, last = shape = values.shape[:-1]
    along = fft.rfftfreq(last)
    mirrored = np.where((along == 0) | (along == 0.5), 1, 2)  # a real signal's spectrum is even
    across = reduce(np.hypot.outer, map(np.abs, map(fft.fftfreq, others)))
    step = max(1, WHOLE // math.prod(others))
    energies = np.zeros(bands)
    for channel in range(values.shape[-1]):
        for start in range(0, len(along), step):
            block = slice(start, start + step)
            spectrum = np.empty((*others, len(along[block])), complex)
            for rows in strips(shape):
                part = values[rows, ..., channel].astype(np.float64) - less[rows, ..., channel]
                spectrum[rows] = fft.rfft(part, overwrite_x=True)[..., block]
            spectrum = fft.fftn(spectrum, axes=range(len(others)), overwrite_x=True)
            for rows in strips(shape):
                power = np.abs(spectrum[rows]) ** 2 * mirrored[block]
                frequency = np.hypot.outer(across[rows], along[block])
                band = np.digitize(frequency, band_edges(bands)[1:-1])
                energies += np.bincount(band.ravel(), weights=power.ravel(), minlength=bands)
    return energies / math.prod(shape)


def band_errors(
    prediction: Float[np.ndarray, "*grid channels"],
    truth: Float[np.ndarray, "*grid channels"],
    bands: int = 8,
) -> tuple[float, ...]:
    """Return the error's energy over the signal's in each radial frequency band.

    The signal's mean is left out of its energy, for it says nothing of how much there is to
    draw; an error of the mean counts in the first band. 1 is what the best constant scores.

    Args:
        prediction: on the full grid, not clipped.
        truth: of the same shape.
        bands: how many, as in `band_edges`.

    Returns:
        One share a band, lowest first; nan where the signal has nothing in a band.

    Example:
        >>> truth = np.random.default_rng(0).random((16, 16, 1))
        >>> [round(share, 6) for share in band_errors(0.9 * truth + 0.1 * truth.mean(), truth, 2)]
        [0.01, 0.01]
    """
    shape = truth.shape[:-1]
    samples, axes = math.prod(shape), tuple(range(len(shape)))
    total = sum(truth[rows].astype(np.float64).sum(axis=axes) for rows in strips(shape))
    mean = np.asarray(total / samples)
    signal = band_energies(truth, bands, mean)
    error = band_energies(prediction, bands, truth)
    present = signal > _NO_ENERGY * (signal.sum() + samples * np.square(mean).sum())
    shares = np.divide(error, signal, out=np.full(bands, np.nan), where=present)
    return tuple(shares.tolist())
