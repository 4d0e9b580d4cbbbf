"""A user's own activation, taken from a Python file by path."""

import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

from penchant.errors import PenchantError, nearest
from penchant.models import in_one_line


def is_own(name: str) -> bool:
    """Tell ``file.py:Name`` from the name of a built-in activation.

    Example:
        >>> is_own("mine.py:Snake"), is_own("relu")
        (True, False)
    """
    return ".py:" in name


def label(name: str) -> str:
    """Shorten ``folder/mine.py:Snake`` to ``Snake``."""
    return name.rpartition(":")[2] if is_own(name) else name


def fingerprint(name: str) -> str:
    """Name an activation by what it is, so that a run's id follows the file's content."""
    if not is_own(name):
        return name
    path, attribute = _parse(name)
    return f"{attribute}@{hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()}"


def load(name: str) -> object:
    """Execute a file and return what is called so in it.

    Args:
        name: ``file.py:Name``, where Name is a pointwise function or a module class.

    Raises:
        PenchantError: no such file, the file fails, or it has no such name.
    """
    path, attribute = _parse(name)
    spec = importlib.util.spec_from_file_location(f"penchant_own_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = ModuleType(spec.name)
    module.__file__ = str(path)
    # Not through sys.modules or a cached bytecode: two files of one name stay apart, and an edited
    # file is read anew.
    with in_one_line(f"{path} fails"):
        exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
    if not hasattr(module, attribute):
        names = [n for n in vars(module) if not n.startswith("_")]
        raise PenchantError(f"{path} has no {attribute!r}: {nearest(attribute, names)}")
    return getattr(module, attribute)


def _parse(name: str) -> tuple[Path, str]:
    file, _, attribute = name.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise PenchantError(f"activation={name!r}: there is no file {path}")
    return path, attribute
