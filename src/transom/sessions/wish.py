"""What a request for a session may say, checked against who says it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from transom.model.errors import Invalid, Refused
from transom_wire import screen

URL_LIMIT = 2048
DATA_URL_LIMIT = 8192
"""Characters; the wire carries no more."""
BLANK = "about:blank"


@dataclass(frozen=True, slots=True)
class Wish:
    """A request for a session, defaults filled in."""

    width: int
    height: int
    start_url: str = BLANK
    provider: str | None = None


def screen_size(width: int, height: int) -> tuple[int, int]:
    """The desktop's size in pixels, odd numbers rounded down as the desktop does. Raises Invalid."""
    if not screen.allowed(width, height):
        raise Invalid(
            f"width and height must be from {screen.MIN_SIDE} to {screen.MAX_SIDE},"
            f" and no more than {screen.MAX_AREA} pixels together"
        )
    return screen.even(width, height)


def start_url(text: str | None, *, administrator: bool) -> str:
    """`text` when this person may open it first. Raises Invalid, Refused."""
    if not text:
        return BLANK
    if text.startswith("data:"):
        return _data_url(text, administrator=administrator)
    if len(text) > URL_LIMIT:
        raise Invalid(f"start_url is longer than {URL_LIMIT} characters")
    if any(ord(char) <= 0x20 or ord(char) == 0x7F or char in '"<>\\^`{|}' for char in text):
        raise Invalid("start_url holds characters that no URL has")
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise Invalid("start_url is not a URL") from error
    if parts.scheme not in ("http", "https") or not named:
        raise Invalid("start_url must be an http or https URL")
    if parts.username is not None or parts.password is not None:
        raise Invalid("start_url must not carry a name or password")
    return text


def _data_url(text: str, *, administrator: bool) -> str:
    if not administrator:
        raise Refused("only an administrator may start with a data: URL")
    if len(text) > DATA_URL_LIMIT:
        raise Invalid(f"start_url is longer than {DATA_URL_LIMIT} characters")
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        raise Invalid("start_url holds control characters")
    return text
