from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.unit.transom.cli.conftest import FakeServer, Run, error

FOLDER = "/api/sessions/ses_a/files"


def test_list(server: FakeServer, transom: Run) -> None:
    entry = {"name": "a\x1b[31m.txt", "size": 5, "modified_at": 1_800_000_000_000}
    server.answers["GET", FOLDER] = (
        200,
        {"policy": "both", "most_bytes": 9, "files": [entry], "more": False},
    )
    assert json.loads(transom("files", "list", "ses_a", "--json").stdout) == [entry]
    assert "\x1b" not in transom("files", "list", "ses_a").stdout


def test_put_sends_the_bytes(server: FakeServer, transom: Run, tmp_path: Path) -> None:
    (tmp_path / "u\u0308 1.bin").write_bytes(bytes(range(256)) * 1000)
    path = FOLDER + "/%C3%BC%201.bin"
    server.answers["PUT", path] = (201, {"name": "ü 1.bin", "size": 256_000})
    assert transom("files", "put", "ses_a", str(tmp_path / "u\u0308 1.bin")).exit_code == 0
    assert server.asked == [("PUT", path, bytes(range(256)) * 1000)]


def test_put_of_what_is_not_there_or_refused(server: FakeServer, transom: Run, tmp_path: Path) -> None:
    assert transom("files", "put", "ses_a", str(tmp_path / "none")).exit_code == 1
    (tmp_path / "a").write_bytes(b"x")
    server.answers["PUT", FOLDER + "/a"] = (403, error("scan_refused", "Eicar found"))
    result = transom("files", "put", "ses_a", str(tmp_path / "a"))
    assert result.exit_code == 4 and "Eicar found" in result.stderr


def test_get_writes_one_private_file_and_replaces_none_unasked(
    server: FakeServer, transom: Run, tmp_path: Path
) -> None:
    server.answers["GET", FOLDER + "/a"] = (200, b"content")
    assert transom("files", "get", "ses_a", "a", "--to", str(tmp_path)).exit_code == 0
    assert (tmp_path / "a").read_bytes() == b"content"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    server.answers["GET", FOLDER + "/a"] = (200, b"other")
    assert transom("files", "get", "ses_a", "a", "--to", str(tmp_path)).exit_code == 1
    assert (tmp_path / "a").read_bytes() == b"content"
    assert transom("files", "get", "ses_a", "a", "--to", str(tmp_path), "--force").exit_code == 0
    assert (tmp_path / "a").read_bytes() == b"other"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("name", ["../a", ".bashrc", "a/b"])
def test_get_asks_for_no_path(server: FakeServer, transom: Run, tmp_path: Path, name: str) -> None:
    assert transom("files", "get", "ses_a", name, "--to", str(tmp_path)).exit_code == 1
    assert server.asked == []


def test_get_of_what_is_missing_leaves_nothing(server: FakeServer, transom: Run, tmp_path: Path) -> None:
    assert transom("files", "get", "ses_a", "a", "--to", str(tmp_path)).exit_code == 5
    assert list(tmp_path.iterdir()) == []
