"""A machine's display as a program on it sees it, from the host: its X socket, by the way of its mount namespace."""

from __future__ import annotations

import re
import struct
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.machines import descendants
from tests.support.processes import keeper_of
from transom_guest.x11.pings import Pings
from transom_guest.x11.xlib import Display
from transom_guest.x11.xtest import FakeInput

SERVERS = (b"/usr/lib/xorg/Xorg\0", b"Xvnc\0")
"""How the command line of a display's server begins."""
CONTROL, A, DELETE, ESCAPE = 37, 38, 119, 9
"""Keycodes of every PC keyboard."""


def picture(width: int = 300, height: int = 200) -> bytes:
    """A PNG of noise, so that it stays large."""
    rows = b"".join(b"\0" + bytes((x * y * 7 + x) % 256 for x in range(3 * width)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@contextmanager
def display_of(machine: str) -> Iterator[str]:
    """The DISPLAY of a sandbox's desktop for programs of this host, while the block runs."""
    sockets = Path("/tmp/.X11-unix")
    if not sockets.exists():
        # a host on which no X server has run yet
        sockets.mkdir()
        sockets.chmod(0o1777)
    for pid in descendants(keeper_of(machine)):
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(SERVERS):
            link = sockets / f"X{40_000 + pid % 20_000}"
            link.symlink_to(f"/proc/{pid}/root/tmp/.X11-unix/X1")
            try:
                yield f":{link.name[1:]}"
            finally:
                link.unlink()
            return
    raise AssertionError(f"{machine} has no display")


class Felt:
    """The raw events of `xinput --test-xi2`: `key CODE`, `button N`, `motion`, as they went down."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()
        time.sleep(0.5)

    def wait(self, *wanted: str, seconds: float = 10) -> None:
        """Wait until these were felt, in this order, and forget what was before."""
        end = time.monotonic() + seconds
        while not self.has(*wanted):
            assert time.monotonic() < end, f"felt {self.all()[-30:]}, wanted {wanted}"
            time.sleep(0.05)
        self._lines.clear()

    def has(self, *wanted: str) -> bool:
        """Whether these were felt, in this order."""
        rest = iter(self.all())
        return all(one in rest for one in wanted)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        self._lines.extend(iter(process.stdout.readline, ""))

    def all(self) -> list[str]:
        """What was felt since the last wait."""
        text = "".join(list(self._lines))
        found = []
        for event in text.split("EVENT type ")[1:]:
            kind, detail = re.search(r"\((\w+)\)", event), re.search(r"detail: (\d+)", event)
            if kind and detail and kind[1] in ("RawKeyPress", "RawButtonPress"):
                found.append(f"{kind[1][3:-5].lower()} {detail[1]}")
            elif kind and kind[1] == "RawMotion":
                found.append("motion")
        return found


class Desktop:
    """Its selections, by xclip."""

    def __init__(self, display: str) -> None:
        self._xclip = ["xclip", "-display", display]

    def selected(self, selection: str = "primary", type: str = "UTF8_STRING") -> bytes:
        """What somebody has selected (primary) or copied (clipboard)."""
        command = [*self._xclip, "-selection", selection, "-o", "-t", type]
        return subprocess.run(command, capture_output=True, timeout=20, check=False).stdout

    def all_of_field(self) -> str:
        """What is in the field that has the focus: selected as a keyboard of the desktop's own would."""
        self._press((CONTROL, True), (A, True), (A, False), (CONTROL, False))
        time.sleep(0.3)
        return self.selected().decode()

    def field_holds(self, text: str, seconds: float = 10) -> None:
        """Wait until the field that has the focus holds this; what comes into it meanwhile replaces what was there."""
        end = time.monotonic() + seconds
        while (found := self.all_of_field()) != text:
            assert time.monotonic() < end, f"the field holds {found[:2000]!r}, wanted {text[:2000]!r}"

    def clear_field(self) -> None:
        """Leave the field that has the focus empty, and no menu open that would take the keys for its own."""
        self._press((ESCAPE, True), (ESCAPE, False))
        time.sleep(0.1)
        self._press((CONTROL, True), (A, True), (A, False), (CONTROL, False), (DELETE, True), (DELETE, False))
        time.sleep(0.2)

    def keys_down(self) -> list[int]:
        """The keycodes that are down."""
        display = Display(self._xclip[2])
        try:
            return FakeInput(display).keys_down()
        finally:
            display.close()

    def catches_up(self, seconds: float) -> bool:
        """Whether the program with the focus answers that it has come to what was done, within so long."""
        display = Display(self._xclip[2])
        try:
            pings = Pings(display)
            window = pings.window()
            asked = None if window is None else pings.ask(window)
            end = time.monotonic() + seconds
            while asked is not None and time.monotonic() < end:
                if asked in map(pings.answered, display.events()):
                    return True
                time.sleep(0.01)
            return False
        finally:
            display.close()

    @contextmanager
    def watching(self) -> Iterator[Felt]:
        """Hear what the X server feels while the block runs."""
        command = ["xinput", "--test-xi2", "--root"]
        environment = {"DISPLAY": self._xclip[2], "PATH": "/usr/bin:/bin"}
        process = subprocess.Popen(
            ["stdbuf", "-oL", *command], env=environment, stdout=subprocess.PIPE, text=True
        )
        felt = Felt(process)
        try:
            yield felt
        finally:
            process.kill()
            process.wait(timeout=10)

    def _press(self, *keys: tuple[int, bool]) -> None:
        display = Display(self._xclip[2])
        fake = FakeInput(display)
        for code, down in keys:
            fake.key(code, down)
        display.sync()
        display.close()

    def wait(
        self, wanted: bytes, selection: str = "primary", type: str = "UTF8_STRING", seconds: float = 15
    ) -> None:
        end = time.monotonic() + seconds
        while (found := self.selected(selection, type)) != wanted:
            assert time.monotonic() < end, f"{selection} holds {found[:2000]!r}\nwanted {wanted[:2000]!r}"
            time.sleep(0.1)

    @contextmanager
    def copied(self, data: bytes, type: str = "UTF8_STRING") -> Iterator[None]:
        """A program copies this, and lives for the block."""
        process = subprocess.Popen(
            [*self._xclip, "-selection", "clipboard", "-i", "-quiet", "-t", type],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin
        process.stdin.write(data)
        process.stdin.close()
        try:
            yield
        finally:
            process.kill()
            process.wait(timeout=10)
