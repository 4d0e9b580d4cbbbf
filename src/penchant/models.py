"""The door for a user's own code: a network as ``file.py:Class`` or ``package.module:callable``, or
a file that is executed whole.

Decisions:
- A file is executed anew each time, not through sys.modules or cached bytecode: two files of one
  name stay apart, and an edited file is read as it is.
- The file's folder, or the folder that one is in, can be imported from, as with ``python file.py``
  and ``python -m``.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from penchant.errors import PenchantError, nearest

if TYPE_CHECKING:
    from torch import nn


def load_model(source: str) -> "nn.Module":
    """Make the network that a file or an installed package defines.

    Args:
        source: ``file.py:Name`` or ``package.module:Name``, where Name is a class of modules or a
            function that makes one, called without arguments, or a module itself.

    Returns:
        The network, as its maker returns it.

    Raises:
        PenchantError: there is no such file, module or name; the file fails; what is called so
            needs arguments, fails, or is no network.

    Example:
        >>> load_model("torch.nn:Identity")
        Identity()
    """
    from torch import nn

    place, colon, name = source.rpartition(":")
    if not colon or not place or not name:
        raise PenchantError(
            f"{source!r} names no network: use file.py:Class or package.module:callable"
        )
    file = Path(place) if place.endswith(".py") else None
    with _importable(file.parent if file else Path()):
        module = _execute(file, source) if file else _import(place, source)
        made = _find(module, name, source)
        if not isinstance(made, nn.Module):
            made = _make(made, source)
    if not isinstance(made, nn.Module):
        raise PenchantError(
            f"{source} gives an object of type {type(made).__name__}, not a torch.nn.Module"
        )
    return made


def load_file(path: Path, source: str = "") -> ModuleType:
    """Execute a user's Python file, with its own folder to import from.

    Args:
        path: the file.
        source: what the user wrote, for messages.

    Returns:
        The module that it makes; nothing of it is kept for another call.

    Raises:
        PenchantError: there is no such file, or it fails.
    """
    with _importable(path.parent):
        return _execute(path, source or str(path))


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let a folder's files be imported for a while."""
    before = list(sys.path)
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        sys.path[:] = before


def _execute(path: Path, source: str) -> ModuleType:
    if not path.is_file():
        raise PenchantError(f"{source}: there is no file {path}")
    module = ModuleType(f"penchant_model_{path.stem}")
    module.__file__ = str(path)
    # Dataclasses and pickling look for a class's module there.
    sys.modules[module.__name__] = module
    with in_one_line(f"{path} fails"):
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    return module


def _import(name: str, source: str) -> ModuleType:
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        found = None
    if found is None:
        hint = f"; for a file, write {name}.py:" if Path(f"{name}.py").is_file() else ""
        raise PenchantError(f"{source}: there is no module {name!r} that can be imported{hint}")
    with in_one_line(f"{name} fails"):
        return importlib.import_module(name)


def _find(module: ModuleType, name: str, source: str) -> object:
    found: object = module
    for part in name.split("."):
        if not hasattr(found, part):
            from torch import nn

            known = [
                key
                for key, value in vars(module).items()
                if isinstance(value, nn.Module)
                or (callable(value) and getattr(value, "__module__", None) == module.__name__)
            ]
            which = nearest(name, known) if known else "it defines nothing that makes a network"
            raise PenchantError(f"{source}: there is no {name!r} in it; {which}")
        found = getattr(found, part)
    return found


def _make(maker: object, source: str) -> object:
    if not callable(maker):
        raise PenchantError(f"{source} is of type {type(maker).__name__}, and makes no network")
    import inspect

    try:
        inspect.signature(maker).bind()
    except TypeError as error:
        raise PenchantError(
            f"{source} is called without arguments, and that does not fit: {error}; "
            "name a function that passes them"
        ) from None
    except ValueError:  # no signature to be had: calling it will tell
        pass
    with in_one_line(f"{source}() fails"):
        made: object = maker()
    return made


@contextmanager
def in_one_line(what: str) -> Iterator[None]:
    """Turn whatever a user's code raises into one line."""
    try:
        yield
    except (Exception, SystemExit) as error:
        message = " ".join(str(error).split())
        raise PenchantError(f"{what}: {type(error).__name__}: {message}".rstrip(": ")) from error
