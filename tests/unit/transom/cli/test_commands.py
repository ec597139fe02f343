"""Each command in front of a server that answers from a table."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.unit.transom.cli.conftest import FakeServer, Run

SESSION = {
    "id": "ses_x",
    "state": "ready",
    "provider": "demo",
    "reason": None,
    "detail": "",
    "created_at": 1_800_000_000_000,
    "expires_at": None,
    "warnings": [],
    "timeline": {"ready": 1200},
    "signin": {
        "provider": "demo",
        "stage": "waiting",
        "message": "go on \x1b[31m",
        "url": "http://x",
        "user_code": "AB",
    },
}


def test_sessions_are_listed_and_shown(transom: Run, server: FakeServer) -> None:
    server.answers["GET", "/api/sessions"] = (200, [])
    assert "Start one" in transom("session", "list").stdout
    server.answers["GET", "/api/sessions"] = (200, [SESSION])
    assert "ses_x" in transom("session", "list").stdout
    assert json.loads(transom("session", "list", "--json").stdout) == [SESSION]
    server.answers["GET", "/api/sessions/ses_x"] = (200, SESSION)
    shown = transom("session", "show", "ses_x").stdout
    assert "demo: waiting go on" in shown
    assert "\x1b" not in shown
    assert "ready 1200" in shown
    assert json.loads(transom("session", "show", "ses_x", "--json").stdout) == SESSION


def test_a_session_is_made_with_what_was_given(transom: Run, server: FakeServer) -> None:
    server.answers["POST", "/api/sessions"] = (202, SESSION | {"state": "requested"})
    assert transom("session", "create", "--provider", "demo", "--width", "800").exit_code == 0
    assert server.asked == [("POST", "/api/sessions", {"provider": "demo", "width": 800})]
    assert len(server.headers[0]["Idempotency-Key"]) == 32


def test_waiting_until_a_session_is_ready_or_over(transom: Run, server: FakeServer) -> None:
    server.answers["POST", "/api/sessions"] = (202, SESSION | {"state": "requested"})
    booting, ready = SESSION | {"state": "booting"}, SESSION
    server.answers["GET", "/api/sessions/ses_x"] = [(200, booting), (200, ready)]
    made = transom("session", "create", "--wait", "20", "--json")
    assert json.loads(made.stdout)["state"] == "ready"
    failed = SESSION | {"state": "failed", "reason": "boot_timeout", "detail": "it was slow"}
    server.answers["GET", "/api/sessions/ses_x"] = (200, failed)
    over = transom("session", "create", "--wait", "20")
    assert over.exit_code == 1
    assert "boot_timeout it was slow" in over.stderr
    server.answers["GET", "/api/sessions/ses_x"] = (200, booting)
    late = transom("session", "create", "--wait", "0.01")
    assert "it is booting" in late.stderr


def test_sessions_are_stopped(transom: Run, server: FakeServer) -> None:
    server.answers["DELETE", "/api/sessions/ses_x"] = (202, SESSION)
    assert transom("session", "stop", "ses_x").stdout == "ses_x is ending\n"
    stopped = transom("session", "stop", "ses_x", "--json")
    assert json.loads(stopped.stdout) == {"ending": ["ses_x"]}
    assert transom("session", "stop", "ses_x", "ses_none").exit_code == 5


def pulled(**files: bytes) -> dict[str, Any]:
    listed = [{"path": path, "content": base64.b64encode(body).decode()} for path, body in files.items()]
    return {"provider": "demo", "generation": 3, "files": listed}


def test_a_credential_is_pulled(transom: Run, server: FakeServer, tmp_path: Path) -> None:
    server.answers["POST", "/api/credentials/demo/pull"] = (200, pulled(auth=b"s3cret"))
    to = tmp_path / "to"
    first = transom("credential", "pull", "demo", "--to", str(to))
    assert first.stdout == f"written: {to / 'auth'}\n"
    assert (to / "auth").read_bytes() == b"s3cret"
    assert stat.S_IMODE((to / "auth").stat().st_mode) == 0o600
    again = transom("credential", "pull", "demo", "--to", str(to), "--json")
    assert json.loads(again.stdout) == {
        "provider": "demo",
        "generation": 3,
        "to": str(to),
        "files": [{"path": "auth", "standing": "unchanged"}],
    }
    server.answers["POST", "/api/credentials/demo/pull"] = (200, pulled(auth=b"newer"))
    refused = transom("credential", "pull", "demo", "--to", str(to))
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert transom("credential", "pull", "demo", "--to", str(to), "--force").exit_code == 0
    assert (to / "auth").read_bytes() == b"newer"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"files": []},
        {"generation": 1, "files": [{"path": "a"}]},
        {"generation": 1, "files": [{"path": "a", "content": "no base64!"}]},
        {"generation": "1", "files": []},
        {"generation": 1, "files": [{"path": "../a", "content": "QQ=="}]},
        {"generation": 1, "files": [{"path": "a", "content": "QQ=="}, {"path": "a", "content": "QQ=="}]},
        {"generation": 1, "files": []},
    ],
)
def test_a_pull_that_cannot_be_read_writes_nothing(
    transom: Run, server: FakeServer, tmp_path: Path, answer: object
) -> None:
    server.answers["POST", "/api/credentials/demo/pull"] = (200, answer)
    result = transom("credential", "pull", "demo", "--to", str(tmp_path / "to"))
    assert result.exit_code == 1
    assert not (tmp_path / "to").exists()


def test_credentials_are_listed_and_forgotten(transom: Run, server: FakeServer) -> None:
    row = {"provider": "demo", "names": ["a"], "generation": 1, "created_at": 1, "expires_at": None}
    server.answers["GET", "/api/credentials"] = (200, [row])
    server.answers["DELETE", "/api/credentials/demo"] = (200, {"deleted": 1})
    assert "demo" in transom("credential", "list").stdout
    assert transom("credential", "forget", "demo").exit_code == 1, "nobody said yes"
    assert ("DELETE", "/api/credentials/demo", None) not in server.asked
    assert transom("credential", "forget", "demo", "--yes").stdout == "demo is forgotten\n"
    assert transom("credential", "forget", "none", "--yes").exit_code == 5


def test_tokens(transom: Run, server: FakeServer) -> None:
    server.answers["POST", "/api/tokens"] = (201, {"id": "tok_x", "label": "l", "token": "shown-once"})
    server.answers["GET", "/api/tokens"] = (200, [{"id": "tok_x", "label": "l", "created_at": 1}])
    server.answers["DELETE", "/api/tokens/tok_x"] = (204, None)
    assert transom("token", "create", "l").stdout == "shown-once\n"
    assert json.loads(transom("token", "create", "l", "--json").stdout)["token"] == "shown-once"
    assert "tok_x" in transom("token", "list").stdout
    assert transom("token", "remove", "tok_x").stdout == "tok_x is removed\n"
    assert json.loads(transom("token", "remove", "tok_x", "--json").stdout) == {"removed": "tok_x"}


def test_users(transom: Run, server: FakeServer) -> None:
    ada = {"id": "usr_x", "name": "ada", "role": "user"}
    server.answers["GET", "/api/users"] = (200, [ada])
    server.answers["POST", "/api/users"] = (201, ada)
    server.answers["POST", "/api/users/usr_x/key"] = (201, {"key": "k", "url": "http://x/?key=k"})
    server.answers["DELETE", "/api/users/usr_x"] = (204, None)
    assert "ada" in transom("user", "list").stdout
    assert "http://x/?key=k" in transom("user", "add", "ada").stdout
    assert server.asked[1] == ("POST", "/api/users", {"name": "ada", "role": "user"})
    assert transom("user", "add", "eve", "--administrator", "--json").exit_code == 0
    assert ("POST", "/api/users", {"name": "eve", "role": "administrator"}) in server.asked
    assert transom("user", "key", "ada").stdout == "http://x/?key=k\n"
    assert transom("user", "key", "usr_x").exit_code == 0
    assert transom("user", "remove", "ada").stdout == "ada is removed\n"
    assert transom("user", "remove", "nobody").exit_code == 5


def test_the_pool_and_what_failed_are_shown(transom: Run, server: FakeServer) -> None:
    pool = {
        "least": 1,
        "most": 4,
        "target": 2,
        "making": 0,
        "parked": 1,
        "memory_bytes": 300 * 2**20,
        "hits": 3,
        "misses": 1,
        "failures": 1,
        "last_failure": "no \x1b[31m space",
    }
    line = {"driver": "namespace", "warm": True, "outcome": "failed", "failed_stage": "display", "count": 2}
    parked = {
        "id": "mch_p",
        "driver": "namespace",
        "slot": 3,
        "phase": "parked",
        "session": None,
        "made_at": 1,
        "failed_stage": "",
        "cause": "",
        "usage": {"memory_bytes": 300 * 2**20, "pids": 41},
    }
    failed = parked | {
        "id": "mch_f",
        "phase": "over",
        "failed_stage": "display",
        "cause": "no X",
        "usage": {},
    }
    whole = {"pool": pool, "funnel": [line], "machines": [parked, failed]}
    server.answers["GET", "/api/machines?limit=0"] = (200, whole)
    server.answers["GET", "/api/machines"] = (200, whole)
    shown = transom("pool", "show").stdout
    assert "1 of 2 wanted (1 to 4)" in shown
    assert "300 MiB" in shown
    assert "3 of 4 sessions found one" in shown
    assert "\x1b" not in shown
    assert json.loads(transom("pool", "show", "--json").stdout) == {"pool": pool, "funnel": [line]}
    standing = transom("pool", "list").stdout
    assert "mch_p" in standing
    assert "mch_f" not in standing
    assert "no X" in transom("pool", "list", "--failed").stdout
    server.answers["GET", "/api/machines/mch_f/log"] = (200, {"log": "one\n\x1b[2Jtwo"})
    assert transom("pool", "log", "mch_f").stdout == "one\n [2Jtwo\n"
