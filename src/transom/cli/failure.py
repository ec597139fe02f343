"""How a command fails: one sentence, one mend, one exit code; a traceback only for what nobody expected.

| exit code | means |
|---|---|
| 0 | done |
| 1 | it could not be done: the message says why |
| 2 | the command line is wrong |
| 3 | the server cannot be reached, or cannot serve now: try again |
| 4 | not signed in, or not allowed |
| 5 | no such thing, or it is over |
"""

from __future__ import annotations

import json
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from transom.model.errors import Gone, NotFound, Refused, TransomError, Unauthenticated, Unavailable

FAILED, USAGE, UNREACHABLE, NOT_ALLOWED, NOT_FOUND = 1, 2, 3, 4, 5


class Failure(Exception):
    """An expected end of a command."""

    def __init__(
        self, message: str, *, mend: str = "", code: str = "failed", exit_code: int = FAILED
    ) -> None:
        super().__init__(message)
        self.message, self.mend, self.code, self.exit_code = message, mend, code, exit_code


def from_error(error: TransomError) -> Failure:
    """The failure that one of our own errors means here."""
    exit_code = FAILED
    if isinstance(error, Unavailable):
        exit_code = UNREACHABLE
    elif isinstance(error, Refused | Unauthenticated):
        exit_code = NOT_ALLOWED
    elif isinstance(error, NotFound | Gone):
        exit_code = NOT_FOUND
    return Failure(error.message, mend=str(getattr(error, "mend", "")), code=error.code, exit_code=exit_code)


def printable(text: str) -> str:
    """Text from elsewhere, without what a terminal would obey."""
    return "".join(char if char.isprintable() else " " for char in text)


def report(failure: Failure, *, as_json: bool) -> None:
    """Say it on standard error."""
    if as_json:
        error = {"code": failure.code, "message": failure.message, "mend": failure.mend}
        print(json.dumps({"error": error}), file=sys.stderr)
        return
    print(f"transom: {printable(failure.message)}", file=sys.stderr)
    if failure.mend:
        print(f"mend: {printable(failure.mend)}", file=sys.stderr)


class Commands(TyperGroup):
    """The command tree's root: turns expected errors into sentences and exit codes."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Failure as failure:
            return _end(failure)
        except TransomError as error:
            return _end(from_error(error))
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except BrokenPipeError:
            # The reader of our output has gone, `| head` say; nothing is wrong.
            sys.stderr.close()
            raise typer.Exit(0) from None


def _end(failure: Failure) -> None:
    report(failure, as_json="--json" in sys.argv)
    raise typer.Exit(failure.exit_code)
