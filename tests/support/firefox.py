"""A viewer's Firefox, headless, driven by WebDriver BiDi (W3C): Playwright drives a build of its own only."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.server import Server

DEADLINE_S = 30
CONTROL = "\ue009"
"""WebDriver's sign for the key."""
PREFERENCES = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    # Packets to an address of this very host.
    "media.peerconnection.ice.loopback": True,
    # That address as it is, in place of a name that only a multicast DNS resolver knows.
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    # H.264 of a peer connection by the host's libavcodec.
    "media.navigator.mediadatadecoder_h264_enabled": True,
}
PLUGIN = "Name: gmpopenh264\nDescription: H.264\nVersion: 1.0\nAPIs: encode-video[h264], decode-video[h264]\n"
"""Firefox offers H.264 where it knows of Cisco's plugin, which it fetches from the internet after its first start. This
says that it is there; what decodes is libavcodec."""


def own_address() -> str:
    """An address of this host that Firefox makes candidates of: it takes none of loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.1", 9))
        address: str = probe.getsockname()[0]
        return address


class Firefox:
    """One window. Scripts and input are given and answered in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.errors: list[str] = []
        """What its console calls errors."""
        self._ask("session.new", capabilities={})
        self._ask("session.subscribe", events=["log.entryAdded"])
        self._window = self._ask("browsingContext.getTree")["contexts"][0]["context"]

    def goto(self, url: str) -> None:
        self._ask("browsingContext.navigate", context=self._window, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """What the expression comes to, awaited; of the kinds that JSON has."""
        told = f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))"
        found = self._ask(
            "script.evaluate", expression=told, target={"context": self._window}, awaitPromise=True
        )
        assert found["type"] == "success", found["exceptionDetails"]["text"]
        return json.loads(found["result"]["value"])

    def wait(self, expression: str, seconds: float = 20) -> None:
        """Until it is true."""
        end = time.monotonic() + seconds
        while not self.evaluate(expression):
            assert time.monotonic() < end, f"{expression}: {self.evaluate('document.body.innerText')}"
            time.sleep(0.05)

    def wait_rung(self, rung: str, seconds: float = 20) -> None:
        self.wait(f"window.transom?.state === 'live' && window.transom.rung === '{rung}'", seconds)

    def type(self, text: str) -> None:
        keys = [{"type": kind, "value": one} for one in text for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keyboard", "actions": keys})

    def select_all(self) -> None:
        """Control and A."""
        steps = [("keyDown", CONTROL), ("keyDown", "a"), ("keyUp", "a"), ("keyUp", CONTROL)]
        actions = [{"type": kind, "value": key} for kind, key in steps]
        self._act({"type": "key", "id": "keyboard", "actions": actions})

    def click(self, x: int, y: int) -> None:
        steps = [{"type": "pointerMove", "x": x, "y": y}]
        steps += [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        self._act({"type": "pointer", "id": "mouse", "actions": steps})

    def press(self, words: str) -> None:
        """The page's button of that name."""
        named = (
            f"[...document.querySelectorAll('button')].find((one) => one.textContent.trim() === '{words}')"
        )
        self.evaluate(f"{named}.click()")

    def wheel(self, x: int, y: int, pixels: int) -> None:
        step = {"type": "scroll", "x": x, "y": y, "deltaX": 0, "deltaY": pixels}
        self._act({"type": "wheel", "id": "wheel", "actions": [step]})

    def screenshot(self) -> bytes:
        return base64.b64decode(self._ask("browsingContext.captureScreenshot", context=self._window)["data"])

    def sign_in(self, server: Server) -> None:
        """By a one-use key, as a person's browser is."""
        with server.client() as api:
            me = api.get("/api/me").raise_for_status().json()["id"]
            key = api.post(f"/api/users/{me}/key").raise_for_status().json()["key"]
        self.goto(f"{server.url}/?key={key}")
        self.wait("location.pathname.startsWith('/dashboard')")

    def _act(self, source: dict[str, Any]) -> None:
        self._ask("input.performActions", context=self._window, actions=[source])

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            heard = json.loads(self._socket.recv(timeout=DEADLINE_S))
            if heard.get("id") == number:
                assert heard["type"] == "success", f"{method}: {heard.get('message')}"
                found: dict[str, Any] = heard["result"]
                return found
            if heard.get("method") == "log.entryAdded" and heard["params"]["level"] == "error":
                self.errors.append(heard["params"]["text"])


@contextmanager
def firefox(*, h264: bool = True) -> Iterator[Firefox]:
    """Debian's Firefox with a profile of its own; without H.264 it is as fresh from its package."""
    folder = Path(tempfile.mkdtemp(prefix="transom-firefox-"))
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    (folder / "user.js").write_text("\n".join(lines))
    environment = {**os.environ, "HOME": str(folder)}
    if h264:
        plugin = folder / "gmp-gmpopenh264" / "1.0"
        plugin.mkdir(parents=True)
        (plugin / "gmpopenh264.info").write_text(PLUGIN)
        (plugin / "libgmpopenh264.so").touch()
        environment["MOZ_GMP_PATH"] = str(plugin)
    command = ["firefox-esr", "--headless", "--no-remote", "--profile", str(folder)]
    process = subprocess.Popen(
        [*command, "--remote-debugging-port", "0", "--width", "1280", "--height", "800"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        with connect(f"{_address(process)}/session", max_size=None) as socket:
            yield Firefox(socket)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        process.kill()
        process.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)


def _address(process: subprocess.Popen[str]) -> str:
    """Where it listens, as it says itself; its other words are read and dropped."""
    assert process.stderr
    watchdog = threading.Timer(DEADLINE_S, process.kill)
    watchdog.start()
    for line in process.stderr:
        if found := re.search(r"BiDi listening on (ws://\S+)", line):
            watchdog.cancel()
            threading.Thread(target=list, args=(process.stderr,), daemon=True).start()
            return found[1]
    raise AssertionError("Firefox did not start")
