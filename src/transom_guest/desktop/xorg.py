"""The display: Xorg with its screen in memory, TigerVNC's server as a module, and a touch screen.

Nothing of it needs hardware, a console, udev or a privilege. docs/decisions/0018 says why this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from transom_guest.desktop.modes import FRAME_RATE
from transom_guest.environment import RUNTIME_DIR, touch_socket
from transom_guest.x11.touchscreen import MOUSE, TOUCH

SERVER = "/usr/lib/xorg/Xorg"
MODULES = Path("/usr/lib/xorg/modules")
PARTS = ("drivers/dummy_drv.so", "input/inputtest_drv.so", "extensions/libvnc.so")
MEMORY_KB = 64 * 1024
"""Of the screen: more than the largest desktop's pixels at four bytes each. What is never drawn is never taken."""
CONFIGURATION = """\
Section "ServerFlags"
  # without it the keyboard has keycodes of 1999, which programs on the desktop take for other keys
  Option "AutoAddDevices" "true"
  Option "AutoAddGPU" "false"
  Option "AutoBindGPU" "false"
  Option "AllowMouseOpenFail" "true"
  Option "DontVTSwitch" "true"
  Option "DontZap" "true"
  Option "BlankTime" "0"
  Option "StandbyTime" "0"
  Option "SuspendTime" "0"
  Option "OffTime" "0"
EndSection
Section "Module"
  Load "vnc"
  Disable "glx"
  Disable "dri2"
EndSection
Section "InputClass"
  Identifier "nothing that the machine has"
  Option "Ignore" "true"
EndSection
Section "InputDevice"
  Identifier "{mouse}"
  Driver "inputtest"
  Option "DeviceType" "Pointer"
  Option "SocketPath" "{touch_socket}.mouse"
EndSection
Section "InputDevice"
  Identifier "{touch}"
  Driver "inputtest"
  Option "DeviceType" "Touch"
  Option "TouchCount" "10"
  Option "SocketPath" "{touch_socket}"
EndSection
Section "Device"
  Identifier "memory"
  Driver "dummy"
  VideoRam {memory}
EndSection
Section "Monitor"
  Identifier "monitor"
  HorizSync 1-10000
  VertRefresh 1-10000
  Modeline "{width}x{height}" {modeline}
EndSection
Section "Screen"
  Identifier "screen"
  Device "memory"
  Monitor "monitor"
  DefaultDepth 24
{vnc}
  SubSection "Display"
    Depth 24
    Modes "{width}x{height}"
    Virtual {width} {height}
  EndSubSection
EndSection
Section "ServerLayout"
  Identifier "layout"
  Screen "screen"
  InputDevice "{mouse}" "CorePointer"
  InputDevice "{touch}" "SendCoreEvents"
EndSection
"""
LEAST_CLOCK, MOST_CLOCK = 12.0, 290.0
"""MHz; the driver takes none beyond them for the size it begins with."""
LEAST = (256, 128)
"""Pixels of the smallest screen that the driver begins with; RandR makes it as small as is wanted."""
BLANK = (0, 8, 16, 24)
"""Pixels and lines from the picture's end to the beam's return, to its end, and to the next line or picture."""


def has_xorg() -> bool:
    """Whether this machine has all of it: an image made before had Xvnc alone."""
    return Path(SERVER).exists() and all((MODULES / part).exists() for part in PARTS)


def file_of(environment: Mapping[str, str]) -> Path:
    """Where the configuration lies."""
    return Path(environment.get("XDG_RUNTIME_DIR") or RUNTIME_DIR) / "xorg.conf"


def command(environment: Mapping[str, str]) -> list[str]:
    """The argv. It listens on the sockets of its configuration and on X's, on no network at all."""
    return [
        *(SERVER, environment["DISPLAY"], "-config", str(file_of(environment)), "-logfile", "/dev/null"),
        *(
            "-logverbose",
            "0",
            "-verbose",
            "0",
            "-nolisten",
            "tcp",
            "-noreset",
            "-br",
            "-s",
            "0",
            "-dpi",
            "96",
        ),
    ]


def prepare(environment: Mapping[str, str], size: tuple[int, int], vnc: Mapping[str, str]) -> None:
    """Write the configuration of a screen that begins with `size`; `vnc` is for the VNC server. Raises OSError."""
    file_of(environment).write_text(configuration(environment, size, vnc))


def configuration(environment: Mapping[str, str], size: tuple[int, int], vnc: Mapping[str, str]) -> str:
    """The text of it."""
    width, height = max(size[0], LEAST[0]), max(size[1], LEAST[1])
    clock = min(max(width * height * FRAME_RATE / 1e6, LEAST_CLOCK), MOST_CLOCK)
    # the driver takes no mode without a beam's time to return
    across, along = (" ".join(str(side + more) for more in BLANK) for side in (width, height))
    return CONFIGURATION.format(
        mouse=MOUSE,
        touch=TOUCH,
        touch_socket=touch_socket(environment),
        memory=MEMORY_KB,
        width=width,
        height=height,
        modeline=f"{clock:.2f} {across} {along}",
        vnc="\n".join(f'  Option "{name}" "{value}"' for name, value in vnc.items()),
    )
