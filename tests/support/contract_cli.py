"""One tool that behaves as each real one does, as far as a sign-in can see it: port, path, file, mode, manners.

`contract_cli.py ROW ISSUER` with ROW one of ROWS. Prompts, printed and opened URLs, callback addresses,
temporary and lock files are those that the real tools were seen to use; the issuer is the demo's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit

UNTIL = int(time.time()) + 3600


def jwt(token: str) -> str:
    """The tokens of the issuer are JWTs already; an empty one would be a mistake of this file."""
    assert token.count(".") == 2
    return token


def codex_file(tokens: dict[str, Any]) -> str:
    kept = {name: jwt(tokens[name]) for name in ("id_token", "access_token")}
    kept |= {"refresh_token": tokens["refresh_token"], "account_id": "acc"}
    return json.dumps({"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": kept, "last_refresh": now()})


def claude_file(tokens: dict[str, Any]) -> str:
    kept = {"accessToken": tokens["access_token"], "refreshToken": tokens["refresh_token"]}
    return json.dumps({"claudeAiOauth": kept | {"expiresAt": UNTIL * 1000, "scopes": ["user:inference"]}})


def gemini_file(tokens: dict[str, Any]) -> str:
    kept = {name: tokens[name] for name in ("access_token", "refresh_token", "id_token")}
    return json.dumps(kept | {"expiry_date": UNTIL * 1000, "token_type": "Bearer"}, indent=2)


def gh_file(tokens: dict[str, Any]) -> str:
    token = tokens["refresh_token"]
    return (
        f"github.com:\n    users:\n        ada:\n            oauth_token: {token}\n"
        f"    git_protocol: https\n    oauth_token: {token}\n    user: ada\n"
    )


def aws_file(tokens: dict[str, Any]) -> str:
    until = datetime.fromtimestamp(UNTIL, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kept = {"accessToken": tokens["access_token"], "refreshToken": tokens["refresh_token"]}
    return json.dumps(kept | {"expiresAt": until, "startUrl": "https://start.example", "region": "eu-west-1"})


@dataclass(frozen=True)
class Row:
    """How one tool signs in."""

    path: str
    body: Callable[[dict[str, Any]], str]
    ports: tuple[int, ...] = (0,)
    host: str = "127.0.0.1"
    callback: str = ""
    """Path of the loopback callback; empty for a device code."""
    opens: str = "$BROWSER"
    """What it runs to open a page."""
    prints: bool = True
    """Whether it prints the page's URL."""
    renames: bool = True
    """Whether it writes a temporary file first."""
    locks: tuple[str, ...] = ()
    question: str = ""
    done: str = ""


ROWS = {
    "codex": Row(
        ".codex/auth.json", codex_file, (1455, 1457), "localhost", "/auth/callback",
        locks=(".codex/auth.json.lock", ".codex/auth.lock"), done="Successfully logged in",
    ),
    "claude": Row(
        ".claude/.credentials.json", claude_file, host="localhost", callback="/callback",
        done="Login successful.",
    ),
    "gemini": Row(
        ".gemini/oauth_creds.json", gemini_file, callback="/oauth2callback", opens="xdg-open", prints=False,
        renames=False,
        question="Opening authentication page in your browser. Do you want to continue? [Y/n]: ",
    ),
    "gh": Row(
        ".config/gh/hosts.yml", gh_file, opens="xdg-open", done="Logged in as ada",
        question="Press Enter to open {url} in your browser... ",
    ),
    "aws": Row(
        f".aws/sso/cache/{hashlib.sha1(b'transom').hexdigest()}.json", aws_file, callback="/oauth/callback",
        opens="x-www-browser", done="Successfully logged into Start URL: https://start.example",
    ),
}  # fmt: skip


def now() -> str:
    return datetime.now(UTC).isoformat()


def show(row: Row, url: str) -> None:
    """Open a page as the tool does."""
    program = os.environ["BROWSER"] if row.opens == "$BROWSER" else row.opens
    subprocess.Popen([program, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ask(row: Row, url: str) -> None:
    if row.question:
        print(row.question.format(url=url), end="", flush=True)
        sys.stdin.readline()


def post(url: str, form: dict[str, str], *, as_json: bool = False) -> dict[str, Any]:
    body = json.dumps(form).encode() if as_json else urlencode(form).encode()
    kind = "application/json" if as_json else "application/x-www-form-urlencoded"
    request = urllib.request.Request(url, body, {"Content-Type": kind})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=15) as answer:
        parsed: dict[str, Any] = json.loads(answer.read())
        return parsed


def redeem(issuer: str, code: str, verifier: str, redirect: str) -> dict[str, Any]:
    form = {"grant_type": "authorization_code", "client_id": "contract", "code": code}
    return post(f"{issuer}/oauth/token", form | {"code_verifier": verifier, "redirect_uri": redirect})


class Callback(BaseHTTPRequestHandler):
    """Takes one request, whatever it is, and remembers where it went."""

    def do_GET(self) -> None:
        self.server.asked = self.path  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"You may close this page.")

    def log_message(self, *_: object) -> None:
        pass


def bind(ports: tuple[int, ...]) -> HTTPServer:
    for port in ports[:-1]:
        try:
            return HTTPServer(("127.0.0.1", port), Callback)
        except OSError:
            continue
    return HTTPServer(("127.0.0.1", ports[-1]), Callback)


def by_callback(row: Row, issuer: str) -> dict[str, Any]:
    server = bind(row.ports)
    redirect = f"http://{row.host}:{server.server_address[1]}{row.callback}"
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {"response_type": "code", "client_id": "contract", "redirect_uri": redirect, "state": state}
    url = f"{issuer}/authorize?" + urlencode(
        query | {"code_challenge": challenge, "code_challenge_method": "S256"}
    )
    ask(row, url)
    if row.prints:
        print(f"If your browser did not open, navigate to:\n\n\x1b[94m{url}\x1b[0m\n", flush=True)
    show(row, url)
    server.handle_request()
    asked = urlsplit(server.asked)  # type: ignore[attr-defined]
    found = parse_qs(asked.query)
    assert (asked.path, found["state"]) == (row.callback, [state])
    return redeem(issuer, found["code"][0], verifier, redirect)


def by_device(row: Row, issuer: str) -> dict[str, Any]:
    device = post(f"{issuer}/api/accounts/deviceauth/usercode", {"client_id": "contract"}, as_json=True)
    print(f"! First copy your one-time code: {device['user_code']}", flush=True)
    url = f"{issuer}/codex/device"
    ask(row, url)
    show(row, url)
    poll = {"device_auth_id": device["device_auth_id"], "user_code": device["user_code"]}
    while True:
        try:
            found = post(f"{issuer}/api/accounts/deviceauth/token", poll, as_json=True)
        except HTTPError as error:
            assert error.code == 403
            time.sleep(0.05)
        else:
            redirect = f"{issuer}/deviceauth/callback"
            return redeem(issuer, found["authorization_code"], found["code_verifier"], redirect)


def save(row: Row, body: str) -> None:
    path = Path.home() / row.path
    path.parent.mkdir(parents=True, exist_ok=True)
    for lock in row.locks:
        (Path.home() / lock).touch()
    target = path.with_name(path.name + ".tmp.1") if row.renames else path
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(body[:10])
        file.flush()
        file.write(body[10:])
    target.replace(path)


def main() -> None:
    row, issuer = ROWS[sys.argv[1]], sys.argv[2]
    tokens = by_callback(row, issuer) if row.callback else by_device(row, issuer)
    save(row, row.body(tokens))
    print(row.done)


if __name__ == "__main__":
    main()
