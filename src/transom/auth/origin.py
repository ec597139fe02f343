"""Does a request come from a page of ours? By its Origin header (RFC 6454), read strictly. Pure.

Browsers write an origin in one way only: what is written in another was not written by a browser.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_ORIGIN = 300
"""Characters: a host name has at most 253."""
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::(?P<port>[1-9][0-9]{0,4}))?")

Place = tuple[str, str, int]
"""(scheme, host, port)"""


def same_origin(origin: str | None, *, host: str, scheme: str, allowed: Sequence[str]) -> bool:
    """True when `origin` is `scheme://host`, the request's own, or one of `allowed`.

    `host` is the Host header. No origin, `null`, and whatever cannot be read are nobody's.
    """
    came_from = read_origin(origin)
    if came_from is None:
        return False
    return came_from == read_place(scheme, host) or came_from in map(read_origin, allowed)


def read_origin(text: str | None) -> Place | None:
    """The place an origin names, or None."""
    if text is None or len(text) > MAX_ORIGIN:
        return None
    scheme, separator, authority = text.partition("://")
    return read_place(scheme, authority) if separator else None


def read_place(scheme: str, authority: str) -> Place | None:
    """(scheme, host, port) of `host[:port]`, in lower case and with the port filled in; or None."""
    scheme, authority = scheme.lower(), authority.lower()
    found = _AUTHORITY.fullmatch(authority) if authority.isascii() else None
    if scheme not in DEFAULT_PORTS or found is None:
        return None
    host = _host(found["host"])
    port = int(found["port"] or DEFAULT_PORTS[scheme])
    return (scheme, host, port) if host is not None and port <= 65535 else None


def loopback(host: str) -> bool:
    """True for a Host header, with or without port, that can only mean this computer."""
    place = read_place("http", host)
    return place is not None and (place[1] == "localhost" or loopback_address(place[1].strip("[]")))


def loopback_address(address: str) -> bool:
    """True for an address of 127.0.0.0/8, `::1`, or the former written as IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def _host(text: str) -> str | None:
    if text.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(text[1:-1]).compressed}]"
        except ValueError:
            return None
    return text if _HOST.fullmatch(text) else None
