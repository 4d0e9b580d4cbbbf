"""What a claim's evidence is gathered in: a profile, a folder, and the studies that are in it."""

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from penchant.claims._claim import Evidence, Profile
from penchant.claims._evidence import study_evidence
from penchant.errors import PenchantError
from penchant.study import Event, Results, Study

Watch = Callable[[Study], AbstractContextManager[Callable[[Event], None] | None]]


class NotRun(Exception):
    """Why evidence cannot be gathered here, such as an extra that is not installed."""


@contextlib.contextmanager
def unwatched(_: Study) -> Iterator[None]:
    """Do a study without a word."""
    yield None


@dataclass(frozen=True)
class Setting:
    """Where and how thoroughly a claim's evidence is gathered.

    Args:
        profile: ``"smoke"`` (seconds, on data that comes with the package), ``"quick"`` (minutes)
            or ``"full"``.
        folder: where studies are kept, so that what was interrupted goes on.
        jobs: processes that a study may use.
        fresh: delete what another study left in its folder.
        watch: told of each study before it runs; yields a listener for its events.
    """

    profile: Profile
    folder: Path
    jobs: int = 1
    fresh: bool = False
    watch: Watch = field(default=unwatched, repr=False)
    _done: dict[str, Results] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Several statements read one study: it is done, or read back, once."""

    def several(self, smoke: int, quick: int, full: int) -> int:
        """Choose a number by the profile, such as in how many cases an identity is checked."""
        return {"smoke": smoke, "quick": quick, "full": full}[self.profile]

    def study(self, name: str, profile: str | None = None) -> dict[str, Any]:
        """Do the study of a file, or finish it, and return its evidence.

        Args:
            name: of one of the package's, in ``studies/``, or the path of a TOML file.
            profile: of the file; by default this setting's own.

        Raises:
            NotRun: what the study needs is not there.
        """
        results = self.results(name, profile)
        return study_evidence(results, Path(name).stem, profile or self.profile)

    def results(self, name: str, profile: str | None = None) -> Results:
        """Do the study of a file, or finish it, and return its results; see `study`."""
        profile = profile or self.profile
        path = Path(name) if name.endswith(".toml") else shipped("studies") / f"{name}.toml"
        key = f"{path.stem}-{profile}"
        if key not in self._done:
            if path.parent == shipped("studies"):
                _check_needs(path, profile)
            try:
                study = Study.read(path, profile=profile, out=self.folder / "studies" / key)
            except PenchantError as error:
                if path.parent == shipped("studies"):  # such as data that cannot be downloaded
                    raise NotRun(f"It cannot be run here: {error}") from error
                raise
            self._done[key] = self._run(study)
        return self._done[key]

    def own_study(self, name: str, signals: Any, **words: Any) -> dict[str, Any]:
        """Do a study that is described here, or finish it, and return its evidence.

        Args:
            name: of its folder.
            signals: as `Study` takes them.
            words: the plan.
        """
        folder = self.folder / "studies" / f"{name}-{self.profile}"
        results = self._run(Study(signals, out=folder, **words))
        return study_evidence(results, name, self.profile)

    def _run(self, study: Study) -> Results:
        assert study.folder is not None
        study.folder.mkdir(parents=True, exist_ok=True)
        # Processes take seconds to start: what takes no longer is done in this one.
        jobs = 1 if self.profile == "smoke" else min(self.jobs, max(1, study.remaining()))
        with self.watch(study) as listener:
            return study.run(jobs=jobs, on_event=listener, fresh=self.fresh)


Gather = Callable[[Setting], Evidence]
T = TypeVar("T")


def of_profile(profiles: Mapping[str, T], setting: Setting) -> T:
    """Choose what belongs to a setting's profile.

    Raises:
        NotRun: there is nothing.
    """
    if setting.profile not in profiles:
        raise NotRun(f"There is no {setting.profile} profile of it.")
    return profiles[setting.profile]


def of_studies(**profiles: Sequence[tuple[str, str]]) -> Gather:
    """Gather evidence from study files.

    Args:
        profiles: for each profile of the claim, the files' names and the files' own profiles, as
            in ``full=[("relu-encoding", "full"), ("relu-encoding", "adam")]``.

    Returns:
        The function that a statement gathers by.
    """

    def gather(setting: Setting) -> Evidence:
        asked = of_profile(profiles, setting)
        return {"studies": [setting.study(name, profile) for name, profile in asked]}

    return gather


def of_study(signals: Any, *, name: str, **profiles: Mapping[str, Any]) -> Gather:
    """Gather evidence from a study that is described by its words.

    Args:
        signals: as `Study` takes them.
        name: of its folder; another study has another.
        profiles: for each profile, the words of the plan; a profile that is not given is not run.

    Returns:
        The function that a statement gathers by.
    """

    def gather(setting: Setting) -> Evidence:
        words = of_profile(profiles, setting)
        return {"studies": [setting.own_study(name, signals, **words)]}

    return gather


def needs(package: str, extra: str) -> None:
    """Check that an extra is installed.

    Raises:
        NotRun: it is not.
    """
    if importlib.util.find_spec(package) is None:
        raise NotRun(f"It needs {package}: pip install 'penchant[{extra}]'.")


def shipped(what: str) -> Path:
    """Find a folder that comes with the package: ``studies``, or ``claims`` with its evidence.

    In a wheel they lie beside this file; in a checkout where they are written.

    Raises:
        PenchantError: the installation lacks it.
    """
    beside = Path(__file__).parent / f"_{what}"
    root = Path(__file__).parents[3]
    for folder in (beside, root / what if what == "studies" else root / "docs" / what):
        if folder.is_dir():
            return folder
    raise PenchantError(f"the installation lacks its {what}: there is no {beside}")


def _check_needs(path: Path, profile: str) -> None:
    """Say what a study's profile needs that is not there."""
    import tomllib

    words = tomllib.loads(path.read_text(encoding="utf-8"))
    asked = {**words, **words.get("profiles", {}).get(profile, {})}
    text = str({key: value for key, value in asked.items() if key != "profiles"})
    if "$PENCHANT_DATA" in text and not os.environ.get("PENCHANT_DATA"):
        raise NotRun("It needs data that is not in the package: set PENCHANT_DATA to its folder.")
    if "'vit'" in text or "'convnext'" in text:
        needs("transformers", "backbones")
