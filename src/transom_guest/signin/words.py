"""Finding the URL, the code and the ends of a sign-in in a tool's lines, and cleaning what people are shown."""

from __future__ import annotations

import re

MAX_LINE = 4096
"""Characters of a line that patterns look at."""
MAX_URL = 8192
MAX_CODE = 64
MAX_MESSAGE = 300
"""Characters of the tool's last line that travel to the page."""
LONG_RUN = 20
"""A run of token characters from this length on is taken for a secret and not shown."""

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
    words = re.split(r"[/.\-_]", run)
    plain = all(len(word) < LONG_RUN and (word.isalpha() or word.isdigit() or not word) for word in words)
    return run if plain else "…"
