"""Measure a running server from outside, with a real Chromium: what docs/measurements.md is made of.

    transom serve --state DIR --port 4100 --json        # prints url and token
    python scripts/measure.py --url http://127.0.0.1:4100 --token-file FILE

Everything is black box: clicks and keys into the page, colours read from the picture, CPU read from /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from bench.processes import processes, seconds_of
from playwright.sync_api import BrowserContext, Page, sync_playwright
from viewer_browser import launch, signed_in

SIZE = {"width": 1400, "height": 900}
READ_MS = 1000
"""A person looks at the dashboard before the click; it fetches the next page's files meanwhile."""


def page_of(markup: str) -> str:
    """A `data:` URL of `markup`."""
    return "data:text/html," + quote(markup)


STYLE = "<style>body{margin:0;background:#c81e1e;font:20px monospace;color:#fff}</style>"
FLIP = page_of(
    f"{STYLE}<body><script>let on=false;onkeydown=()=>{{on=!on;"
    "document.body.style.background=on?'rgb(30,160,60)':'rgb(200,30,30)'}</script>"
)
MOVING = page_of(
    f"{STYLE}<canvas id=c width=1200 height=560></canvas><script>const x=c.getContext('2d');let n=0;"
    "function f(){x.fillStyle='white';x.fillRect(0,0,1200,560);x.fillStyle='black';"
    "for(let i=0;i<40;i++)x.fillText('line '+(n+i)+' the quick brown fox jumps over the lazy dog 0123456789',20,"
    "14*i-(n%14)+14);n+=2;requestAnimationFrame(f)}f()</script>"
)
# Watches one pixel of the picture at every drawn frame, and notes when it turns green or red.
WATCH = """() => {
  const canvas = document.createElement('canvas'); canvas.width = canvas.height = 1;
  const context = canvas.getContext('2d', {willReadFrequently: true});
  window.seen = null;
  const look = () => {
    const s = document.getElementById('screen');
    const w = s.videoWidth || s.width, h = s.videoHeight || s.height;
    if (w) { context.drawImage(s, w * .5, h * .7, 1, 1, 0, 0, 1, 1);
      const [r, g] = context.getImageData(0, 0, 1, 1).data;
      const colour = g > 110 && r < 90 ? 'green' : r > 140 && g < 90 ? 'red' : null;
      if (colour && colour !== window.seen) { window.seen = colour; window.seenAt = performance.now(); } }
    window.watching = setTimeout(look, 2);
  };
  addEventListener('keydown', event => { window.pressedAt = performance.now(); }, true);
  look();
}"""


def quantiles(values: list[float]) -> dict[str, float]:
    """p50, p95, worst and how many."""
    ordered = sorted(values)
    at = min(len(ordered) - 1, int(len(ordered) * 0.95))
    return {
        "p50": round(statistics.median(ordered), 1),
        "p95": round(ordered[at], 1),
        "max": round(ordered[-1], 1),
        "n": len(ordered),
    }


def machine_cpu(machine: str) -> float:
    """Seconds of CPU that a machine's keeper and all below it have used."""
    keepers = [
        one.pid for one in processes().values() if "transom_keeper" in one.line and machine in one.line
    ]
    return seconds_of(keepers)


