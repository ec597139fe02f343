"""The demo issuer's HTTP: routes to Grants and pages, on 127.0.0.1 only, with limits on everything."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from transom_guest.demo import pages
from transom_guest.demo.grants import Grants, OAuthError, Pending

MAX_BODY = 16 * 1024
REQUEST_DEADLINE = 15
"""Seconds a connection may be silent."""
POLL_SECONDS = 1
"""How often a device should ask; short, because nobody but this machine asks."""
MAX_NAME = 40


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its fields come from the query, a form or a JSON object, all as text."""

    method: str
    path: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """Its answer; `location` makes it a redirect."""

    status: int
    body: bytes
    kind: str = "text/html; charset=utf-8"
    location: str = ""


def _json(status: int, value: object) -> Response:
    return Response(status, json.dumps(value).encode(), "application/json")


class Issuer:
    """Routes requests. No I/O of its own."""

    def __init__(self, grants: Grants, secret: Callable[[], str]) -> None:
        self._grants, self._secret = grants, secret
        self._lock = threading.Lock()
        self._routes: dict[tuple[str, str], Callable[[dict[str, str]], Response]] = {
            ("GET", "/"): lambda _: Response(200, pages.said("Demo issuer", "Nothing to do here.")),
            ("GET", "/authorize"): lambda f: Response(200, pages.allow_page(grants.ask(f))),
            ("POST", "/authorize"): self._allow,
            ("POST", "/oauth/token"): lambda f: _json(200, grants.redeem(f)),
            ("POST", "/api/accounts/deviceauth/usercode"): self._new_device,
            ("POST", "/api/accounts/deviceauth/token"): self._poll_device,
            ("GET", "/codex/device"): lambda _: Response(200, pages.code_page()),
            ("POST", "/codex/device"): self._confirm_device,
        }

    def answer(self, request: Request) -> Response:
        """The answer to `request`, errors included."""
        route = self._routes.get((request.method, request.path))
        if route is None:
            known = {path for _, path in self._routes}
            return Response(405 if request.path in known else 404, pages.said("Not here", "No such page."))
        try:
            with self._lock:
                return route(request.fields)
        except OAuthError as error:
            if request.path == "/authorize":
                return Response(400, pages.said("Sign-in refused", error.description))
            status = 403 if isinstance(error, Pending) else 400
            return _json(status, {"error": error.error, "error_description": error.description})

    def _allow(self, fields: dict[str, str]) -> Response:
        request, code = self._grants.allow(fields.get("request", ""), _account(fields))
        joint = "&" if urlsplit(request.redirect_uri).query else "?"
        back = request.redirect_uri + joint + urlencode({"code": code, "state": request.state})
        return Response(303, b"", location=back)

    def _new_device(self, fields: dict[str, str]) -> Response:
        device = self._grants.new_device(fields.get("client_id", ""))
        found = {"device_auth_id": device.id, "user_code": device.user_code, "interval": str(POLL_SECONDS)}
        return _json(200, found)

    def _poll_device(self, fields: dict[str, str]) -> Response:
        found = self._grants.poll_device(
            fields.get("device_auth_id", ""), fields.get("user_code", ""), self._secret()
        )
        return _json(200, found)

    def _confirm_device(self, fields: dict[str, str]) -> Response:
        try:
            self._grants.confirm_device(fields.get("code", ""), _account(fields))
        except OAuthError as error:
            return Response(400, pages.code_page(error.description))
        return Response(200, pages.said("Code accepted", "The tool is signed in. You may close this page."))


def _account(fields: dict[str, str]) -> str:
    name = "".join(char for char in fields.get("name", "") if char.isprintable())
    return " ".join(name.split())[:MAX_NAME] or "demo"


def parse_fields(kind: str, body: bytes) -> dict[str, str]:
    """The text fields of a form or a JSON object; anything else has none."""
    try:
        text = body.decode()
        if kind == "application/json":
            found = json.loads(text)
            pairs: Any = found.items() if isinstance(found, dict) else ()
        elif kind == "application/x-www-form-urlencoded":
            pairs = parse_qsl(text, max_num_fields=50)
        else:
            pairs = ()
    except (ValueError, RecursionError):
        return {}
    return {key: value for key, value in pairs if isinstance(value, str)}


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "transom-demo", ""
    protocol_version = "HTTP/1.1"
    timeout = REQUEST_DEADLINE
    issuer: Issuer
    hosts: frozenset[str]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        try:
            fields = dict(parse_qsl(parts.query, max_num_fields=50))
        except ValueError:
            fields = {}
        self._serve(Request("GET", parts.path, fields))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY:
            self.close_connection = True
            self._reply(Response(413, b"", "text/plain"))
            return
        body = self.rfile.read(int(length))
        kind = self.headers.get_content_type()
        self._serve(Request("POST", urlsplit(self.path).path, parse_fields(kind, body)))

    def _serve(self, request: Request) -> None:
        # a page of the outside world must not reach this server under a name of its own
        if self.headers.get("Host", "") not in self.hosts or self._foreign(request.method):
            self._reply(Response(403, b"", "text/plain"))
        else:
            self._reply(self.issuer.answer(request))

    def _foreign(self, method: str) -> bool:
        origin = self.headers.get("Origin")
        allowed = {f"http://{host}" for host in self.hosts}
        return method == "POST" and origin is not None and origin not in allowed

    def _reply(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.kind)
        self.send_header("Content-Length", str(len(response.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "same-origin")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", pages.POLICY)
        if response.location:
            self.send_header("Location", response.location)
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: request lines hold codes."""


def serve(port: int) -> ThreadingHTTPServer:
    """An issuer bound to 127.0.0.1:`port` (0 for any); the caller runs `serve_forever`. Raises OSError."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler, bind_and_activate=False)
    server.daemon_threads = True
    server.allow_reuse_address = True
    server.server_bind()
    server.server_activate()
    bound = server.server_address[1]

    def secret() -> str:
        return secrets.token_urlsafe(32)

    grants = Grants(
        issuer=f"http://127.0.0.1:{bound}", now=time.time, secret=secret, key=secrets.token_bytes(32)
    )
    names = frozenset({f"127.0.0.1:{bound}", f"localhost:{bound}"})
    server.RequestHandlerClass = type(
        "Handler", (_Handler,), {"issuer": Issuer(grants, secret), "hosts": names}
    )
    return server
