"""Which URLs may be opened in the machine's browser from outside it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

LIMIT = 8192
BLANK = "about:blank"
_ALLOWED = re.compile(r"(?:https?://|data:)[^\x00-\x20\x7f]+", re.IGNORECASE)


class UrlRefused(ValueError):
    """Not a URL that may be opened; the text never quotes it."""


def checked_url(url: str) -> str:
    """Return `url` as it may stand on the browser's command line: http, https, data, or about:blank.

    Raises UrlRefused. Spaces in data URLs are encoded, since people write them so.
    """
    if url == BLANK:
        return url
    if url[:5].lower() == "data:":
        url = url.replace(" ", "%20")
    if len(url) > LIMIT or not _ALLOWED.fullmatch(url):
        raise UrlRefused("only http, https and data URLs of a sensible length can be opened")
    if url[:5].lower() != "data:" and not _host(url):
        raise UrlRefused("the URL names no host")
    return url


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname
