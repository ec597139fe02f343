"""The command line in this process, in front of a server that answers from a table."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from transom.cli.main import app

TOKEN = "token-of-the-test"


@dataclass
class FakeServer:
    """`answers[(method, path)]` is (status, body) or a list of them, used one after the other."""

    url: str = ""
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        known = self.answers.get((method, path), (404, error("not_found", "no such thing")))
        if isinstance(known, list):
            known = known.pop(0) if len(known) > 1 else known[0]
        found: tuple[int, Any] = known
        return found


def error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            raw = self.rfile.read(length)
            body = raw if self.command == "PUT" else json.loads(raw) if length else None
            server.asked.append((self.command, self.path, body))
            server.headers.append(dict(self.headers))
            status, answer = server.answer(self.command, self.path)
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            if status in (429, 503):
                self.send_header("Retry-After", "7")
            self.send_header("Content-Length", str(0 if status == 204 else len(content)))
            self.end_headers()
            if status != 204:
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    fake = FakeServer()
    listener = ThreadingHTTPServer(("127.0.0.1", 0), handler(fake))
    fake.url = f"http://127.0.0.1:{listener.server_address[1]}"
    monkeypatch.setenv("TRANSOM_URL", fake.url)
    monkeypatch.setenv("TRANSOM_TOKEN", TOKEN)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    listener.shutdown()
    listener.server_close()
    thread.join()


Run = Callable[..., Result]


@pytest.fixture
def transom(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `transom ...`; an exception that is not expected fails the test."""

    def run(*arguments: str) -> Result:
        monkeypatch.setattr("sys.argv", ["transom", *arguments])
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run
