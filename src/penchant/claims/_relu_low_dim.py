"""ReLU where one picture is reconstructed: how well, and where in the spectrum its error lies."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from penchant.claims._claim import Claim, Evidence, Statement
from penchant.claims._contrasts import Contrast, contrasted, study_with
from penchant.claims._figures import intervals
from penchant.claims._rules import comparisons
from penchant.claims._setting import Setting, of_studies
from penchant.explain import Figure
from penchant.study import Results, Run
from penchant.tasks import Metric

LOWER = 2
"""Frequency bands, of eight from 0 to the sampling limit, that count as low."""
LACKS = Metric("captured_above", "points", margin=5.0)
"""By how much more of the signal's energy a design captures than ReLU, above the low bands than in
them, in percentage points."""


def _captured(bands: Sequence[float]) -> float:
    """The mean share of the signal's energy that is drawn right, in percent; of an error as large
    as the signal or larger that is none."""
    return 100 * fmean(max(0.0, 1 - error) for error in bands if math.isfinite(error))


def _above_less_below(run: Run) -> float:
    return _captured(run.bands[LOWER:]) - _captured(run.bands[:LOWER])


def _bands(results: Results) -> list[dict[str, Any]]:
    """Each design against ReLU of its family: what is captured above the low bands less in them."""
    relu = {_family(run): run.design for run in results.runs if _is_relu(run)}
    labels = {run.design: run for run in results.runs}
    return contrasted(
        results,
        LACKS,
        [
            Contrast(
                label,
                relu[_family(run)],
                {label: 1, relu[_family(run)]: -1},
                {name: run.settings.get(name) for name in ("family", "activation", "source")},
            )
            for label, run in labels.items()
            if not _is_relu(run)
        ],
        _above_less_below,
    )


def _is_relu(run: Run) -> bool:
    return run.settings["activation"] == "relu"


def _family(run: Run) -> tuple[object, object]:
    return run.settings["family"], run.settings.get("source")


def _spectrum(setting: Setting) -> Evidence:
    return {"studies": [study_with(setting, "relu-low-dim", setting.profile, _bands)]}


def _figure(found: Mapping[str, Evidence]) -> Figure | None:
    evidence = found.get("encoder-decoder")
    if evidence is None:
        return None
    return intervals(
        evidence,
        name="claim-relu-low-dim",
        title="One picture, held-out pixels: others against ReLU",
        caption="Difference from ReLU in the same kind of network, with simultaneous intervals: "
        "coordinate networks, encoder-decoders that are given the picture without its held-out "
        "pixels, and such that are given fixed noise. The shaded margin is what would not matter.",
        metric="psnr_held_out",
    )


_STUDY = {
    "full": [("relu-low-dim", "full")],
    "quick": [("relu-low-dim", "quick")],
    "smoke": [("relu-low-dim", "smoke")],
}

UNDER_BOTH = of_studies(**{**_STUDY, "full": [*_STUDY["full"], ("relu-encoding", "adam")]})
"""Under Muon and, where there are runs of it, under Adam."""

RELU_LOW_DIM = Claim(
    id="relu-low-dim",
    words="On “low-dimensional models”, such as “trying to reconstruct a singular image”, a "
    "“simple network with ReLU activations ... in an encoder-decoder like fashion” fails, “and the "
    "reasoning is ... the inductive bias of ReLU”.",
    meaning="To fail is taken to mean: worse, by more than half a decibel, than the same network "
    "with another activation, on the pixels that it sees and on those held out; in the notes' own "
    "case, the encoder-decoder, and in a coordinate network. If the reason is ReLU's spectral "
    "bias, what it lacks lies at high frequencies.",
    statements=(
        Statement(
            name="encoder-decoder",
            says="A convolutional encoder-decoder with ReLU, given one picture without its "
            "held-out pixels, reconstructs it worse than with GELU, Gaussian or sine, pixels "
            "seen and held out.",
            kind="measured",
            gather=of_studies(**_STUDY),
            rule=comparisons(
                "better",
                "Encoder-decoders: each other activation against ReLU in PSNR, seen and held out.",
                family="autoencoder",
                source="picture",
            ),
        ),
        Statement(
            name="coordinate",
            says="A coordinate network with ReLU reconstructs one picture worse than with GELU, "
            "Gaussian or sine, pixels seen and held out.",
            kind="measured",
            gather=UNDER_BOTH,
            rule=comparisons(
                "better",
                "Coordinate networks without an encoding: each other activation against ReLU in "
                "PSNR, seen and held out; in the full profile under Muon and, held out, under Adam "
                "(there FINER and WIRE, too).",
                family=("coordinate", None),
                encoding="none",
            ),
        ),
        Statement(
            name="high-frequencies",
            says="What ReLU's reconstruction lacks beside another activation's lies at high "
            "frequencies: above a quarter of the sampling limit the other captures more of the "
            "signal's energy than ReLU by a larger share than below it.",
            kind="measured",
            gather=_spectrum,
            rule=comparisons(
                "better",
                "Each other activation against ReLU, coordinate networks and encoder-decoders: the "
                "share of the signal's energy that is drawn right (1 less the error's, at least "
                "0), mean of the upper six of eight frequency bands less mean of the lower two.",
                source=("picture", None),
            ),
        ),
        Statement(
            name="from-noise",
            says="The same holds of an encoder-decoder that is given fixed noise (Deep Image "
            "Prior).",
            kind="measured",
            gather=of_studies(**_STUDY),
            rule=comparisons(
                "better",
                "Encoder-decoders from noise: each other activation against ReLU in PSNR, seen and "
                "held out.",
                family="autoencoder",
                source="noise",
            ),
            instead=True,
        ),
    ),
    literature=(
        "Tancik et al. (2020): a ReLU network on a quarter of a picture's pixels reaches 19.32 dB "
        "on the others (natural pictures), with Gaussian Fourier features 25.57 dB.",
        "Sitzmann et al. (2020): of a fitted video of a cat, SIREN reaches 29.90 dB and ReLU "
        "25.12.",
        "Ulyanov et al. (2018): a convolutional encoder-decoder fills in half of the pixels of a "
        "single picture with 29.8 to 39.16 dB on 11 pictures; what they vary is architecture, not "
        "activation.",
        "No paper was found in which an encoder-decoder with ReLU fails on a single picture.",
    ),
    figure=_figure,
)
