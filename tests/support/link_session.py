"""A session watched by a real Chromium behind an emulated link, and what its stream was like."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from scripts import viewer_browser

from tests.support.browser import wait_rung
from tests.support.link_emulator import Link, Shape, emulated_link
from tests.support.server import Server, free_port, running_server

MOVING = (
    "data:text/html,<title>moving</title><body style='margin:0;overflow:hidden'>"
    "<canvas id=c width=1280 height=720></canvas>"
    "<script>const c=document.getElementById('c').getContext('2d',{alpha:false});"
    "const n=new OffscreenCanvas(400,300),d=n.getContext('2d'),m=d.createImageData(400,300);"
    "for(let i=0;i<m.data.length;i++)m.data[i]=i%254==3?255:Math.random()*255;d.putImageData(m,0,0);"
    "let a=0;function step(){a+=0.03;c.setTransform(1,0,0,1,0,0);"
    "c.fillStyle='rgb(40,60,90)';c.fillRect(0,0,1280,720);"
    "c.translate(500+200*Math.sin(a*0.7),360);c.rotate(a);c.drawImage(n,-200,-150);c.setTransform(1,0,0,1,0,0);"
    "requestAnimationFrame(step)}step()</script>"
)
WATCH = """() => {
    const seen = window.pictures = [], stalls = window.stalls = [];
    let last = null, ran = performance.now();
    window.looking = setInterval(async () => {
        const now = performance.now();
        if (now - ran > 100) stalls.push([ran + 50, now]);
        ran = now;
        const told = await window.transom.stats();
        window.newest = told;
        if (told.frames !== last) { seen.push([performance.now(), told.frames]); last = told.frames; }
    }, 50);
}"""
LOOK_S = 0.25
"""Seconds between two looks at the link's queue."""


@dataclass(frozen=True)
class Look:
    """One look at the link to the viewer, and at what the page told then."""

    at: float
    queue_ms: float
    bytes: int
    dropped: int
    lost: int
    target_kbps: int | None
    fps: int | None
    scale: int | None
    cause: str | None
    latency_ms: float | None
    """From an input to the first picture that shows it: the middle one of the last ten."""


@dataclass(frozen=True)
class Watched:
    """How the stream fared for some seconds."""

    seconds: float
    pictures: list[tuple[float, int]]
    """When (seconds from the start) the viewer had more frames, and how many; looked at twenty times a second."""
    looks: list[Look]
    """Each LOOK_S; the first is before the link changed."""
    stalls: list[tuple[float, float]] = field(default_factory=list)
    """From when to when the host left the viewer's page without a processor."""
    pressure: float = 1.0
    """Share of the time in which something on this host waited for a processor."""

    @property
    def kbps(self) -> float:
        """What came out of the link to the viewer, all of it."""
        return self.used()

    def used(self, since: float = 0.0) -> float:
        """The same from `since` on."""
        looks = [look for look in self.looks if look.at >= since]
        return (looks[-1].bytes - looks[0].bytes) * 8 / 1000 / (looks[-1].at - looks[0].at)

    def freezes(self, over: float, since: float = 0.0) -> int:
        """How many times no picture came for more than `over` seconds."""
        times = [at for at, _ in self.pictures if at > since]
        return sum(b - a > over for a, b in pairwise([since, *times, self.seconds]))

    @property
    def fps(self) -> float:
        counts = [frames for _, frames in self.pictures]
        # a peer that was built anew counts from none again
        return sum(max(b - a, 0) for a, b in pairwise(counts)) / self.seconds

    def longest_gap(self, since: float = 0.0) -> float:
        """Seconds without a picture at most, from `since` on."""
        times = [at for at, _ in self.pictures if at > since]
        return max(b - a for a, b in pairwise([since, *times, self.seconds]))

    def linked_gap(self, since: float = 0.0) -> float:
        """The same, less what the host took of each pause: what the link, and what follows it, made of it."""
        times = [at for at, _ in self.pictures if at > since]
        gaps = pairwise([since, *times, self.seconds])
        return max(b - a - covered(self.stalls, a, b) for a, b in gaps)

    def queue_ms(self, since: float = 0.0, share: float = 0.5) -> float:
        """Milliseconds that `share` of the looks from `since` on found no more than."""
        late = sorted(look.queue_ms for look in self.looks[1:] if look.at >= since)
        return late[min(int(len(late) * share), len(late) - 1)]


