"""What a user's forward raised, in one line: where, and with which shapes."""

import sysconfig
import traceback
from pathlib import Path

import torch

from penchant.errors import PenchantError
from penchant.inspection._inputs import Arguments
from penchant.inspection._recorder import Recorder

_OURS = (str(Path(torch.__file__).parent), str(Path(__file__).parent))
_PACKAGES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))


def told(error: Exception, recorder: Recorder | None, arguments: Arguments) -> PenchantError:
    """Tell in one line what a user's forward raised, and where.

    Args:
        error: what it raised.
        recorder: what happened until then, where that is known.
        arguments: what the forward was called with.

    Returns:
        An error to raise.
    """
    place = _place(error)
    trouble = recorder.where() if recorder else None
    if trouble:
        owner = f"{trouble.path} ({trouble.kind})" if trouble.path else trouble.kind
    else:
        owner = "the model"
    if trouble and trouble.certain:
        said = trouble.function
    else:
        said = line(error)
        if trouble and trouble.function:
            said += f" ({trouble.function})"
    message = f"{owner} fails{place}: {said}"
    if arguments.dictionary:
        names = ", ".join(arguments.names)
        message = f"forward has no argument {names}, and with one dictionary of {names} {message}"
    return PenchantError(message)


def line(error: BaseException) -> str:
    """Tell an error's class and message in one line that is not too long."""
    message = " ".join(str(error).split())
    whole = f"{type(error).__name__}: {message}".rstrip(": ")
    return whole if len(whole) <= 200 else f"{whole[:199]}…"


def _place(error: BaseException) -> str:
    """Return the deepest line of a user's own file, with its text; or of a package's."""
    frames = [
        frame
        for frame in reversed(traceback.extract_tb(error.__traceback__))
        if not frame.filename.startswith((*_OURS, "<frozen"))
    ]
    own = [frame for frame in frames if not frame.filename.startswith(_PACKAGES)]
    for frame in own or frames:
        text = f" `{' '.join(frame.line.split())}`" if frame.line else ""
        return f" at {_shown(frame.filename)}:{frame.lineno}{text}"
    return ""


def _shown(filename: str) -> str:
    path = Path(filename)
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return filename
