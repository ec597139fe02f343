"""Runs inside an image, with what the image has and nothing else: `python3 probe.py WISHES`, both JSON.

WISHES: {"browser": "chromium"|"xterm"|null, "elements": [GStreamer element, ...],
"commands": [command, ...], "seconds": longest wait for one of them}. Prints one line,
`transom-probe {"wrong": [sentence, ...], "said": {command: its version's words}, "painted_ms": int|null}`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MARK = "transom-probe "
DISPLAY, COLOUR = ":7", "#2f6f4f"
SIDE = 64
"""Pixels between the points of the screen that are looked at."""
RUN = "/run/user/1000"
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/home/user",
    "DISPLAY": DISPLAY,
    "LANG": "C.UTF-8",
    "XDG_RUNTIME_DIR": RUN,
    "GST_REGISTRY": "/var/cache/gstreamer-1.0/registry.bin",
    "GST_REGISTRY_UPDATE": "no",
}
XVNC = (
    *("Xvnc", DISPLAY, "-rfbunixpath", f"{RUN}/probe-vnc", "-rfbport", "-1", "-nolisten", "tcp"),
    *("-SecurityTypes", "None", "-geometry", "1024x640", "-depth", "24", "-noreset", "-br"),
)
XORG_SERVER, XORG_FILE = "/usr/lib/xorg/Xorg", f"{RUN}/probe-xorg.conf"
XORG = (
    *(XORG_SERVER, DISPLAY, "-config", XORG_FILE, "-logfile", "/dev/null", "-nolisten", "tcp"),
    *("-noreset", "-br"),
)
XORG_CONFIGURATION = f"""\
Section "ServerFlags"
  Option "AutoAddGPU" "false"
  Option "AllowMouseOpenFail" "true"
  Option "DontVTSwitch" "true"
EndSection
Section "Module"
  Load "vnc"
  Disable "glx"
EndSection
Section "InputClass"
  Identifier "nothing that the machine has"
  Option "Ignore" "true"
EndSection
Section "InputDevice"
  Identifier "touch"
  Driver "inputtest"
  Option "DeviceType" "Touch"
  Option "SocketPath" "{RUN}/probe-touch"
EndSection
Section "Device"
  Identifier "memory"
  Driver "dummy"
EndSection
Section "Screen"
  Identifier "screen"
  Device "memory"
  DefaultDepth 24
  Option "rfbunixpath" "{RUN}/probe-vnc"
  Option "rfbport" "-1"
  Option "SecurityTypes" "None"
  SubSection "Display"
    Depth 24
    Virtual 1024 640
  EndSubSection
EndSection
Section "ServerLayout"
  Identifier "layout"
  Screen "screen"
  InputDevice "touch" "SendCoreEvents"
EndSection
"""
"""The parts that a desktop's display has: its screen in memory, the VNC server as a module, a touch screen."""
CHROMIUM = (
    *("/usr/lib/chromium/chromium", "--no-first-run", "--password-store=basic", "--disable-gpu"),
    *(f"--user-data-dir={RUN}/probe-profile", "--window-size=1024,640", "--window-position=0,0"),
)
XTERM = ("xterm", "-bg", COLOUR, "-geometry", "200x60+0+0", "-e", "sleep", "600")


