"""Hours in short: one session watched through motion, typing and keys, and viewers that come and go."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from bench.harness import PAUSES_MS, Harness
from bench.peers import Ours
from bench.stages import parts_of_mark

HELD = ("stream", "keeper", "controller")
"""Whose descriptors, threads and memory are watched."""
SETTLE_MS = 500
"""After a page was brought to the front."""
BATCH = 20
"""Connects between two looks at them."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process holds."""

    descriptors: int
    threads: int
    mebibytes: float
    """Its proportional share of memory."""


def footprint(pid: int) -> Footprint:
    """Read it from /proc."""
    folder = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line)
    rollup = (folder / "smaps_rollup").read_text()
    pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return Footprint(len(os.listdir(folder / "fd")), int(status["Threads"]), round(pss / 1024, 2))


@dataclass(frozen=True, slots=True)
class Look:
    """All of them at one time, and the keys since the last look."""

    seconds: float
    held: dict[str, Footprint]
    key_ms: list[float]
    lost: int


class Soak:
    """A session and its viewer, both already up."""

    def __init__(self, harness: Harness, peer: Ours, page: Page, say: Callable[[str], None]) -> None:
        self._harness, self._peer, self._page, self._say = harness, peer, page, say
        self._began = time.monotonic()
        self.looks: list[Look] = []
        self.connect_ms: list[float] = []

    def watch(self, seconds: float, cycle: float, rest: float = 0) -> None:
        """Scroll, type and press keys in turn, `cycle` seconds each round, and look at the end of each; then `rest`
        seconds of a still screen."""
        assert self._peer.client is not None
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._peer.client.tell("scroll")
            self._page.wait_for_timeout(cycle * 400)
            self._peer.client.tell("type")
            self._harness.write(self._page, cycle * 0.2)
            self._peer.client.tell("flip")
            self._page.wait_for_timeout(1000)
            self.look(self._keys(cycle * 0.4 - 1))
            self._page.wait_for_timeout(1000 * rest)

    def come_and_go(self, count: int) -> None:
        """`count` more viewers, one after the other, while the first one watches."""
        script = (Path(__file__).parent / "connects.js").read_text().strip().rstrip(";")
        for first in range(1, count + 1, BATCH):
            wanted = {
                "session": self._peer.session,
                "from": first,
                "count": min(BATCH, count + 1 - first),
            }
            self.connect_ms += self._page.evaluate(script, wanted)
            self.look([])

    def beside(self, fresh: Page, turns: int, each: int = 10) -> dict[str, Any]:
        """Keys by this connection and by one of a session made just now, in turn: what an hour has added is their
        difference, whatever the host does meanwhile. `stages` are the medians of each one's marks: whose it is."""
        pages = {"old": self._page, "fresh": fresh}
        taken: dict[str, list[float]] = {name: [] for name in pages}
        parts: dict[str, dict[str, list[float]]] = {name: {} for name in pages}
        for _ in range(turns):
            for name in random.sample(list(pages), len(pages)):
                pages[name].bring_to_front()
                pages[name].wait_for_timeout(SETTLE_MS)
                pages[name].evaluate("bench.marks.length = 0")
                pressed = [self._press(pages[name]) for _ in range(each)]
                taken[name] += [took for took in pressed if took is not None]
                for mark in pages[name].evaluate("bench.marks"):
                    for part, ms in parts_of_mark(mark).items():
                        parts[name].setdefault(part, []).append(ms)
        middle = {name: statistics.median(took) for name, took in taken.items()}
        found = {f"{name}_ms": round(value, 1) for name, value in middle.items()}
        stages = {
            name: {of: round(statistics.median(ms), 1) for of, ms in all_.items()}
            for name, all_ in parts.items()
        }
        drift = round(middle["old"] - middle["fresh"], 1)
        return {**found, "drift_ms": drift, "keys_each": turns * each, "stages": stages}

    def look(self, keys: list[float | None]) -> None:
        """Note what the processes hold now."""
        pids = {
            "stream": self._peer.stream_server()[-1],
            "keeper": self._peer.roots()[-1],
            "controller": self._peer.controller()[-1],
        }
        seen = [key for key in keys if key is not None]
        held = {name: footprint(pid) for name, pid in pids.items()}
        self.looks.append(Look(time.monotonic() - self._began, held, seen, len(keys) - len(seen)))
        middle = f"{statistics.median(seen):.1f} ms" if seen else "-"
        self._say(
            f"{self.looks[-1].seconds:.0f} s: key {middle}, " + ", ".join(f"{n} {h}" for n, h in held.items())
        )

    def _press(self, page: Page) -> float | None:
        page.wait_for_timeout(random.uniform(*PAUSES_MS))
        return self._harness.press(page)

    def _keys(self, seconds: float) -> list[float | None]:
        end = time.monotonic() + seconds
        found: list[float | None] = []
        while time.monotonic() < end:
            found.append(self._press(self._page))
        return found


def thirds(looks: list[Look], of: Callable[[Look], list[float]]) -> tuple[float, float]:
    """The medians of the first and of the last third; each of at least one look."""
    size = max(1, len(looks) // 3)
    first = [value for look in looks[:size] for value in of(look)]
    last = [value for look in looks[-size:] for value in of(look)]
    return statistics.median(first or [0.0]), statistics.median(last or [0.0])


def growth(looks: list[Look]) -> dict[str, dict[str, float]]:
    """How much each process holds more in the last third than in the first."""
    found: dict[str, dict[str, float]] = {}
    for name in HELD:
        found[name] = {}
        for what in ("descriptors", "threads", "mebibytes"):
            first, last = thirds(looks, lambda look, n=name, w=what: [float(getattr(look.held[n], w))])  # type: ignore[misc]
            found[name][what] = round(last - first, 2)
    return found


def report(soak: Soak, watched: list[Look], after: list[Look]) -> dict[str, Any]:
    """Figures of both parts: what drifted, what grew, what was lost."""
    first, last = thirds(watched, lambda look: look.key_ms)
    connects = soak.connect_ms
    return {
        "watched_s": round(watched[-1].seconds if watched else 0, 0),
        "key_first_third_ms": round(first, 1),
        "key_last_third_ms": round(last, 1),
        "drift_ms": round(last - first, 1),
        "keys": sum(len(look.key_ms) for look in watched),
        "keys_lost": sum(look.lost for look in watched),
        "grown_while_watched": growth(watched) if watched else {},
        "connects": len(connects),
        "connect_p50_ms": round(statistics.median(connects), 1) if connects else None,
        "grown_by_connects": growth(after) if after else {},
        "looks": [asdict(look) for look in soak.looks],
    }
