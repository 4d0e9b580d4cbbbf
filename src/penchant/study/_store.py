"""One SQLite file a study: what is finished, and how far an unfinished run has come.

There is no state that says "running": a job is done when its row is there, and otherwise goes on
from its checkpoint or is done again, with the same numbers. One process writes; WAL keeps the
file whole when it is killed.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from penchant.errors import PenchantError
from penchant.study._results import Moment, Run

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, record TEXT NOT NULL, network BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS checkpoints (
    id TEXT PRIMARY KEY, step INTEGER NOT NULL, state BLOB NOT NULL
);
"""
VERSION = 1
MEMORY = ":memory:"

LARGEST = 500_000_000
"""Bytes of a checkpoint beyond which it is not kept: SQLite holds 10⁹ in a value."""


class Store:
    """A study's file.

    Args:
        path: the file, made if it is missing, or `MEMORY`.

    Raises:
        PenchantError: the file cannot be made or written, or is not a study's.

    Example:
        >>> store = Store(MEMORY)
        >>> store.set_fact("plan", "{}")
        >>> store.fact("plan"), store.done()
        ('{}', set())
    """

    def __init__(self, path: Path | str) -> None:
        self.path = path
        with self._plain_errors():
            self.database = sqlite3.connect(path, timeout=10)
            self.database.execute("PRAGMA journal_mode = WAL")
            # A finished run is on the disk before the next one is reported.
            self.database.execute("PRAGMA synchronous = FULL")
            version = self.database.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise PenchantError(f"{path} is a study of another version of Penchant ({version})")
            # Also for a study of before there were checkpoints; one that has all stays as it is.
            self.database.executescript(SCHEMA)
            if version == 0:
                self.database.execute(f"PRAGMA user_version = {VERSION}")
                self.database.commit()

    def fact(self, name: str) -> str | None:
        """Return a fact of the study, such as its plan, or None."""
        row = self._one("SELECT value FROM facts WHERE name = ?", name)
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Write a fact down."""
        self._write("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value)

    def done(self) -> set[str]:
        """Return the ids of all finished runs."""
        with self._plain_errors():
            return {row[0] for row in self.database.execute("SELECT id FROM runs")}

    def add(self, run: Run, network: bytes) -> None:
        """Keep a finished run; it is on the disk when this returns."""
        record = json.dumps(asdict(run))
        with self._plain_errors(), self.database:
            # First, so that the network takes the state's place in the file.
            self.database.execute("DELETE FROM checkpoints WHERE id = ?", (run.id,))
            self.database.execute(
                "INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", (run.id, record, network)
            )

    def run(self, id: str) -> Run:
        """Return a finished run."""
        row = self._one("SELECT record FROM runs WHERE id = ?", id)
        assert row is not None, f"run {id} is not finished"
        return _run(json.loads(row[0]))

    def network(self, id: str) -> bytes:
        """Return a finished run's network, as a safetensors file's content."""
        row = self._one("SELECT network FROM runs WHERE id = ?", id)
        assert row is not None, f"run {id} is not finished"
        return bytes(row[0])

    def checkpoint(self, id: str) -> tuple[int, bytes] | None:
        """Return the step and state of an unfinished run, if one was kept."""
        row = self._one("SELECT step, state FROM checkpoints WHERE id = ?", id)
        return None if row is None else (int(row[0]), bytes(row[1]))

    def set_checkpoint(self, id: str, step: int, state: bytes) -> None:
        """Keep the state of an unfinished run, in place of an older one.

        One that is too large for the file is left out: its run would be begun again.
        """
        if len(state) <= LARGEST:
            self._write("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)", id, step, state)

    def close(self) -> None:
        """Close the file, leaving one file behind."""
        self.database.close()

    def _one(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        with self._plain_errors():
            row: tuple[Any, ...] | None = self.database.execute(query, values).fetchone()
            return row

    def _write(self, query: str, *values: Any) -> None:
        with self._plain_errors(), self.database:
            self.database.execute(query, values)

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise PenchantError(f"cannot use {self.path}: {error}") from error


def _run(record: dict[str, Any]) -> Run:
    curve = tuple(Moment(**{**m, "bands": tuple(m["bands"])}) for m in record["curve"])
    rest = {
        "bands": tuple(record["bands"]),
        "profiles": {name: tuple(row) for name, row in record.get("profiles", {}).items()},
        "layers": tuple(record.get("layers", ())),
    }
    return Run(**{**record, **rest, "curve": curve})
