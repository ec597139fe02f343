"""Where the server is, who asks, and what its errors mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.transom.cli.conftest import TOKEN, FakeServer, Run, error
from transom.cli.client import Client, Place, find_server
from transom.cli.failure import Failure


def client_file(folder: Path, body: object, mode: int = 0o600) -> Path:
    path = folder / "client.json"
    path.write_text(body if isinstance(body, str) else json.dumps(body))
    path.chmod(mode)
    return path


KNOWN = {"url": "http://127.0.0.1:4000", "token": "t"}


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    client_file(tmp_path, KNOWN)
    assert find_server(tmp_path, {}) == Place("http://127.0.0.1:4000", "t")
    assert find_server(tmp_path, {"TRANSOM_TOKEN": "mine"}).token == "mine"
    given = {"TRANSOM_URL": "https://desk.example/", "TRANSOM_TOKEN": "mine"}
    assert find_server(tmp_path, given) == Place("https://desk.example", "mine")


def test_a_servers_own_token_goes_to_no_other_server(tmp_path: Path) -> None:
    client_file(tmp_path, KNOWN)
    with pytest.raises(Failure, match="TRANSOM_TOKEN is not"):
        find_server(tmp_path, {"TRANSOM_URL": "https://evil.example"})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "desk.example",
        "ftp://desk.example",
        "http://",
        "http://user:pw@desk.example",
        "http://h:99999",
        "http://[::1",
        "http://desk.example@evil",
    ],
)
def test_urls_that_cannot_be(tmp_path: Path, url: str) -> None:
    client_file(tmp_path, {"url": url, "token": "t"})
    with pytest.raises(Failure):
        find_server(tmp_path, {})


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"url": "http://127.0.0.1"}', "[" * 60_000])
def test_a_damaged_file_is_said_so(tmp_path: Path, body: str) -> None:
    client_file(tmp_path, body)
    with pytest.raises(Failure, match="damaged"):
        find_server(tmp_path, {})


def test_a_file_that_others_read_is_refused(tmp_path: Path) -> None:
    path = client_file(tmp_path, KNOWN, 0o644)
    with pytest.raises(Failure) as refused:
        find_server(tmp_path, {})
    assert refused.value.mend == f"chmod 600 {path}"


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    client_file(tmp_path / "real", KNOWN)
    (tmp_path / "client.json").symlink_to(tmp_path / "real" / "client.json")
    with pytest.raises(Failure):
        find_server(tmp_path, {})
    (tmp_path / "client.json").unlink()
    (tmp_path / "client.json").mkdir(0o700)
    with pytest.raises(Failure):
        find_server(tmp_path, {})


def test_a_token_in_clear_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    find_server(tmp_path, {"TRANSOM_URL": "http://desk.example", "TRANSOM_TOKEN": "t"})
    assert "in clear" in capsys.readouterr().err
    find_server(tmp_path, {"TRANSOM_URL": "http://localhost:4000", "TRANSOM_TOKEN": "t"})
    assert capsys.readouterr().err == ""


def test_a_token_is_sent_and_never_shown(server: FakeServer) -> None:
    place = Place(server.url, TOKEN)
    assert TOKEN not in repr(place)
    server.answers["GET", "/api/me"] = (200, {"id": "usr_x"})
    assert Client(place).get("me") == {"id": "usr_x"}
    assert server.headers[0]["Authorization"] == f"Bearer {TOKEN}"


def test_words_of_a_path_cannot_leave_it(server: FakeServer) -> None:
    with pytest.raises(Failure):
        Client(Place(server.url, TOKEN)).get("sessions", "../users?x#y")
    assert server.asked == [("GET", "/api/sessions/..%2Fusers%3Fx%23y", None)]


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [
        (400, 1),
        (401, 4),
        (403, 4),
        (404, 5),
        (409, 1),
        (410, 5),
        (413, 1),
        (422, 1),
        (429, 3),
        (500, 3),
        (503, 3),
    ],
)
def test_errors_have_exit_codes(transom: Run, server: FakeServer, status: int, exit_code: int) -> None:
    server.answers["GET", "/api/sessions"] = (status, error("some_code", "a sentence \x1b[2J here"))
    result = transom("session", "list")
    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert "a sentence" in result.stderr
    assert "\x1b" not in result.stderr
    if status in (429, 503):
        assert "try again in 7 s" in result.stderr
    as_json = transom("session", "list", "--json")
    assert json.loads(as_json.stderr)["error"]["code"] == "some_code"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": 1}', b"[" * 100_000])
def test_what_is_no_transom_server_is_asked_about(transom: Run, server: FakeServer, body: bytes) -> None:
    server.answers["GET", "/api/sessions"] = (502, body)
    result = transom("session", "list")
    assert result.exit_code == 3
    assert "is this a transom server?" in result.stderr
    if body:
        server.answers["GET", "/api/sessions"] = (200, b"<html>")
        assert "not JSON" in transom("session", "list").stderr


def test_a_redirect_does_not_take_the_token_along(transom: Run, server: FakeServer) -> None:
    server.answers["GET", "/api/sessions"] = (302, {})
    assert transom("session", "list").exit_code == 1
    assert len(server.asked) == 1


def test_nobody_listens(transom: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSOM_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TRANSOM_TOKEN", TOKEN)
    result = transom("session", "list")
    assert result.exit_code == 3
    assert "does not answer" in result.stderr
    assert TOKEN not in result.output


def test_a_proxy_of_the_environment_does_not_see_the_way_to_ourselves(
    transom: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server.answers["GET", "/api/sessions"] = (200, [])
    assert transom("session", "list").exit_code == 0
