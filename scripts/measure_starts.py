"""Measure starts and connects: a server of its own, a real Chromium, and what each part of a connect took.

    python scripts/measure_starts.py                     # sandboxes
    python scripts/measure_starts.py --emulated          # QEMU without KVM, from a snapshot; as root
    python scripts/measure_starts.py --emulated firecracker --cold  # its stand-in in the tests, booted; as root

`click`: from the click on a dashboard card to the first decoded frame, on a warm machine, a new one each time;
the moment the dashboard is there (not emulated), and after a second's look at it. `open`: the session's page is
loaded anew, of a machine that runs; `connect`: by the page that is there, from noVNC to WebRTC, so without a page's
load. All in milliseconds, to when the page says that its picture is live, which is seen once the browser has
brought it to the screen; `decoded` is to the first decoded frame in the page's hands. `load_average` is the host's
at the start: compare only what was measured on a quiet one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from clicks import CLICKED, clicks
from measure import FLIP, SIZE, Bench, quantiles
from playwright.sync_api import Page, sync_playwright
from viewer_browser import launch, signed_in

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.support.firecracker_lab import programs
from tests.support.helper_lab import helper
from tests.support.machine_lab import state_folder
from tests.support.server import Server, running_server

WARM = {"TRANSOM_POOL_MIN": "1", "TRANSOM_POOL_MAX": "1", "TRANSOM_POOL_MEMORY_MIB": "64"}
EMULATED = {
    "TRANSOM_PROGRAM": "terminal",
    "TRANSOM_MEMORY_MIB": "1024",
    "TRANSOM_DISK_MIB": "1024",
    "TRANSOM_BOOTING_DEADLINE_S": "600",
}
PAUSE_MS = 500
"""Between two connects: the one before has been let go of."""
MARKS = """(() => {
  const marks = (window.marks = {});
  const mark = (name) => { marks[name] ??= performance.now(); };
  const Connection = RTCPeerConnection, Socket = WebSocket;
  window.RTCPeerConnection = class extends Connection {
    constructor(...all) {
      mark("made"); super(...all); mark("built");
      this.addEventListener("iceconnectionstatechange", () => this.iceConnectionState === "connected" && mark("ice"));
      this.addEventListener("connectionstatechange", () => this.connectionState === "connected" && mark("dtls"));
    }
    createDataChannel(name, ...all) {
      const channel = super.createDataChannel(name, ...all);
      if (name === "control") channel.addEventListener("open", () => mark("open"));
      return channel;
    }
  };
  // Not a subclass: noVNC looks for a socket's methods on its very prototype.
  const send = Socket.prototype.send;
  Socket.prototype.send = function (data) {
    if (String(data).startsWith('{"type":"offer"')) mark("offer");
    send.call(this, data);
  };
  window.WebSocket = new Proxy(Socket, {
    construct(socket, all) {
      const made = new socket(...all);
      made.addEventListener("open", () => mark("socket"));
      made.addEventListener("message", ({ data }) => {
        if (String(data).startsWith('{"type":"answer"')) mark("answer");
        else if (/^.{0,200}"state":"ready"/.test(String(data))) mark("ready");
      });
      return made;
    },
  });
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function (picture, ...all) {
    if (picture instanceof VideoFrame) mark("decoded");
    return draw.call(this, picture, ...all);
  };
  window.watchLive = () => {
    if (window.transom) mark("modules");
    const { state, rung } = window.transom ?? {};
    if (state === "live" && rung === "webrtc") mark("frame");
    else setTimeout(window.watchLive, 1);
  };
  window.watchLive();
})()"""
PIECES = (
    ("offer", "answer"),
    ("answer", "ice"),
    ("ice", "dtls"),
    ("dtls", "decoded"),
    ("decoded", "frame"),
    ("offer", "frame"),
)


def drawn(page: Page, seconds: float) -> dict[str, float]:
    """The page's marks, once a frame was drawn: milliseconds since its load."""
    page.wait_for_function("() => window.marks?.frame", timeout=seconds * 1000, polling=20)
    marks: dict[str, float] = page.evaluate("window.marks")
    return marks


def told(rows: list[dict[str, float]], since: str) -> dict[str, Any]:
    """Quantiles of the time from `since` (a mark, or "load") to the frame, and to its decoding. Medians of
    the pieces, which may overlap."""
    pieces = {
        f"{begin}_to_{end}": round(statistics.median(row[end] - row[begin] for row in rows), 1)
        for begin, end in PIECES
        if all(begin in row and end in row for row in rows)
    }
    whole, decoded = (
        quantiles([row[end] - row.get(since, 0.0) for row in rows]) for end in ("frame", "decoded")
    )
    return whole | {"decoded": decoded, "medians": pieces}


