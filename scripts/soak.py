"""One session under motion, typing and keys for a long time, then many viewers that come and go: `make soak`, or

    python scripts/soak.py --minutes 60 --connects 200

Latency must not creep up; descriptors, threads and memory must stay flat. Writes `build/bench/soak.json`.
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
from playwright.sync_api import sync_playwright
from viewer_browser import launch


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@contextmanager
def session(out: Path) -> Iterator[Soak]:
    """A server, a session and its viewer, gone afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="transom-soak-")))
        folder.chmod(0o711)
        browser = launch(stack.enter_context(sync_playwright()))
        stack.callback(browser.close)
        paint(browser, folder / PIXELS)
        peer = Ours()
        (folder / peer.name).mkdir()
        peer.start(stack, folder / peer.name)
        harness = Harness(browser, [peer], out, say)
        harness.prepare()
        page = stack.enter_context(harness.watching(peer))
        yield Soak(harness, peer, page, say)


def soaked(seconds: float, cycle: float, connects: int, out: Path) -> dict[str, Any]:
    """Both parts, and their figures."""
    with session(out) as soak:
        began, used = time.monotonic(), busy()
        soak.watch(seconds, cycle)
        watched = list(soak.looks)
        soak.come_and_go(connects)
        # what a first viewer brings along stays: the first batch is warm-up
        found = report(soak, watched, soak.looks[len(watched) + 1 :])
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
    parser.add_argument("--connects", type=int, default=200)
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    found = soaked(60 * wanted.minutes, wanted.cycle, wanted.connects, wanted.out)
    (wanted.out / "soak.json").write_text(json.dumps(found, indent=1))
    print(json.dumps({name: value for name, value in found.items() if name != "looks"}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
