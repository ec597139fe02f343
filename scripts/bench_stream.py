"""The stream beside noVNC and Selkies, by one black-box harness: `make bench-stream`, some ten minutes. Or in pieces,
of which each is kept once it is done:

python scripts/bench_stream.py --keys 50 --loads 0
python scripts/bench_stream.py --keys 50 --loads 0 --add
python scripts/bench_stream.py --keys 0 --loads 1 --add
python scripts/bench_stream.py --keys 0 --loads 0 --opens 100 --only ours,selkies_webrtc  # under four minutes
python scripts/bench_stream.py --table docs         # what was measured, as docs/measurements.md has it
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.harness import Harness
from bench.peers import NoVnc, Ours, OursPage, Peer, SelkiesWebRtc, SelkiesWebSocket, commit
from bench.processes import busy, seconds_of
from bench.report import published, write
from bench.scenery import paint
from bench.stage import PIXELS, ROOT
from playwright.sync_api import sync_playwright
from viewer_browser import launch

PEERS: tuple[type[Peer], ...] = (Ours, OursPage, NoVnc, SelkiesWebRtc, SelkiesWebSocket)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def measured(wanted: argparse.Namespace) -> dict[str, Any]:
    """One run of the peers that are wanted."""
    names = wanted.only.split(",") if wanted.only else [kind.name for kind in PEERS]
    peers = [kind() for kind in PEERS if kind.name in names]
    tree = commit()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="transom-bench-")))
        folder.chmod(0o711)
        # a person has clicked: without that Selkies waits for a click of its own
        browser = launch(stack.enter_context(sync_playwright()), "--autoplay-policy=no-user-gesture-required")
        stack.callback(browser.close)
        paint(browser, folder / PIXELS)
        for peer in peers:
            (folder / peer.name).mkdir()
            peer.start(stack, folder / peer.name)
        harness = Harness(browser, peers, wanted.out, say)
        harness.prepare()
        roots = [os.getpid(), *(pid for peer in peers for pid in peer.roots())]
        began, all_busy, own = time.monotonic(), busy(), seconds_of(roots)
        if wanted.keys:
            harness.keys(-(-wanted.keys // wanted.each), wanted.each)
        harness.opens(wanted.opens)
        for _ in range(wanted.loads):
            (harness.motions if wanted.motion else harness.loads)(wanted.seconds)
        took = time.monotonic() - began
        others = (busy() - all_busy - (seconds_of(roots) - own)) / took
        return {
            "commit": tree,
            "at": time.strftime("%Y-%m-%dT%H:%M:%S"),
            "seconds": round(took, 1),
            "cores": os.cpu_count(),
            "others_cores": round(others, 3),
            "load_average": os.getloadavg()[0],
            "peers": {peer.name: peer.about for peer in peers},
            "samples": harness.samples,
        }


def main() -> int:
    """Measure, keep the samples, write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keys", type=int, default=100, help="for each peer")
    parser.add_argument("--each", type=int, default=10, help="keys in one turn of a peer")
    parser.add_argument("--opens", type=int, default=0, help="of each peer's page, up to its first picture")
    parser.add_argument("--loads", type=int, default=1, help="how often each peer's loads are run")
    parser.add_argument("--motion", action="store_true", help="of the loads full motion alone")
    parser.add_argument("--seconds", type=float, default=6, help="of each load")
    parser.add_argument("--only", default="", help="peers, separated by commas")
    parser.add_argument("--add", action="store_true", help="to the runs that are there")
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench")
    parser.add_argument("--table", choices=("docs",), help="measure nothing; print the runs that are there")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    kept = wanted.out / "stream.json"
    if wanted.table:
        print(published(json.loads(kept.read_text())["runs"]))
        return 0
    runs = json.loads(kept.read_text())["runs"] if wanted.add and kept.exists() else []
    runs.append(measured(wanted))
    print(write(runs, wanted.out))
    say(f"other processes used {runs[-1]['others_cores']:.2f} of {os.cpu_count()} cores meanwhile")
    return 0


if __name__ == "__main__":
    sys.exit(main())
