"""The study files that come along: each can be read, planned and, where its data is, dry-run."""

import math
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from penchant.cli._plan import description
from penchant.study import CoordinateDesign, Study, _suited
from penchant.study import _signals as signals
from penchant.study._plan import Plan
from penchant.study._plan_file import read_toml
from penchant.study._verdicts import comparisons
from penchant.tasks import DATA_SETS, Labelled, load_labelled

FILES = sorted((Path(__file__).parents[2] / "studies").glob("*.toml"))
PROFILES = [
    (file, profile)
    for file in FILES
    for profile in tomllib.loads(file.read_text(encoding="utf-8"))["profiles"]
]
NAMES = [f"{file.stem}-{profile}" for file, profile in PROFILES]


def verdicts(plan: Plan, count: int) -> int:
    """Count the verdicts of a plan on so many signals."""
    asked = 1 + len(plan.also) + (plan.target is not None)
    return comparisons(plan.baselines(), asked, count, each=plan.judge == "each")


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_has_the_two_profiles_and_is_quick_where_none_is_named(file: Path) -> None:
    profiles = [profile for one, profile in PROFILES if one == file]
    assert profiles[0] == "quick" and "full" in profiles


@pytest.mark.parametrize(("file", "profile"), PROFILES, ids=NAMES)
def test_is_planned(
    file: Path, profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_DATA", str(tmp_path))  # named by some files, read by none here
    plan, places = read_toml(file, profile)
    assert plan.seeds >= 6, "fewer make no verdict"
    assert verdicts(plan, len(places)) > 0
    assert plan.axes(), "the designs differ"
    assert len(set(places)) == len(places)


@pytest.fixture(scope="module")
def loaded() -> Callable[..., Labelled]:
    """Load what a name means once for all files."""
    return cache(load_labelled)


@pytest.fixture(scope="module")
def fashion() -> Callable[[], Labelled]:
    """Read Fashion-MNIST once."""
    return cache(DATA_SETS["fashion-mnist"])


def _grows(design: CoordinateDesign, *_: int) -> float:
    """Stand for a bandwidth, which takes long to measure and is no question here."""
    names = ("scale", "bandwidth", "frequencies", "bins")
    return math.prod(getattr(design, name) or 1 for name in names)


@pytest.mark.parametrize(("file", "profile"), PROFILES, ids=NAMES)
def test_is_described_on_its_data(
    file: Path,
    profile: str,
    penchant_data: Path,
    loaded: Callable[..., Labelled],
    fashion: Callable[[], Labelled],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not (penchant_data / "fashion-mnist").is_dir():
        pytest.skip("no real data: PENCHANT_DATA holds no fashion-mnist")
    monkeypatch.setenv("PENCHANT_DATA", str(penchant_data))
    monkeypatch.setitem(DATA_SETS, "fashion-mnist", fashion)
    monkeypatch.setattr(signals, "load_labelled", loaded)
    monkeypatch.setattr(_suited, "_bandwidth", _grows)
    study = Study.read(file, profile=profile)
    assert study.comparisons == verdicts(study.plan, len(study.tasks)) > 0
    text = description(study)
    assert all(task.name in text for task in study.tasks)
    assert all(label in text for label in study.designs[0])
    assert f"against which there are {study.comparisons}" in text
