"""Several viewers: the driver's link decides, and no watcher slows it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import pytest

from transom_guest.stream import rate_links
from transom_guest.stream.rate import DEAF_S, START_KBPS, UNREPORTED_S
from transom_guest.stream.rate_decision import Decision
from transom_guest.stream.rate_estimate import Packet
from transom_guest.stream.rate_links import (
    CONGESTED_KEY_S,
    MOST_ROOM_S,
    REPORT_S,
    ROOM,
    WATCHER_KEY_S,
    Links,
)
from transom_guest.stream.rate_reports import Report
from transom_wire.link import PeerTerms, StreamReport

CAP = 2000


@dataclass
class FakeVideo:
    carried: list[Decision] = field(default_factory=list)
    behind: float = 0.0

    def carry(self, decision: Decision, rtt_s: float) -> None:
        self.carried.append(decision)

    def behind_s(self) -> float:
        return self.behind


@dataclass(eq=False)
class FakePeer:
    name: str
    terms: PeerTerms = field(default_factory=PeerTerms)
    video: FakeVideo = field(default_factory=FakeVideo)
    epoch: int = 1
    said: list[list[object]] = field(default_factory=list)
    ill: tuple[int, int, int, int] = (0, 0, 0, 0)

    def misdeeds(self) -> tuple[int, ...]:
        return self.ill

    def say(self, text: str) -> bool:
        self.said.append(json.loads(text))
        return True


class Bench:
    def __init__(self) -> None:
        self.applied: list[Decision] = []
        self.reports: list[StreamReport] = []
        self.keys: list[float] = []
        self.links = Links(self.applied.append, self.reports.append, self.keys.append)
        self.driver, self.watcher = FakePeer("driver"), FakePeer("watcher", PeerTerms(drives=False))


def through(now: float, queue: float = 0.0) -> list[Packet]:
    """A train that came through at ten megabits, after standing for `queue`."""
    return [Packet(now - 0.05 + n / 1000, now - 0.03 + queue + n / 1000, 1200) for n in range(10)]


async def test_the_drivers_link_decides_and_a_watchers_never() -> None:
    bench = Bench()
    bench.links.join(0.0, bench.watcher, told=True)
    bench.links.join(0.0, bench.driver, told=True)
    bench.links.feedback(1.0, bench.driver, through(1.0))
    assert bench.applied[-1].kbps == CAP
    for step in range(20):
        bench.links.feedback(2 + step, bench.watcher, through(2 + step, queue=step / 2))
    assert bench.applied[-1].kbps == CAP


async def test_the_terms_of_who_drives_are_the_cap() -> None:
    bench = Bench()
    bench.driver.terms = PeerTerms(kbps=4000)
    bench.links.join(0.0, bench.driver, told=True)
    bench.links.sent(0.0, 500)
    bench.links.tick(DEAF_S)
    assert bench.applied[-1].kbps == 4000
    bench.driver.terms = PeerTerms(kbps=800)
    bench.links.tick(DEAF_S + 1)
    assert bench.applied[-1].kbps == 800


async def test_packets_that_cannot_be_are_refused_counted_and_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    bench.links.join(0.0, bench.driver, told=True)
    before = bench.applied[-1]
    broken = [
        Packet(float("nan"), 1.0, 500),
        Packet(900.0, 1.0, 500),
        Packet(1.0, 1.1, -4),
        Packet(1.0, 1e300, 9),
    ]
    bench.links.feedback(2.0, bench.driver, broken)
    assert bench.applied[-1] == before
    bench.links.feedback(2.1, bench.driver, through(2.1))
    assert bench.applied[-1].cause == "limit"
    bench.links.leave(3.0, bench.driver)
    assert "told of 4 packets that cannot be" in caplog.text


async def test_the_desktop_given_away_is_another_link() -> None:
    bench = Bench()
    bench.links.join(0.0, bench.driver, told=True)
    bench.links.join(0.0, bench.watcher, told=True)
    bench.links.feedback(1.0, bench.driver, through(1.0))
    bench.driver.terms, bench.watcher.terms = bench.watcher.terms, bench.driver.terms
    bench.links.tick(1.5)
    assert bench.applied[-1].kbps == START_KBPS
    bench.links.leave(2.0, bench.watcher)
    assert bench.applied[-1].kbps == CAP


async def test_a_watcher_has_key_frames_at_a_bounded_rate_only() -> None:
    bench = Bench()
    bench.links.join(0.0, bench.driver, told=True)
    bench.links.join(0.0, bench.watcher, told=True)
    granted = [now / 10 for now in range(101) if bench.links.may_have_key(now / 10, bench.watcher)]
    assert granted == [0.0, WATCHER_KEY_S, 2 * WATCHER_KEY_S]
    assert all(bench.links.may_have_key(now / 10, bench.driver) for now in range(100))


async def test_who_comes_and_comes_again_makes_no_more_key_frames_than_one_a_second() -> None:
    bench = Bench()
    bench.links.join(0.0, bench.driver, told=True)
    granted = []
    for step in range(31):
        now, peer = step / 10, FakePeer(f"w{step}", PeerTerms(drives=False))
        granted += [now] if bench.links.may_begin(now, peer) else []
        bench.links.join(now, peer, told=True)
        granted += [now] if bench.links.may_have_key(now, peer) else []
        assert not bench.links.may_have_key(now, FakePeer("early", PeerTerms(drives=False)))
    assert granted == [0.0, CONGESTED_KEY_S, 2 * CONGESTED_KEY_S, 3 * CONGESTED_KEY_S]
    assert all(bench.links.may_begin(3.5, bench.driver) for _ in range(3)), "who drives waits for nothing"


async def test_who_comes_too_soon_after_another_has_its_key_frame_a_little_later() -> None:
    bench = Bench()
    assert bench.links.may_begin(0.0, bench.watcher)
    assert not bench.links.may_begin(0.5, FakePeer("w", PeerTerms(drives=False)))
    bench.links.tick(0.9)
    assert not bench.keys
    for now in (1.0, 1.25, 2.5):
        bench.links.tick(now)
    assert len(bench.keys) == 1


async def test_on_a_congested_link_the_driver_has_key_frames_seldom_and_what_it_is_owed_later() -> None:
    bench = Bench()
    bench.links.join(0.0, bench.driver, told=True)
    bench.links.feedback(1.0, bench.driver, through(1.0))
    for step in range(5):
        bench.links.feedback(2.0 + step / 10, bench.driver, through(2.0 + step / 10, queue=0.3))
    granted = [now / 10 for now in range(24, 50) if bench.links.may_have_key(now / 10, bench.driver)]
    assert granted == [2.4, 3.4, 4.4]
    assert not bench.keys
    bench.links.tick(5.5)
    bench.links.tick(5.6)
    assert len(bench.keys) == 1


async def test_a_key_frame_for_a_full_link_waits_until_most_of_its_queue_has_left() -> None:
    bench = Bench()
    bench.links.join(0.0, bench.driver, told=True)
    bench.links.join(0.0, bench.watcher, told=True)
    bench.links.feedback(1.0, bench.driver, through(1.0))
    assert bench.links.room_in(bench.driver) == 0
    for queue, wait in ((0.3, 0.3 * ROOM), (3.0, MOST_ROOM_S)):
        for step in range(5):
            bench.links.feedback(2.0 + step / 10, bench.driver, through(2.0 + step / 10, queue=queue))
        assert bench.links.room_in(bench.driver) == pytest.approx(wait, abs=0.01)
    assert bench.links.room_in(bench.watcher) == 0, "its own queue is not known to be full"
    assert bench.links.may_have_key(2.5, bench.driver) and not bench.links.may_have_key(2.6, bench.driver)
    bench.links.tick(3.6)
    assert bench.keys == [MOST_ROOM_S], "nor is the one that it was owed sent at once"


async def test_viewers_and_the_controller_are_told_when_something_changes() -> None:
    bench = Bench()
    bench.links.join(0.0, bench.driver, told=True)
    bench.links.feedback(1.0, bench.driver, through(1.0))
    for step in range(100):
        bench.links.tick(1.0 + step / 4)
    assert bench.driver.said == [["rate", 1000, 60, 100, "start"], ["rate", 2000, 60, 100, "limit"]]
    assert 1 <= len(bench.reports) <= 25 / REPORT_S + 1
    assert bench.reports[-1].target_kbps == CAP


async def test_each_viewers_packets_leave_as_its_own_link_takes_them() -> None:
    bench = Bench()
    bench.links.join(0.0, bench.driver, told=True)
    bench.links.join(0.0, bench.watcher, told=True)
    bench.links.tick(0.5)
    assert not bench.driver.video.carried
    bench.links.feedback(1.0, bench.driver, through(1.0))
    assert bench.driver.video.carried[-1].kbps == CAP
    assert not bench.watcher.video.carried


async def test_who_tells_nothing_of_its_link_is_held_to_the_cap_and_not_to_the_start() -> None:
    bench = Bench()
    bench.links.join(0.0, bench.watcher, told=False)
    bench.links.join(0.0, bench.driver, told=True)
    bench.links.sent(0.0, 500)
    bench.links.tick(0.25)
    assert not bench.watcher.video.carried and not bench.driver.video.carried, "they may still tell"
    bench.links.tick(DEAF_S + 0.1)
    assert bench.driver.video.carried[-1].kbps == CAP
    assert not bench.watcher.video.carried, "reports come seldom"
    bench.links.tick(UNREPORTED_S + 0.1)
    assert bench.watcher.video.carried[-1].kbps == CAP


async def test_a_viewer_of_reports_alone_is_controlled_by_them() -> None:
    bench = Bench()
    bench.links.join(0.0, bench.driver, told=False)
    for second in range(1, 4):
        bench.links.sent(second - 0.5, 100_000)
        bench.links.feedback(second, bench.driver, Report(0.3, 0.01, 0.05))
    assert bench.driver.video.carried[-1].kbps == bench.applied[-1].kbps < START_KBPS


async def test_the_next_frame_waits_for_the_drivers_last_and_for_no_watchers() -> None:
    bench = Bench()
    assert bench.links.next_frame_in() == 0
    bench.links.join(0.0, bench.driver, told=True)
    bench.links.join(0.0, bench.watcher, told=True)
    bench.watcher.video.behind = 0.5
    assert bench.links.next_frame_in() == 0
    bench.driver.video.behind = 0.2
    assert 0.15 < bench.links.next_frame_in() < 0.2


def test_what_a_viewer_said_in_vain_is_told_and_told_before_it_is_gone() -> None:
    bench = Bench()
    bench.links.join(0.0, bench.watcher, told=True)
    bench.links.tick(0.25)
    bench.watcher.ill = (1, 2, 3, 4)
    for tick in range(REPORTED_BY * 4):
        bench.links.tick(0.5 + tick / 4)
    told = bench.reports[-1]
    assert (told.malformed, told.unallowed, told.sizes, told.floods) == (1, 2, 3, 4)
    bench.watcher.ill = (1, 2, 3, 1000)
    bench.links.leave(REPORTED_BY + 1.0, bench.watcher)
    assert bench.reports[-1].floods == 1000
    count = len(bench.reports)
    bench.links.join(10.0, bench.watcher, told=True)
    bench.watcher.ill = (0, 0, 0, 0)
    bench.links.leave(10.0, bench.watcher)
    assert len(bench.reports) == count


REPORTED_BY = 6
"""Seconds, one more than between two reports."""


async def test_nothing_wakes_while_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[float] = []
    monkeypatch.setattr(rate_links, "TICK_S", 0.001)
    bench = Bench()
    monkeypatch.setattr(bench.links, "tick", ticks.append)
    running = asyncio.create_task(bench.links.run())
    try:
        await asyncio.sleep(0.05)
        assert ticks == []
        bench.links.join(0.0, bench.driver, told=True)
        async with asyncio.timeout(5):
            while len(ticks) < 3:
                await asyncio.sleep(0.001)
        bench.links.leave(1.0, bench.driver)
        await asyncio.sleep(0.02)
        seen = len(ticks)
        await asyncio.sleep(0.05)
        assert len(ticks) == seen
    finally:
        running.cancel()
