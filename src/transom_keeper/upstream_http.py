"""CONNECT to an HTTP proxy (RFC 9110, section 9.3.6), with Basic credentials (RFC 7617). No I/O; h11 parses."""

from __future__ import annotations

import base64
from ipaddress import IPv6Address

import h11

from transom_keeper.upstream_dialogue import UpstreamError
from transom_wire.address import IPAddress

MAX_ANSWER = 16 * 1024
"""Bytes of the answer's head."""
MAX_INTERIM = 8
"""Responses of status 1xx before the final one."""
_PASSWORD, _QUOTA, _BARRED = {401, 407}, {402, 429, 509}, {400, 403, 405, 451, 501}


def basic_login(username: str | None, password: str | None) -> bytes | None:
    """The value of Proxy-Authorization, or None without a user name."""
    if username is None:
        return None
    return b"Basic " + base64.b64encode(f"{username}:{password or ''}".encode())


class ConnectDialogue:
    """One CONNECT. `login` is the value of Proxy-Authorization."""

    def __init__(self, host: IPAddress | str, port: int, login: bytes | None) -> None:
        named = f"[{host}]" if isinstance(host, IPv6Address) else str(host)
        self._authority = f"{named}:{port}".encode()
        self._login = login
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_ANSWER)
        self._interim = 0
        self.done, self.asked, self.early = False, True, b""

    def begin(self) -> bytes:
        """The request."""
        headers = [(b"Host", self._authority)]
        if self._login is not None:
            headers.append((b"Proxy-Authorization", self._login))
        request = h11.Request(method=b"CONNECT", target=self._authority, headers=headers)
        return (self._http.send(request) or b"") + (self._http.send(h11.EndOfMessage()) or b"")

    def take(self, data: bytes) -> bytes:
        """Judge the answer once it is whole. Raises UpstreamError."""
        try:
            self._http.receive_data(data)
            while (event := self._http.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Response):
                    self._judge(event.status_code)
                    self.early, _ = self._http.trailing_data
                    self.done = True
                    break
                self._interim += 1
                if not isinstance(event, h11.InformationalResponse) or self._interim > MAX_INTERIM:
                    raise UpstreamError("garbled", "it closed without an answer")
        except h11.ProtocolError as error:
            why = "its answer is not HTTP" if data else "it closed without an answer"
            raise UpstreamError("garbled", why) from error
        return b""

    def _judge(self, status: int) -> None:
        if 200 <= status < 300:
            return
        if status in _PASSWORD:
            raise UpstreamError("password")
        if 300 <= status < 400:
            raise UpstreamError("garbled", "it answers with a redirect")
        if status >= 600:
            raise UpstreamError("garbled", f"status {status}")
        cause = "quota" if status in _QUOTA else "barred" if status in _BARRED else "no_way"
        raise UpstreamError(cause, f"status {status}")
