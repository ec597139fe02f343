"""A warm machine becomes one session's, once: what the desk says to every order of claims and answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_keeper import claim as module
from transom_keeper.claim import GUEST_SECONDS, VM_SECONDS, ClaimDesk, State, seconds_for
from transom_wire.codec import decode, encode
from transom_wire.control import Claim, ClaimAnswer
from transom_wire.exit import DIRECT
from transom_wire.link import Identity
from transom_wire.vm import VmConfig

CLAIM = Claim(
    session="ses_a",
    width=800,
    height=600,
    start_url="https://a.example/",
    deadline=2**45,
    machine_id="a" * 32,
    hostname="desk-a",
    seed=b"s" * 64,
    route=DIRECT,
)
OTHER = replace(CLAIM, session="ses_b")


class Machine:
    """Writes down what it is told."""

    def __init__(self, *, linked: bool = True) -> None:
        self.linked = linked
        self.given: list[Identity] = []
        self.adopted: list[Claim] = []
        self.answers: list[ClaimAnswer] = []

    def give(self, identity: Identity) -> str:
        if not self.linked:
            return "the guest is not linked"
        self.given.append(identity)
        return ""

    def adopt(self, claim: Claim) -> None:
        self.adopted.append(claim)

    def answer(self, answer: ClaimAnswer) -> None:
        assert decode(encode(answer), (ClaimAnswer,)) == answer
        self.answers.append(answer)


def desk(machine: Machine, session: str | None = None, seconds: float = 30.0) -> ClaimDesk:
    return ClaimDesk(machine, session, seconds, lambda: 123)


async def test_the_first_claim_reaches_the_guest_and_is_answered_by_its_word() -> None:
    machine = Machine()
    claims = desk(machine)
    claims.ask(CLAIM, parked=True)
    (identity,) = machine.given
    assert (identity.session, identity.seed, identity.now) == ("ses_a", CLAIM.seed, 123)
    assert machine.adopted == [CLAIM] and machine.answers == []
    claims.taken()
    assert machine.answers == [ClaimAnswer("ses_a", True)]


async def test_asked_again_it_answers_again_and_tells_the_guest_once() -> None:
    machine = Machine()
    claims = desk(machine)
    claims.ask(CLAIM, parked=True)
    claims.ask(CLAIM, parked=True)
    assert machine.answers == []
    claims.taken()
    claims.taken()
    claims.ask(CLAIM, parked=True)
    assert machine.answers == [ClaimAnswer("ses_a", True)] * 2
    assert len(machine.given) == 1


@pytest.mark.parametrize("answered", [False, True])
async def test_another_session_is_refused_whatever_became_of_the_first(answered: bool) -> None:
    machine = Machine()
    claims = desk(machine)
    claims.ask(CLAIM, parked=True)
    if answered:
        claims.taken()
    claims.ask(OTHER, parked=True)
    assert machine.answers[-1] == ClaimAnswer("ses_b", False, "the machine is another session's")
    assert machine.adopted == [CLAIM]


async def test_a_machine_made_for_a_session_was_never_warm() -> None:
    machine = Machine()
    claims = desk(machine, "ses_a")
    claims.ask(CLAIM, parked=True)
    claims.ask(OTHER, parked=True)
    assert [each.accepted for each in machine.answers] == [False, False]
    assert "warm" in machine.answers[0].reason and machine.given == []


async def test_too_early_a_claim_changes_nothing() -> None:
    machine = Machine(linked=False)
    claims = desk(machine)
    claims.ask(CLAIM, parked=False)
    claims.ask(CLAIM, parked=True)
    assert [each.accepted for each in machine.answers] == [False, False]
    assert machine.adopted == [] and claims.state is State.WAITING
    machine.linked = True
    claims.ask(OTHER, parked=True)
    claims.taken()
    assert machine.answers[-1] == ClaimAnswer("ses_b", True)


async def test_a_silent_guest_is_given_up_and_its_late_word_does_not_count() -> None:
    machine = Machine()
    claims = desk(machine, seconds=0.01)
    claims.ask(CLAIM, parked=True)
    async with asyncio.timeout(10):
        while not machine.answers:
            await asyncio.sleep(0.005)
    claims.taken()
    claims.ask(CLAIM, parked=True)
    assert [each.accepted for each in machine.answers] == [False, False]
    assert "did not take its identity" in machine.answers[0].reason


async def test_the_guests_end_ends_the_claim_with_its_reason() -> None:
    machine = Machine()
    claims = desk(machine)
    claims.lost("nothing was asked of it")
    claims.ask(CLAIM, parked=True)
    claims.lost("display died" * 100)
    assert machine.answers[0].accepted is False and len(machine.answers[0].reason) == 500
    claims.lost("again")
    assert len(machine.answers) == 1


def test_a_virtual_machine_has_longer() -> None:
    vm = VmConfig("/q", "tcg", "/k", "/i", "/r", 1)
    assert (seconds_for(None), seconds_for(vm)) == (GUEST_SECONDS, VM_SECONDS)
    assert module.PARKED == "parked"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from([CLAIM, OTHER]), st.booleans()),
        st.tuples(st.just("taken")),
        st.tuples(st.just("lost")),
    ),
    max_size=30,
)


@given(STEPS, st.sampled_from([None, "ses_a"]))
def test_whatever_happens_one_session_at_most_is_told_yes(steps: list[tuple], session: str | None) -> None:
    async def walk() -> Machine:
        machine = Machine()
        claims = desk(machine, session)
        for name, *rest in steps:
            if name == "ask":
                claims.ask(rest[0], parked=rest[1])
            elif name == "taken":
                claims.taken()
            else:
                claims.lost("it ended")
        return machine

    machine = asyncio.run(walk())
    assert len(machine.given) == len(machine.adopted) <= 1
    yes = {each.session for each in machine.answers if each.accepted}
    assert len(yes) <= 1 and not (session and yes)
    no = [each for each in machine.answers if not each.accepted]
    assert all(each.reason for each in no)
