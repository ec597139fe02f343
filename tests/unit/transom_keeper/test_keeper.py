"""What a keeper decides, without a sandbox: stages, commands, its view of itself, when it leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.keeper_config import config
from transom_keeper import keeper as module
from transom_keeper.cgroups import Groups
from transom_keeper.deadline import now_ms
from transom_keeper.keeper import Keeper, Place
from transom_keeper.machine import Machine
from transom_keeper.view import note_exit
from transom_wire.codec import decode, encode
from transom_wire.control import (
    Acknowledge,
    Claim,
    ClaimAnswer,
    KeepAlive,
    RegisterPeer,
    ReleasePeer,
    SetDeadline,
    Snapshot,
    StopMachine,
    ToGuest,
)
from transom_wire.exit import DIRECT
from transom_wire.link import CredentialSealed, Fatal, GuestMessage, Identity, Progress, Ready

REGISTER = RegisterPeer("per_a", "gufr", "p" * 22, "vufr", 5000)


class FakeDoor:
    def __init__(self) -> None:
        self.held: dict[str, RegisterPeer] = {}

    def register(self, message: RegisterPeer) -> None:
        self.held[message.peer] = message

    def release(self, peer: str) -> None:
        self.held.pop(peer, None)

    def peers(self) -> tuple[str, ...]:
        return tuple(self.held) + tuple(f"p{number}" for number in range(100))

    def counters(self) -> dict[str, str]:
        return {f"c{number}": "1" for number in range(100)}


class FakeLink:
    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.roles = ("boot",)
        self.counts = {"messages": 3}

    def send(self, role: str, body: bytes) -> bool:
        self.sent.append((role, body))
        return True


async def no_machine() -> Machine:
    raise AssertionError("nothing is launched here")


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    public = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    public.bind(("127.0.0.1", 0))
    control = socket.socket(socket.AF_UNIX)
    place = Place(control, public, Groups(), frozenset({0}), no_machine)
    yield Keeper(config(), place)
    public.close()
    control.close()


def hear(keeper: Keeper, message: GuestMessage, role: str = "boot") -> None:
    keeper.received(role, message, encode(message))


def looks(keeper: Keeper) -> Snapshot:
    """Its snapshot, as a controller would decode it."""
    return decode(encode(keeper.snapshot()), (Snapshot,))


def test_stages_are_noted_once_and_ready_brings_the_size(keeper: Keeper) -> None:
    hear(keeper, Progress("display"))
    first = looks(keeper).stages["display"]
    time.sleep(0.002)
    hear(keeper, Progress("display"))
    hear(keeper, Ready(1024, 768))
    seen = looks(keeper)
    assert seen.stages["display"] == first and "ready" in seen.stages
    assert (seen.width, seen.height) == (1024, 768)


def test_a_guest_with_too_many_stages_fills_nothing_and_may_still_be_ready(keeper: Keeper) -> None:
    for number in range(100):
        hear(keeper, Progress(f"s{number}"))
    hear(keeper, Ready(640, 480))
    stages = looks(keeper).stages
    assert len(stages) == 16 and "ready" in stages


def test_the_snapshot_is_one_the_controller_can_read_whatever_the_parts_say(keeper: Keeper) -> None:
    keeper._openings.door, keeper._openings.link = FakeDoor(), FakeLink()  # type: ignore[assignment]
    keeper.place.groups.warnings += ["w" * 1000] * 40
    seen = looks(keeper)
    assert len(seen.counters) == 64 and seen.counters["link_messages"] == "3"
    assert len(seen.peers) == 64 and len(seen.warnings) == 16
    assert seen.state == "running" and seen.roles == ("boot",)
    keeper.exit_reason = "stopped: x"
    seen = looks(keeper)
    assert (seen.state, seen.roles, seen.peers) == ("exited", (), ())


def test_commands_reach_the_part_they_are_for(keeper: Keeper) -> None:
    door, link = FakeDoor(), FakeLink()
    keeper._openings.door, keeper._openings.link = door, link  # type: ignore[assignment]
    hear(keeper, Progress("display"))
    keeper.command(Acknowledge(1))
    assert keeper.waiting() == ()
    keeper.command(ToGuest("webrtc", b"{}"))
    assert link.sent == [("webrtc", b"{}")]
    keeper.command(REGISTER)
    assert door.held == {"per_a": REGISTER}
    keeper.command(ReleasePeer("per_a"))
    assert door.held == {}
    keeper.command(SetDeadline(2**44))
    assert looks(keeper).deadline == 2**44


@pytest.mark.parametrize("message", [KeepAlive(), REGISTER, ReleasePeer("per_a")])
def test_what_cannot_be_done_yet_is_said(keeper: Keeper, message: Any) -> None:
    with pytest.raises(ValueError, match="too early"):
        keeper.command(message)


async def test_stop_keeps_its_first_reason(keeper: Keeper) -> None:
    keeper._stop = asyncio.get_running_loop().create_future()
    keeper.command(StopMachine("first"))
    keeper.command(StopMachine("second"))
    assert keeper._stop.result() == "stopped: first"


async def test_the_deadline_is_watched_and_may_move(keeper: Keeper) -> None:
    keeper._stop = asyncio.get_running_loop().create_future()
    keeper.command(SetDeadline(now_ms() + 3_600_000))
    watch = asyncio.ensure_future(keeper._watch_deadline())
    try:
        await asyncio.sleep(0)
        keeper.command(SetDeadline(now_ms() - 1))
        assert "deadline" in await asyncio.wait_for(keeper._stop, 10)
    finally:
        signal.alarm(0)
        watch.cancel()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "SEEN_SECONDS", 0.02)


async def leaves(keeper: Keeper, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await keeper._linger()
    except TimeoutError:
        return False
    return True


async def test_a_keeper_stays_until_its_end_was_heard_of(keeper: Keeper, quick: None) -> None:
    assert not await leaves(keeper, 0.1)
    keeper.exit_seen()
    assert await leaves(keeper, 10)


async def test_a_keeper_stays_for_a_credential_nobody_has_committed(keeper: Keeper, quick: None) -> None:
    sealed = CredentialSealed("flw_a", 1, "key", ("auth.json",), None, b"w", b"n", b"c")
    hear(keeper, sealed, "signin")
    keeper.exit_seen()
    assert not await leaves(keeper, 0.1)
    keeper.command(Acknowledge(1))
    assert await leaves(keeper, 10)


async def test_a_keeper_nobody_comes_to_leaves_after_a_grace(
    keeper: Keeper, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.05)
    assert await leaves(keeper, 10)


async def test_a_keeper_told_to_end_does_not_stay(keeper: Keeper) -> None:
    keeper._stop = asyncio.get_running_loop().create_future()
    keeper._terminate()
    assert await leaves(keeper, 10)


def test_the_end_is_noted_for_whoever_comes_after(keeper: Keeper, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    note_exit(keeper.config.machine, 'it "broke"')
    assert '"reason": "it \\"broke\\""' in (tmp_path / "exit.json").read_text()
    assert sorted(os.listdir(tmp_path)) == ["exit.json"]


CLAIM = Claim("ses_b", 800, 600, "about:blank", 2**44, "a" * 32, "desk", b"s" * 64, DIRECT)


class FakeControl:
    def __init__(self) -> None:
        self.told: list[object] = []

    def deliver(self, message: object) -> None:
        self.told.append(message)


class NamedMachine:
    """Notes its names, and how much the guest had been told before each."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.error: OSError | None = None
        self.names: list[tuple[str, int]] = []

    def name(self, machine_id: str) -> None:
        if self.error is not None:
            raise self.error
        self.names.append((machine_id, len(self._keeper._openings.link.sent)))  # type: ignore[union-attr]

    def warnings(self) -> tuple[str, ...]:
        return ()


