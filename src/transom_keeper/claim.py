"""How a warm machine becomes a session's: once, by the guest's own word, and never another's.

A machine is claimed by the first Claim that reaches its parked guest. From then on it is that session's,
whether the guest then manages or not: what has seen an identity is never offered again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from transom_wire.control import Claim, ClaimAnswer
from transom_wire.link import Identity
from transom_wire.vm import VmConfig

logger = logging.getLogger("keeper.claim")

GUEST_SECONDS, VM_SECONDS = 5.0, 20.0
"""From Identity to the guest's word that it has taken it: in a sandbox, in a virtual machine that may be
emulated."""
PARKED, CLAIMED = "parked", "claimed"
"""The stages of Progress that a claim waits for and ends with."""


def seconds_for(vm: VmConfig | None) -> float:
    """How long this kind of machine may take."""
    return GUEST_SECONDS if vm is None else VM_SECONDS


class State(StrEnum):
    """Where a machine stands between nobody's and somebody's."""

    COLD = "cold"
    """It was made for its session and cannot be claimed."""
    WAITING = "waiting"
    GIVING = "giving"
    """The guest has been told and has not answered."""
    GIVEN = "given"
    FAILED = "failed"
    """The guest did not manage: nobody's for good."""


class ClaimedMachine(Protocol):
    """What a claim needs of its machine."""

    def adopt(self, claim: Claim) -> None:
        """Take the claim's session, deadline, route and size as one's own."""

    def give(self, identity: Identity) -> str:
        """Make it the guest's; why that cannot be, or nothing."""

    def answer(self, answer: ClaimAnswer) -> None:
        """Tell the controller, if one listens: another will ask again."""


@dataclass(slots=True)
class ClaimDesk:
    """Takes in claims and what the guest says to them."""

    machine: ClaimedMachine
    session: str | None
    """Whose machine it is."""
    seconds: float
    now: Callable[[], int]
    """Unix milliseconds, for the guest's clock."""
    state: State = field(init=False)
    reason: str = ""
    _timer: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self.state = State.WAITING if self.session is None else State.COLD

    def ask(self, claim: Claim, *, parked: bool) -> None:
        """A controller's claim. The answer may come at once, later, and once more when it is asked once more."""
        if self.state is State.WAITING:
            self._begin(claim, parked)
        elif claim.session != self.session:
            self._refuse(claim.session, "the machine is another session's")
        elif self.state is State.COLD:
            self._refuse(claim.session, "the machine never was a warm one")
        elif self.state is not State.GIVING:
            self._say()

    def taken(self) -> None:
        """The guest has said Progress `claimed`."""
        if self.state is State.GIVING:
            self._end(State.GIVEN, "")

    def lost(self, reason: str) -> None:
        """The guest cannot go on, is silent, or the machine has ended."""
        if self.state is State.GIVING:
            self._end(State.FAILED, reason)

    def _begin(self, claim: Claim, parked: bool) -> None:
        if not parked:
            self._refuse(claim.session, "the machine is not ready to be claimed")
            return
        identity = Identity(
            session=claim.session,
            width=claim.width,
            height=claim.height,
            start_url=claim.start_url,
            machine_id=claim.machine_id,
            hostname=claim.hostname,
            seed=claim.seed,
            now=self.now(),
        )
        if refusal := self.machine.give(identity):
            self._refuse(claim.session, refusal)
            return
        self.state, self.session = State.GIVING, claim.session
        self.machine.adopt(claim)
        late = f"the guest did not take its identity in {self.seconds:.0f} s"
        self._timer = asyncio.get_running_loop().call_later(self.seconds, self.lost, late)

    def _end(self, state: State, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.state, self.reason = state, reason
        logger.info("claim for %s: %s %s", self.session, state, reason)
        self._say()

    def _say(self) -> None:
        assert self.session is not None
        accepted = self.state is State.GIVEN
        self.machine.answer(ClaimAnswer(session=self.session, accepted=accepted, reason=self.reason[:500]))

    def _refuse(self, session: str, reason: str) -> None:
        logger.warning("a claim was refused: %s", reason)
        self.machine.answer(ClaimAnswer(session=session, accepted=False, reason=reason))
