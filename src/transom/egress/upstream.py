"""Upstream proxies as people and sellers write them, and the patterns that stand for many. Pure.

    http://user:pass@host:8080            https://host:443            socks5://user:pass@host:1080
    http://user:pass@host:{10001..10050}  http://user-session-{1..50}:pass@host:8080
    host:8080:user:pass                   user:pass@host:8080

No error quotes the text: it may hold a password.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from urllib.parse import unquote_to_bytes

from transom.model.errors import Invalid
from transom.model.exit import Upstream

URL_LIMIT = 2048
"""Characters of one line."""
EXPANDED_LIMIT = 1000
"""Exits one pattern may stand for."""
LIST_LIMIT = 5000
"""Exits one list may hold, patterns expanded."""
CREDENTIAL_LIMIT = 255
"""Bytes of a name or a password: SOCKS5 carries no more."""
PORTS = {"http": 8080, "https": 443, "socks5": 1080}
"""Schemes, and the port where none is said."""
ALIASES = {"socks": "socks5", "socks5h": "socks5"}
_RANGE = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,15})://")
_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_PORT = re.compile(r"[0-9]{1,5}")
_REMARK = re.compile(r"(?:^|\s)#.*")


def read_list(text: str) -> list[Upstream]:
    """Every upstream of a list, a line each; blank lines, and # with what follows it at a line's beginning or
    behind a space, are left out.

    The same twice is there once, and counts twice for the limit. Raises Invalid, which names the line's number.
    """
    found: dict[tuple[str, str, int, str], Upstream] = {}
    named = 0
    for number, line in enumerate(text.splitlines(), 1):
        word = _REMARK.sub("", line.removeprefix("\ufeff")).strip()
        if not word:
            continue
        try:
            for upstream in read(word):
                found[upstream.key] = upstream
                named += 1
        except Invalid as error:
            raise Invalid(f"line {number}: {error.message}") from None
        if len(found) > LIST_LIMIT or named > 2 * LIST_LIMIT:
            raise Invalid(f"line {number}: more than {LIST_LIMIT} exits")
    return list(found.values())


def read(text: str) -> list[Upstream]:
    """The upstreams that one line stands for, at least one. Raises Invalid."""
    if len(text) > URL_LIMIT:
        raise Invalid(f"longer than {URL_LIMIT} characters")
    if not text.isprintable():
        raise Invalid("it has characters that no URL has")
    found = {upstream.key: upstream for upstream in map(_read_one, expand(text))}
    return list(found.values())


def expand(text: str) -> Iterator[str]:
    """`text` with each `{a..b}` replaced by each number; two ranges count together, as in `{1..9}`-`{1..9}`.

    Leading zeros stay: `{01..10}` gives 01, 02. Raises Invalid for a range that is none, or too much.
    """
    ranges = list(_RANGE.finditer(text))
    steps = [_range(match) for match in ranges]
    if len({len(step) for step in steps}) > 1:
        raise Invalid("its ranges are not of one length")
    if not ranges:
        yield text
        return
    for numbers in zip(*steps, strict=True):
        last, parts = 0, []
        for match, number in zip(ranges, numbers, strict=True):
            parts += [text[last : match.start()], number]
            last = match.end()
        yield "".join((*parts, text[last:]))


def _range(match: re.Match[str]) -> list[str]:
    low, high = match.group(1), match.group(2)
    count = int(high) - int(low) + 1
    if count < 1:
        raise Invalid("a range runs backwards")
    if count > EXPANDED_LIMIT:
        raise Invalid(f"a range stands for more than {EXPANDED_LIMIT} exits")
    width = len(low) if low.startswith("0") else 0
    return [str(number).zfill(width) for number in range(int(low), int(high) + 1)]


def _read_one(text: str) -> Upstream:
    match = _SCHEME.match(text)
    scheme = match.group(1).lower() if match else "http"
    scheme = ALIASES.get(scheme, scheme)
    if scheme not in PORTS:
        raise Invalid("the scheme must be http, https or socks5")
    rest = text[match.end() :] if match else text
    if match is None and "@" not in rest and (split := _colons(rest)):
        host, port, username, password = split
        return _upstream(scheme, host, port, _plain(username), _plain(password))
    rest = rest.removesuffix("/")
    login, at, place = rest.rpartition("@")
    username, colon, password = login.partition(":")
    host, port = _place(place, PORTS[scheme])
    return _upstream(
        scheme, host, port, _unquoted(username) if at else None, _unquoted(password) if colon else None
    )


def _colons(text: str) -> tuple[str, str, str, str] | None:
    """`host:port:user:password` as many sellers write it; the password may hold colons."""
    parts = text.split(":", 3)
    return (parts[0], parts[1], parts[2], parts[3]) if len(parts) == 4 and parts[1].isdigit() else None


def _place(place: str, default: int) -> tuple[str, str]:
    if place.startswith("["):
        host, bracket, tail = place[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise Invalid("the host cannot be read")
        return f"[{host}]", tail[1:] if tail else str(default)
    host, colon, port = place.partition(":")
    return host, port if colon else str(default)


def _upstream(scheme: str, host: str, port: str, username: str | None, password: str | None) -> Upstream:
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise Invalid("the port must be from 1 to 65535")
    if not username and password:
        raise Invalid("a password without a user name")
    return Upstream(scheme, _host(host), int(port), username or None, password or None)


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1].partition("%")[0]))
        except ValueError:
            raise Invalid("the host is not an IPv6 address") from None
    if not text.isascii() or not _NAME.fullmatch(text):
        raise Invalid("the host is not a name or an address")
    name = text.lower().removesuffix(".")
    if name.rpartition(".")[2].isdigit():
        try:
            return str(ip_address(name))
        except ValueError:
            raise Invalid("the host is not an address") from None
    return name


def _unquoted(text: str) -> str:
    try:
        return _plain(unquote_to_bytes(text).decode())
    except UnicodeDecodeError:
        raise Invalid("the user name or password is not UTF-8") from None


def _plain(text: str) -> str:
    if not text.isprintable() or len(text.encode()) > CREDENTIAL_LIMIT:
        raise Invalid(f"the user name or password is over {CREDENTIAL_LIMIT} bytes, or not printable")
    return text


def has_password(text: str) -> bool:
    """True when this line seems to carry a password, however badly written: it does not belong in an argument."""
    rest = _SCHEME.sub("", text, count=1)
    login, at, _ = rest.rpartition("@")
    return (bool(at) and ":" in login) or (not at and _colons(rest) is not None)


def masked(username: str | None) -> str | None:
    """A user name as a list may show it: its first two characters; sellers put secrets into names too."""
    return None if username is None else username[:2] + "…"
