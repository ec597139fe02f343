"""Key to picture by each road from a decoded frame to the screen, alternating, in one session and one browser:

python scripts/bench_roads.py --keys 100
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

from bench.goals import gather
from bench.harness import Harness
from bench.peers import Ours, commit
from bench.processes import busy, seconds_of
from bench.report import stages, table
from bench.roads import ROADS, Road
from bench.scenery import paint
from bench.stage import PIXELS, ROOT
from playwright.sync_api import sync_playwright
from viewer_browser import launch


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Measure, write `roads.json`, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=100, help="for each road")
    parser.add_argument("--each", type=int, default=10, help="keys in one turn of a road")
    parser.add_argument("--only", default=",".join(ROADS), help="roads, separated by commas")
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="transom-bench-")))
        folder.chmod(0o711)
        browser = launch(stack.enter_context(sync_playwright()))
        stack.callback(browser.close)
        paint(browser, folder / PIXELS)
        host = Ours()
        (folder / host.name).mkdir()
        host.start(stack, folder / host.name)
        harness = Harness(browser, [Road(road, host) for road in wanted.only.split(",")], wanted.out, say)
        harness.prepare()
        roots = [os.getpid(), *host.roots()]
        began, all_busy, own = time.monotonic(), busy(), seconds_of(roots)
        harness.keys(-(-wanted.keys // wanted.each), wanted.each)
        took = time.monotonic() - began
        others = (busy() - all_busy - (seconds_of(roots) - own)) / took
    kept = {"commit": commit(), "others_cores": round(others, 3), "samples": harness.samples}
    (wanted.out / "roads.json").write_text(json.dumps(kept, indent=1))
    samples, _ = gather([kept])
    print("\n".join([*table(samples), "", *stages(samples)]))
    say(f"other processes used {others:.2f} of {os.cpu_count()} cores meanwhile")
    return 0


if __name__ == "__main__":
    sys.exit(main())
