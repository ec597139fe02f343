"""Who is measured: each is started, tells its page's address, and which processes are its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import httpx
from playwright.sync_api import BrowserContext, Page

from bench.processes import Process, below, processes
from bench.stage import HEIGHT, PIXELS, ROOT, WIDTH, Client, StageError, XServer, reached, running, until

NOVNC = """<!doctype html><title>noVNC</title><style>html,body,#s{margin:0;width:100%;height:100%}</style>
<div id=s></div><script type=module>
import RFB from './core/rfb.js';
const rfb = new RFB(document.getElementById('s'), 'ws://' + location.host + '/websockify');
rfb.focusOnClick = true; rfb.addEventListener('connect', () => rfb.focus());
</script>"""
DISPLAY = re.compile(r"(?:\S*/)?(?:Xorg|Xvnc) :(\d+) ")
"""How the line of a machine's display server begins."""


def free_port() -> int:
    """A TCP port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Whether a page is there."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class Peer:
    """One way to see a desktop. `display` and `client` are there once it has started."""

    name = ""
    about = ""
    display = ""
    port = 0
    """The server's, on loopback."""
    by_socket = False
    """The picture comes over a WebSocket, not as RTP."""
    client: Client | None = None
    viewport: tuple[int, int] = (WIDTH, HEIGHT)

    def start(self, stack: ExitStack, folder: Path) -> None:
        """Start all of it in a folder of its own, beside the page's pixels; the stack ends it."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """The page with the picture."""
        raise NotImplementedError

    def roots(self) -> list[int]:
        """The processes whose time, with all below them, is the peer's: X server, capture, encoder, relay."""
        raise NotImplementedError

    def signed_in(self, context: BrowserContext) -> None:
        """Give a browser's context what it needs to see the page."""

    def dress(self, context: BrowserContext) -> None:
        """Change what its pages get, where this peer is one to try something with."""


class NoVnc(Peer):
    """noVNC's own client, websockify between."""

    name, by_socket = "novnc", True

    def start(self, stack: ExitStack, folder: Path) -> None:
        web = folder / "web"
        shutil.copytree(ROOT / "web/node_modules/@novnc/novnc", web)
        (web / "index.html").write_text(NOVNC)
        version = json.loads((web / "package.json").read_text())["version"]
        self.about = f"noVNC {version} (npm), websockify, Xvnc's unix socket"
        self._x = XServer(stack, folder)
        self.display, self.port = self._x.name, free_port()
        argv = ["websockify", "--web", str(web), f"--unix-target={self._x.vnc}", f"127.0.0.1:{self.port}"]
        argv[0] = str(tools() / "websockify")
        self._bridge = stack.enter_context(running(argv, folder / "websockify.log"))
        until(lambda: answers(self.url), "websockify")
        self.client = Client(stack, self.display, folder.parent / PIXELS)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/index.html"

    def roots(self) -> list[int]:
        return [self._x.process.pid, self._bridge.pid]


