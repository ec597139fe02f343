from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from transom_guest import identity as module
from transom_guest.identity import IdentityError, Sandbox, VirtualMachine, taker
from transom_guest.vm import identity as root_part
from transom_wire.link import Identity

IDENTITY = Identity("ses_a", 800, 600, "about:blank", "b" * 32, "desk", b"s" * 64, 1_700_000_000_000)


def test_who_takes_identities_is_told_by_the_environment() -> None:
    assert isinstance(taker({}), Sandbox) and not taker({}).clones
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    found = taker({module.ROOT_FDS: f"{writing},{reading}"})
    assert isinstance(found, VirtualMachine) and found.clones
    assert not os.get_inheritable(reading)
    os.close(reading)
    os.close(writing)


async def test_a_sandbox_mixes_the_seed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed: list[bytes] = []
    monkeypatch.setattr(module, "_mix_in", mixed.append)
    await Sandbox().take(IDENTITY)
    assert mixed == [IDENTITY.seed]


async def test_the_real_device_takes_it_from_anybody() -> None:
    await Sandbox().take(IDENTITY)


async def test_a_sandbox_without_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_seed: bytes) -> None:
        raise FileNotFoundError(2, "no such device")

    monkeypatch.setattr(module, "_mix_in", missing)
    with pytest.raises(IdentityError, match="no such device"):
        await Sandbox().take(IDENTITY)


async def answered(answer: bytes) -> tuple[bytes, BaseException | None]:
    """What a root part is asked that says `answer`, and how that went."""
    asked, asks = os.pipe()
    answers, says = os.pipe()
    task = asyncio.create_task(VirtualMachine(asks, answers).take(IDENTITY))
    line = await asyncio.to_thread(os.read, asked, 4096)
    os.write(says, answer)
    os.close(says)
    failure = (await asyncio.gather(task, return_exceptions=True))[0]
    os.close(asked)
    return line, failure


async def test_a_root_part_is_asked_for_all_that_needs_root() -> None:
    line, failure = await answered(root_part.TAKEN)
    assert failure is None
    found = root_part.decode(line)
    assert (found.seed, found.now) == (IDENTITY.seed, IDENTITY.now)
    assert (found.machine_id, found.hostname) == (IDENTITY.machine_id, IDENTITY.hostname)


@pytest.mark.parametrize("answer", [b"", b"seed: not permitted\n", b"\xff"])
async def test_a_root_part_that_does_not_manage(answer: bytes) -> None:
    _, failure = await answered(answer)
    assert isinstance(failure, IdentityError) and str(failure)


async def test_a_root_part_that_has_gone(tmp_path: Path) -> None:
    asked, asks = os.pipe()
    answers, says = os.pipe()
    os.close(asked)
    os.close(says)
    with pytest.raises(IdentityError):
        await VirtualMachine(asks, answers).take(IDENTITY)
