"""Fits in closed form, and what is said of designs that lose to them."""

import re
from collections.abc import Callable
from statistics import fmean

import numpy as np
import pytest

from penchant.study import Results, Study
from penchant.study._references import _in_all
from penchant.tasks import Picture, PictureTask, fit_grid, fit_jpeg, fit_separable_gaussians

WORDS = {"held_out": "random:0.5", "seeds": 2, "steps": 5, "tune": 0, "size": 24}


@pytest.fixture(scope="module")
def results(waves: Callable[..., Picture]) -> Results:
    designs = [{"activation": "relu", "width": 8}, {"activation": "sine", "width": 8}]
    return Study(waves(), designs=designs, **WORDS).run()


def test_what_is_said_is_the_difference_of_mean_scores(
    results: Results, waves: Callable[..., Picture]
) -> None:
    """Five steps are too few for any network."""
    task = PictureTask(waves(), "random:0.5")
    found = [text for text in results.warnings if "fitted in closed form" in text]
    assert len(found) == 2
    for text, fit in zip(found, (fit_grid, fit_separable_gaussians), strict=True):
        for label in ("relu", "sine"):
            mine = [run for run in results.runs if run.design == label]
            theirs = []
            for run in mine:
                split = task.split(run.seed)
                drawn = fit(task.values, split.seen, run.parameters)
                error = np.square((drawn - task.values).reshape(-1, task.outputs)[split.held_out])
                theirs.append(-10 * np.log10(error.mean(dtype=np.float64)))
            gap = fmean(theirs) - fmean(run.metrics["psnr_held_out"] for run in mine)
            assert f"{label} by {gap:.1f} dB" in text


def test_of_many_designs_the_least_and_the_most_are_named(waves: Callable[..., Picture]) -> None:
    many = [{"activation": "relu", "width": 4 + i} for i in range(7)]
    found = Study(waves(), designs=many, **{**WORDS, "seeds": 1}).run()
    grid, *_ = (text for text in found.warnings if "plain grid" in text)
    assert re.search(
        r"than all 7 designs, by [\d.]+ dB \(relu .*\) to [\d.]+ dB \(relu .*\)\.$", grid
    )
    means = {f"design {i}": float(i) for i in range(7)}
    assert _in_all(means, ["sine"]) == (
        "7 of 8 designs, by 0.0 dB (design 0) to 6.0 dB (design 6); not than sine"
    )


def test_they_can_be_switched_off(waves: Callable[..., Picture]) -> None:
    plain = Study(waves(), designs=[{"width": 8}], references=False, **WORDS)
    assert not any("closed form" in text for text in plain.run().warnings)


def test_the_switch_leaves_old_plans_what_they_were() -> None:
    fingerprint = Study("built-in", tune=0).plan.fingerprint()
    assert "references" not in fingerprint
    assert Study("built-in", tune=0, references=False).plan.fingerprint() != fingerprint


def test_jpeg_is_held_against_what_was_seen(
    results: Results, waves: Callable[..., Picture]
) -> None:
    """Whatever is compared: a file knows the held-out samples."""
    (text,) = [text for text in results.warnings if "JPEG" in text]
    assert "nothing of filling in" in text
    truth = waves().values
    for label in ("relu", "sine"):
        mine = [run for run in results.runs if run.design == label]
        coded = fit_jpeg(truth, mine[0].parameters)
        theirs = []
        for run in mine:
            seen = PictureTask(waves(), "random:0.5").split(run.seed).seen
            error = np.square((coded.values - truth).reshape(-1, 3)[seen])
            theirs.append(-10 * np.log10(error.mean(dtype=np.float64)))
        gap = fmean(theirs) - fmean(run.metrics["psnr_seen"] for run in mine)
        assert f"{label} by {gap:.1f} dB" in text
    least = min(run.parameters for run in results.runs)
    assert ("nearly without loss" in text) == (fit_jpeg(truth, least).quality >= 95)


def test_jpeg_files_that_are_too_large_beat_nobody(waves: Callable[..., Picture]) -> None:
    """The smallest file has some hundreds of bytes, a network of width 2 takes 56."""
    found = Study(waves(), designs=[{"width": 2, "depth": 1}], **WORDS).run()
    (run, _) = found.runs
    assert fit_jpeg(waves().values, run.parameters) is None
    assert not any("JPEG" in text for text in found.warnings)
