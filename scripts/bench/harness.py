"""The black box: keys into a peer's page, colours read from its picture, bytes counted where they arrive."""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from bench.peers import Ours, Peer
from bench.pixels import root_luma, ssim
from bench.processes import busy, seconds_of, tcp_sent
from bench.stage import StageError
from bench.stages import DRAWN, parts_of_counts, parts_of_mark
from transom_guest.x11.xlib import Display

FIRST_S, KEY_S = 30.0, 3.0
SHOWN = "bench: a picture"
"""What a page says in its console when its first picture is there."""
PAUSES_MS = (120, 260)
"""Between two keys, at random: no peer's frame clock may fall into step with it."""
SETTLE_MS = 1500
TYPING_MS = 160
"""Between two letters: 75 words a minute."""
STILL_MS = 300
PICK_UP_MS = 50
"""Of STILL_MS kept for asking the page for its pixels."""
STATE = """async () => JSON.stringify({
  shown: [...document.querySelectorAll("canvas, video")].map((one) =>
    [one.id, ...bench.sizeOf(one), one.getBoundingClientRect().toJSON(), getComputedStyle(one).visibility]),
  state: window.transom?.state, rung: window.transom?.rung, square: bench.square(),
  counted: await bench.bytes(), peers: bench.peers.map((one) => one.connectionState),
})"""
"""Of a page that shows nothing: what is there to be seen, and what has come."""
Sample = dict[str, Any]


