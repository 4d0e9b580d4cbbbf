"""The Gaussian in ReLU's place: what it mends, its bandwidth, and the price of too much of it."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from penchant.claims._claim import Claim, Evidence, Statement
from penchant.claims._contrasts import Contrast, contrasted, primary, study_with
from penchant.claims._lines import lines
from penchant.claims._relu_low_dim import UNDER_BOTH
from penchant.claims._rules import comparisons
from penchant.claims._setting import Setting, of_studies
from penchant.claims._spectral_bias import bandwidths
from penchant.explain import Figure
from penchant.study import Results

SEEN, HELD_OUT = "psnr_seen", "psnr_held_out"
_FILES = {
    "smoke": ("smoke",),
    "quick": ("quick",),
    "full": ("full", "sound"),
}
"""Profiles of the study file scale-auto that each profile reads."""


def _suited(setting: Setting) -> Evidence:
    """Gather each design with a scale from the spectrum against itself with the fixed numbers."""
    return {
        "studies": [
            study_with(setting, "scale-auto", profile, _against_fixed)
            for profile in _FILES[setting.profile]
        ]
    }


def _against_fixed(results: Results) -> list[dict[str, Any]]:
    kinds: dict[str, dict[bool, str]] = {}
    for label in results.designs:
        kinds.setdefault(label.split()[0], {})["scale=auto" in label] = label
    return contrasted(
        results,
        primary(results),
        [
            Contrast(labels[True], labels[False], {labels[True]: 1, labels[False]: -1})
            for labels in kinds.values()
        ],
    )


def _figure(found: Mapping[str, Evidence]) -> Figure | None:
    if "inside" not in found:
        return None
    scores = found["inside"]["studies"][0]["scores"]
    swept = [label for label in scores if label.startswith("gaussian")]
    scales = [label.partition("scale=")[2] for label in swept]

    def means(metric: str) -> list[float]:
        return [fmean(scores[label][metric]) for label in swept]

    drawn = {"gaussian, seen": means(SEEN), "gaussian, held out": means(HELD_OUT)}
    for name, metric in (("relu, seen", SEEN), ("relu, held out", HELD_OUT)):
        drawn[name] = [fmean(scores["relu"][metric])] * len(swept)
    held_out = drawn["gaussian, held out"]
    best = scales[held_out.index(max(held_out))]
    return Figure(
        "A Gaussian's scale, and what it is worth",
        lines(
            "claim-gaussian-bandwidth",
            "PSNR of samples seen and held out by the Gaussian's scale, with ReLU's beside them; "
            f"held out it is best at {best}.",
            scales,
            drawn,
            against="scale s of exp(−(s·z)²)",
            of="PSNR, dB",
        ),
        f"Coordinate networks on photographs, half of the pixels held out. Of the scales here "
        f"{best} is best for held-out pixels. ReLU has no scale: its lines are level.",
    )


GAUSSIAN_BANDWIDTH = Claim(
    id="gaussian-bandwidth",
    words="Replacing ReLU by Gaussians, “which are said to have higher bandwidth (i.e. can "
    "represent higher number of frequencies ...)”, mends it.",
    meaning="“It” is ReLU's reconstruction of a single picture. Bandwidth is the frequency below "
    "which 95 % of the tangent kernel's power lies: which frequencies a network can be moved to. A "
    "Gaussian's is set by its scale s.",
    statements=(
        Statement(
            name="mends",
            says="Networks with Gaussians reconstruct one picture better than those with ReLU, "
            "pixels seen and held out, as coordinate network and as encoder-decoder.",
            kind="measured",
            gather=UNDER_BOTH,
            rule=comparisons(
                "better",
                "The Gaussian against ReLU in PSNR, seen and held out: coordinate network (in the "
                "full profile under Muon and, held out, under Adam) and encoder-decoder that is "
                "given the picture without its held-out pixels.",
                activation="gaussian",
                encoding=("none", None),
                source=("picture", None),
            ),
        ),
        Statement(
            name="bandwidth",
            says="The tangent kernel of a Gaussian network at the package's scale has a higher "
            "bandwidth than ReLU's.",
            kind="measured",
            gather=bandwidths,
            rule=comparisons(
                "better",
                "Bandwidth at the start of networks for points in the plane, of the same seeds, in "
                "octaves: the Gaussian against ReLU.",
                which="relu",
            ),
        ),
        Statement(
            name="grows",
            says="A Gaussian network's bandwidth grows with every doubling of its scale.",
            kind="measured",
            gather=bandwidths,
            rule=comparisons(
                "better",
                "Bandwidth at the start of networks of the same seeds, in octaves: each scale "
                "against half of it.",
                which="scale",
            ),
            instead=True,
        ),
        Statement(
            name="inside",
            says="More bandwidth is not always better: held-out pixels are reconstructed worse "
            "with an eighth of the package's scale and with eight times it.",
            kind="measured",
            gather=of_studies(
                full=[("gaussian-scale", "full")],
                quick=[("gaussian-scale", "quick")],
                smoke=[("gaussian-scale", "smoke")],
            ),
            rule=comparisons(
                "worse",
                "Gaussians of the scales 1 and 64 against the scale 8 in held-out PSNR.",
                metric=HELD_OUT,
                activation="gaussian",
                scale=(1.0, 64.0),
            ),
            instead=True,
        ),
        Statement(
            name="auto",
            says='A scale that is read off the signal\'s spectrum (scale="auto") reconstructs '
            "held-out samples better than the package's fixed numbers, whatever the design.",
            kind="measured",
            gather=_suited,
            rule=comparisons(
                "better",
                'Each design with scale="auto" against itself with the fixed numbers, without '
                "pilots, held out: on pictures, in the full profile on a sound, too.",
            ),
            instead=True,
        ),
    ),
    literature=(
        "Ramasinghe and Lucey (2021): a class of activations, periodic and not, the Gaussian among "
        "them, represents signals well without an encoding, and the non-periodic ones are “more "
        "robust … against random initializations than sinusoids”.",
        "Tancik et al. (2020): with random Fourier features the test error falls and rises again "
        "with the frequencies' standard deviation, underfitting below and overfitting above.",
        "Saragadam et al. (2023): at a picture with strong edges the Gaussian has a “compact but "
        "large error at edges”; Gaussian times sine has the least.",
    ),
    figure=_figure,
)
