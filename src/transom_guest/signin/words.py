"""Finding the URL, the code and the ends of a sign-in in a tool's lines, and cleaning what people are shown."""

from __future__ import annotations

import re
from itertools import pairwise

MAX_LINE = 4096
"""Characters of a line that patterns look at."""
MAX_URL = 8192
MAX_CODE = 64
MAX_MESSAGE = 300
"""Characters of the tool's last line that travel to the page."""
LONG_RUN = 20
"""A run of token characters from this length on is taken for a secret and not shown."""

SHORT_WORD, LONG_WORD, MAX_HUMPS = 6, 30, 3
"""Characters of a mixed word, of an alphabetic one, and its changes to upper case, that may stay in such a run."""

_TOKEN = re.compile(r"[A-Za-z0-9_\-+/=~.%]" + f"{{{LONG_RUN},4096}}")
_QUERY = re.compile(r"(https?://[^\s?#]{1,500})[?#]\S{0,8000}")
_URL = re.compile(r"https?://[^\s\x00-\x1f\x7f\"'<>\\^`{|}]{1,8100}")


class Pattern:
    """One expression of a provider's table. An empty or broken one finds nothing."""

    def __init__(self, expression: str) -> None:
        try:
            self._compiled = re.compile(expression) if expression else None
        except (re.error, OverflowError, RecursionError):
            self._compiled = None

    def find(self, line: str) -> str | None:
        """What the expression matches in `line`: its group when it has one, else the whole match."""
        found = self._compiled.search(line[:MAX_LINE]) if self._compiled else None
        if found is None:
            return None
        return found.group(1) if found.re.groups else found.group()


def is_web_url(text: str) -> bool:
    """True for an http or https URL without spaces, control characters or quotes."""
    return len(text) <= MAX_URL and _URL.fullmatch(text) is not None


def clean_message(line: str) -> str:
    """`line` for the page and the store: printable, short, no query of a URL, no long token-like run."""
    shown = "".join(char if char.isprintable() else " " for char in line[:MAX_LINE])
    shown = _QUERY.sub(r"\1?…", shown)
    shown = _TOKEN.sub(lambda run: _hide(run.group()), shown)
    return " ".join(shown.split())[:MAX_MESSAGE]


def _hide(run: str) -> str:
    """Names of files, hosts and errors are left: words of one kind of character, and one like `oauth2`."""
    words = [word for word in re.split(r"[/.\-_=~+%]", run) if word]
    odd = [word for word in words if not _is_word(word)]
    return run if not odd or (len(odd) == 1 and len(odd[0]) <= SHORT_WORD) else "…"


def _is_word(word: str) -> bool:
    humps = sum(a.islower() and b.isupper() for a, b in pairwise(word))
    return (word.isalpha() and len(word) <= LONG_WORD and humps <= MAX_HUMPS) or (
        word.isdigit() and len(word) <= SHORT_WORD
    )
