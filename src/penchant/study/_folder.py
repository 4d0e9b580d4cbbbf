"""A study's folder: what lies in it, and who may write there.

    study.toml  study.db  results.csv  verdicts.json  report.html  networks/*.safetensors

`report.html` is written by the caller through `penchant.report`, since a study knows of no pages.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from penchant.errors import PenchantError
from penchant.files import cannot_write, write_whole
from penchant.study._design import Design
from penchant.study._model_file import model_bytes
from penchant.study._plan import Plan, is_name
from penchant.study._plan_file import read_toml, write_toml
from penchant.study._results import Results
from penchant.study._signals import signal_places
from penchant.tasks import Task

PLAN = "study.toml"
DATABASE = "study.db"
RESULTS = "results.csv"
VERDICTS = "verdicts.json"
REPORT = "report.html"
NETWORKS = "networks"


def prepare(folder: Path, plan: Plan, signals: list[str], *, fresh: bool) -> None:
    """Make a folder ready for a study, or say why it cannot be.

    Args:
        folder: made where it is missing.
        plan: the study's plan.
        signals: paths of its signals; empty where not all have one.
        fresh: delete what another study left; a `study.toml` is replaced only when it differs.

    Raises:
        PenchantError: it is a file, cannot be written, or has files of the study's names that no
            study accounts for.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise PenchantError(f"cannot use {folder} as a study's folder: it is a file") from error
    except OSError as error:
        raise cannot_write(folder, error) from error
    if fresh:
        _clear(folder)
        if not signals:
            (folder / PLAN).unlink(missing_ok=True)
    elif not (folder / DATABASE).exists():
        for path in (folder / RESULTS, folder / VERDICTS, folder / REPORT, *_networks(folder)):
            if path.exists():
                raise PenchantError(
                    f"{path} is there without its study; choose another --out, or --fresh to "
                    "overwrite it"
                )
        if (folder / PLAN).exists() and not _says(folder / PLAN, plan, signals):
            raise PenchantError(
                f"{folder / PLAN} plans another study; choose another --out, or --fresh to "
                "overwrite it"
            )
    _sweep(folder)


def _clear(folder: Path) -> None:
    try:
        for name in (RESULTS, VERDICTS, REPORT, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
            (folder / name).unlink(missing_ok=True)
        for network in _networks(folder):
            network.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error


def _networks(folder: Path) -> list[Path]:
    """List the files that look like a study's networks; a user's own beside them do not count."""
    return sorted((folder / NETWORKS).glob("*--seed*.safetensors"))


def _sweep(folder: Path) -> None:
    """Remove what a killed process had written aside and not yet renamed."""
    try:
        for name in (PLAN, RESULTS, VERDICTS, REPORT, f"{NETWORKS}/*.safetensors"):
            place, _, pattern = name.rpartition("/")
            for aside in (folder / place).glob(f".{pattern}.????????"):
                aside.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def holds_another(folder: Path | None, there: str, ours: str) -> str:
    """Say in which words the study in a folder differs from the one that was asked for."""
    old, new = json.loads(there), json.loads(ours)
    old_plan, new_plan = json.loads(old["plan"]), json.loads(new["plan"])
    both = {**new_plan, **old_plan}
    names = [name for name in both if old_plan.get(name) != new_plan.get(name)]
    if old["tasks"] != new["tasks"]:
        names.insert(0, "signals")
    return (
        f"{folder} holds another study (it differs in {', '.join(names)}); choose another --out, "
        "or --fresh to overwrite it"
    )


def write_plan(folder: Path, plan: Plan, signals: list[str]) -> None:
    """Write `study.toml` where it does not say the same already; nothing without signals."""
    path = folder / PLAN
    if signals and not (path.exists() and _says(path, plan, signals)):
        write_whole(path, write_toml(plan, signals, folder))


def _says(path: Path, plan: Plan, signals: list[str]) -> bool:
    """Tell whether a file plans the same study on the same signals."""
    try:
        there, places = read_toml(path)
        return there.fingerprint() == plan.fingerprint() and _places(places) == _places(signals)
    except PenchantError:
        return False


def _places(signals: list[str]) -> list[str]:
    return [
        place if is_name(place) else str(Path(place).resolve())
        for signal in signals
        for place in signal_places(signal)
    ]


def export(
    folder: Path, results: Results, networks: Iterable[tuple[str, Design, Task, bytes]]
) -> None:
    """Write results, verdicts and networks."""
    try:
        (folder / NETWORKS).mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(folder / NETWORKS, error) from error
    for name, design, task, tensors in networks:
        path = folder / NETWORKS / name
        if not path.exists():
            write_whole(path, model_bytes(tensors, design, task))
    table = results.to_pandas().to_csv(index=False, lineterminator="\n")
    write_whole(folder / RESULTS, table.encode())
    write_whole(folder / VERDICTS, verdicts_json(results).encode())


def verdicts_json(results: Results) -> str:
    """Write the verdicts as JSON; numbers that are not finite become null."""
    judged = (*results.verdicts, *results.target_verdicts)
    entries = [{k: _plain(v) for k, v in asdict(one).items()} for one in judged]
    return json.dumps(entries, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def file_name(label: str) -> str:
    """Turn a label into a file's name.

    Example:
        >>> file_name("relu+nerf width=32")
        'relu+nerf_width=32'
    """
    return re.sub(r"[^\w.+=#-]", "_", label)
