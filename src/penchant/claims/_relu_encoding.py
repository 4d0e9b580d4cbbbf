"""ReLU and position encodings: whether to avoid the two together, and what encodings give."""

from collections.abc import Mapping
from statistics import fmean

from penchant.claims._claim import Claim, Evidence, Statement
from penchant.claims._encodings import AGAINST_RELU, FILE, gains
from penchant.claims._lines import lines
from penchant.claims._rules import comparisons
from penchant.claims._setting import of_studies
from penchant.explain import Figure

ENCODINGS = ("nerf", "fourier", "oneblob", "grid")
_WHERE = (
    "In the full profile on pictures under Muon and under Adam, on a sound, a mesh and a radiance "
    "field."
)


def _figure(found: Mapping[str, Evidence]) -> Figure | None:
    if "as-written" not in found:
        return None
    study = found["as-written"]["studies"][0]
    scores = {label: by[study["metric"]] for label, by in study["scores"].items()}
    encodings = list(dict.fromkeys(label.partition("+")[2] for label in scores))
    drawn = {
        label: [fmean(scores["+".join(filter(None, (label, one)))]) for one in encodings]
        for label in scores
        if "+" not in label
    }
    return Figure(
        "Held-out quality by encoding",
        lines(
            "claim-relu-encoding",
            "Held-out PSNR without and with each encoding, a line for each activation: "
            + ", ".join(f"{label} from {v[0]:.1f} to {max(v):.1f} dB" for label, v in drawn.items())
            + ".",
            [one or "none" for one in encodings],
            drawn,
            against="encoding",
            of="PSNR, dB",
        ),
        f"Coordinate networks of equal size on {len(study['signals'])} "
        f"{study['noun']}{'s' if len(study['signals']) > 1 else ''}, half of the pixels held out. "
        "The order of the encodings is that of the study; lines only join what belongs together.",
    )


RELU_ENCODING = Claim(
    id="relu-encoding",
    words="“Bottom Line: Do not use ReLU in combination with any form of position encoding (like "
    "in NERFs).”",
    meaning="Not to use it is taken to mean that with an encoding another activation in its place "
    "does better on samples that were held out: with each encoding (NeRF's frequencies, random "
    "Fourier features, one-blob, a learned multi-resolution grid), and, for “any form”, with the "
    "learned positions of a vision transformer. What else it could mean, that ReLU is better "
    "without, is judged beside it.",
    statements=(
        Statement(
            name="as-written",
            says="With each encoding, networks with each other activation reconstruct held-out "
            "samples better than those with ReLU.",
            kind="measured",
            gather=of_studies(
                **{
                    name: [(FILE, profile) for profile in profiles]
                    for name, profiles in AGAINST_RELU.items()
                }
            ),
            rule=comparisons(
                "better",
                f"Each other activation against ReLU with the same encoding, held out. {_WHERE}",
                encoding=ENCODINGS,
            ),
        ),
        Statement(
            name="transformer",
            says="With learned positions, a vision transformer with GELU, Gaussian or sine is more "
            "accurate on held-out pictures than one with ReLU.",
            kind="measured",
            gather=of_studies(
                full=[(FILE, "vit")], quick=[(FILE, "vit-quick")], smoke=[(FILE, "vit-smoke")]
            ),
            rule=comparisons(
                "better",
                "Each other activation against ReLU in vision transformers with learned positions.",
                positions="learned",
            ),
        ),
        Statement(
            name="relu-gains",
            says="ReLU with an encoding reconstructs held-out samples better than ReLU without, "
            "whatever the encoding.",
            kind="measured",
            gather=gains,
            rule=comparisons(
                "better",
                f"ReLU with each encoding against ReLU without, held out. {_WHERE}",
                gain="own",
                activation="relu",
            ),
            instead=True,
        ),
        Statement(
            name="others-gain-less",
            says="Every other activation gains less from an encoding than ReLU does.",
            kind="measured",
            gather=gains,
            rule=comparisons(
                "worse",
                "What each other activation gains from each encoding less what ReLU gains from it, "
                f"of the same seeds, held out. {_WHERE}",
                gain="more",
            ),
            instead=True,
        ),
        Statement(
            name="bumps-and-waves-need-none",
            says="Gaussian and sine gain nothing from an encoding.",
            kind="measured",
            gather=gains,
            rule=comparisons(
                ("worse", "equivalent"),
                f"Gaussian and sine with each encoding against without, held out. {_WHERE}",
                gain="own",
                activation=("gaussian", "sine"),
            ),
            instead=True,
        ),
    ),
    literature=(
        "Mildenhall et al. (2020), NeRF, whose networks are of ReLU: 31.01 dB on held-out views of "
        "eight scenes with the encoding and 28.77 without.",
        "Tancik et al. (2020): on pictures, shapes, CT, MRI and radiance fields every encoding "
        "improves ReLU.",
        "Müller et al. (2022), Instant-NGP: one radiance field without an encoding 18.56 dB, with "
        "frequencies 22.90 and with a hash grid of 12.6 M numbers 24.58.",
        "Ramasinghe and Lucey (2021): sine can omit the encoding that ReLU needs, and so can other "
        "activations.",
        "Chng et al. (2022), GARF: Gaussians make radiance fields “positional embedding-free”.",
        "Dosovitskiy et al. (2020), ViT (of GELU): 0.614 without positions and 0.642 with learned "
        "ones in 5-shot accuracy on ImageNet.",
    ),
    figure=_figure,
)
