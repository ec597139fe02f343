"""Signalling as a trace: offers and answers in; what guest, keeper and viewers are told out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fakes import FakeClock
from tests.support.sdps import answer, offer
from tests.support.waiting import until
from transom.model.errors import Conflict, Gone, TooMany, Unavailable
from transom.stream.broker import ANSWER_MS, BOOT_MS, Broker
from transom.stream.offer import read_offer
from transom.stream.peers import PEERS_LIMIT, SILENT_MS, Refusal
from transom_wire.control import ControllerMessage, RegisterPeer, ReleasePeer
from transom_wire.link import (
    FLOODS,
    PeerAnswer,
    PeerClose,
    PeerOffer,
    PeerState,
    PeerTerms,
    StreamReport,
    ToGuestMessage,
)

SESSION = "ses_" + "a" * 20


class FakeKeepers:
    """One keeper that writes down, in order, all it is told."""

    def __init__(self) -> None:
        self.told: list[ControllerMessage | ToGuestMessage] = []
        self.linked = True
        self.reachable = True

    async def send(self, session: str, role: str, message: ToGuestMessage) -> bool:
        assert role == "webrtc"
        if self.linked:
            self.told.append(message)
        return self.linked

    async def tell(self, session: str, message: ControllerMessage) -> bool:
        if self.reachable:
            self.told.append(message)
        return self.reachable

    def door(self, session: str) -> tuple[str, int] | None:
        return ("203.0.113.9", 41007)

    def kinds(self) -> list[str]:
        return [type(message).__name__ for message in self.told]


class Bench:
    """A broker between a fake keeper and a listening viewer."""

    def __init__(self) -> None:
        self.keepers, self.clock = FakeKeepers(), FakeClock()
        self.counted: list[str] = []
        self.fared: list[StreamReport] = []
        self.broker = Broker(
            self.keepers,
            self.clock,
            count=self.counted.append,
            fared=lambda _session, report: self.fared.append(report),
            flooded=lambda session, peer: self.floods.append((session, peer)),
        )
        self.floods: list[tuple[str, str]] = []
        self.heard: list[tuple[str, int, str | Refusal]] = []

    async def offer(
        self, peer: str = "p", epoch: int = 1, sdp: str | None = None, ready: bool = True
    ) -> None:
        await self.broker.offer(SESSION, peer, epoch, read_offer(sdp or offer()), ready=ready)

    async def answer(self, peer: str = "p", epoch: int = 1, sdp: str | None = None) -> None:
        await self.broker.answered(SESSION, PeerAnswer(peer, epoch, sdp or answer()))

    def listen(self, peer: str, epoch: int, outcome: str | Refusal) -> None:
        self.heard.append((peer, epoch, outcome))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    with made.broker.listen(SESSION, made.listen):
        yield made
    await made.broker.close()


async def test_an_offer_carries_what_the_viewer_may_do() -> None:
    keepers, may = FakeKeepers(), PeerTerms(clipboard="up", clipboard_bytes=1024)
    broker = Broker(keepers, FakeClock(), terms=lambda session, peer: may if peer == "p" else PeerTerms())
    await broker.offer(SESSION, "p", 1, read_offer(offer()), ready=True)
    sent = keepers.told[-1]
    assert isinstance(sent, PeerOffer)
    assert sent.terms == may
    await broker.close()


async def test_a_viewer_is_dismissed_and_may_come_again_with_another_epoch(bench: Bench) -> None:
    await bench.offer()
    await bench.answer()
    assert await bench.broker.dismiss(SESSION, "p", "this link has expired")
    assert bench.keepers.told[-2:] == [ReleasePeer("p"), PeerClose("p", 2**31)]
    assert bench.heard[-1] == ("p", 1, Refusal("dismissed", "this link has expired"))
    with pytest.raises(Gone, match="this link has expired"):
        await bench.broker.answer(SESSION, "p", 1)
    await bench.offer(epoch=2)
    assert isinstance(bench.keepers.told[-1], PeerOffer)


async def test_a_viewer_of_an_earlier_controller_is_dismissed_too(bench: Bench) -> None:
    bench.keepers.linked = False
    assert not await bench.broker.dismiss(SESSION, "who", "why")
    bench.keepers.linked = True
    assert await bench.broker.dismiss(SESSION, "who", "why")
    assert bench.keepers.told[-1] == PeerClose("who", 2**31)
    assert bench.heard == []


async def test_an_offer_becomes_an_answer_with_the_door_in_it(bench: Bench) -> None:
    await bench.offer()
    (sent,) = bench.keepers.told
    assert isinstance(sent, PeerOffer)
    assert "a=candidate" not in sent.sdp
    assert await bench.broker.answer(SESSION, "p", 1) is None
    assert bench.broker.candidates(SESSION, "p", 1) == []
    await bench.answer()
    registered = bench.keepers.told[1]
    assert registered == RegisterPeer("p", "gues", "guestguestguestguestguest", "view", 40123)
    published = await bench.broker.answer(SESSION, "p", 1)
    assert published is not None
    assert published.count("a=candidate") == 1
    assert "203.0.113.9 41007 typ host" in published
    assert "127.0.0.1 40123" not in published
    assert bench.heard == [("p", 1, published)]
    assert bench.broker.candidates(SESSION, "p", 1)[0].startswith("candidate:1 1 udp")


async def test_the_door_knows_before_the_viewer_does(bench: Bench) -> None:
    order: list[str] = []
    bench.keepers.tell = lambda *_: _noting(order, "door")  # type: ignore[method-assign]
    with bench.broker.listen(SESSION, lambda *_: order.append("viewer")):
        await bench.offer()
        await bench.answer()
    assert order == ["door", "viewer"]


async def _noting(order: list[str], what: str) -> bool:
    await asyncio.sleep(0)
    order.append(what)
    return True


async def test_whoever_waits_is_woken_by_the_answer(bench: Bench) -> None:
    await bench.offer()
    waiting = asyncio.create_task(bench.broker.answer(SESSION, "p", 1, wait_ms=10_000))
    await asyncio.sleep(0)
    await bench.answer()
    assert "a=candidate" in (await waiting or "")


async def test_a_newer_epoch_replaces_and_the_old_is_stale(bench: Bench) -> None:
    await bench.offer()
    await bench.answer()
    waiting = asyncio.create_task(bench.broker.answer(SESSION, "p", 2, wait_ms=10_000))
    with pytest.raises(Conflict):
        await waiting
    await bench.offer(epoch=2, sdp=offer("anew"))
    assert bench.keepers.kinds()[-2:] == ["ReleasePeer", "PeerOffer"]
    for act in (bench.broker.answer(SESSION, "p", 1), bench.offer(epoch=1)):
        with pytest.raises(Conflict) as caught:
            await act
        assert caught.value.code == "stale_epoch"
    await bench.answer(epoch=1, sdp=answer("late"))
    assert "answer_dropped" in bench.counted
    assert await bench.broker.answer(SESSION, "p", 2) is None
    await bench.answer(epoch=2)
    assert bench.keepers.told[-1].viewer_ufrag == "anew"  # type: ignore[union-attr]


async def test_a_poll_that_waits_for_an_old_epoch_is_told_at_once(bench: Bench) -> None:
    await bench.offer()
    waiting = asyncio.create_task(bench.broker.answer(SESSION, "p", 1, wait_ms=10_000))
    await asyncio.sleep(0)
    await bench.offer(epoch=2)
    with pytest.raises(Conflict):
        await waiting


async def test_a_repeated_offer_is_one_offer_and_another_of_its_epoch_is_none(bench: Bench) -> None:
    await bench.offer()
    await bench.offer(sdp=offer(candidates=0))
    assert bench.keepers.kinds() == ["PeerOffer"]
    with pytest.raises(Conflict) as caught:
        await bench.offer(sdp=offer("other"))
    assert caught.value.code == "epoch_used"


async def test_whoever_repeats_an_offer_is_told_its_outcome_again(bench: Bench) -> None:
    await bench.offer()
    await bench.offer()
    assert not bench.heard, "there is none yet"
    await bench.answer()
    await bench.offer()
    answered = bench.heard[0]
    assert isinstance(answered[2], str)
    assert bench.heard == [answered, answered]
    assert bench.keepers.kinds() == ["PeerOffer", "RegisterPeer"]
    await bench.broker.peer_moved(SESSION, PeerState("p", 1, "failed", "gone"))
    await bench.offer()
    codes = [outcome.code for _, _, outcome in bench.heard if isinstance(outcome, Refusal)]
    assert codes == ["peer_lost", "peer_lost"]
    await bench.offer(epoch=2)
    await bench.answer(epoch=2, sdp="garbage")
    await bench.offer(epoch=2)
    assert bench.heard[-1] == bench.heard[-2]
    assert isinstance(bench.heard[-1][2], Refusal)
    await bench.offer(epoch=3)
    await bench.broker.dismiss(SESSION, "p", "withdrawn")
    await bench.offer(epoch=3)
    assert bench.heard[-2:] == [("p", 3, Refusal("dismissed", "withdrawn"))] * 2


async def test_a_controller_that_forgot_asks_for_a_new_offer(bench: Bench) -> None:
    with pytest.raises(Conflict) as caught:
        await bench.broker.answer(SESSION, "old", 4)
    assert caught.value.code == "no_offer"
    await bench.answer("old", 4)
    await bench.broker.peer_moved(SESSION, PeerState("old", 4, "connected"))
    assert bench.counted == ["answer_dropped", "state_dropped"]
    await bench.offer("old", 5)
    assert bench.keepers.kinds() == ["PeerOffer"]


@pytest.mark.parametrize("sdp", ["v=0", answer().replace("127.0.0.1 40123", "10.0.0.7 40123"), "\x00"])
async def test_a_lying_answer_is_refused_and_opens_no_door(bench: Bench, sdp: str) -> None:
    await bench.offer()
    await bench.answer(sdp=sdp)
    assert bench.keepers.kinds() == ["PeerOffer"]
    assert isinstance(bench.heard[0][2], Refusal)
    with pytest.raises(Unavailable) as caught:
        await bench.broker.answer(SESSION, "p", 1)
    assert caught.value.code == "bad_answer"


async def test_a_second_answer_changes_nothing(bench: Bench) -> None:
    await bench.offer()
    await bench.answer()
    await bench.answer(sdp=answer("twoo"))
    assert bench.keepers.kinds() == ["PeerOffer", "RegisterPeer"]
    assert len(bench.heard) == 1


async def test_an_unreachable_keeper_is_a_refusal(bench: Bench) -> None:
    await bench.offer()
    bench.keepers.reachable = False
    await bench.answer()
    with pytest.raises(Unavailable):
        await bench.broker.answer(SESSION, "p", 1)


async def test_a_guest_that_does_not_answer_is_refused_in_time(bench: Bench) -> None:
    await bench.offer()
    peer = bench.broker.newest_offer(SESSION)
    assert peer is not None
    assert peer.deadline == bench.clock.now + ANSWER_MS
    bench.clock.forward(ANSWER_MS / 1000)
    peer.deadline = bench.clock.now
    bench.broker.look(SESSION, peer)
    with pytest.raises(Unavailable) as caught:
        await bench.broker.answer(SESSION, "p", 1)
    assert caught.value.code == "no_answer"
    assert isinstance(bench.heard[0][2], Refusal)


async def test_an_offer_waits_for_a_machine_that_boots(bench: Bench) -> None:
    bench.keepers.linked = False
    await bench.offer(ready=False)
    peer = bench.broker.newest_offer(SESSION)
    assert peer is not None
    assert peer.deadline == bench.clock.now + BOOT_MS
    assert bench.keepers.told == []
    bench.keepers.linked = True
    await bench.broker.stream_server_came(SESSION)
    assert bench.keepers.kinds() == ["PeerOffer"]
    assert peer.deadline == bench.clock.now + ANSWER_MS


async def test_a_stream_server_that_returns_gets_the_offers_its_predecessor_took_along(bench: Bench) -> None:
    await bench.offer("a")
    await bench.offer("b")
    await bench.answer("a")
    await bench.broker.stream_server_died(SESSION)
    assert bench.heard[-1][0] == "a"
    assert bench.keepers.told[-1] == ReleasePeer("a")
    await bench.broker.stream_server_came(SESSION)
    again = bench.keepers.told[-1]
    assert isinstance(again, PeerOffer)
    assert again.peer == "b"


@pytest.mark.parametrize("epoch", [1, 2, 2**31])
async def test_a_viewer_says_goodbye_once(bench: Bench, epoch: int) -> None:
    """An epoch that was never offered is as good: nobody stays by naming it."""
    await bench.offer()
    await bench.answer()
    for _ in range(2):
        assert await bench.broker.bye(SESSION, "p", epoch)
    assert bench.keepers.told[2:] == [ReleasePeer("p"), PeerClose("p", 1)]


async def test_who_comes_back_while_its_goodbye_is_told_goes_on(bench: Bench) -> None:
    await bench.offer()
    await bench.answer()
    await bench.offer("q", epoch=3)
    tell, back = bench.keepers.tell, "p"

    async def slow(session: str, message: ControllerMessage) -> bool:
        nonlocal back
        peer, back = back, ""
        if peer:
            await bench.offer(peer, epoch=4)
        return await tell(session, message)

    bench.keepers.tell = slow  # type: ignore[method-assign]
    assert not await bench.broker.bye(SESSION, "p", 1)
    back = "q"
    assert await bench.broker.dismiss(SESSION, "q", "it left", final=False)
    assert bench.keepers.told[-1] == PeerClose("q", 3)
    assert await bench.broker.dismiss(SESSION, "q", "withdrawn")
    assert bench.keepers.told[-1] == PeerClose("q", 2**31)


async def test_without_a_seat_no_offer_is_taken_and_no_connection_goes_on() -> None:
    keepers, there = FakeKeepers(), {"p"}
    broker = Broker(keepers, FakeClock(), seated=lambda _session, peer: peer in there)
    with pytest.raises(Conflict) as caught:
        await broker.offer(SESSION, "q", 1, read_offer(offer()), ready=True)
    assert (caught.value.code, keepers.told) == ("no_seat", [])
    await broker.offer(SESSION, "p", 1, read_offer(offer()), ready=True)
    for peer in ("p", "q"):
        await broker.peer_moved(SESSION, PeerState(peer, 5, "connected"))
        await broker.peer_moved(SESSION, PeerState(peer, 5, "closed"))
    assert keepers.told[1:] == [ReleasePeer("q"), PeerClose("q", 2**31)]
    await broker.close()


@pytest.mark.parametrize("state", ["failed", "closed"])
async def test_a_peer_that_ends_leaves_the_door(bench: Bench, state: str) -> None:
    await bench.offer()
    await bench.answer()
    await bench.broker.peer_moved(SESSION, PeerState("p", 1, "connected"))
    await bench.broker.peer_moved(SESSION, PeerState("p", 1, state))
    assert bench.keepers.told[-1] == ReleasePeer("p")
    assert isinstance(bench.heard[-1][2], Refusal)


@pytest.mark.parametrize("reason", [*sorted(FLOODS), "the viewer went away", "too many viewers", ""])
async def test_whose_guest_ended_it_for_a_flood_is_told(bench: Bench, reason: str) -> None:
    await bench.broker.peer_moved(SESSION, PeerState("p", 1, "failed", reason))
    await bench.offer()
    await bench.answer()
    await bench.broker.peer_moved(SESSION, PeerState("p", 2, "failed", reason))
    assert bench.floods == []
    for _ in range(2):
        await bench.broker.peer_moved(SESSION, PeerState("p", 1, "failed", reason))
    assert bench.floods == [(SESSION, "p")] * (reason in FLOODS)


async def test_how_a_link_fares_is_heard_of_peers_there_are_only(bench: Bench) -> None:
    report = StreamReport("p", 1, 800, 300, 60, 100, 0.01, 80.5, "delay")
    bench.broker.link_fared(SESSION, report)
    await bench.offer()
    bench.broker.link_fared(SESSION, report)
    bench.broker.link_fared(SESSION, replace(report, epoch=2))
    bench.broker.link_fared("ses_other", report)
    assert bench.fared == [report]
    assert bench.counted.count("report_dropped") == 3


async def test_a_session_has_a_limit_of_viewers(bench: Bench) -> None:
    for number in range(PEERS_LIMIT):
        await bench.offer(f"p{number}")
    with pytest.raises(TooMany):
        await bench.offer("one-more")
    await bench.broker.peer_moved(SESSION, PeerState("p0", 1, "connected"))
    bench.clock.forward(SILENT_MS / 1000 + 1)
    await bench.offer("one-more")
    with pytest.raises(Conflict):
        await bench.broker.answer(SESSION, "p1", 1)
    assert bench.keepers.told[-2] == PeerClose("p1", 1)


async def test_an_answer_by_hand_is_for_an_offer_without_one(bench: Bench) -> None:
    await bench.offer()
    bench.broker.answer_by_hand(SESSION, "p", 1, "v=0 by hand")
    assert await bench.broker.answer(SESSION, "p", 1) == "v=0 by hand"
    with pytest.raises(Conflict) as caught:
        bench.broker.answer_by_hand(SESSION, "p", 1, "again")
    assert caught.value.code == "answered"
    await bench.answer()
    assert bench.keepers.kinds() == ["PeerOffer"]


async def test_nobody_waits_for_a_session_that_is_over(bench: Bench) -> None:
    await bench.offer()
    waiting = asyncio.create_task(bench.broker.answer(SESSION, "p", 1, wait_ms=10_000))
    await asyncio.sleep(0)
    bench.broker.over(SESSION)
    with pytest.raises(Gone):
        await waiting
    await until(lambda: not bench.broker._timers)


acts = st.lists(
    st.tuples(
        st.sampled_from(["offer", "answer", "bye", "failed", "died", "came"]),
        st.sampled_from(["a", "b"]),
        st.integers(1, 4),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(acts)
async def test_epochs_never_go_back_and_no_answer_is_anothers(trace: list[tuple[str, str, int]]) -> None:
    bench = Bench()
    newest: dict[str, int] = {}
    try:
        for act, peer, epoch in trace:
            if act == "offer":
                stale = epoch < newest.get(peer, 0)
                try:
                    await bench.offer(peer, epoch)
                    assert not stale
                    newest[peer] = epoch
                except Conflict:
                    assert stale
            elif act == "answer":
                await bench.answer(peer, epoch, answer(f"{peer}{epoch:03}"))
            elif act == "bye":
                await bench.broker.bye(SESSION, peer, epoch)
            elif act == "failed":
                await bench.broker.peer_moved(SESSION, PeerState(peer, epoch, "failed"))
            elif act == "died":
                await bench.broker.stream_server_died(SESSION)
            else:
                await bench.broker.stream_server_came(SESSION)
            for name, current in newest.items():
                try:
                    found = await bench.broker.answer(SESSION, name, current)
                except Unavailable:
                    continue
                assert found is None or f"a=ice-ufrag:{name}{current:03}" in found
    finally:
        await bench.broker.close()