@pytest.fixture
def warm(keeper: Keeper) -> Keeper:
    warm = Keeper(config(session=None), keeper.place)
    warm._openings.link, warm._control = FakeLink(), FakeControl()  # type: ignore[assignment]
    warm._machine = NamedMachine(warm)  # type: ignore[assignment]
    return warm


async def test_the_machine_has_its_id_before_the_guest_hears_of_it(warm: Keeper) -> None:
    hear(warm, Progress("parked"))
    warm.command(CLAIM)
    assert warm._machine.names == [(CLAIM.machine_id, 0)]  # type: ignore[union-attr]
    assert len(warm._openings.link.sent) == 1  # type: ignore[union-attr]


async def test_a_machine_whose_id_cannot_be_written_is_not_given_away(warm: Keeper) -> None:
    hear(warm, Progress("parked"))
    warm._machine.error = OSError(5, "Input/output error")  # type: ignore[union-attr]
    warm.command(CLAIM)
    refused = ClaimAnswer("ses_b", False, "its machine-id cannot be written: Input/output error")
    assert warm._control.told[-1] == refused  # type: ignore[union-attr]
    assert warm._openings.link.sent == [] and looks(warm).session is None  # type: ignore[union-attr]


async def test_a_claim_changes_whose_machine_it_is_as_seen_by_the_next_controller(warm: Keeper) -> None:
    assert looks(warm).session is None
    hear(warm, Progress("parked"))
    warm.command(CLAIM)
    seen = looks(warm)
    assert (seen.session, seen.deadline, seen.width) == ("ses_b", 2**44, 800)
    assert warm.config.exit == DIRECT
    warm._control = control = FakeControl()  # type: ignore[assignment]
    hear(warm, Progress("claimed"))
    warm.command(CLAIM)
    answers = [each for each in control.told if isinstance(each, ClaimAnswer)]
    assert answers == [ClaimAnswer("ses_b", True)] * 2
    (role, body) = warm._openings.link.sent[0]  # type: ignore[union-attr]
    assert role == "boot" and decode(body, (Identity,)).session == "ses_b"


async def test_a_claim_before_the_guest_is_parked_is_refused(warm: Keeper) -> None:
    warm.command(CLAIM)
    (answer,) = warm._control.told  # type: ignore[union-attr]
    assert not answer.accepted and looks(warm).session is None


async def test_a_guest_that_cannot_go_on_ends_its_claim(warm: Keeper) -> None:
    hear(warm, Progress("parked"))
    warm.command(CLAIM)
    hear(warm, Fatal("no random numbers"))
    assert warm._control.told[-1] == ClaimAnswer("ses_b", False, "no random numbers")  # type: ignore[union-attr]
