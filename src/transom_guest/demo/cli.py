"""The demo tool: `login` opens a browser, catches the callback on its own loopback port, saves the credential."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import os
import secrets
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import parse_qsl, urlencode, urlsplit

from transom_guest.demo import pages
from transom_guest.demo.grants import challenge_of

CLIENT = "transom-demo"
CALLBACK = "/callback"
WAIT_FOR_USER = 900
"""Seconds until the tool gives up."""
TOKEN_DEADLINE = 15
"""Seconds for the issuer's token endpoint."""
MAX_TOKENS = 64 * 1024


class LoginError(RuntimeError):
    """The sign-in did not work out; the text is for the user and holds no secret."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in: where it goes, and the two secrets that tie its ends together."""

    issuer: str
    redirect: str
    state: str
    verifier: str

    def url(self) -> str:
        """What the user opens."""
        query = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": self.redirect,
            "state": self.state,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
        }
        return f"{self.issuer}/authorize?{urlencode(query)}"


def login(issuer: str, home: Path) -> str:
    """Sign in and save; returns the account's name. Raises LoginError."""
    server = _Listener(("127.0.0.1", 0), _Callback)
    server.timeout = 1
    try:
        redirect = f"http://127.0.0.1:{server.server_address[1]}{CALLBACK}"
        attempt = Attempt(issuer, redirect, secrets.token_urlsafe(24), secrets.token_urlsafe(48))
        print(f"To sign in, open:\n\n{attempt.url()}\n", flush=True)  # noqa: T201
        open_browser(attempt.url())
        code = _await_code(server, attempt.state)
    finally:
        server.server_close()
    tokens = _redeem(attempt, code)
    return save(home, tokens, now=time.time())


def open_browser(url: str) -> None:
    """Hand `url` to BROWSER, when there is one; the user may open the printed URL as well."""
    browser = os.environ.get("BROWSER")
    if browser:
        with contextlib.suppress(OSError):
            subprocess.Popen([browser, url], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def save(home: Path, tokens: dict[str, Any], *, now: float) -> str:
    """Write `.config/transom-demo/credentials.json`, mode 0600, as a whole. Raises LoginError."""
    try:
        claims = json.loads(_unpadded(str(tokens["id_token"]).split(".")[1]))
        found = {
            "account": str(claims["sub"]),
            "access_token": str(tokens["access_token"]),
            "refresh_token": str(tokens["refresh_token"]),
            "expires_at": int(now) + int(tokens["expires_in"]),
        }
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise LoginError("the issuer's answer is not what was expected") from error
    folder = home / ".config" / "transom-demo"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = folder / f"credentials.json.{secrets.token_hex(4)}"
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(found, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / "credentials.json")
    return str(found["account"])


class _Listener(HTTPServer):
    """Waits for the answer to `state`, and keeps it in `found`."""

    state = ""
    found: dict[str, str] | None = None


class _Callback(BaseHTTPRequestHandler):
    server: _Listener
    server_version, sys_version = "transom-demo", ""
    timeout = 10

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        fields = dict(parse_qsl(parts.query[:4000], max_num_fields=20))
        right = parts.path == CALLBACK and hmac.compare_digest(
            fields.get("state", "").encode(),
            self.server.state.encode(),
        )
        if right:
            self.server.found = fields
        title, text = (
            ("Signed in", "The tool has what it needs. You may close this page.")
            if right and "code" in fields
            else ("Not signed in", "This is not the answer the tool waits for.")
        )
        body = pages.said(title, text)
        self.send_response(200 if right else 400)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", pages.POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: request lines hold codes."""


def _await_code(server: _Listener, state: str) -> str:
    server.state, server.found = state, None
    until = time.monotonic() + WAIT_FOR_USER
    while time.monotonic() < until:
        server.handle_request()
        if server.found is not None:
            if "code" not in server.found:
                raise LoginError("the sign-in was refused")
            return server.found["code"]
    raise LoginError("nobody signed in")


def _redeem(attempt: Attempt, code: str) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "client_id": CLIENT,
        "code": code,
        "redirect_uri": attempt.redirect,
        "code_verifier": attempt.verifier,
    }
    # no proxy: the issuer is in this machine
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(
            f"{attempt.issuer}/oauth/token", urlencode(form).encode(), timeout=TOKEN_DEADLINE
        ) as answer:
            tokens = json.loads(answer.read(MAX_TOKENS))
    except (URLError, OSError, ValueError) as error:
        raise LoginError("the issuer did not give a token") from error
    if not isinstance(tokens, dict):
        raise LoginError("the issuer's answer is not what was expected")
    return tokens


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
