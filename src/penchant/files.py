"""Writing files so that nothing is ever half-written."""

import os
import tempfile
from pathlib import Path

from penchant.errors import PenchantError


def write_whole(path: Path, data: bytes) -> Path:
    """Write a file aside, flush it to the disk and rename it into place.

    Args:
        path: where it goes; an older file there is replaced in one step.
        data: its content.

    Returns:
        The path.

    Raises:
        PenchantError: the folder is missing or read-only, or the disk is full; nothing is left.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_whole(Path(folder) / "note.txt", b"hello").read_text()
        'hello'
    """
    aside = None
    try:
        descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(aside).chmod(0o666 & ~umask)  # mkstemp makes it private; a result is for sharing
        Path(aside).replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if aside is not None:
            Path(aside).unlink(missing_ok=True)
    return path


def cannot_write(path: Path, error: OSError) -> PenchantError:
    """Say in one line why a file could not be written.

    Example:
        >>> cannot_write(Path("a.csv"), OSError(28, "No space left on device"))
        PenchantError('cannot write a.csv: no space left on device')
    """
    reason = (error.strerror or str(error)).lower()
    return PenchantError(f"cannot write {path}: {reason}")