class Selkies(Peer):
    """Selkies from PyPI over an Xvnc, its own page, its own defaults, no audio (there is no sound server)."""

    mode = ""
    STILL = ("audio-enabled", "microphone-enabled", "gamepad-enabled", "enable-basic-auth", "enable-resize")

    def start(self, stack: ExitStack, folder: Path) -> None:
        self._x = XServer(stack, folder)
        self.display, self.port = self._x.name, free_port()
        rtc = folder / "rtc.json"
        # no server of the internet: its page would wait five seconds for one that is not there
        rtc.write_text(
            json.dumps({"lifetimeDuration": "86400s", "iceServers": [], "blockStatus": "NOT_BLOCKED"})
        )
        off = [word for name in (*self.STILL, "wayland", "enable-https") for word in (f"--{name}", "false")]
        size = ["--manual-resolution", "true", "--manual-width", str(WIDTH), "--manual-height", str(HEIGHT)]
        argv = [
            *(str(tools() / "selkies"), "--mode", self.mode, "--addr", "127.0.0.1", "--port", str(self.port)),
            *(*off, *size, "--rtc-config-json", str(rtc)),
        ]
        home = {**os.environ, "DISPLAY": self.display, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
        self._server = stack.enter_context(running(argv, folder / "selkies.log", env=home))
        until(lambda: answers(self.url), f"selkies: {(folder / 'selkies.log').read_text()[-500:]}")
        self.client = Client(stack, self.display, folder.parent / PIXELS)
        self.about = f"Selkies 2.1.0 (PyPI), {self.mode} mode, Xvnc"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def roots(self) -> list[int]:
        return [self._x.process.pid, self._server.pid]


class SelkiesWebRtc(Selkies):
    name, mode = "selkies_webrtc", "webrtc"


class SelkiesWebSocket(Selkies):
    name, mode, by_socket = "selkies_websocket", "websockets", True


class Ours(Peer):
    """The whole product: `transom serve`, a namespace machine with its browser, the X client over it."""

    name = "ours"
    start_url = "data:text/html,desktop"
    own_client = True

    def start(self, stack: ExitStack, folder: Path) -> None:
        self.session = ""
        self.about = f"transom, {commit()}, the namespace driver, the door"
        self.port = free_port()
        folder.chmod(0o711)
        argv = [
            sys.executable,
            "-m",
            "transom",
            "serve",
            "--state",
            str(folder),
            "--port",
            str(self.port),
            "--json",
        ]
        environment = {**os.environ, "TRANSOM_POOL_MIN": "0"}
        log = (folder / "controller.log").open("a")
        stack.callback(log.close)
        self._server = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=log, text=True, env=environment, start_new_session=True
        )
        stack.callback(self._end)
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        if not line:
            raise StageError((folder / "controller.log").read_text()[-2000:])
        ready = json.loads(line)
        self._http = httpx.Client(
            base_url=ready["url"].split("/?")[0],
            headers={"Authorization": f"Bearer {ready['token']}"},
            timeout=30,
        )
        answer = self._http.post("/api/sessions", json={"start_url": self.start_url}).raise_for_status()
        self.session = answer.json()["id"]
        until(lambda: self._state()["state"] == "ready", "the session", 60)
        self._machine = self._state()["machine"]
        server, number = next((one, found) for one in self._own() if (found := DISPLAY.match(one.line)))
        inside = Path(f"/proc/{server.pid}/root/tmp/.X11-unix/X{number[1]}")
        self.display = stack.enter_context(reached(inside))
        self._stack, self._pixels = stack, folder.parent / PIXELS

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/session/{self.session}"

    def roots(self) -> list[int]:
        mark = self._machine
        return [one.pid for one in processes().values() if "transom_keeper" in one.line and mark in one.line]

    def stream_server(self) -> list[int]:
        """The machine's capture, encoder and peers: one process."""
        return [one.pid for one in self._own() if "transom_guest.stream" in one.line]

    def controller(self) -> list[int]:
        """The server that relays signalling and heartbeats, no media."""
        return [self._server.pid]

    def signed_in(self, context: BrowserContext) -> None:
        me = self._http.get("/api/me").raise_for_status().json()["id"]
        key = self._http.post(f"/api/users/{me}/key").raise_for_status().json()["key"]
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{self.port}/?key={quote(key)}")
        page.wait_for_url("**/dashboard/remote-cli")
        page.close()

    def fit(self, page: Page) -> None:
        """Find the window in which the desktop is exactly as large as the other peers'."""
        stage = page.evaluate(
            "(() => { const b = document.getElementById('stage').getBoundingClientRect();"
            " return [b.width, b.height]; })()"
        )
        wide, high = self.viewport
        self.viewport = (round(wide + WIDTH - stage[0]), round(high + HEIGHT - stage[1]))
        page.set_viewport_size({"width": self.viewport[0], "height": self.viewport[1]})
        page.wait_for_function(
            "size => { const s = window.bench.shown(); return s && String(window.bench.sizeOf(s)) === size; }",
            arg=f"{WIDTH},{HEIGHT}",
            timeout=20_000,
        )
        if self.own_client and self.client is None:
            self.client = Client(self._stack, self.display, self._pixels)

    def _state(self) -> dict[str, str]:
        found: dict[str, str] = self._http.get(f"/api/sessions/{self.session}").raise_for_status().json()
        return found

    def _own(self) -> list[Process]:
        return below(self.roots(), processes())

    def _end(self) -> None:
        if self.session and self._server.poll() is None:
            self._http.delete(f"/api/sessions/{self.session}")
            until(lambda: self._state()["state"] in ("ended", "failed"), "the session's end")
        self._server.terminate()
        self._server.wait(20)
        self._http.close()


class OursPage(Ours):
    """The same with a page in the machine's own Chromium instead of the X client: what a person has."""

    name = "ours_chromium"
    own_client = False
    start_url = "data:text/html," + quote(
        "<style>body{margin:0;background:#c81e1e;font:20px monospace;color:#fff}</style>"
        "<body><script>let on=false;onkeydown=()=>{on=!on;"
        "document.body.style.background=on?'rgb(30,160,60)':'rgb(200,30,30)'}</script>"
    )


def commit() -> str:
    """The tree's commit, in short."""
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()


def tools() -> Path:
    """Where the peers' programs are."""
    return Path(os.environ.get("BENCH_PEERS") or ROOT / "build/bench/peers/bin")
