"""transom exit and transom echo: what they take, send and show; a password is never an argument."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from transom.cli import exits
from transom.cli.main import app

EXIT = {
    "id": "ext_" + "a" * 20,
    "label": "de-1",
    "scheme": "http",
    "host": "proxy.example",
    "port": 10001,
    "username": "us…",
    "region": "",
    "tags": [],
    "draining": False,
    "state": "healthy",
    "score": 97,
    "latency_ms": 40,
    "why": "",
    "address": "203.0.113.7",
    "users": ["ada"],
}


class FakeClient:
    """Remembers what was asked, and answers as the server would."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...], Any]] = []

    def get(self, *path: str, **query: str) -> Any:
        self.asked.append(("GET", path, query))
        if path == ("users",):
            return [{"id": "usr_ada", "name": "ada", "role": "user"}]
        return [] if path[-1] in ("leases", "lists") else [EXIT]

    def post(self, *path: str, body: Any = None, headers: Any = None) -> Any:
        self.asked.append(("POST", path, body))
        if path == ("exits",):
            return {"added": 2, "known": 1}
        if path[-1] == "move":
            return {"name": "ada", "label": "de-2", "address": "203.0.113.8"}
        if path[1] == "lists":
            return {"kind": path[2], "subject": path[3], **body}
        return [EXIT] if path == ("exits", "check") else EXIT

    def delete(self, *path: str) -> Any:
        self.asked.append(("DELETE", path, None))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    made = FakeClient()
    monkeypatch.setattr(exits, "connect", lambda state: made)
    return made


def run(*words: str, stdin: str | None = None) -> Any:
    return CliRunner().invoke(app, ["exit", *words], input=stdin)


def sent(client: FakeClient) -> list[str]:
    return [body["lines"] for method, path, body in client.asked if (method, path) == ("POST", ("exits",))]


@pytest.mark.parametrize(
    "url", ["http://u:secret@h.example:80", "h.example:80:u:secret", "socks5://u:secret@h.example"]
)
def test_a_password_in_an_argument_is_refused_with_the_other_ways(client: FakeClient, url: str) -> None:
    done = run("add", url)
    assert done.exit_code == 2
    assert "--password-stdin" in done.output and "transom exit import" in done.output
    assert "secret" not in done.output
    assert client.asked == []


def test_a_password_from_standard_input_a_file_or_the_environment(
    client: FakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text("p@ss:w\nsecond line\n")
    monkeypatch.setenv("SELLER", "p@ss:w")
    for words, stdin in (
        (["--password-stdin"], "p@ss:w\n"),
        (["--password-file", str(file)], None),
        (["--password-env", "SELLER"], None),
    ):
        done = run("add", "http://u@h.example:{1..2}", *words, stdin=stdin)
        assert done.exit_code == 0, done.output
        assert done.output.strip() == "2 exits added, 1 were known"
    assert sent(client) == ["http://u:p%40ss%3Aw@h.example:{1..2}"] * 3


def test_what_the_server_would_refuse_is_refused_here(client: FakeClient) -> None:
    for words in (
        ["add", "ftp://h.example"],
        ["add", "http://h.example", "--password-env", "NOT_SET_ANYWHERE"],
        ["add", "http://u@h.example", "--password-env", "A", "--password-stdin"],
    ):
        assert run(*words, stdin="x\n").exit_code == 2
    assert run("add", "http://h.example", "--password-stdin", stdin="x\n").exit_code == 2
    assert client.asked == []


def test_a_list_from_a_file_or_standard_input(client: FakeClient, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("# mine\nhttp://u:p@h.example:{1..50}\n")
    assert (
        run("import", str(file), "--label", "de", "--region", "DE", "--tag", "a", "--tag", "b").exit_code == 0
    )
    body = client.asked[-1][2]
    assert body == {"lines": file.read_text().strip(), "label": "de", "region": "DE", "tags": ["a", "b"]}
    assert run("import", "-", stdin="h.example:80:u:p\n").exit_code == 0
    assert run("import", str(tmp_path / "missing")).exit_code == 5
    wrong = run("import", "-", stdin="http://h.example\nnonsense://u:secret@x\n")
    assert wrong.exit_code == 2
    assert "line 2" in wrong.output and "secret" not in wrong.output


def test_a_long_list_goes_in_parts_of_whole_lines(client: FakeClient) -> None:
    lines = [f"http://user-{number}:{'p' * 60}@proxy.example:{number}" for number in range(1, 3001)]
    assert json.loads(run("import", "-", "--json", stdin="\n".join(lines)).output) == {"added": 6, "known": 3}
    parts = sent(client)
    assert len(parts) == 3
    assert max(map(len, parts)) <= exits.PART
    assert "\n".join(parts).splitlines() == lines


def test_what_is_shown(client: FakeClient) -> None:
    shown = run("list").output
    assert EXIT["id"] in shown and "de-1" in shown and "us…" in shown and "ada" in shown
    assert "203.0.113.7" in run("check").output
    assert json.loads(run("check", "de-1", "--json").output) == [EXIT]
    assert "Nobody has an exit." in run("leases").output
    assert "203.0.113.8" in run("move", "ada", "--to", "de-2").output
    assert client.asked[-1] == ("POST", ("exits", "leases", "usr_ada", "move"), {"exit": "de-2"})
    assert run("move", "nobody").exit_code == 5


def test_the_other_verbs(client: FakeClient) -> None:
    assert "being drained" in run("drain", "de-1").output
    assert "in use again" in run("drain", "de-1", "--undo").output
    assert "removed" in run("remove", "de-1").output
    assert [asked[:2] for asked in client.asked] == [
        ("POST", ("exits", "de-1", "drain")),
        ("POST", ("exits", "de-1", "resume")),
        ("DELETE", ("exits", "de-1")),
    ]


def test_lists_of_where_to(client: FakeClient) -> None:
    assert (
        run("lists", "user", "ada", "--allow", "a.org", "--allow", "b.org:443", "--deny", "c.org").exit_code
        == 0
    )
    wanted = {"allow": ["a.org", "b.org:443"], "deny": ["c.org"]}
    assert client.asked[-1] == ("POST", ("exits", "lists", "user", "usr_ada"), wanted)
    assert run("lists", "provider", "codex", "--clear").exit_code == 0
    assert client.asked[-1][:2] == ("DELETE", ("exits", "lists", "provider", "codex"))
    assert "No lists." in run("lists").output
    assert run("lists", "host", "x").exit_code == 2


def test_the_echo_service_says_where_it_is_and_stops_calmly() -> None:
    import signal
    import subprocess
    import sys

    import httpx

    words = [sys.executable, "-m", "transom", "echo", "serve", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(url, trust_env=False).text == "127.0.0.1\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
