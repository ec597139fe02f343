"""One session under motion, typing and keys for a long time, then many viewers that come and go: `make soak`, or

    python scripts/soak.py --minutes 60 --connects 200

Latency must not creep up (a session that is made at the end, asked in turn with the old one, shows what the time has
added, whatever else the host does); descriptors, threads and memory must stay flat. Writes `build/bench/soak.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.harness import Harness
from bench.peers import Ours
from bench.processes import busy
from bench.scenery import paint
from bench.soak import Soak, report
from bench.stage import PIXELS, ROOT
from playwright.sync_api import Page, sync_playwright
from viewer_browser import launch


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Fresh(Ours):
    """A second server, with a session of its own."""

    name = "fresh"


class Place:
    """A browser, and a folder in which peers are started."""

    def __init__(self, stack: ExitStack, out: Path) -> None:
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="transom-soak-")))
        self._folder.chmod(0o711)
        browser = launch(stack.enter_context(sync_playwright()))
        stack.callback(browser.close)
        paint(browser, self._folder / PIXELS)
        self.harness = Harness(browser, [], out, say)

    @contextmanager
    def watched(self, peer: Ours) -> Iterator[Page]:
        """The page of a viewer of a session that is made now, gone afterwards."""
        with ExitStack() as stack:
            (self._folder / peer.name).mkdir()
            peer.start(stack, self._folder / peer.name)
            self.harness.admit(peer)
            yield stack.enter_context(self.harness.watching(peer))


def soaked(wanted: argparse.Namespace) -> dict[str, Any]:
    """All parts, and their figures."""
    with ExitStack() as stack:
        place, peer = Place(stack, wanted.out), Ours()
        soak = Soak(place.harness, peer, stack.enter_context(place.watched(peer)), say)
        began, used = time.monotonic(), busy()
        soak.watch(60 * wanted.minutes, wanted.cycle, wanted.rest)
        watched = list(soak.looks)
        with place.watched(Fresh()) as fresh:
            beside = soak.beside(fresh, wanted.turns)
        soak.come_and_go(wanted.connects)
        # what a first viewer brings along stays: the first batch is warm-up
        found = report(soak, watched, soak.looks[len(watched) + 1 :]) | {"beside_a_fresh_one": beside}
        found["host_cores"] = round((busy() - used) / (time.monotonic() - began), 2)
        return found


def main() -> int:
    """Soak, keep the figures, print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument(
        "--cycle", type=float, default=20, help="seconds of one round of scrolling, typing, keys"
    )
    parser.add_argument("--rest", type=float, default=0, help="seconds of a still screen after each round")
    parser.add_argument("--connects", type=int, default=200)
    parser.add_argument("--turns", type=int, default=10, help="of ten keys, beside a fresh session")
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    found = soaked(wanted)
    (wanted.out / "soak.json").write_text(json.dumps(found, indent=1))
    print(json.dumps({name: value for name, value in found.items() if name != "looks"}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
