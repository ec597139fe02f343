"""The environment that every program of the desktop sees: built from nothing, never inherited.

A proxy setting is politeness; the missing route is the guarantee.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

DISPLAY = ":1"
HOME = "/home/user"
RUNTIME_DIR = "/run/user/1000"
LINK = "127.0.0.1:4001"
LOOPBACK = "127.0.0.1"
LINK_TOKEN_FILE = "/run/transom/link-token"  # noqa: S105 - a path, not a token
VNC_SOCKET = "/run/transom/vnc.sock"
NO_PROXY = "localhost,127.0.0.1,::1"

KEPT = (
    "TRANSOM_LINK",
    "TRANSOM_ADDRESS",
    "TRANSOM_EMULATED",
    "TRANSOM_LINK_TOKEN_FILE",
    "TRANSOM_VNC_SOCKET",
    "PYTHONPATH",
    "HOME",
    "XDG_RUNTIME_DIR",
)
"""What init may set otherwise than the defaults below; a virtual machine's agent does, and tests do."""


def record_socket(environment: Mapping[str, str]) -> Path:
    """Where the recorder listens."""
    return _beside_the_display(environment, "record.sock")


def channel_socket(environment: Mapping[str, str]) -> Path:
    """Where the stream server takes keys and clipboards of viewers without a data channel."""
    return _beside_the_display(environment, "channel.sock")


def paused_file(environment: Mapping[str, str]) -> Path:
    """There from a recording's pause on until the page of the sign-in was left, whichever stream server runs."""
    return _beside_the_display(environment, "paused")


def taken_file(environment: Mapping[str, str]) -> Path:
    """Where the stream server writes down how much of each viewer's input it acted out."""
    return _beside_the_display(environment, "taken")


def touch_socket(environment: Mapping[str, str]) -> Path:
    """Where the display's touch screen listens."""
    return Path(environment.get("XDG_RUNTIME_DIR") or RUNTIME_DIR) / "touch.sock"


def _beside_the_display(environment: Mapping[str, str], name: str) -> Path:
    vnc = environment.get("TRANSOM_VNC_SOCKET")
    return Path(vnc).with_name(name) if vnc else Path(environment["XDG_RUNTIME_DIR"]) / name


def desktop_environment(session: str, forwarder_port: int, inherited: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a session's desktop; of `inherited` only KEPT survives.

    The forwarder is where the link is: on the machine's loopback, or on a virtual machine's gateway.
    """
    link = inherited.get("TRANSOM_LINK") or LINK
    runtime = inherited.get("XDG_RUNTIME_DIR") or RUNTIME_DIR
    proxy = f"http://{link.rpartition(':')[0]}:{forwarder_port}"
    found = {
        "SESSION_ID": session,
        "DISPLAY": DISPLAY,
        "HOME": HOME,
        "USER": "user",
        "LOGNAME": "user",
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "XDG_RUNTIME_DIR": runtime,
        "BROWSER": "/usr/local/bin/xdg-open",
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "NO_PROXY": NO_PROXY,
        "http_proxy": proxy,
        "https_proxy": proxy,
        "no_proxy": NO_PROXY,
        "NODE_USE_ENV_PROXY": "1",
        "TRANSOM_LINK": link,
        # where the stream's ICE agent listens: the one address that the keeper's door reaches
        "TRANSOM_ADDRESS": LOOPBACK,
        "TRANSOM_LINK_TOKEN_FILE": LINK_TOKEN_FILE,
        "TRANSOM_VNC_SOCKET": VNC_SOCKET,
        "PYTHONPATH": "/opt/transom",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        # no bus, no accessibility service, no dconf here: saying so saves each GTK program the search
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
        "NO_AT_BRIDGE": "1",
        "GTK_A11Y": "none",
        "GSETTINGS_BACKEND": "memory",
        # named, so that no program starts a PulseAudio of its own
        "PULSE_SERVER": f"unix:{runtime}/pulse/native",
        "XENVIRONMENT": "/etc/transom/Xresources",
        # made when the image was: the plugins need not be looked through at each start
        "GST_REGISTRY": "/var/cache/gstreamer-1.0/registry.bin",
        "GST_REGISTRY_UPDATE": "no",
    }
    return found | {name: inherited[name] for name in KEPT if inherited.get(name)}