class Bench:
    """One server, one browser, sessions made and ended as the figures need them."""

    def __init__(self, url: str, api: httpx.Client, context: BrowserContext) -> None:
        self.url, self.http, self.context = url, api, context

    def state(self, session: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/api/sessions/{session}").raise_for_status().json()
        return found

    def machine(self, session: str) -> str:
        machine: str = self.state(session)["machine"]
        return machine

    @contextmanager
    def session(self, start_url: str) -> Iterator[str]:
        answer = self.http.post("/api/sessions", json={"start_url": start_url}).raise_for_status()
        session = answer.json()["id"]
        try:
            while self.state(session)["state"] != "ready":
                time.sleep(0.1)
            yield session
        finally:
            self.end(session)

    def end(self, session: str) -> None:
        self.http.delete(f"/api/sessions/{session}")
        while self.state(session)["state"] not in ("ended", "failed"):
            time.sleep(0.1)

    def open(self, session: str, rung: str = "webrtc") -> Page:
        page = self.context.new_page()
        page.goto(f"{self.url}/session/{session}")
        self.live(page, "webrtc")
        if rung == "vnc":
            page.get_by_role("button", name="Use noVNC").click()
            self.live(page, "vnc")
        return page

    @staticmethod
    def live(page: Page, rung: str) -> None:
        page.wait_for_function(
            "rung => window.transom && window.transom.state === 'live' && window.transom.rung === rung",
            arg=rung,
            timeout=120_000,
            polling=20,
        )

    def warmed(self) -> bool:
        """Wait until a warm machine is parked and the host is quiet; False where there is no pool."""
        while True:
            pool = self.http.get("/api/machines", params={"limit": 0}).raise_for_status().json()["pool"]
            if pool["most"] == 0:
                return False
            if pool["parked"] >= pool["target"] and not pool["making"]:
                time.sleep(1)
                return True
            time.sleep(0.2)

    def clicked(self, card: str, look_ms: float = READ_MS, seconds: float = 60) -> tuple[Page, str]:
        """A new session by a click on a card of the dashboard, once a warm machine waits; its page, and which it is."""
        self.warmed()
        page = self.context.new_page()
        page.goto(f"{self.url}/dashboard/remote-cli")
        button = page.get_by_role("button", name=card, exact=True)
        button.wait_for()
        page.wait_for_timeout(look_ms)
        button.click()
        page.wait_for_url("**/session/ses_*", wait_until="commit", timeout=seconds * 1000)
        return page, page.url.rsplit("/", 1)[1]

    def fresh(self, count: int, card: str, look_ms: float = READ_MS) -> dict[str, Any]:
        """Milliseconds from the click on a card to the first decoded frame, a new machine each time; and the
        medians of the stages before it."""
        times, stages, warm = [], [], 0
        for _ in range(count):
            page, session = self.clicked(card, look_ms)
            self.live(page, "webrtc")
            while "first_frame" not in (timeline := self.state(session)["timeline"]):
                time.sleep(0.05)
            times.append(timeline["first_frame"])
            stages.append(timeline)
            print(f"click {len(times)}: {times[-1]} ms", file=sys.stderr, flush=True)
            warm += self.state(session)["warm"]
            page.close()
            self.end(session)
        medians = {stage: statistics.median(each.get(stage, 0) for each in stages) for stage in stages[0]}
        return quantiles(times) | {"warm": warm, "stages": medians}

    def connects(self, session: str, count: int) -> dict[str, float]:
        """Milliseconds from page load to a live picture, to a machine that runs."""
        times = []
        page = self.open(session)
        for _ in range(count):
            page.reload(wait_until="commit")
            self.live(page, "webrtc")
            times.append(page.evaluate("performance.now()"))
        page.close()
        return quantiles(times)

    def latency(self, session: str, rung: str, count: int) -> dict[str, float]:
        """Milliseconds from a key event in the page to the colour in the picture."""
        page = self.open(session, rung)
        page.locator("#screen").click(position={"x": 300, "y": 400})
        page.evaluate(WATCH)
        page.wait_for_function("window.seen !== null")
        times = []
        for _ in range(count):
            before = page.evaluate("window.seen")
            page.wait_for_timeout(150)
            page.keyboard.press("a")
            page.wait_for_function("before => window.seen !== before", arg=before, timeout=5000, polling=10)
            times.append(page.evaluate("window.seenAt - window.pressedAt"))
        page.close()
        return quantiles(times)

    def flow(self, session: str, seconds: float) -> dict[str, float]:
        """fps and kbit/s as the page counts them, and cores used by the machine, over some seconds."""
        page, machine = self.open(session), self.machine(session)
        page.wait_for_timeout(3000)
        used, began = machine_cpu(machine), time.monotonic()
        samples = []
        while time.monotonic() < began + seconds:
            page.wait_for_timeout(1000)
            samples.append(page.evaluate("window.transom.stats()"))
        cores = (machine_cpu(machine) - used) / (time.monotonic() - began)
        page.close()
        return {
            "fps": round(statistics.median(sample["fps"] for sample in samples), 1),
            "kbps": round(statistics.median(sample["kbps"] for sample in samples), 1),
            "cores": round(cores, 3),
        }


def measure(bench: Bench, counts: argparse.Namespace) -> dict[str, Any]:
    """All figures, as docs/measurements.md names them."""
    figures: dict[str, Any] = {"load_average": os.getloadavg()[0]}
    if counts.fresh_only:
        return figures | {"click_to_first_frame_ms": bench.fresh(counts.fresh, counts.card)}
    with bench.session(MOVING) as session:
        figures["full_motion"] = bench.flow(session, 10)
    figures["click_to_first_frame_ms"] = bench.fresh(counts.fresh, counts.card)
    with bench.session(FLIP) as session:
        figures["connect_ms"] = bench.connects(session, counts.connects)
        figures["key_to_picture_webrtc_ms"] = bench.latency(session, "webrtc", counts.keys)
        figures["key_to_picture_vnc_ms"] = bench.latency(session, "vnc", counts.keys)
        figures["static"] = bench.flow(session, 10)
        machine = bench.machine(session)
        used, began = machine_cpu(machine), time.monotonic()
        time.sleep(10)
        figures["nobody_watching_cores"] = round(
            (machine_cpu(machine) - used) / (time.monotonic() - began), 3
        )
    with bench.session(MOVING) as session:
        figures["full_motion"] = bench.flow(session, 10)
    return figures


def main() -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True)
    parser.add_argument(
        "--token-file", type=Path, required=True, help="file with an administrator's API token"
    )
    parser.add_argument("--fresh", type=int, default=10)
    parser.add_argument("--card", default="Connect Demo", help="text of the button that is clicked")
    parser.add_argument("--fresh-only", action="store_true", help="nothing but click to first frame")
    parser.add_argument("--connects", type=int, default=50)
    parser.add_argument("--keys", type=int, default=100)
    counts = parser.parse_args()
    token = counts.token_file.read_text().strip()
    with sync_playwright() as playwright:
        browser = launch(playwright)
        headers = {"Authorization": f"Bearer {token}"}
        with (
            httpx.Client(base_url=counts.url, headers=headers, timeout=30) as api,
            signed_in(browser, api, viewport=SIZE) as context,
        ):
            figures = measure(Bench(counts.url, api, context), counts)
        browser.close()
    json.dump(figures, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
