"""Every viewer's link under rate control: the driver's decides what is encoded; nobody else slows it.

A watcher that loses its picture has key frames at a bounded rate only.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from transom_guest.stream.rate import RateControl
from transom_guest.stream.rate_decision import Decision
from transom_guest.stream.rate_estimate import Packet
from transom_guest.stream.rate_reports import Report
from transom_wire.link import PeerTerms, StreamReport

TICK_S = 0.25
"""Seconds between two looks at links that say nothing."""
TELL_S = 0.25
"""Seconds between two messages to viewers at least."""
REPORT_S = 5.0
"""Seconds between two reports to the controller at least."""
AHEAD_S = 0.01
"""Seconds before the last frame has left, at which the next one is made: it takes about as long."""
WATCHER_KEY_S = 5.0
"""Seconds between two key frames that one watcher causes..."""
CONGESTED_KEY_S = 1.0
"""...or the driver, while a queue stands on its link: each would only be the next to be dropped there. And between
two that viewers cause who had none yet, all that do not drive together."""
ROOM = 0.8
"""Of a queue that stands on the driver's link, that has to leave before a key frame has room behind it: until then it
would be dropped as what it is to replace was, and so is all that comes between. It arrives no later for that..."""
MOST_ROOM_S = 0.5
"""...unless what seems to be a queue is none: seconds at most."""
log = logging.getLogger("transom.stream")


class Carried(Protocol):
    """What is needed of a peer's video."""

    def carry(self, decision: Decision, rtt_s: float) -> None: ...
    def behind_s(self) -> float: ...


class Viewed(Protocol):
    """What is needed of a peer."""

    name: str
    epoch: int
    terms: PeerTerms

    @property
    def video(self) -> Carried: ...
    def say(self, text: str) -> bool: ...
    def misdeeds(self) -> tuple[int, ...]: ...


class _Link:
    def __init__(self, peer: Viewed, control: RateControl) -> None:
        self.peer, self.control = peer, control
        self.key_at = self.reported_at = float("-inf")
        self.key_owed = False
        self.reported: tuple[object, ...] = ()
        self.misdeeds = (0,) * len(peer.misdeeds())
        """Of the peer, as they were reported."""

    def hold(self) -> None:
        """Let no more out, for the first time or again, than the link has room for; the cap, where it tells nothing."""
        if self.control.heard or self.control.decision.cause == "limit":
            self.peer.video.carry(self.control.decision, self.control.link.rtt_s)


