"""The real guest in virtual machines: saved once, woken up twice, each with a desktop and keys of its own."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.support.machine_lab import Lab, Machine, a_claim, opened, state_folder
from tests.support.vm_lab import VmGround, ground
from transom.drivers.stage import stage
from transom.model.ids import new_id
from transom_guest.stream.sample import OFFER
from transom_wire.codec import encode
from transom_wire.control import ToGuest
from transom_wire.link import PeerAnswer, PeerOffer, Progress, Ready

pytestmark = pytest.mark.vm

CLAIM_SECONDS = 60.0
"""From the claim to a painted window and an answer; 2 to 4 s under emulation on a quiet host."""
SECRETS = ("ice-ufrag", "ice-pwd", "fingerprint", "ssrc")


@pytest.fixture(scope="module")
def real_ground() -> Iterator[VmGround]:
    """One snapshot of a parked desktop with the guest's own code."""
    state = state_folder()
    try:
        with ground("qemu", stage(state / "guest")) as made:
            made.prepare()
            yield made
    finally:
        shutil.rmtree(state)


@pytest.fixture
async def lab(real_ground: VmGround) -> AsyncIterator[Lab]:
    """A driver with a folder of its own; whatever a test leaves running is ended."""
    made = real_ground.lab()
    yield made
    await made.close()


@dataclass(frozen=True)
class Woken:
    """What one clone showed after its claim."""

    answer: str
    ready: Ready
    seconds: float


async def wake(lab: Lab) -> Woken:
    """A clone, claimed, its window painted, one offer answered."""
    async with lab.machine(lab.spec(warm=True)) as machine:
        await machine.parked()
        assert "ready" not in machine.channel.snapshot.stages
        began = time.monotonic()
        assert (await machine.claim(a_claim(new_id("ses")))).accepted
        answer = await answered(machine)
        await machine.reattach()
        while "ready" not in machine.channel.snapshot.stages:
            await machine.hear(
                lambda each: opened(each, Ready) is not None or opened(each, Progress) is not None
            )
            await machine.reattach()
        seen = machine.channel.snapshot
        assert {"display", "desktop", "parked", "claimed", "ready"} <= set(seen.stages)
        return Woken(answer, Ready(seen.width, seen.height), time.monotonic() - began)


async def answered(machine: Machine) -> str:
    """The answer of the stream server, once it is linked."""
    while "webrtc" not in machine.channel.snapshot.roles:
        await machine.look_again()
    await machine.channel.send(
        ToGuest(role="webrtc", body=encode(PeerOffer(peer="per_a", epoch=1, sdp=OFFER)))
    )
    message = await machine.hear(lambda each: opened(each, PeerAnswer) is not None)
    found = opened(message, PeerAnswer)
    assert isinstance(found, PeerAnswer)
    return found.sdp


async def test_clones_have_desktops_and_no_key_in_common(lab: Lab) -> None:
    one, other = await wake(lab), await wake(lab)
    for woken in (one, other):
        assert woken.seconds < CLAIM_SECONDS
        assert " 192.168.100.10 " in woken.answer and " 127.0.0.1 " not in woken.answer
    for name in SECRETS:
        pattern = rf"a={name}:(\S+(?: [0-9A-F:]+)?)"
        mine, theirs = set(re.findall(pattern, one.answer)), set(re.findall(pattern, other.answer))
        assert mine and not mine & theirs, name
