"""The command line's side of the HTTP API: where the server is, who asks, and what its errors mean here."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from transom.auth.origin import loopback
from transom.cli.failure import FAILED, NOT_ALLOWED, NOT_FOUND, UNREACHABLE, Failure

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 30.0
SOON_S = 5.0
"""For a first word of a server that is well; one that is stopped or swamped takes connections, and says nothing."""
CLIENT_FILE = "client.json"
CLIENT_FILE_LIMIT = 64 * 1024
EXIT_CODES = {401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: NOT_FOUND, 410: NOT_FOUND, 429: UNREACHABLE}


@dataclass(frozen=True, slots=True)
class Place:
    """A server and the token for it. The token is never shown."""

    url: str
    token: str

    def __repr__(self) -> str:
        return f"Place({self.url!r})"


def find_server(state: Path | None, environment: Mapping[str, str] = os.environ) -> Place:
    """By TRANSOM_URL and TRANSOM_TOKEN, or else by the file that `transom serve` leaves. Raises Failure."""
    url, token = environment.get("TRANSOM_URL", ""), environment.get("TRANSOM_TOKEN", "")
    if url and not token:
        # The token of this host's own server is not for another one.
        raise Failure("TRANSOM_URL is set, and TRANSOM_TOKEN is not", mend="export TRANSOM_TOKEN=...")
    if not url:
        url, own = _read_client_file(_folder(state) / CLIENT_FILE)
        token = token or own
    if not token.isascii() or not token.isprintable():
        raise Failure("the token has characters that no token has", exit_code=NOT_ALLOWED)
    return Place(_checked(url), token)


def _folder(state: Path | None) -> Path:
    if state is not None:
        return state
    from transom.settings import default_state

    return default_state()


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        plain = False
    if not plain or "@" in url:
        raise Failure("the server's URL must be http://HOST[:PORT] or https://HOST[:PORT]")
    if parts.scheme == "http" and not loopback(parts.netloc):
        print("transom: warning: this token travels in clear; use https", file=sys.stderr)
    return url.rstrip("/")


def _read_client_file(path: Path) -> tuple[str, str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        mend = f"start one: transom serve --state {path.parent}; or export TRANSOM_URL and TRANSOM_TOKEN"
        raise Failure(f"no server is known in {path.parent}", mend=mend, exit_code=UNREACHABLE) from None
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}", exit_code=NOT_ALLOWED) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()):
            raise Failure(f"{path} is not yours", exit_code=NOT_ALLOWED)
        if found.st_mode & 0o077:
            raise Failure(f"others can read {path}", mend=f"chmod 600 {path}", exit_code=NOT_ALLOWED)
        body = os.read(descriptor, CLIENT_FILE_LIMIT)
    finally:
        os.close(descriptor)
    try:
        known = json.loads(body)
        return str(known["url"]), str(known["token"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Failure(f"{path} is damaged", mend="start the server again") from None


class Client:
    """Calls the API and returns its JSON. Every call raises Failure for whatever is not success."""

    def __init__(self, place: Place, transport: httpx.BaseTransport | None = None) -> None:
        import httpx

        near = loopback(urlsplit(place.url).netloc)
        self._place = place
        self._http = httpx.Client(
            base_url=place.url,
            headers={"Authorization": f"Bearer {place.token}", "Accept": "application/json"},
            timeout=TIMEOUT_S,
            trust_env=not near,
            transport=transport,
        )

    @property
    def url(self) -> str:
        """The server's address, without a path."""
        return self._place.url

    def get(self, *path: str, **query: str) -> Any:
        """GET; each word of `path` is one segment, quoted."""
        return self._call("GET", path, params=query)

    def soon(self, *path: str) -> Any:
        """GET of what a server that is well answers at once; Failure after SOON_S."""
        return self._call("GET", path, timeout=SOON_S)

    def post(self, *path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """POST `body` as JSON."""
        return self._call("POST", path, json={} if body is None else body, headers=dict(headers or {}))

    def delete(self, *path: str) -> Any:
        """DELETE."""
        return self._call("DELETE", path)

    def put_file(self, *path: str, content: Iterable[bytes], size: int) -> Any:
        """PUT a body of `size` bytes as it is read."""
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        return self._call("PUT", path, content=content, headers=headers)

    @contextmanager
    def stream(self, *path: str) -> Iterator[Iterator[bytes]]:
        """GET a body piece by piece. An end before its time is a Failure."""
        import httpx

        try:
            with self._http.stream("GET", _address(path)) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _refusal(answer)
                yield answer.iter_bytes()
        except httpx.HTTPError:
            raise self._away() from None

    @property
    def bearer(self) -> dict[str, str]:
        """The header that signs in, for a WebSocket."""
        return {"Authorization": f"Bearer {self._place.token}"}

    def socket_url(self, *path: str) -> str:
        """The WebSocket address of a path of the API."""
        base = self._place.url.replace("http", "ws", 1)
        return base + _address(path)

    def _call(self, method: str, path: tuple[str, ...], **how: Any) -> Any:
        import httpx

        try:
            answer = self._http.request(method, _address(path), **how)
        except (httpx.ReadTimeout, httpx.WriteTimeout):
            raise self._hangs() from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            raise self._away() from None
        if answer.is_success:
            return _body(answer)
        raise _refusal(answer)

    def _away(self) -> Failure:
        mend = "is it running? transom doctor"
        where = self._place.url
        return Failure(f"{where} does not answer", mend=mend, code="unreachable", exit_code=UNREACHABLE)

    def _hangs(self) -> Failure:
        text = f"{self._place.url} does not answer: it takes connections and says nothing, as a server that is stopped"
        mend = "is its process stopped, or its host out of breath? transom doctor"
        return Failure(text, mend=mend, code="unreachable", exit_code=UNREACHABLE)


def _address(path: tuple[str, ...]) -> str:
    return "/api/" + "/".join(quote(part, safe="") for part in path)


def _body(answer: httpx.Response) -> Any:
    if answer.status_code == 204 or not answer.content:
        return None
    try:
        return answer.json()
    except (ValueError, RecursionError):
        raise Failure("the server's answer is not JSON: is this a transom server?") from None


def _refusal(answer: httpx.Response) -> Failure:
    exit_code = EXIT_CODES.get(answer.status_code, UNREACHABLE if answer.status_code >= 500 else FAILED)
    try:
        error = answer.json()["error"]
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        code, message = "http", f"the server answered {answer.status_code}: is this a transom server?"
    wait = answer.headers.get("Retry-After", "")
    mend = f"try again in {wait} s" if wait.isdigit() else ""
    if answer.status_code == 401:
        mend = "export a TRANSOM_TOKEN that is valid, or start the server again on this state folder"
    return Failure(message, mend=mend, code=code, exit_code=exit_code)


def connect(state: Path | None) -> Client:
    """A client of the server that is meant. Raises Failure."""
    return Client(find_server(state))
