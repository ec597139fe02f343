"""Expressions that may be run on a hostile tool's output, and those that may not."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.signin.patterns import MAX_LENGTH, PatternError, check


@pytest.mark.parametrize(
    "pattern",
    ["", "plain", r"https://auth\.openai\.com/\S+", r"^([A-Z0-9]{4,8}-[A-Z0-9]{4,8})$", "a|b|c", "(?:a|b)?c",
     r"x\S*y\S*z", r"x.*?y", r"x\S*+y", "(?i)Error"],
)  # fmt: skip
def test_accepted(pattern: str) -> None:
    check(pattern)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "not a regular expression"),
        ("[z-a]", "not a regular expression"),
        ("(a+)+b", "repeat inside a repeat"),
        ("(?:a*)*b", "repeat inside a repeat"),
        (r"(?:\w{1,9}){2,}b", "repeat inside a repeat"),
        ("(?:a|a)+b", "choice inside a repeat"),
        (r"(a)\1", "back-reference"),
        ("(?=a)b", "look-around"),
        ("(?<!a)b", "look-around"),
        ("a*b*c*d", "open-ended repeats"),
        ("a{0,100}b{0,100}c{0,100}d", "open-ended repeats"),
        ("(a)(b)", "more than one group"),
        ("a*", "empty line"),
        ("x" * (MAX_LENGTH + 1), "longer than"),
        ("(" * 200 + ")" * 50, "not a regular expression"),
    ],
)
def test_refused(pattern: str, why: str) -> None:
    with pytest.raises(PatternError, match=why):
        check(pattern)


@given(st.text(alphabet="ab().*+?|[]{}1,9\\^$", max_size=40))
def test_what_is_accepted_compiles_and_is_never_slow(pattern: str) -> None:
    """The limit is a thousand times what such an expression takes, and far below what a bad one takes."""
    try:
        check(pattern)
    except PatternError:
        return
    compiled = re.compile(pattern)
    began = time.process_time()
    for line in ("a" * 200, "ab" * 100, "a" * 199 + "!"):
        compiled.search(line)
    assert time.process_time() - began < 5
