"""What a position encoding gives each activation, beside how activations stand under each."""

from itertools import product
from typing import Any

from penchant.claims._claim import Evidence
from penchant.claims._contrasts import Contrast, contrasted, primary, study_with
from penchant.claims._setting import Setting
from penchant.study import Results

FILE = "relu-encoding"
AGAINST_RELU = {
    "full": ("full", "adam", "sound", "mesh", "scene"),
    "quick": ("quick",),
    "smoke": ("smoke",),
}
"""Profiles of the study file in which activations are held against ReLU under each encoding."""


def gains(setting: Setting) -> Evidence:
    """Gather what each encoding gives each activation, and by how much others gain more than ReLU.

    Comparisons of one activation with itself have the fact ``gain="own"``, differences of two
    activations' gains ``gain="more"``.
    """
    profiles = AGAINST_RELU[setting.profile]
    return {"studies": [study_with(setting, FILE, profile, _gains) for profile in profiles]}


def _gains(results: Results) -> list[dict[str, Any]]:
    labels = {
        (run.settings["activation"], run.settings["encoding"]): run.design for run in results.runs
    }
    activations, encodings = (list(dict.fromkeys(axis)) for axis in zip(*labels, strict=True))
    found = []
    for activation, encoding in product(activations, encodings):
        if encoding == "none":
            continue
        own = {labels[activation, encoding]: 1.0, labels[activation, "none"]: -1.0}
        facts = {"activation": activation, "encoding": encoding}
        found.append(
            Contrast(
                labels[activation, encoding],
                labels[activation, "none"],
                own,
                {**facts, "gain": "own"},
            )
        )
        if activation != "relu":
            relus = {labels["relu", encoding]: -1.0, labels["relu", "none"]: 1.0}
            found.append(
                Contrast(
                    f"{activation}'s gain from {encoding}",
                    "relu's",
                    {**own, **relus},
                    {**facts, "gain": "more"},
                )
            )
    return contrasted(results, primary(results), found)
