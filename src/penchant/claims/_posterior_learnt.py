"""Logits that are fitted by cross-entropy, held against a posterior that is known."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from penchant.claims._claim import Evidence
from penchant.claims._contrasts import pair, probed, study_with
from penchant.claims._setting import Setting
from penchant.study import Results
from penchant.tasks import GaussiansTask, Metric

KL = Metric("posterior_kl", "nats", margin=0.01, higher_is_better=False)
ECE = Metric("posterior_ece_excess", "%", margin=1.0, higher_is_better=False)
KINDS = ("equal", "unequal")
TRUTH = "the true posterior"
_FRESH = 10**6


def logits(setting: Setting) -> Evidence:
    """Fit the best linear and quadratic logit to samples, and measure KL(posterior ‖ fit)."""
    seeds = range(setting.several(smoke=6, quick=10, full=30))
    samples = setting.several(smoke=1000, quick=10_000, full=10_000)
    pairs = [
        pair(
            KL,
            [_divergence(kind, degree, samples, seed) for seed in seeds],
            design=f"{name} logit",
            baseline=TRUTH,
            facts={"covariances": kind, "logit": name},
        )
        for kind in KINDS
        for degree, name in ((1, "linear"), (2, "quadratic"))
    ]
    names = [f"{one['design']}, {one['facts']['covariances']} covariances" for one in pairs]
    return {"studies": [probed(setting, "fitted logits", pairs, designs=names, seeds=len(seeds))]}


def _divergence(kind: str, degree: int, samples: int, seed: int) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    classes = GaussiansTask(covariances=kind).classes(seed)
    seen, labels = classes.sample(samples, seed)
    asked, _ = classes.sample(5000, _FRESH + seed)
    # Without a penalty: the optimum of the cross-entropy itself.
    fit = make_pipeline(  # type: ignore[no-untyped-call]
        PolynomialFeatures(degree, include_bias=False),  # type: ignore[no-untyped-call]
        StandardScaler(),  # type: ignore[no-untyped-call]
        LogisticRegression(C=float("inf"), tol=1e-8, max_iter=1000),  # type: ignore[no-untyped-call]
    ).fit(seen.numpy(), labels.numpy())
    logs = torch.from_numpy(fit.predict_log_proba(asked.numpy()))
    return _kl(classes.posterior(asked), logs)


def _kl(truth: Tensor, logs: Tensor) -> float:
    return float((torch.special.xlogy(truth, truth) - truth * logs).sum(dim=1).mean())


def networks(setting: Setting) -> Evidence:
    """Gather what networks trained with cross-entropy say, against the posterior.

    Comparisons with the fact ``asks="more"`` are of the divergence with the most samples against
    that with the fewest; with ``"most"`` of the former, and of the calibration, against the
    posterior itself.
    """
    return {"studies": [study_with(setting, "sigmoid-posterior", setting.profile, _compared)]}


def _compared(results: Results) -> list[dict[str, Any]]:
    found: dict[tuple[str, str, int], dict[int, Mapping[str, float]]] = {}
    for run in results.runs:
        task_words = dict(word.split("=") for word in run.signal.partition(":")[2].split(","))
        size = int(task_words.get("samples", 1000))
        key = run.design, task_words["covariances"], size
        found.setdefault(key, {})[run.seed] = run.metrics
    pairs = []
    for design, kind in dict.fromkeys((design, kind) for design, kind, _ in found):
        sizes = sorted(size for one, other, size in found if (one, other) == (design, kind))
        few, many = (found[design, kind, size] for size in (sizes[0], sizes[-1]))
        facts = {"activation": design, "covariances": kind}
        named = f"{design}, {kind} covariances, {sizes[-1]:,} samples"
        pairs.append(
            pair(
                KL,
                [many[seed][KL.name] - few[seed][KL.name] for seed in sorted(many)],
                design=named,
                baseline=f"{sizes[0]:,}",
                facts={**facts, "asks": "more"},
            )
        )
        pairs += [
            pair(
                metric,
                [many[seed][metric.name] for seed in sorted(many)],
                design=named,
                baseline=TRUTH,
                facts={**facts, "asks": "most"},
            )
            for metric in (KL, ECE)
        ]
    return pairs
