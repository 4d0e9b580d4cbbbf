"""Whether a place can be written, asked before any work is done for it."""

import tempfile
from pathlib import Path

from penchant.files import cannot_write

PROBE = b"\0" * 65_536
"""About as much as a study writes first."""


def check_file(path: Path) -> None:
    """Check that a file can be written; leave nothing behind.

    Raises:
        PenchantError: its folder is missing or read-only, the disk is full, or it is a folder.
    """
    if path.is_dir():
        raise cannot_write(path, IsADirectoryError(21, "is a folder; a file's name is needed"))
    _probe(path, path.parent)


def check_folder(path: Path) -> None:
    """Check that a folder is there or can be made, and can be written; leave nothing behind.

    Raises:
        PenchantError: it is a file, is or would be read-only, or the disk is full.
    """
    made: list[Path] = []
    try:
        for folder in reversed([path, *path.parents]):
            if not folder.exists():
                folder.mkdir()
                made.append(folder)
        _probe(path, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        for folder in reversed(made):
            folder.rmdir()


def _probe(path: Path, folder: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(PROBE)
            file.flush()
    except OSError as error:
        raise cannot_write(path, error) from error