def opens(bench: Bench, session: str, count: int, seconds: float) -> dict[str, Any]:
    """The page loaded anew, again and again."""
    page, rows = bench.open(session), []
    for _ in range(count):
        page.wait_for_timeout(PAUSE_MS)
        page.reload(wait_until="commit")
        rows.append(drawn(page, seconds))
    page.close()
    return told(rows, "load")


def connects(bench: Bench, session: str, count: int, seconds: float) -> dict[str, Any]:
    """By a page that is there: to noVNC, and from it to WebRTC."""
    page, rows = bench.open(session), []
    for _ in range(count):
        page.evaluate("window.transom.use('vnc')")
        bench.live(page, "vnc")
        page.wait_for_timeout(PAUSE_MS)
        page.evaluate(
            "() => { for (const name in window.marks) delete window.marks[name];"
            " window.marks.asked = performance.now(); window.transom.use('webrtc'); window.watchLive(); }"
        )
        rows.append(drawn(page, seconds))
    page.close()
    return told(rows, "asked")


def figures(bench: Bench, asked: argparse.Namespace, machines: Path) -> Iterator[tuple[str, Any]]:
    """What was asked for, each as soon as it is known."""
    seconds = (300.0 if asked.cold else 120.0) if asked.emulated else 30.0
    yield "load_average", os.getloadavg()[0]
    if asked.connects:
        with bench.session(FLIP) as session:
            yield "open", opens(bench, session, asked.connects, seconds)
            yield "connect", connects(bench, session, asked.connects, seconds)
    if asked.clicks:
        if not asked.emulated:
            yield "click_at_once", clicks(bench, machines, asked.clicks, asked.card, 0, seconds)
        yield "click_after_a_look", clicks(bench, machines, asked.clicks, asked.card, seconds=seconds)


@contextmanager
def server(asked: argparse.Namespace) -> Iterator[Server]:
    """A server that is there for this run alone."""
    with ExitStack() as stack:
        settings = {} if asked.cold else dict(WARM)
        if asked.emulated:
            settings |= EMULATED | virtual(asked.emulated, stack)
        yield stack.enter_context(running_server(settings))


def virtual(driver: str, stack: ExitStack) -> dict[str, str]:
    """Settings for `driver`, and its root helper. Firecracker is the real one where TRANSOM_FIRECRACKER names one
    and KVM works, else the tests' stand-in."""
    settings = {"TRANSOM_DRIVER": driver, "TRANSOM_ACCELERATOR": "tcg"}
    arguments: tuple[str, ...] = ()
    if driver == "firecracker":
        folder = state_folder()
        stack.callback(shutil.rmtree, folder)
        chosen = programs(folder / "vmm")
        arguments = chosen.helper_arguments
        settings |= {
            "TRANSOM_FIRECRACKER": str(chosen.firecracker),
            "TRANSOM_ACCELERATOR": chosen.accelerator,
        }
    return settings | {"TRANSOM_HELPER_SOCKET": stack.enter_context(helper(*arguments)).socket}


def main() -> int:
    """Print the figures, each a line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--emulated",
        nargs="?",
        const="qemu",
        choices=("qemu", "firecracker"),
        help="virtual machines without KVM, with a root helper",
    )
    parser.add_argument("--cold", action="store_true", help="none waits: each is booted after the click")
    parser.add_argument("--clicks", type=int, default=10, help="of each kind; 0: none")
    parser.add_argument("--connects", type=int, default=20, help="of each kind; 0: none")
    parser.add_argument("--card", default="Open a desktop", help="text of the button that is clicked")
    asked = parser.parse_args()
    with sync_playwright() as playwright, server(asked) as there:
        browser = launch(playwright)
        headers = {"Authorization": f"Bearer {there.ready['token']}"}
        with (
            httpx.Client(base_url=there.url, headers=headers, timeout=60) as api,
            signed_in(browser, api, viewport=SIZE) as context,
        ):
            context.add_init_script(MARKS)
            context.add_init_script(CLICKED)
            bench = Bench(there.url, api, context)
            for name, figure in figures(bench, asked, there.state / "machines"):
                print(json.dumps({name: figure}), flush=True)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
