"""Runs inside a sandbox made from the golden image: a keeper's link listener, and a walk through a desktop's life.

`python3 -m image_machine`; prints one JSON object with what was seen. Uses what the image has, nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from transom_wire import WIRE_VERSION
from transom_wire.codec import decode, encode
from transom_wire.framing import HEADER, pack
from transom_wire.link import FROM_GUEST, Hello, OpenStream, OpenUrl, Ping, SetScreen, Welcome

BOOT_TOKEN, LINK_TOKEN = "b" * 24, "l" * 24
FIRST, SECOND, THIRD = "#008080", "#aa3355", "#3355aa"
DESKTOP = {
    "DISPLAY": ":1",
    "HOME": "/home/user",
    "XDG_RUNTIME_DIR": "/run/user/1000",
    "PATH": os.environ["PATH"],
}


def page(colour: str) -> str:
    return f"data:text/html,<title>{colour[1:]}</title><body style='background:{colour.replace('#', '%23')}'>"


class Keeper:
    """Answers Hello, keeps what the guest says with its time."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.heard: list[tuple[int, str, str]] = []
        self.writers: dict[str, asyncio.StreamWriter] = {}
        self.streams: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.changed = asyncio.Condition()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = decode(await frame(reader), (Hello,))
        assert hello.token == (BOOT_TOKEN if hello.role == "boot" else LINK_TOKEN)
        writer.write(pack(encode(welcome(hello.role))))
        if hello.role == "stream":
            return await self.streams.put((reader, writer))
        self.writers[hello.role] = writer
        try:
            while True:
                message: Any = decode(await frame(reader), FROM_GUEST[hello.role])
                if not isinstance(message, Ping):
                    await self.note(hello.role, json.loads(encode(message)))
        except (EOFError, ConnectionError):
            return None

    async def note(self, role: str, said: dict[str, Any]) -> None:
        words = " ".join(str(said.get(key)) for key in ("type", "stage", "service", "state") if said.get(key))
        async with self.changed:
            self.heard.append((round((time.monotonic() - self.began) * 1000), role, words))
            self.changed.notify_all()

    async def until(self, words: str, times: int = 1) -> int:
        """Milliseconds at which `words` were heard for the `times`-th time."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.times(words)) >= times)
        return self.times(words)[times - 1]

    def times(self, words: str) -> list[int]:
        return [at for at, _, said in self.heard if said == words]

    def say(self, message: Any) -> None:
        self.writers["boot"].write(pack(encode(message)))


async def frame(reader: asyncio.StreamReader) -> bytes:
    (size,) = HEADER.unpack(await reader.readexactly(HEADER.size))
    return await reader.readexactly(size)


def welcome(role: str) -> Welcome:
    if role != "boot":
        return Welcome(version=WIRE_VERSION)
    return Welcome(
        version=WIRE_VERSION,
        link_token=LINK_TOKEN,
        session="ses_test",
        width=1280,
        height=720,
        start_url=page(FIRST),
        forwarder_port=3128,
    )


class Screen:
    """The desktop's pixels and windows."""

    def __init__(self) -> None:
        from Xlib import X, display

        self.x, self.display = X, display.Display(":1")
        self.root = self.display.screen().root

    def size(self) -> list[int]:
        found = self.root.get_geometry()
        return [found.width, found.height]

    def middle(self) -> str:
        width, height = self.size()
        data = self.root.get_image(width // 2, height // 2, 1, 1, self.x.ZPixmap, 0xFFFFFFFF).data
        return f"#{data[2]:02x}{data[1]:02x}{data[0]:02x}"

    def viewable(self) -> list[str]:
        """Classes of viewable windows on the top level, frames opened; unnamed helpers left out."""
        found = []
        for top in self.root.query_tree().children:
            if top.get_attributes().map_state != self.x.IsViewable or top.get_geometry().width < 10:
                continue
            names = [window.get_wm_class() for window in (top, *top.query_tree().children)]
            found += [name[1] for name in names if name]
        return found

    async def shows(self, colour: str) -> str:
        """Wait for `colour` in the middle of the desktop; return what is there at last."""
        deadline = time.monotonic() + 15
        while (seen := self.middle()) != colour and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        return seen


async def shell(command: str) -> list[Any]:
    """[exit status, output] of a command as a user's tool would run it."""
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", command, env=DESKTOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    return [process.returncode, out.decode(errors="replace").strip()]


def processes(pattern: str) -> dict[int, str]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if re.search(pattern, line):
            found[int(folder.name)] = line
    return found


async def only(pattern: str) -> int:
    """The one process whose command line matches; waits until there is exactly one."""
    while len(found := processes(pattern)) != 1:
        await asyncio.sleep(0.05)
    return next(iter(found))


def renderers() -> list[dict[str, Any]]:
    found = []
    for pid in processes("chromium.*--type=renderer"):
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        found.append({"seccomp": int(status["Seccomp"]), "namespaces": len(status["NSpid"].split())})
    return found


def listening() -> list[str]:
    """Local addresses of listening TCP sockets, as /proc/net/tcp and tcp6 print them."""
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return sorted(line[1] for line in lines if line[3] == "0A")


async def walk(keeper: Keeper) -> dict[str, Any]:
    seen: dict[str, Any] = {"ready_ms": await keeper.until("ready")}
    screen = Screen()
    seen["first"] = await screen.shows(FIRST)
    seen["windows"], seen["size"] = screen.viewable(), screen.size()
    seen["renderers"], seen["listening"] = renderers(), listening()
    seen["unsandboxed"] = list(processes("--no-sandbox").values())
    seen["modes"] = {
        path: stat.S_IMODE(os.stat(path).st_mode)
        for path in ("/run/transom/vnc.sock", "/run/transom/link-token")
    }
    seen["environment"] = environment_of(await only("-m transom_guest.signin"))

    keeper.say(OpenUrl(url=page(SECOND)))
    seen["second"] = await screen.shows(SECOND)
    seen["xdg_open"] = await shell(f'xdg-open "{page(THIRD)}"')
    seen["third"] = await screen.shows(THIRD)
    seen["xdg_open_file"] = await shell("xdg-open file:///etc/passwd")

    keeper.say(SetScreen(width=1001, height=701))
    while screen.size() != [1000, 700]:
        await asyncio.sleep(0.02)
    seen["third_resized"] = await screen.shows(THIRD)

    keeper.say(OpenStream(stream="s1", kind="vnc"))
    reader, writer = await keeper.streams.get()
    seen["greeting"] = (await reader.readexactly(12)).decode()
    writer.transport.abort()

    seen["tools"] = {name: await shell(f"{name} --version") for name in ("codex", "claude", "gemini", "node")}
    await crashes(keeper, screen, seen)
    seen["heard"] = keeper.heard
    return seen


async def crashes(keeper: Keeper, screen: Screen, seen: dict[str, Any]) -> None:
    for name, module in (("webrtc", "transom_guest.stream"), ("signin", "transom_guest.signin")):
        os.kill(await only(f"-m {module}"), signal.SIGKILL)
        await keeper.until(f"service_state {name} died")
        await keeper.until(f"service_state {name} started", 2)
    await saved(THIRD)
    for pid in processes("/usr/lib/chromium/chromium"):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    seen["black"] = await screen.shows("#000000")
    seen["restored"] = await screen.shows(THIRD)
    seen["windows_restored"] = screen.viewable()


async def saved(colour: str) -> None:
    """Chromium writes its open tabs down every few seconds: wait until `colour`'s page is among them."""
    folder = Path("/home/user/.config/chromium/Default/Sessions")
    while not any(colour[1:].encode() in path.read_bytes() for path in folder.glob("Session_*")):
        await asyncio.sleep(0.1)


def environment_of(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


async def main() -> None:
    keeper = Keeper()
    server = await asyncio.start_server(keeper.accept, "127.0.0.1", 4001)
    boot = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "transom_guest.boot", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert boot.stdin
    boot.stdin.write(BOOT_TOKEN.encode() + b"\n")
    boot.stdin.close()
    async with asyncio.timeout(120):
        seen = await walk(keeper)
    began = time.monotonic()
    boot.terminate()
    async with asyncio.timeout(20):
        await boot.wait()
    seen["stop_ms"] = round((time.monotonic() - began) * 1000)
    seen["left"] = list(processes("Xorg|Xvnc|chromium|openbox|transom_guest").values())
    server.close()
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main())
