"""What an HTTP proxy must decide (RFC 9110, RFC 9112). Pure, on h11's events: no socket, no resolver.

A guest asks in one of two ways: `CONNECT host:port` for a tunnel, or an absolute URI for one plain request.
Everything that belongs to one hop, and everything that begins with `Proxy-`, ends here in both directions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address

import h11

from transom_wire.address import AddressError, IPAddress, parse_host

MAX_HEAD = 64 * 1024
"""Bytes of a request's or a response's head; browsers send under 16 KiB, cookies included."""
MAX_HEADERS = 200

Headers = list[tuple[bytes, bytes]]

_HOP_BY_HOP = {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect"}
_UNNAMEABLE = {b"content-length", b"host"}
"""`Connection: content-length` must not unframe a message."""
_ABSOLUTE = re.compile(rb"(?i:http)://([^/?#\\]+)([^#\\]*)(?:#.*)?")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:@\[\]]+)(?::([0-9]{0,5}))?")
_PHRASES = {
    400: b"Bad Request",
    403: b"Forbidden",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
}
_WORDS = {
    "no_exit": b"No way out",
    "down": b"Exit is down",
    "silent": b"Exit does not answer",
    "password": b"Exit refused our password",
    "certificate": b"Exit has a wrong certificate",
    "garbled": b"Exit does not work as a proxy",
    "quota": b"Exit asks for payment",
    "barred": b"Exit does not let this site be reached",
    "no_way": b"No way to this site",
    "address": b"This address may not be reached",
    "rule": b"Not allowed here",
    "moved": b"The way out has changed",
}
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Not reached</title>
<style>body{{font:1.1rem/1.6 system-ui,sans-serif;max-width:38rem;margin:15vh auto;padding:0 1rem;color:#222}}
@media (prefers-color-scheme:dark){{body{{background:#1b1b1f;color:#ddd}}}}</style>
<h1>Not reached</h1>
<p>{reason}</p>
<p><small>transom, status {status}</small></p>
</html>
"""


class ProxyError(Exception):
    """The request ends with an error page: `status`, a sentence for the person at the browser, and
    `cause`, one word by which it is counted. EXIT_FAULTS and SITE_FAULTS of `transom_wire.exit` are causes,
    and: no_exit, address, rule, name, request, site, broken, moved."""

    def __init__(self, status: int, cause: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.cause, self.reason = status, cause, reason


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. `path` is the origin form; None asks for a tunnel."""

    host: IPAddress | str
    port: int
    path: bytes | None

    @property
    def authority(self) -> bytes:
        """The Host header: the very host that is dialled, in its one canonical spelling."""
        host = f"[{self.host}]" if isinstance(self.host, IPv6Address) else str(self.host)
        return (host if self.port == 80 else f"{host}:{self.port}").encode()


def target_of(request: h11.Request) -> Target:
    """Where `request` goes. Raises ProxyError: not a proxy's request, or a host that is none."""
    if len(request.headers) > MAX_HEADERS:
        raise ProxyError(431, "request", f"The request has over {MAX_HEADERS} header lines.")
    if request.method == b"CONNECT":
        host, port = _host_and_port(request.target, None)
        return Target(host, port, None)
    match = _ABSOLUTE.fullmatch(request.target)
    if match is None:
        raise ProxyError(400, "request", "A proxy takes CONNECT and http:// addresses only.")
    host, port = _host_and_port(match[1], 80)
    return Target(host, port, _origin_form(request.method, match[2]))


def upstream_request(request: h11.Request, target: Target, login: bytes | None = None) -> h11.Request:
    """The request as the site sees it: origin form, one Host of ours, nothing of the proxy's, no second use.

    With `login`, be it empty, as another proxy sees it: the whole address, and `login` as its credentials.
    """
    chunked = _is_chunked(request.headers)
    headers: Headers = [(b"Host", target.authority)]
    headers += [(n, v) for n, v in _end_to_end(request.headers, drop_length=chunked) if n.lower() != b"host"]
    if chunked:
        headers.append((b"Transfer-Encoding", b"chunked"))
    headers.append((b"Connection", b"close"))
    path = target.path or b"/"
    if login is not None:
        path = b"http://" + target.authority + (b"" if path == b"*" else path)
    if login:
        headers.append((b"Proxy-Authorization", login))
    return h11.Request(method=request.method, target=path, headers=headers)


def downstream_response(response: h11.Response, *, by_proxy: bool = False) -> h11.Response:
    """The response as the guest sees it. Raises ProxyError for a 407: a guest is never asked for a password.

    `by_proxy`: it came from an upstream proxy, not from the site.
    """
    if response.status_code == 407:
        if by_proxy:
            raise ProxyError(502, "password", "The exit refused our name or password.")
        raise ProxyError(502, "proxy_auth", "The site asked for a proxy password, which is not its to ask.")
    headers = _end_to_end(response.headers, drop_length=_is_chunked(response.headers))
    return h11.Response(status_code=response.status_code, headers=headers, reason=response.reason)


def error_page(error: ProxyError, *, html: bool = False) -> tuple[h11.Response, bytes]:
    """A short page that names the cause, after which the connection closes: plain text, or `html` for a browser.

    The status line's words name it too: of a tunnel's page that is all most programs show.
    """
    text = f"transom: {error.reason}\n"
    kind = b"text/html" if html else b"text/plain"
    body = (_PAGE.format(status=error.status, reason=_escaped(error.reason)) if html else text).encode()
    headers: Headers = [
        (b"Content-Type", kind + b"; charset=utf-8"),
        (b"Content-Length", str(len(body)).encode()),
        (b"Cache-Control", b"no-store"),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Connection", b"close"),
    ]
    phrase = _WORDS.get(error.cause) or _PHRASES.get(error.status, b"Error")
    return h11.Response(status_code=error.status, headers=headers, reason=phrase), body


def _escaped(text: str) -> str:
    """For the text of a page; the standard library's brings every entity's name into memory."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def wants_html(request: h11.Request) -> bool:
    """True when a person's browser asks for a page to show."""
    return any(name.lower() == b"accept" and b"text/html" in value.lower() for name, value in request.headers)


def _host_and_port(authority: bytes, default: int | None) -> tuple[IPAddress | str, int]:
    match = _AUTHORITY.fullmatch(authority.decode("ascii", "replace"))
    port = int(match[2]) if match and match[2] else default
    if match is None or port is None or not 0 < port < 65536:
        raise ProxyError(400, "request", "The address is not a host and a port.")
    try:
        return parse_host(match[1]), port
    except AddressError as error:
        raise ProxyError(400, "request", "The address names no host.") from error


def _origin_form(method: bytes, rest: bytes) -> bytes:
    if rest.startswith(b"/"):
        return rest
    if rest or method != b"OPTIONS":
        return b"/" + rest
    return b"*"


def _end_to_end(headers: Iterable[tuple[bytes, bytes]], *, drop_length: bool) -> Headers:
    """Without what belongs to this hop: the fixed list, what Connection names, and `Proxy-*`."""
    pairs = list(headers)
    named = {
        token.strip().lower()
        for name, value in pairs
        if name.lower() == b"connection"
        for token in value.split(b",")
    }
    gone = _HOP_BY_HOP | (named - _UNNAMEABLE)
    if drop_length:
        gone = gone | {b"content-length"}
    return [
        (name, value)
        for name, value in pairs
        if name.lower() not in gone and not name.lower().startswith(b"proxy-")
    ]


def _is_chunked(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name.lower() == b"transfer-encoding" for name, _ in headers)
