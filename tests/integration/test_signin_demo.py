"""The demo provider from click to sealed credential, with its real issuer and tool as processes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.server import free_port
from tests.support.signin_lab import PATIENCE, SigninLab, click_allow, on_port
from transom.signin.catalog import read_provider
from transom_wire.link import CredentialStored, SigninCancel, SigninSpec

ROOT = Path(__file__).resolve().parents[2]
NAME = ".config/transom-demo/credentials.json"


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> SigninSpec:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    demo = on_port(read_provider(ROOT / "providers/demo.toml").spec, free_port())
    python = {"python3": sys.executable}
    return replace(
        demo,
        argv=tuple(python.get(part, part) for part in demo.argv),
        companion=tuple(python.get(part, part) for part in demo.companion),
    )


def processes_of(home: Path) -> list[int]:
    """Living processes whose environment has this home: the tool, the companion and their children."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if f"HOME={home}\0".encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


async def test_sign_in_is_sealed_and_opens_with_the_private_key(spec: SigninSpec) -> None:
    async with SigninLab(browse=click_allow) as lab:
        lab.start(spec)
        await lab.until("done")
        message = lab.sealed[0]
        files = lab.opened(message)
        saved = json.loads(files[NAME])
        assert message.names == (NAME,)
        assert saved["account"] == "Ada"
        assert message.expires_at == saved["expires_at"] * 1000
        assert (lab.home / NAME).stat().st_mode & 0o777 == 0o600
        assert len(lab.urls) == 1, "the page is opened once though the tool prints it too"
        assert [state.stage for state in lab.states] == ["starting", "waiting", "saving", "done"]
        secrets = (saved["access_token"], saved["refresh_token"])
        assert not [state for state in lab.states for secret in secrets if secret in repr(state)]


async def test_nothing_is_left_running_after_cancel(spec: SigninSpec) -> None:
    async with SigninLab() as lab:
        flow = lab.start(spec)
        await lab.until("waiting")
        assert len(processes_of(lab.home)) >= 2
        lab.link.tell(SigninCancel(flow))
        await lab.until("cancelled")
        async with asyncio.timeout(PATIENCE):
            while processes_of(lab.home):
                await asyncio.sleep(0.05)


async def test_done_waits_for_the_vault_and_a_new_link_hears_everything_again(spec: SigninSpec) -> None:
    async with SigninLab(browse=click_allow, answers=False) as lab:
        flow = lab.start(spec)
        await lab.serial(1)
        assert not [state for state in lab.states if state.stage == "done"]
        lab.link.cut()
        lab.sealed.clear()
        lab.connect()
        await lab.serial(1)
        lab.link.tell(CredentialStored(flow, 1, True))
        await lab.until("done")


async def test_a_refreshed_file_gets_the_next_serial_even_after_the_agent_died(spec: SigninSpec) -> None:
    async with SigninLab(browse=click_allow) as lab:
        lab.start(spec)
        await lab.until("done")
        await lab.kill()
        path = lab.home / NAME
        saved = json.loads(path.read_text()) | {"access_token": "refreshed"}
        fresh = path.with_suffix(".tmp")
        fresh.write_text(json.dumps(saved))
        os.chmod(fresh, 0o600)
        fresh.replace(path)
        message = await lab.serial(2)
        assert json.loads(lab.opened(message)[NAME])["access_token"] == "refreshed"
