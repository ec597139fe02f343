"""Taking an identity: whoever has the rights for its parts is asked to act, random numbers first.

In a virtual machine that is the root part beside the boot (transom_guest.vm.agent). A sandbox is used once and
never cloned; its keeper has written its machine-id before it says Identity, its host name is the machine's since it
was made, and its clock is its host's.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Protocol

from transom_guest.vm import identity as root_part
from transom_wire.link import Identity

ROOT_DEADLINE = 10.0
"""Seconds for the root part; a few milliseconds where nothing is emulated."""
ANSWER_LIMIT = 200
ROOT_FDS = "TRANSOM_ROOT_FDS"


class IdentityError(RuntimeError):
    """The machine cannot become the session's: it must not be used. Says why and holds no seed."""


class Taker(Protocol):
    """Whoever makes the kernel take an identity."""

    clones: bool
    """Whether the machine may be saved before its claim, and run as many."""

    async def take(self, identity: Identity) -> None:
        """Raises IdentityError."""


class Sandbox:
    """Without rights: the seed is mixed in, uncredited, and the rest is so already."""

    clones = False

    async def take(self, identity: Identity) -> None:
        """Raises IdentityError."""
        try:
            _mix_in(identity.seed)
        except OSError as error:
            raise IdentityError(f"the seed cannot be mixed in: {error.strerror}") from error


def _mix_in(seed: bytes) -> None:
    with open("/dev/urandom", "wb", buffering=0) as device:
        device.write(seed)


class VirtualMachine:
    """With a root part at the other end of two pipes, which takes one identity."""

    clones = True

    def __init__(self, asks: int, answers: int) -> None:
        self._asks, self._answers = asks, answers

    async def take(self, identity: Identity) -> None:
        """Raises IdentityError."""
        wanted = root_part.Self(identity.seed, identity.now, identity.machine_id, identity.hostname)
        try:
            async with asyncio.timeout(ROOT_DEADLINE):
                answer = await asyncio.to_thread(self._ask, root_part.encode(wanted))
        except OSError as error:
            raise IdentityError(f"the root part does not answer: {error}") from error
        if answer != root_part.TAKEN:
            raise IdentityError(answer.decode(errors="replace").strip() or "the root part is gone")

    def _ask(self, line: bytes) -> bytes:
        with open(self._asks, "wb", buffering=0) as asks, open(self._answers, "rb", buffering=0) as answers:
            asks.write(line)
            return answers.read(ANSWER_LIMIT) or b""


def taker(environment: Mapping[str, str]) -> Taker:
    """Who takes identities here. The descriptors that `environment` names are nobody else's from now on."""
    named = environment.get(ROOT_FDS)
    if not named:
        return Sandbox()
    asks, answers = (int(each) for each in named.split(","))
    for descriptor in (asks, answers):
        os.set_inheritable(descriptor, False)
    return VirtualMachine(asks, answers)
