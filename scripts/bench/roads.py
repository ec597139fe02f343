"""One session of ours, and the roads by which its decoded frames may reach the screen: the page with another drawer."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from bench.peers import Ours

HERE = Path(__file__).resolve().parent
ROADS = {
    "canvas": "MediaStreamTrackProcessor, painted by the page",
    "video": "<video>, requestVideoFrameCallback",
    "worker": "MediaStreamTrackProcessor, painted by a worker",
    "transform": "encoded transform, VideoDecoder for latency, painted by a worker",
    "timed": "as canvas, without the playout delay of zero",
}
"""The first is what the page does where it can, the second where it cannot."""
TIMED = """(() => {
  const own = RTCPeerConnection.prototype.createOffer;
  RTCPeerConnection.prototype.createOffer = async function () {
    const { type, sdp } = await own.call(this);
    return { type, sdp: sdp.replace(/a=extmap:\\d+ [^\\r]*playout-delay\\r\\n/g, "") };
  };
})();"""


class Road(Ours):
    """A viewer of the session that `host` has started."""

    own_client = False

    def __init__(self, road: str, host: Ours) -> None:
        self.name, self.about, self._host = road, ROADS[road], host

    def start(self, stack: ExitStack, folder: Path) -> None:
        """There is nothing to start."""

    @property
    def url(self) -> str:
        return self._host.url

    def roots(self) -> list[int]:
        return self._host.roots()

    def signed_in(self, context: BrowserContext) -> None:
        self._host.signed_in(context)

    def fit(self, page: Page) -> None:
        self._host.viewport = self.viewport
        self._host.fit(page)
        self.viewport = self._host.viewport

    def dress(self, context: BrowserContext) -> None:
        """Give the page this road and no other."""
        if self.name == "video":
            context.add_init_script("delete window.MediaStreamTrackProcessor;")
        if self.name == "timed":
            context.add_init_script(TIMED)
        if self.name in ("worker", "transform"):
            drawer = f'const ROAD = "{self.name}";\n{(HERE / "road.js").read_text()}'
            worker = (HERE / "road_worker.js").read_text()
            script = "text/javascript"
            context.route("**/static/js/drawers.js", lambda r: r.fulfill(body=drawer, content_type=script))
            context.route(
                "**/static/js/road_worker.js", lambda r: r.fulfill(body=worker, content_type=script)
            )