class Harness:
    """Peers that run, and one browser that looks at them in turn."""

    def __init__(self, browser: Browser, peers: list[Peer], folder: Path, say: Callable[[str], None]) -> None:
        """`folder` takes a picture of a page that shows nothing."""
        self._browser, self._peers, self._folder, self._say = browser, peers, folder, say
        self._contexts: dict[str, BrowserContext] = {}
        self._shown: set[Page] = set()
        self.samples: list[Sample] = []

    def prepare(self) -> None:
        """Let each peer in."""
        for peer in self._peers:
            self.admit(peer)

    def admit(self, peer: Peer) -> None:
        """Sign in, find the window's size, look once at the page: what is fetched once is there."""
        wide, high = (1620, 790) if isinstance(peer, Ours) else peer.viewport
        context = self._browser.new_context(viewport={"width": wide, "height": high})
        context.add_init_script((Path(__file__).parent / "page.js").read_text())
        peer.dress(context)
        peer.viewport = (wide, high)
        peer.signed_in(context)
        self._contexts[peer.name] = context
        with self._page(peer) as page:
            if isinstance(peer, Ours):
                page.wait_for_timeout(1000)
                peer.fit(page)
            self._first(page)
        self._say(f"{peer.name}: {peer.about}")

    def keys(self, rounds: int, each: int) -> None:
        """Connects and keys: each round every peer once, in a random order."""
        for number in range(rounds):
            for peer in random.sample(self._peers, len(self._peers)):
                self._turn(peer, each)
            self._say(f"keys: round {number + 1} of {rounds}")

    def opens(self, count: int) -> None:
        """Each peer's page anew until it shows a picture, in turns, `count` times each."""
        for number in range(count):
            for peer in random.sample(self._peers, len(self._peers)):
                with self._page(peer) as page:
                    self._connected(peer, page)
            if not (number + 1) % 10:
                self._say(f"opens: {number + 1} of {count}")

    def loads(self, seconds: float) -> None:
        """A still screen, typing, scrolling, sharpness, full motion, and nobody there, for each peer once."""
        self._each(seconds, self._load)

    def motions(self, seconds: float) -> None:
        """Full motion alone, for each peer once."""
        self._each(seconds, self._motion_alone)

    def _each(self, seconds: float, load: Callable[[Peer, float], None]) -> None:
        for peer in random.sample(self._peers, len(self._peers)):
            if peer.client is not None:
                load(peer, seconds)
                self._say(f"loads: {peer.name}")

    @contextmanager
    def watching(self, peer: Peer) -> Iterator[Page]:
        """The peer's page with its picture, its keyboard on the desktop."""
        with self._page(peer) as page:
            self._first(page)
            self._focus(page)
            page.wait_for_timeout(SETTLE_MS)
            yield page

    def _turn(self, peer: Peer, each: int) -> None:
        with self._page(peer) as page:
            self._connected(peer, page)
            self._focus(page)
            page.wait_for_timeout(SETTLE_MS)
            self.press(page)
            before = page.evaluate("bench.bytes()")
            for _ in range(each):
                page.wait_for_timeout(random.uniform(*PAUSES_MS))
                self._note(peer, "key_ms", self.press(page))
            self._stages(peer, page, before)

    def _connected(self, peer: Peer, page: Page) -> None:
        """Note how long the page took to its first picture, and from its offer on."""
        first = self._first(page)
        offers = page.evaluate("bench.offers")
        self._note(peer, "first_picture_ms", first)
        if offers:
            self._note(peer, "offer_to_picture_ms", first - max(at for at in offers if at < first))

    def _stages(self, peer: Peer, page: Page, before: dict[str, float]) -> None:
        """Where the milliseconds went: by our guest's marks, and by what the browser counts."""
        for mark in page.evaluate("bench.marks"):
            for name, ms in parts_of_mark(mark).items():
                self._note(peer, f"stage_{name}_ms", ms)
        after = page.evaluate("bench.bytes()")
        for name, ms in parts_of_counts(before, after).items():
            self._note(peer, f"stage_{name}_ms", ms)
        if isinstance(peer, Ours):
            self._note(peer, DRAWN, page.evaluate("transom.stats().then(s => s.latency_ms)"))

    def _load(self, peer: Peer, seconds: float) -> None:
        client = peer.client
        assert client is not None
        with self._page(peer) as page:
            self._first(page)
            self._focus(page)
            page.wait_for_timeout(4000)  # refinement, and what a page fetches afterwards
            self._over(peer, page, "static", seconds, lambda: page.wait_for_timeout(1000 * seconds))
            client.tell("type")
            page.wait_for_timeout(SETTLE_MS)
            self._over(peer, page, "typing", seconds, lambda: self.write(page, seconds))
            client.tell("scroll")
            page.wait_for_timeout(SETTLE_MS * 2)
            self._over(peer, page, "scroll", seconds, lambda: self._pictures(peer, page, "scroll", seconds))
            client.tell("halt")
            page.wait_for_timeout(STILL_MS - PICK_UP_MS)
            self._note(peer, "ssim_300ms", self._likeness(peer, page))
            page.wait_for_timeout(2000)
            self._note(peer, "ssim_2s", self._likeness(peer, page))
            client.tell("flip")
            page.wait_for_timeout(STILL_MS - PICK_UP_MS)
            self._note(peer, "ssim_page_300ms", self._likeness(peer, page))
            self._motion(peer, page, seconds)
        time.sleep(3)
        used, began = seconds_of(peer.roots()), time.monotonic()
        time.sleep(seconds)
        self._note(peer, "nobody_cores", (seconds_of(peer.roots()) - used) / (time.monotonic() - began))

    def _motion_alone(self, peer: Peer, seconds: float) -> None:
        with self._page(peer) as page:
            self._first(page)
            page.wait_for_timeout(4000)
            self._motion(peer, page, seconds)

    def _motion(self, peer: Peer, page: Page, seconds: float) -> None:
        assert peer.client is not None
        peer.client.tell("motion")
        page.wait_for_timeout(SETTLE_MS * 2)
        self._over(peer, page, "motion", seconds, lambda: self._pictures(peer, page, "motion", seconds))
        peer.client.tell("flip")

    def _over(self, peer: Peer, page: Page, load: str, seconds: float, act: Callable[[], None]) -> None:
        """Do `act`, and note what it cost: kbit/s at the viewer, cores of the peer's processes."""
        server = peer.stream_server() if isinstance(peer, Ours) else []
        own, all_busy, streaming = seconds_of(peer.roots()), busy(), seconds_of(server)
        before, sent = page.evaluate("bench.bytes()"), tcp_sent(peer.port)
        began = time.monotonic()
        act()
        took = time.monotonic() - began
        sent = max(tcp_sent(peer.port) - sent, 0)
        after = page.evaluate("bench.bytes()")
        rise = {name: after[name] - before[name] for name in after if name != "rtt"}
        media = sent if peer.by_socket else rise["media"]
        self._note(peer, f"{load}_media_kbps", media * 8 / 1000 / took)
        self._note(peer, f"{load}_all_kbps", (rise["transport"] + sent) * 8 / 1000 / took)
        self._note(peer, f"{load}_cores", (seconds_of(peer.roots()) - own) / took)
        self._note(peer, f"{load}_host_cores", (busy() - all_busy) / took)
        if server and load == "scroll" and rise["frames"]:
            cost = 1000 * (seconds_of(server) - streaming) / rise["frames"]
            self._note(peer, "frame_cpu_ms", cost)
        if rise["frames"]:
            self._note(peer, f"{load}_decode_ms", 1000 * rise["decode"] / rise["frames"])
        if rise["emitted"]:
            self._note(peer, f"{load}_jitter_buffer_ms", 1000 * rise["jitter"] / rise["emitted"])

    def _pictures(self, peer: Peer, page: Page, load: str, seconds: float) -> None:
        seen = page.evaluate("ms => bench.pictures(ms)", 1000 * seconds)
        self._note(peer, f"{load}_fps", 1000 * seen["seen"] / seen["ms"])

    def write(self, page: Page, seconds: float) -> None:
        """Type, as a person does."""
        last = time.monotonic() + seconds
        while time.monotonic() < last:
            page.keyboard.press("a")
            page.wait_for_timeout(TYPING_MS)

    def _likeness(self, peer: Peer, page: Page) -> float:
        seen = page.evaluate("bench.luma()")
        display = Display(peer.display)
        width, height, root = root_luma(display)
        display.close()
        if (seen["width"], seen["height"]) != (width, height):
            return 0.0
        return ssim(base64.b64decode(seen["luma"]), root, width, height)

    def press(self, page: Page) -> float | None:
        """Press a key; the milliseconds until the picture showed it, None when it never did."""
        page.evaluate("ms => { window.benchPending = bench.flipped(ms); }", 1000 * KEY_S)
        page.keyboard.press("a")
        took: float | None = page.evaluate("benchPending")
        return took

    def _focus(self, page: Page) -> None:
        box = page.evaluate(
            "(() => { const b = bench.shown().getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        page.mouse.click(*box)

    def _first(self, page: Page) -> float:
        # The page says so itself: to ask it, Playwright parses a script of its own in the page's thread as it connects.
        last = time.monotonic() + FIRST_S
        while page not in self._shown:
            if time.monotonic() > last:
                page.screenshot(path=self._folder / "no-picture.png")
                self._say(f"no picture: {page.evaluate(STATE)}")
                raise StageError(f"{page.url} shows no picture: see {self._folder}/no-picture.png")
            page.wait_for_timeout(20)
        at: float = page.evaluate("bench.firstAt")
        return at

    @contextmanager
    def _page(self, peer: Peer) -> Iterator[Page]:
        page = self._contexts[peer.name].new_page()

        def said(message: ConsoleMessage) -> None:
            if message.text == SHOWN:
                self._shown.add(page)

        page.on("console", said)
        page.set_viewport_size({"width": peer.viewport[0], "height": peer.viewport[1]})
        try:
            page.goto(peer.url, wait_until="commit")
            yield page
        finally:
            page.close(run_before_unload=False)
            self._shown.discard(page)

    def _note(self, peer: Peer, what: str, value: float | None) -> None:
        self.samples.append({"peer": peer.name, "what": what, "value": value})
