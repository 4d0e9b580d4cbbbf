"""A study's file with profiles."""

from pathlib import Path

import pytest

from penchant.errors import PenchantError
from penchant.study import Study

TEXT = """
signals = ["built-in"]
size = 24
tune = 0
[vary]
activation = ["relu", "sine"]
[profiles.quick]
seeds = 2
steps = 5
[profiles.full]
seeds = 6
steps = 50
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "studies" / "rough.toml"
    path.parent.mkdir()
    path.write_text(TEXT)
    return path


def test_the_first_profile_is_the_usual_one(file: Path) -> None:
    study = Study.read(file)
    assert (study.plan.seeds, study.plan.steps, study.plan.size) == (2, 5, 24)
    assert study.folder == Path("rough-quick")


def test_a_profile_by_name_has_a_folder_of_its_own(file: Path) -> None:
    study = Study.read(file, profile="full")
    assert (study.plan.seeds, study.plan.steps, study.plan.size) == (6, 50, 24)
    assert study.folder == Path("rough-full")


def test_what_a_profile_leaves_behind_runs_again_without_it(file: Path) -> None:
    first = Study.read(file).run()
    assert first.folder is not None
    again = Study.read(first.folder / "study.toml")
    assert again.folder == first.folder
    assert again.plan.fingerprint() == Study.read(file).plan.fingerprint()
    assert again.remaining() == 0


@pytest.mark.parametrize(
    ("text", "profile", "said"),
    [
        (TEXT, "ful", "profile 'ful' is unknown: did you mean 'full'"),
        ('signals = ["built-in"]', "quick", "the file has none"),
        ('signals = ["built-in"]\nprofiles = 3', None, "must be tables"),
        ('signals = ["built-in"]\n[profiles]\nquick = 3', None, "must be tables"),
        (TEXT.replace("steps = 5\n", "stepz = 5\n"), "quick", "'stepz' is unknown"),
    ],
)
def test_a_profile_that_does_not_fit(file: Path, text: str, profile: str | None, said: str) -> None:
    file.write_text(text)
    with pytest.raises(PenchantError, match=said):
        Study.read(file, profile=profile)