class Probe:
    """What is asked, and what was found."""

    def __init__(self, wishes: dict[str, Any]) -> None:
        self.wishes = wishes
        self.seconds = float(wishes["seconds"])
        self.wrong: list[str] = []
        self.said: dict[str, str] = {}
        self.painted_ms: int | None = None

    def run(self) -> dict[str, Any]:
        """Everything that is asked."""
        for command in self.wishes["commands"]:
            self.said[command] = self.version(command)
        for element in self.wishes["elements"]:
            if self.call(["gst-inspect-1.0", "--exists", element])[0]:
                self.wrong.append(f"GStreamer has no {element}")
        if self.wishes["browser"]:
            self.look()
        return {"wrong": self.wrong, "said": self.said, "painted_ms": self.painted_ms}

    def version(self, command: str) -> str:
        """The words of `command --version`."""
        code, words = self.call([command, "--version"])
        if code:
            self.wrong.append(f"{command} --version fails: {words.strip()[-200:]}")
        return words.strip()[:500]

    def call(self, argv: list[str]) -> tuple[int, str]:
        """(exit status, output) of a program."""
        try:
            done = subprocess.run(
                argv,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=self.seconds,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return 127, str(error)
        return done.returncode, done.stdout.decode(errors="replace")

    def look(self) -> None:
        """Start the display, open a page of one colour in the browser, wait until it is on the screen."""
        began = time.monotonic()
        log = Path(f"{RUN}/probe.log")
        with log.open("wb") as out:
            display = self.start(self.server(), out)
            try:
                screen = self.screen()
                if screen is None:
                    self.wrong.append(f"the display does not come up: {tail(log)}")
                    return
                running = [self.start(("openbox",), out)]
                self.managed(screen)  # a window that comes while its manager starts may never be mapped
                running.append(self.start(self.browser(), out))
                if self.painted(screen):
                    self.painted_ms = round((time.monotonic() - began) * 1000)
                else:
                    ended = running[-1].poll()
                    state = "runs" if ended is None else f"ended with {ended}"
                    self.wrong.append(f"{self.wishes['browser']} {state}, and paints nothing: {tail(log)}")
                for process in running:
                    process.kill()
            finally:
                display.kill()

    def server(self) -> tuple[str, ...]:
        """The display's command line: Xvnc's, where an older image has no more."""
        if not Path(XORG_SERVER).exists():
            return XVNC
        Path(XORG_FILE).write_text(XORG_CONFIGURATION)
        return XORG

    def browser(self) -> tuple[str, ...]:
        """Its command line."""
        if self.wishes["browser"] == "xterm":
            return XTERM
        page = f"data:text/html,<body style='background:{COLOUR.replace('#', '%23')}'>"
        return (*CHROMIUM, page)

    def start(self, argv: tuple[str, ...], out: Any) -> subprocess.Popen[bytes]:
        """Start a program of the desktop."""
        return subprocess.Popen(argv, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def screen(self) -> Any:
        """The display's screen, or None when it does not answer in time."""
        from Xlib import display, error

        give_up = time.monotonic() + self.seconds
        while time.monotonic() < give_up:
            try:
                return display.Display(DISPLAY).screen()
            except (error.DisplayError, OSError):
                time.sleep(0.05)
        return None

    def managed(self, screen: Any) -> None:
        """Wait until a window manager has said that it is there, or time is over."""
        give_up = time.monotonic() + self.seconds
        name = screen.root.display.get_atom("_NET_SUPPORTING_WM_CHECK")
        while screen.root.get_full_property(name, 0) is None and time.monotonic() < give_up:
            time.sleep(0.05)

    def painted(self, screen: Any) -> bool:
        """Does a point of the screen take the colour in time?"""
        from Xlib import X

        give_up = time.monotonic() + self.seconds
        wanted = bytes.fromhex(COLOUR[1:])[::-1]
        while time.monotonic() < give_up:
            for x in range(SIDE, screen.width_in_pixels, SIDE):
                for y in range(SIDE, screen.height_in_pixels, SIDE):
                    if screen.root.get_image(x, y, 1, 1, X.ZPixmap, 0xFFFFFFFF).data[:3] == wanted:
                        return True
            time.sleep(0.1)
        return False


def tail(log: Path) -> str:
    """The end of a log, on one line."""
    return " ".join(log.read_text(errors="replace")[-400:].split())


def main() -> int:
    """Ask, look, answer."""
    for folder in ("/home/user", RUN):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    found = Probe(json.loads(sys.argv[1])).run()
    sys.stdout.write(f"\n{MARK}{json.dumps(found)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
