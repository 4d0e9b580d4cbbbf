"""A plan as a file: `study.toml`, and the study files that people write.

Paths in it are relative to the folder that it lies in, or begin with an environment variable, as in
``$PENCHANT_DATA/kodak``: the file says what a study is about, and each machine where that lies.
"""

import itertools
import os
import tomllib
from pathlib import Path
from typing import Any

import tomli_w

from penchant.errors import PenchantError
from penchant.study import _own
from penchant.study._plan import Plan, is_name, plan_words
from penchant.study._profiles import profiled


def write_toml(plan: Plan, signals: list[str], folder: Path) -> bytes:
    """Write a plan and its signals as TOML; paths are relative to the folder it will lie in."""
    words = plan.model_dump(exclude_none=True, exclude_unset=True, exclude={"vary", "designs"})
    vary, designs = plan.vary, plan.designs
    values = [*itertools.chain(*vary.values()), *itertools.chain(*(d.values() for d in designs))]
    if not all(type(value) in (str, int, float, bool) for value in values):
        # Python also takes None and numpy's numbers, which TOML has no words for.
        dumped = [one.model_dump(exclude_unset=True) for one in plan.labelled().values()]
        designs = [{n: v for n, v in fields.items() if v is not None} for fields in dumped]
        vary = {}
    always = {n: getattr(plan, n) for n in ("seeds", "steps", "size", "held_out", "tune", "match")}
    document: dict[str, Any] = {
        "signals": [s if is_name(s) else _relative(s, folder) for s in signals],
        **always,
        **words,
        "vary": {axis: [_moved(v, folder) for v in vs] for axis, vs in vary.items()},
        "designs": [{n: _moved(v, folder) for n, v in d.items()} for d in designs],
    }
    head = "# A Penchant study; `penchant run study.toml` does it again.\n"
    return (head + tomli_w.dumps({k: v for k, v in document.items() if v not in ({}, [])})).encode()


def read_toml(path: Path, profile: str | None = None) -> tuple[Plan, list[str]]:
    """Read a study's file.

    Args:
        path: the file.
        profile: which of its profiles; see `profiled`.

    Returns:
        The plan, and the signals with paths resolved against the file's folder.

    Raises:
        PenchantError: the file is missing, is not TOML, or has words that do not fit.
    """
    try:
        if path.stat().st_size > 1_000_000:
            raise PenchantError(f"{path}: more than 1 MB; this is no study")
        words = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PenchantError(f"cannot read {path}: {(error.strerror or '').lower()}") from error
    except (ValueError, RecursionError) as error:  # tomllib lets int's and the stack's limits pass
        raise PenchantError(f"{path} is not TOML: {error}") from error
    words = profiled(words, profile, path)
    signals = words.pop("signals", [])
    if not (isinstance(signals, list) and signals and all(isinstance(s, str) for s in signals)):
        raise PenchantError(
            f"{path}: signals must be a list of files, folders or names of data sets"
        )
    here = path.parent
    for values in words.get("vary", {}).values() if isinstance(words.get("vary"), dict) else ():
        if isinstance(values, list):
            values[:] = [_found(value, here) for value in values]
    for one in words.get("designs", []) if isinstance(words.get("designs"), list) else ():
        if isinstance(one, dict):
            one.update({name: _found(value, here) for name, value in one.items()})
    # Not pathlib's joining, which takes the dot from ./digits and leaves a data set's name.
    places = [s if is_name(s) else os.path.join(here, _expanded(s, path)) for s in signals]  # noqa: PTH118
    try:
        plan = Plan.of(plan_words(places, words))
    except PenchantError as error:
        raise PenchantError(f"{path}: {error}") from error
    return plan, places


def _expanded(signal: str, path: Path) -> str:
    found = os.path.expandvars(signal)
    first = Path(found).parts[0] if found else ""
    if first.startswith("$"):
        raise PenchantError(f"{path}: signal {signal!r}: {first} is not set; it names a folder")
    return found


def _relative(path: str, folder: Path) -> str:
    relative = os.path.relpath(path, folder)
    return f"./{relative}" if is_name(relative) else relative


def _moved(value: Any, folder: Path) -> Any:
    return _relative(value, folder) if isinstance(value, str) and _own.is_own(value) else value


def _found(value: Any, folder: Path) -> Any:
    return str(folder / value) if isinstance(value, str) and _own.is_own(value) else value
