"""Exit codes of the node's commands, and errors as one sentence on standard error.

0 done, 1 the check failed or the chain rejected it, 2 wrong usage (click's own), 3 could not reach or read.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

from node.console import say
from node.errors import Corrupted, OperatorError, Rejected

P = ParamSpec("P")
R = TypeVar("R")

FAILED, USAGE, UNREACHABLE = 1, 2, 3


def fail(text: str, code: int) -> NoReturn:
    """Print one sentence on standard error and exit. The code stays the same where the log is on the full disk."""
    try:
        say("Error: " + " ".join(text.split()), "bad", err=True)
    except OSError:
        sys.stderr = None  # what is left in its buffer would fail again at the end, and make the code 120
    sys.exit(code)


def exit_codes(*, corrupted: int = UNREACHABLE) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Turns errors into exit codes. `corrupted`: 3 where damage prevents reading, 1 where it is what the command
    finds."""

    def wrap(command: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(command)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return command(*args, **kwargs)
            except OperatorError as error:
                fail(str(error), UNREACHABLE)
            except BrokenPipeError:
                raise  # the reader of our output has closed it; click exits quietly
            except OSError as error:
                fail(_of_the_system(error), UNREACHABLE)
            except Corrupted as error:
                fail(str(error), corrupted)
            except Rejected as error:
                fail(str(error), FAILED)

        return run

    return wrap


def _of_the_system(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}: check the path, its owner and the free space"
