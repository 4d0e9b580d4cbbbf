"""From what went wrong to one line on stderr and an exit code."""

import os
import shlex
import sys
import traceback
from collections.abc import Callable

from typer.exceptions import TyperException

from penchant.errors import PenchantError

DONE, OUR_FAULT, USERS_INPUT, INTERRUPTED = 0, 1, 2, 130
BROKEN_PIPE = 141
"""What a shell reports of a command whose reader has left: 128 + SIGPIPE."""


class Interrupted(Exception):
    """Ctrl-C, with what was kept and how to go on."""


def exit_code(command: Callable[[], object]) -> int:
    """Do a command; say in one line what went wrong.

    Args:
        command: the command line, as a call.

    Returns:
        The process's exit code.
    """
    try:
        result = command()
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # typer and rich exit where the reader has left
        # Python flushes stdout once more at exit; there is nobody left to read it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Interrupted as error:
        return _say(str(error), INTERRUPTED)
    except TyperException as error:
        return _say(error.format_message(), error.exit_code)
    except PenchantError as error:
        return _say(str(error), USERS_INPUT)
    except MemoryError as error:
        return _say(f"out of memory: {error}".rstrip(": "), USERS_INPUT)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _say(f"{where}{(error.strerror or str(error)).lower()}", USERS_INPUT)
    except Exception as error:
        if _lacks_memory(error):
            return _say("out of memory: take fewer --jobs or a smaller design", USERS_INPUT)
        traceback.print_exc()
        return _say("this is our fault; please report it with the lines above", OUR_FAULT)
    if result == INTERRUPTED:  # typer's word for a KeyboardInterrupt that no command explained
        again = shlex.join(["penchant", *sys.argv[1:]])
        return _say(f"interrupted before the work began. Again: {again}", INTERRUPTED)
    return DONE


def _say(message: str, code: int) -> int:
    sys.stderr.write(f"penchant: {' '.join(message.split())}\n")
    return code


def _lacks_memory(error: Exception) -> bool:
    # torch's own word for it is a plain RuntimeError.
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
