"""Files through everything: a viewer's HTTP, the controller, the keeper, and the guest of a real machine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.server import Server, running_server

pytestmark = pytest.mark.machine
SIZE = 100 * 2**20
GROWTH_KIB = 24 * 1024
"""More memory than this the controller does not take for a file four times as large."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    settings = {"TRANSOM_PROGRAM": "terminal", "TRANSOM_MEMORY_MIB": "1024", "TRANSOM_FILES_MIB": "128"}
    with running_server(settings) as started:
        yield started
        assert "Traceback" not in started.log(), started.log()[-6000:]


def content() -> Iterator[bytes]:
    for number in range(SIZE // 65536):
        yield number.to_bytes(4, "big") * 16384


def peak_kib(server: Server) -> int:
    assert server.process
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{server.process.pid}/status").read_text())
    assert found
    return int(found[1])


def test_a_hundred_megabytes_up_and_down_in_little_memory(server: Server) -> None:
    session = server.create()["id"]
    server.wait_for(session, "ready")
    folder = f"/api/sessions/{session}/files"
    with server.client() as client:
        client.timeout = httpx.Timeout(120)
        assert client.get(folder).json()["files"] == []
        assert client.put(f"{folder}/small", content=b"x" * 100_000).status_code == 201
        before = peak_kib(server)
        assert client.put(f"{folder}/big", content=content()).json()["size"] == SIZE
        back = hashlib.sha256()
        with client.stream("GET", f"{folder}/big") as answer:
            for data in answer.iter_bytes():
                back.update(data)
        expected = hashlib.sha256()
        for data in content():
            expected.update(data)
        assert back.hexdigest() == expected.hexdigest()
        assert peak_kib(server) - before < GROWTH_KIB
        # the home of this machine is a tmpfs, a part of its memory: there is an end to it
        for number in range(12):
            answer = client.put(f"{folder}/more{number}", content=content())
            if answer.status_code != 201:
                break
        assert (answer.status_code, answer.json()["error"]["code"]) == (507, "full")
        names = [each["name"] for each in client.get(folder).json()["files"]]
        assert f"more{number}" not in names and "big" in names
        assert client.delete(f"{folder}/big").status_code == 204
        assert client.get(f"/api/sessions/{session}").json()["state"] == "ready"
