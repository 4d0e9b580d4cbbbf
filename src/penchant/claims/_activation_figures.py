"""The figures of the claims on activations in networks, drawn from their evidence alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from penchant.claims._claim import Evidence
from penchant.claims._figures import labelled_forest, row
from penchant.claims._lines import lines
from penchant.claims._rules import judged
from penchant.explain import Figure
from penchant.report import Row
from penchant.tasks import load_drawn

Found = Mapping[str, Evidence]

_NETWORKS = {"resnet": "ResNet", "convnext": "ConvNeXt", "vit": "ViT"}
_MATTERS = 0.5
"""Points of accuracy."""


def gelu_rise(found: Found) -> Figure | None:
    """Draw GELU's lead over ReLU: what papers report, and what was measured."""
    cited = [
        Row(f"{paper['year']}: {where}", points, (points, points), "")
        for statement in ("origin", "mention")
        for paper in found.get(statement, {}).get("papers", [])
        for where, points in paper["gains"].items()
    ]
    measured = [
        row(f"here: {_NETWORKS[pair['family']]}", verdict)
        for pair, verdict in judged(
            found.get("ahead", {}),
            activation="gelu",
            family=("convnext", "vit"),
            metric="accuracy_held_out",
        )
    ]
    return labelled_forest(
        [*cited, *measured],
        name="claim-gelu-rise",
        title="GELU against ReLU, everything else being equal",
        caption="Points of accuracy by which GELU is ahead: as the papers report it (Hendrycks & "
        "Gimpel 2016, Liu et al. 2022; medians or single runs, without an interval), and measured "
        "here on small pictures.",
        against="difference, points",
        margin=_MATTERS,
    )


def relu_high_dim(found: Found) -> Figure | None:
    """Draw what each activation explains of unseen samples, by the number of inputs."""
    studies = found.get("useful", {}).get("studies", [])
    if not studies:
        return None
    study: Mapping[str, Any] = studies[0]
    tasks = [load_drawn(signal) for signal in study["signals"]]
    samples = min(task.seen_values() for task in tasks)
    chosen = [index for index, task in enumerate(tasks) if task.seen_values() == samples]
    drawn: dict[str, Sequence[float]] = {
        design: [scores["r2_held_out"][index] for index in chosen]
        for design, scores in study["scores"].items()
    }
    title = f"What is explained of unseen samples, after {samples:,} noisy ones"
    caption = (
        "R² on unseen samples without noise, a mean over seeds, by the number of inputs of a "
        "function that is equally rough in any number of them. 100 % is perfect; below 0 % the "
        "mean of what was seen would have done better."
    )
    picture = lines(
        "claim-relu-high-dim",
        f"{title}. {caption}",
        [f"{tasks[index].inputs:,}" for index in chosen],
        drawn,
        against="inputs",
        of="explained of unseen samples, %",
    )
    return Figure(title, picture, caption)


def relu_large(found: Found) -> Figure | None:
    """Draw each other activation's lead over ReLU, network by network."""
    rows = [
        row(f"{pair['activation']}, {_NETWORKS[pair['family']]}", verdict)
        for pair, verdict in judged(
            found.get("okay", {}), margin=_MATTERS, metric="accuracy_held_out"
        )
    ]
    return labelled_forest(
        rows,
        name="claim-relu-large",
        title="Other activations against ReLU, on unseen pictures",
        caption="Points of accuracy by which the other activation is ahead of ReLU in the same "
        "network; half a point is what matters.",
        against="difference, points",
        margin=_MATTERS,
    )
