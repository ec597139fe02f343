"""Which regular expressions a provider's table may hold.

They are run on lines of at most 4096 characters of a tool's output, by a backtracking engine. What is
allowed here cannot take exponential time: no repeat inside a repeat, no choice inside a repeat, no
back-reference, no look-around, and at most two repeats without a small upper bound.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Iterator
from typing import Any

MAX_LENGTH = 256
"""Characters of one expression; the longest that ships has under a hundred."""
SMALL_REPEAT = 64
"""Repeats up to this many times count as bounded."""
MAX_OPEN_REPEATS = 2
"""Repeats without a small bound: n of them cost at most line length to the power n + 1."""

_sre: Any = importlib.import_module("re._parser")
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_REFUSED = {
    "GROUPREF": "a back-reference",
    "GROUPREF_EXISTS": "a conditional group",
    "ASSERT": "a look-around",
    "ASSERT_NOT": "a look-around",
}


class PatternError(ValueError):
    """This expression may not be used; the text says which rule it breaks."""


def check(pattern: str) -> None:
    """Accept `pattern` or raise PatternError."""
    if len(pattern) > MAX_LENGTH:
        raise PatternError(f"longer than {MAX_LENGTH} characters")
    try:
        with warnings.catch_warnings():
            # what a later Python will read in another way means something else on another machine
            warnings.simplefilter("error", FutureWarning)
            tree = _sre.parse(pattern)
            compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError, FutureWarning) as error:
        raise PatternError(f"not a regular expression: {error}") from error
    if compiled.groups > 1:
        raise PatternError("more than one group: the one group is what is taken")
    if pattern and compiled.match(""):
        raise PatternError("it matches the empty line")
    if sum(_walk(tree, in_repeat=False)) > MAX_OPEN_REPEATS:
        raise PatternError(f"more than {MAX_OPEN_REPEATS} open-ended repeats")


def _walk(items: Any, *, in_repeat: bool) -> Iterator[int]:
    for operator, argument in items:
        name = str(operator)
        if name in _REFUSED:
            raise PatternError(f"{_REFUSED[name]} is not allowed")
        if name in _REPEATS:
            _, high, body = argument
            single = high == 1
            if in_repeat and not single:
                raise PatternError("a repeat inside a repeat")
            if int(high) > SMALL_REPEAT:
                yield 1
            yield from _walk(body, in_repeat=in_repeat or not single)
        elif name == "BRANCH":
            if in_repeat:
                raise PatternError("a choice inside a repeat")
            for branch in argument[1]:
                yield from _walk(branch, in_repeat=in_repeat)
        elif name in ("SUBPATTERN", "ATOMIC_GROUP"):
            yield from _walk(argument[-1] if name == "SUBPATTERN" else argument, in_repeat=in_repeat)
