"""A guest's messages on their way in: strict, in order, acknowledged once committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import START, FakeDriver, FakeKeeper, a_session
from tests.support.waiting import until
from transom.guests.acknowledge import Committed
from transom.guests.guests import Guests
from transom.guests.inbox import BootMessage, PeerMessage, SigninMessage
from transom.model.errors import Unavailable
from transom.model.ids import new_id
from transom.model.machine import MachineSpec
from transom.sessions.claim import claim_of
from transom_wire.control import Acknowledge, Claim, ClaimAnswer, SetDeadline, Snapshot, ToGuest, Usage
from transom_wire.exit import NO_ROUTE
from transom_wire.keeper_config import Limits
from transom_wire.link import PeerAnswer, PeerState, Ping, Progress, Ready, SetScreen, SigninState

SESSION = a_session().id
MACHINE = new_id("mch")
SPEC = MachineSpec(
    MACHINE, SESSION, 0, "sha256-0", 1280, 720, "about:blank", NO_ROUTE, START, Limits(2**30, 1000, 512)
)


class FakeInbox:
    """Writes down what comes; `broken` is a store that cannot serve."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.wrong: list[str] = []
        self.broken = False
        self.refused = 0
        self.lost = 0

    def _store(self, what: object) -> None:
        if self.broken:
            self.refused += 1
            raise Unavailable("the disk is full")
        self.heard.append(what)

    async def attached(self, session: str, snapshot: Snapshot) -> None:
        self._store("attached")

    async def boot(self, session: str, message: BootMessage, at: int) -> None:
        self._store(message)

    async def peer(self, session: str, message: PeerMessage) -> None:
        self.heard.append(message)

    async def sign_in(self, session: str, message: SigninMessage) -> None:
        self._store(message)

    async def role(self, session: str, role: str, *, connected: bool) -> None:
        self._store((role, connected))

    async def exited(self, session: str, machine: str, reason: str) -> None:
        self.heard.append(f"exited: {reason}")

    def unreachable(self, session: str) -> None:
        self.lost += 1

    def misbehaved(self, session: str, role: str, reason: str) -> None:
        self.wrong.append(role)


class Bench:
    def __init__(self) -> None:
        self.driver, self.inbox = FakeDriver(), FakeInbox()
        self.keeper = FakeKeeper(SPEC)
        self.driver.machines[MACHINE] = self.keeper
        self.guests = Guests(self.driver)
        self.guests.deliver_to(self.inbox)

    async def hold(self) -> None:
        self.guests.hold(SESSION, MACHINE)
        await until(lambda: self.guests.connected(SESSION))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.guests.close()


def acknowledged(keeper: FakeKeeper) -> list[int]:
    return [message.number for message in keeper.told(Acknowledge)]


async def test_what_is_said_arrives_in_order_and_is_acknowledged(bench: Bench) -> None:
    await bench.hold()
    said = [Progress("display"), Progress("desktop"), Ready(1280, 720)]
    for message in said:
        bench.keeper.say("boot", message)
    await until(lambda: not bench.keeper.waiting)
    assert bench.inbox.heard == ["attached", *said]
    assert acknowledged(bench.keeper)[-1] == 3


async def test_nothing_is_acknowledged_before_it_is_committed(bench: Bench) -> None:
    await bench.hold()
    await until(lambda: bench.inbox.heard)
    bench.inbox.broken = True
    bench.keeper.say("boot", Ready(1280, 720))
    answer = PeerAnswer("p", 1, "v=0")
    bench.keeper.say("webrtc", answer)
    await until(lambda: answer in bench.inbox.heard)
    await until(lambda: bench.inbox.refused >= 2)
    assert acknowledged(bench.keeper) == []
    bench.inbox.broken = False
    await until(lambda: not bench.keeper.waiting)
    assert acknowledged(bench.keeper) == [2]