class LinkSession:
    """One desktop, one viewer, one link."""

    def __init__(self, server: Server, link: Link, page: Page) -> None:
        self.server, self.link, self.page = server, link, page

    def watch(self, seconds: float, down: Shape, up: Shape, *, keys: bool = False) -> Watched:
        """Shape the link, and look for `seconds`; with `keys` press one each second look, for the page's latency."""
        counters = self.link.shape(down, up)["down"]
        self.page.evaluate(WATCH)
        began_ms = self.page.evaluate("performance.now()")
        began = time.monotonic()
        looks, waited = [_look(0.0, counters, None)], _waited_s()
        while time.monotonic() < began + seconds:
            self.page.wait_for_timeout(LOOK_S * 1000)
            if keys and len(looks) % 2:
                self.page.keyboard.press("a")
            told = self.page.evaluate("window.newest ?? null")
            looks.append(_look(time.monotonic() - began, self.link.counters()["down"], told))
        lasted = time.monotonic() - began
        seen: list[Any] = self.page.evaluate("clearInterval(window.looking) ?? window.pictures")
        stalls = [
            ((begun - began_ms) / 1000, (ended - began_ms) / 1000)
            for begun, ended in self.page.evaluate("window.stalls")
        ]
        pictures = [((at - began_ms) / 1000, frames) for at, frames in seen]
        pressure = 1.0 if waited is None else ((_waited_s() or 0.0) - waited) / lasted
        return Watched(lasted, pictures, looks, stalls, pressure)


def _waited_s() -> float | None:
    """Seconds since this host started in which some task waited for a processor; None where it does not tell."""
    try:
        some = Path("/proc/pressure/cpu").read_text().splitlines()[0]
    except OSError:
        return None
    return int(some.rsplit("=", 1)[1]) / 1e6


def covered(stalls: list[tuple[float, float]], begin: float, end: float) -> float:
    """Seconds of those from `begin` to `end` that are in a stall."""
    return sum(max(min(until, end) - max(since, begin), 0.0) for since, until in stalls)


def _look(at: float, down: dict[str, Any], told: dict[str, Any] | None) -> Look:
    told = told or {}
    return Look(
        at,
        down["queue_ms"],
        down["bytes"],
        down["dropped"],
        down["lost"],
        *(told.get(name) for name in ("target_kbps", "target_fps", "scale", "cause", "latency_ms")),
    )


@contextmanager
def link_session(start_url: str = MOVING, kbps: int = 2000) -> Iterator[LinkSession]:
    """A running desktop with `start_url`, its viewer connected by WebRTC through a link that is not slow yet.

    `kbps` is what the picture may take.
    """
    with _served(kbps) as (server, link), sync_playwright() as playwright:
        session = server.create(start_url=start_url)["id"]
        server.wait_for(session, "ready")
        with tempfile.TemporaryDirectory() as folder:
            browser = playwright.chromium.launch(
                executable_path=_inside(Path(folder), link), args=viewer_browser.FLAGS
            )
            try:
                with (
                    server.client() as client,
                    viewer_browser.signed_in(
                        browser, client, viewport={"width": 1400, "height": 900}
                    ) as context,
                ):
                    page = context.new_page()
                    page.goto(f"{server.url}/session/{session}")
                    wait_rung(page, "webrtc")
                    yield LinkSession(server, link, page)
            finally:
                browser.close()


@contextmanager
def _served(kbps: int) -> Iterator[tuple[Server, Link]]:
    """The link needs the server's port, and the server the link's address."""
    port = free_port()
    with (
        emulated_link(port) as link,
        running_server(
            {"TRANSOM_DOOR_ADDRESS": link.host, "TRANSOM_STREAM_KBPS": str(kbps)}, port=port
        ) as server,
    ):
        yield server, link


def _inside(folder: Path, link: Link) -> str:
    """A program that is Chromium in the link's namespace."""
    script = folder / "chromium"
    script.write_text(
        f'#!/bin/sh\nexec nice -n -5 nsenter --net=/run/netns/{link.namespace} /usr/bin/chromium "$@"\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return os.fspath(script)
