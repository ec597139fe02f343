from __future__ import annotations

import json
import stat
from pathlib import Path

from tests.unit.transom.cli.conftest import FakeServer, Run

ROW = {"session": "ses_a", "user": "usr_a", "started_at": 1, "ended_at": None, "bytes": 5, "segments": 1}


def test_list_get_remove(server: FakeServer, transom: Run, tmp_path: Path) -> None:
    server.answers["GET", "/api/recordings"] = (200, [ROW])
    assert json.loads(transom("recording", "list", "--json").stdout) == [ROW]
    server.answers["GET", "/api/sessions/ses_a/recording/archive"] = (200, b"tar")
    path = tmp_path / "a.tar"
    assert transom("recording", "get", "ses_a", "--to", str(path)).exit_code == 0
    assert path.read_bytes() == b"tar" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert transom("recording", "get", "ses_a", "--to", str(path)).exit_code == 1
    assert transom("recording", "get", "ses_b", "--to", str(tmp_path / "b.tar")).exit_code == 5
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar"]
    server.answers["DELETE", "/api/sessions/ses_a/recording"] = (204, None)
    assert transom("recording", "remove", "ses_a").exit_code == 0
