"""The agent as the machine runs it: a process on a real link, killed without warning and started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.test_signin_demo import processes_of
from tests.unit.transom_guest.fake_keeper import TOKEN, Conversation, FakeKeeper, fake_keeper
from tests.unit.transom_guest.signin.test_agent import tool
from transom_wire.link import CredentialSealed, CredentialStored, SigninStart, SigninState

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


@pytest.fixture
async def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeKeeper]:
    (tmp_path / "home").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/link-token").write_text(TOKEN)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TRANSOM_LINK_TOKEN_FILE", str(tmp_path / "run/link-token"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    async with fake_keeper(monkeypatch) as listening:
        yield listening


async def agent() -> asyncio.subprocess.Process:
    """As a server's machine has it that was started by nohup: deaf to a terminal's end."""
    return await asyncio.create_subprocess_exec("nohup", sys.executable, "-m", "transom_guest.signin")


async def until(call: Conversation, stage: str) -> SigninState:
    async with asyncio.timeout(PATIENCE):
        while True:
            message = await call.hear()
            if isinstance(message, SigninState) and message.stage == stage:
                return message


async def sealed(call: Conversation) -> CredentialSealed:
    async with asyncio.timeout(PATIENCE):
        while not isinstance(message := await call.hear(), CredentialSealed):
            pass
        return message


async def test_killed_it_leaves_nothing_and_its_successor_goes_on(keeper: FakeKeeper, tmp_path: Path) -> None:
    home = tmp_path / "home"
    spec = tool(
        'if [ -e twice ]; then mkdir -p .tool; echo \'{"token": "t"}\' > .tool/auth.json; exit; fi\n'
        "touch twice; echo https://id.example/x; sleep 1000 & wait"
    )
    first = await agent()
    call = await keeper.call()
    await call.say(SigninStart("flw_1", spec, "key", bytes(range(32)), "who"))
    assert (await until(call, "waiting")).url == "https://id.example/x"
    first.send_signal(signal.SIGKILL)
    await first.wait()
    async with asyncio.timeout(PATIENCE):
        while processes_of(home):
            await asyncio.sleep(0.05)

    second = await agent()
    call = await keeper.call()
    message = await sealed(call)
    assert (message.flow, message.serial) == ("flw_1", 1)
    await call.say(CredentialStored("flw_1", 1, True))
    await until(call, "done")

    second.send_signal(signal.SIGKILL)
    await second.wait()
    third = await agent()
    call = await keeper.call()
    await until(call, "done")
    fresh = home / ".tool/fresh"
    fresh.write_text(json.dumps({"token": "refreshed"}))
    os.replace(fresh, home / ".tool/auth.json")
    assert (await sealed(call)).serial == 2
    third.terminate()
    await third.wait()