class Links:
    """All calls come from the event loop's thread."""

    def __init__(
        self,
        apply: Callable[[Decision], None],
        report: Callable[[StreamReport], None],
        key: Callable[[float], None],
    ) -> None:
        """`apply` hears what to encode, `report` what to tell the controller, `key` in how many seconds a key frame is
        due, and nothing else before it."""
        self._apply, self._report, self._key = apply, report, key
        self._links: dict[Viewed, _Link] = {}
        self._watched = asyncio.Event()
        self._begun_at, self._begin_owed = float("-inf"), False
        self._applied: Decision | None = None
        self._told_at = float("-inf")
        self._told: tuple[object, ...] = ()

    async def run(self) -> None:
        """Look at links that say nothing, again and again, while there are any."""
        while True:
            await self._watched.wait()
            await asyncio.sleep(TICK_S)
            self.tick(asyncio.get_running_loop().time())

    def join(self, now: float, peer: Viewed, *, told: bool) -> None:
        """A viewer is connected, which gives feedback on each packet or not."""
        if peer not in self._links:
            self._links[peer] = _Link(peer, RateControl(now, peer.terms.kbps, told=told))
            self._watched.set()
            self._settle(now)

    def leave(self, now: float, peer: Viewed) -> None:
        """A viewer went."""
        link = self._links.pop(peer, None)
        if link is None:
            return
        if not self._links:
            self._watched.clear()
        if link.control.link.garbage:
            log.warning("peer %s told of %d packets that cannot be", peer.name, link.control.link.garbage)
        if link.peer.misdeeds() != link.misdeeds:
            self._tell_controller(now, link, last=True)
        self._settle(now)

    def sent(self, now: float, size: int) -> None:
        """A frame of `size` bytes went out to all."""
        for link in self._links.values():
            link.control.sent(now, size)

    def feedback(self, now: float, peer: Viewed, told: Sequence[Packet] | Report) -> None:
        """A viewer told what arrived."""
        link = self._links.get(peer)
        if link is not None:
            if isinstance(told, Report):
                link.control.reported(now, told)
            else:
                link.control.feedback(now, told)
            link.hold()
            self._settle(now)

    def all_drawn(self, peer: Viewed) -> None:
        """A viewer has drawn all it was sent."""
        link = self._links.get(peer)
        if link is not None:
            link.control.all_drawn()

    def tick(self, now: float) -> None:
        """Each TICK_S while there are viewers."""
        for link in self._links.values():
            link.control.allow(link.peer.terms.kbps)
            link.control.tick(now)
            link.hold()
            self._tell_controller(now, link)
        self._settle(now)
        driver = self._driver()
        owed = self._begin_owed and self._begin(now)
        if owed or (driver is not None and driver.key_owed and self.may_have_key(now, driver.peer)):
            self._key(0.0 if driver is None or owed else self.room_in(driver.peer))

    def may_begin(self, now: float, peer: Viewed) -> bool:
        """Whether a key frame may be made now for a viewer that has had none. A refused one is owed: it comes soon."""
        return peer.terms.drives or self._begin(now)

    def _begin(self, now: float) -> bool:
        self._begin_owed = now < self._begun_at + CONGESTED_KEY_S
        if not self._begin_owed:
            self._begun_at = now
        return not self._begin_owed

    def may_have_key(self, now: float, peer: Viewed) -> bool:
        """Whether a key frame may be made for this viewer now; a driver that has to wait gets it as soon as may be."""
        link = self._links.get(peer)
        drives = link is not None and link is self._driver()
        first = link is None or link.key_at == float("-inf")
        if first and not drives and not self.may_begin(now, peer):
            return False
        if link is None:
            return True
        wait = (CONGESTED_KEY_S if link.control.congested else 0.0) if drives else WATCHER_KEY_S
        link.key_owed = drives and now < link.key_at + wait
        if now < link.key_at + wait:
            return False
        link.key_at = now
        return True

    def room_in(self, peer: Viewed) -> float:
        """Seconds until there is room for a key frame that this viewer asked for because its picture is lost."""
        driver = self._driver()
        if driver is None or driver.peer is not peer or not driver.control.congested:
            return 0.0
        return min(driver.control.link.queue_s * ROOM, MOST_ROOM_S)

    def next_frame_in(self) -> float:
        """Seconds until a frame is of use to the driver: one that is made earlier shows less, and waits."""
        driver = self._driver()
        return 0.0 if driver is None else max(driver.peer.video.behind_s() - AHEAD_S, 0.0)

    def _driver(self) -> _Link | None:
        links = list(self._links.values())
        # the newest: a viewer that came back is another peer, and its old one says nothing any more
        driving = [link for link in links if link.peer.terms.drives]
        found = driving or links[:1]
        return found[-1] if found else None

    def _settle(self, now: float) -> None:
        driver = self._driver()
        if driver is None:
            return
        decision = driver.control.decision
        if decision != self._applied:
            self._applied = decision
            self._apply(decision)
        said = (decision.kbps, decision.fps, decision.scale, decision.cause)
        if said != self._told and now >= self._told_at + TELL_S:
            self._told, self._told_at = said, now
            for link in self._links.values():
                link.peer.say(json.dumps(["rate", *said]))

    def _tell_controller(self, now: float, link: _Link, *, last: bool = False) -> None:
        misdeeds = link.peer.misdeeds()
        decision, estimate = link.control.decision, link.control.link
        said = (
            link.control.target_kbps,
            int(estimate.sent_kbps),
            decision.fps,
            decision.scale,
            decision.cause,
            misdeeds,
        )
        if said == link.reported or (now < link.reported_at + REPORT_S and not last):
            return
        link.reported, link.reported_at, link.misdeeds = said, now, misdeeds
        self._report(
            StreamReport(
                link.peer.name,
                link.peer.epoch,
                said[0],
                min(said[1], 10**6),
                decision.fps,
                decision.scale,
                round(estimate.loss, 4),
                round(estimate.rtt_s * 1000, 1),
                decision.cause,
                *misdeeds,
            )
        )
