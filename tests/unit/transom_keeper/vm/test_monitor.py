"""The monitor against a VMM that says what a test wants."""

from __future__ import annotations

import array
import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from transom_keeper.vm import monitor as module
from transom_keeper.vm.monitor import Monitor
from transom_keeper.vm.qmp import QmpError

Answers = Callable[[dict[str, Any]], object]


class Vmm:
    """Greets, and answers each command by `answers`; None is silence."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.connection.setblocking(False)
        self.asked: list[dict[str, Any]] = []
        self.got: list[int] = []
        self.answers: Answers = lambda asked: {}

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.connection, b'{"QMP": {"version": {}, "capabilities": []}}\r\n')
        while line := await self._line():
            asked = json.loads(line)
            self.asked.append(asked)
            answer = self.answers(asked)
            if answer is None:
                continue
            said = {"error": answer} if isinstance(answer, dict) and "desc" in answer else {"return": answer}
            event = b'{"event": "SOMETHING"}\r\n'
            await loop.sock_sendall(
                self.connection, event + json.dumps({**said, "id": asked["id"]}).encode() + b"\r\n"
            )

    async def _line(self) -> bytes:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self.connection, lambda: ready.done() or ready.set_result(None))
        await ready
        loop.remove_reader(self.connection)
        data, ancillary, _, _ = self.connection.recvmsg(4096, socket.CMSG_SPACE(16))
        for _, _, raw in ancillary:
            self.got += list(array.array("i", raw))
        return data


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Monitor, Vmm]]:
    ours, theirs = socket.socketpair()
    vmm = Vmm(theirs)
    serving = asyncio.ensure_future(vmm.serve())
    made = Monitor(ours)
    yield made, vmm
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    made.close()
    theirs.close()
    for descriptor in vmm.got:
        os.close(descriptor)


async def test_it_opens_and_asks(pair: tuple[Monitor, Vmm]) -> None:
    monitor, vmm = pair
    vmm.answers = lambda asked: {"status": "paused"}
    await monitor.open()
    assert await monitor.ask("query-status", some_thing=1) == {"status": "paused"}
    assert [each["execute"] for each in vmm.asked] == ["qmp_capabilities", "query-status"]
    assert vmm.asked[1]["arguments"] == {"some-thing": 1}


async def test_a_refusal_is_an_error_in_the_vmm_s_words(pair: tuple[Monitor, Vmm]) -> None:
    monitor, vmm = pair
    await monitor.open()
    vmm.answers = lambda asked: {"desc": "not while it is raining"}
    with pytest.raises(QmpError, match="raining"):
        await monitor.ask("cont")


async def test_silence_and_the_end_are_errors(
    pair: tuple[Monitor, Vmm], monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor, vmm = pair
    await monitor.open()
    vmm.answers = lambda asked: None
    monkeypatch.setattr(module, "COMMAND_SECONDS", 0.05)
    with pytest.raises(QmpError, match="does not answer stop"):
        await monitor.ask("stop")
    vmm.connection.close()
    with pytest.raises(QmpError):
        await monitor.ask("stop")


async def test_a_vmm_that_never_comes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(module, "GREETING_SECONDS", 0.05)
    with theirs, pytest.raises(QmpError, match="come up"):
        await Monitor(ours).open()
    ours.close()


async def test_saving_hands_a_descriptor_over_and_waits(pair: tuple[Monitor, Vmm]) -> None:
    monitor, vmm = pair
    await monitor.open()
    states = iter(["setup", "active", "completed"])
    vmm.answers = lambda asked: {"status": next(states)} if asked["execute"] == "query-migrate" else {}
    reader, writer = os.pipe()
    await monitor.save(writer)
    os.close(writer)
    os.write(vmm.got[0], b"memory")
    assert os.read(reader, 10) == b"memory"
    os.close(reader)
    asked = [each["execute"] for each in vmm.asked[1:]]
    assert asked[:3] == ["migrate-set-parameters", "getfd", "migrate"] and "completed" not in asked


async def test_loading_lets_the_machine_go_on_only_when_all_is_there(pair: tuple[Monitor, Vmm]) -> None:
    monitor, vmm = pair
    await monitor.open()
    vmm.answers = lambda asked: {"status": "completed"}
    await monitor.load(7)
    assert vmm.asked[-1]["execute"] == "cont"
    assert {"uri": "fd:7"} in [each.get("arguments") for each in vmm.asked]
    vmm.answers = lambda asked: {"status": "failed", "error-desc": "bad section"}
    with pytest.raises(QmpError, match="bad section"):
        await monitor.load(7)
    assert [each["execute"] for each in vmm.asked].count("cont") == 1
