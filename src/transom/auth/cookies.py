"""The cookie's name and marks. Over plain HTTP there is a cookie only where no wire is: on loopback."""

from __future__ import annotations

from dataclasses import dataclass

from transom.auth.origin import loopback, loopback_address
from transom.auth.service import COOKIE_MS

SECURE_NAME = "__Host-transom"
"""The prefix makes browsers refuse it from a subdomain, from plain HTTP, and with another path."""
PLAIN_NAME = "transom-dev"
MAX_AGE_S = COOKIE_MS // 1000
MAX_HEADER = 8192


@dataclass(frozen=True, slots=True)
class CookieForm:
    """How the cookie is set on one kind of connection."""

    name: str
    secure: bool
    path: str = "/"
    max_age_s: int = MAX_AGE_S

    def header(self, value: str) -> str:
        """The Set-Cookie header that signs in; with an empty value, the one that signs out.

        SameSite is not strict: a link to a session from a mail or a chat must find the reader signed in.
        """
        age = self.max_age_s if value else 0
        marks = "; Secure" if self.secure else ""
        return f"{self.name}={value}; Max-Age={age}; Path={self.path}; HttpOnly; SameSite=Lax{marks}"


def cookie_form(*, scheme: str, peer: str, host: str) -> CookieForm | None:
    """The form for this connection; None where a cookie would travel in clear: plain HTTP off loopback."""
    if scheme in ("https", "wss"):
        return CookieForm(SECURE_NAME, secure=True)
    if loopback_address(peer) and loopback(host):
        return CookieForm(PLAIN_NAME, secure=False)
    return None


def read_cookie(header: str, name: str) -> str | None:
    """The value of `name` in a Cookie header; None also when it is there twice: one of them is planted."""
    if len(header) > MAX_HEADER:
        return None
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    values = [value for key, separator, value in pairs if separator and key == name]
    return values[0] if len(values) == 1 else None