@pytest.mark.parametrize(
    ("role", "body"),
    [
        ("boot", b"not json"),
        ("boot", b"{}"),
        ("webrtc", b'{"type":"ready","width":1280,"height":720}'),
        ("signin", b'{"type":"peer_answer","peer":"p","epoch":1,"sdp":""}'),
        ("boot", b'{"type":"ready","width":1280,"height":720,"session":"ses_other"}'),
        ("webrtc", b'{"type":"peer_answer","peer":"p","epoch":0,"sdp":""}'),
        ("boot", b"[" * 100_000),
    ],
)
async def test_garbage_is_counted_dropped_and_forgotten(bench: Bench, role: str, body: bytes) -> None:
    await bench.hold()
    bench.keeper.say_bytes(role, body)
    bench.keeper.say("boot", Progress("display"))
    await until(lambda: not bench.keeper.waiting)
    assert bench.inbox.wrong == [role]
    assert bench.inbox.heard[-1] == Progress("display")


async def test_each_role_has_its_own_way_in(bench: Bench) -> None:
    await bench.hold()
    said = [
        ("webrtc", PeerState("p", 1, "connected")),
        ("signin", SigninState("flw_1", "waiting")),
        ("boot", Ping()),
    ]
    for role, message in said:
        bench.keeper.say(role, message)
    await until(lambda: not bench.keeper.waiting)
    assert set(bench.inbox.heard[1:]) == {said[0][1], said[1][1]} or said[0][1] in bench.inbox.heard


async def test_roles_come_and_go_and_decide_what_can_be_sent(bench: Bench) -> None:
    await bench.hold()
    assert not await bench.guests.send(SESSION, "boot", SetScreen(800, 600))
    bench.keeper.link("boot")
    await until(lambda: bench.guests.has_role(SESSION, "boot"))
    assert await bench.guests.send(SESSION, "boot", SetScreen(800, 600))
    assert bench.keeper.told(ToGuest)[0].body == b'{"type":"set_screen","width":800,"height":600}'
    bench.keeper.link("boot", connected=False)
    await until(lambda: not bench.guests.has_role(SESSION, "boot"))
    await until(lambda: ("boot", False) in bench.inbox.heard)


async def test_a_broken_connection_is_made_again_and_loses_nothing(bench: Bench) -> None:
    await bench.hold()
    bench.keeper.drop()
    await until(lambda: not bench.guests.connected(SESSION))
    bench.keeper.say("boot", Progress("browser"))
    await until(lambda: Progress("browser") in bench.inbox.heard)
    assert bench.inbox.heard.count("attached") == 2
    assert bench.inbox.lost >= 1
    await until(lambda: not bench.keeper.waiting)


async def test_a_keeper_that_does_not_answer_is_asked_again(bench: Bench) -> None:
    bench.keeper.alive = False
    bench.guests.hold(SESSION, MACHINE)
    await until(lambda: bench.inbox.lost >= 1)
    assert bench.guests.holding(SESSION)
    assert not bench.guests.connected(SESSION)
    assert not await bench.guests.tell(SESSION, SetDeadline(START))
    bench.keeper.alive = True
    await until(lambda: bench.guests.connected(SESSION))


async def test_a_machine_that_exits_is_let_go(bench: Bench) -> None:
    await bench.hold()
    bench.keeper.exit("killed")
    await until(lambda: not bench.guests.holding(SESSION))
    assert bench.inbox.heard[-1] == "exited: killed"


async def test_a_machine_that_had_exited_is_heard_out(bench: Bench) -> None:
    bench.keeper.exit_reason = "before"
    snapshot = bench.keeper.snapshot
    bench.keeper.snapshot = lambda: _exited(snapshot())  # type: ignore[method-assign]
    last = SigninState("flw_1", "done")
    bench.keeper.say("signin", last)
    bench.guests.hold(SESSION, MACHINE)
    await until(lambda: not bench.guests.holding(SESSION))
    assert bench.inbox.heard == ["attached", last, "exited: before"]
    assert acknowledged(bench.keeper) == [1]


async def test_last_words_are_taken_in_before_a_machine_is_removed(bench: Bench) -> None:
    bench.keeper.exit_reason = "before"
    snapshot = bench.keeper.snapshot
    bench.keeper.snapshot = lambda: _exited(snapshot())  # type: ignore[method-assign]
    last = SigninState("flw_1", "done")
    bench.keeper.say("signin", last)
    await bench.guests.last_words(SESSION, MACHINE)
    assert last in bench.inbox.heard
    assert not bench.guests.holding(SESSION)


async def test_a_keeper_that_is_gone_has_no_last_words(bench: Bench) -> None:
    bench.keeper.alive = False
    await bench.guests.last_words(SESSION, MACHINE)
    assert bench.inbox.heard == []


