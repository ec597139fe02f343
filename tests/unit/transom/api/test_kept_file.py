from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from transom.api.kept_file import KeptFile
from transom.model.errors import NotFound

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "headers": [],
    "asgi": {"spec_version": "2.4"},
}


async def receive() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def test_a_file_that_is_removed_while_it_is_sent_comes_whole(tmp_path: Path) -> None:
    path, said, before = tmp_path / "one.mp4", list[Any](), len(os.listdir("/proc/self/fd"))
    path.write_bytes(b"x" * 300_000)

    async def send(message: Any) -> None:
        path.unlink(missing_ok=True)
        said.append(message)

    await KeptFile(path, media_type="video/mp4")(SCOPE, receive, send)
    assert said[0]["status"] == 200 and (b"content-length", b"300000") in said[0]["headers"]
    assert b"".join(message["body"] for message in said[1:]) == b"x" * 300_000
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("range", "status", "code", "about"),
    [
        ("bytes=5-1", 400, "invalid", None),
        ("bytes=", 400, "invalid", None),
        ("lines=1-2", 400, "invalid", None),
        ("nothing", 400, "invalid", None),
        ("bytes=10-", 416, "no_such_range", b"bytes */10"),
        ("bytes=2-3", 206, None, b"bytes 2-3/10"),
    ],
)
async def test_a_range_that_cannot_be_is_refused_as_everything_is(
    tmp_path: Path, range: str, status: int, code: str | None, about: bytes | None
) -> None:
    path, said = tmp_path / "one.mp4", list[Any]()
    path.write_bytes(b"0123456789")

    async def send(message: Any) -> None:
        said.append(message)

    scope = {**SCOPE, "headers": [(b"range", range.encode())]}
    await KeptFile(path, media_type="video/mp4")(scope, receive, send)
    headers, content = dict(said[0]["headers"]), b"".join(message["body"] for message in said[1:])
    assert (said[0]["status"], headers.get(b"content-range")) == (status, about)
    assert int(headers[b"content-length"]) == len(content)
    if code is None:
        assert content == b"23"
    else:
        assert headers[b"content-type"] == b"application/json"
        assert json.loads(content)["error"]["code"] == code


async def test_one_that_was_removed_before_is_not_found(tmp_path: Path) -> None:
    async def send(message: Any) -> None:
        raise AssertionError(message)

    with pytest.raises(NotFound):
        await KeptFile(tmp_path / "gone.mp4")(SCOPE, receive, send)