def _exited(snapshot: Snapshot) -> Snapshot:
    from dataclasses import replace

    return replace(snapshot, state="exited")


async def test_what_is_known_of_a_guest(bench: Bench) -> None:
    assert bench.guests.door(SESSION) is None
    assert bench.guests.deadline(SESSION) is None
    await bench.hold()
    assert bench.guests.door(SESSION) == ("127.0.0.1", 41000)
    assert await bench.guests.tell(SESSION, SetDeadline(START + 5))
    assert bench.guests.deadline(SESSION) == START + 5
    await bench.guests.release(SESSION)
    await bench.guests.release(SESSION)
    assert not bench.guests.holding(SESSION)


@given(st.lists(st.integers(1, 30), min_size=1, unique=True), st.randoms())
def test_what_is_acknowledged_was_committed_up_to_there(numbers: list[int], order: object) -> None:
    committed, done = Committed(), set()
    for number in sorted(numbers):
        assert committed.came(number)
        assert not committed.came(number)
    shuffled = sorted(numbers)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    told = 0
    for number in shuffled:
        done.add(number)
        reached = committed.done(number)
        if reached is not None:
            assert reached > told
            told = reached
        assert all(each in done for each in numbers if each <= told)
    assert told == max(numbers)


def a_claim(session: str = SESSION) -> Claim:
    return claim_of(a_session(id=session, machine=MACHINE), NO_ROUTE, START)


async def warm_up(bench: Bench) -> FakeKeeper:
    keeper = FakeKeeper(replace(SPEC, session=None))
    bench.driver.machines[MACHINE] = keeper
    return keeper


async def test_a_claim_holds_the_machine_and_returns_its_answer(bench: Bench) -> None:
    keeper = await warm_up(bench)
    answer = await bench.guests.claim(SESSION, MACHINE, a_claim())
    assert answer.accepted
    assert bench.guests.connected(SESSION)
    assert keeper.session == SESSION


async def test_a_refused_claim_says_why(bench: Bench) -> None:
    keeper = await warm_up(bench)
    keeper.answers = "it never parked"
    answer = await bench.guests.claim(SESSION, MACHINE, a_claim())
    assert (answer.accepted, answer.reason) == (False, "it never parked")


async def test_a_claim_whose_connection_breaks_is_said_again(bench: Bench) -> None:
    keeper = await warm_up(bench)
    keeper.answers = None
    asking = asyncio.create_task(bench.guests.claim(SESSION, MACHINE, a_claim()))
    await until(lambda: keeper.told(Claim))
    keeper.answers = ""
    keeper.drop()
    assert (await asyncio.wait_for(asking, 5)).accepted
    assert len(keeper.told(Claim)) == 2


async def test_another_sessions_answer_is_not_ours(bench: Bench) -> None:
    keeper = await warm_up(bench)
    keeper.answers = None
    asking = asyncio.create_task(bench.guests.claim(SESSION, MACHINE, a_claim()))
    await until(lambda: keeper.told(Claim))
    keeper._put(ClaimAnswer("ses_other", True))
    keeper._put(ClaimAnswer(SESSION, False, "mine"))
    assert (await asyncio.wait_for(asking, 5)).reason == "mine"


async def test_a_machine_that_ends_while_it_is_claimed_is_unavailable(bench: Bench) -> None:
    keeper = await warm_up(bench)
    keeper.answers = None
    asking = asyncio.create_task(bench.guests.claim(SESSION, MACHINE, a_claim()))
    await until(lambda: keeper.told(Claim))
    keeper.exit("out of memory")
    with pytest.raises(Unavailable):
        await asyncio.wait_for(asking, 5)


async def test_what_a_machine_uses_is_told_and_kept(bench: Bench) -> None:
    heard: list[tuple[str, Usage]] = []
    bench.guests.watch_usage(lambda session, usage: heard.append((session, usage)))
    keeper = await warm_up(bench)
    await bench.guests.claim(SESSION, MACHINE, a_claim())
    usage = Usage(START, {"pids": "3"})
    keeper._put(usage)
    await until(lambda: heard == [(SESSION, usage)])
    assert bench.guests.usage(SESSION) == usage
    assert bench.guests.usage("ses_other") is None
