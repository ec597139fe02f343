"""The desktop's sound: PulseAudio with two sinks in memory, for what plays and for a viewer's microphone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

DESKTOP, MICROPHONE = "desktop", "microphone"
"""Sinks. The desktop's is the first that is loaded, which makes it the default and number 0."""
RATE = 48000


def command(environment: Mapping[str, str]) -> list[str]:
    """PulseAudio's argv. It needs no bus, opens no device, and listens on its socket of this user alone."""
    modules = (
        f"module-null-sink sink_name={DESKTOP} rate={RATE} channels=2",
        f"module-null-sink sink_name={MICROPHONE} rate={RATE} channels=1",
        f"module-remap-source source_name=mic master={MICROPHONE}.monitor",
        f"module-native-protocol-unix auth-anonymous=1 socket={socket_of(environment)}",
    )
    return [
        "pulseaudio",
        *("-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes"),
        *("--log-target=stderr", "--log-level=error"),
        *[word for module in modules for word in ("-L", module)],
    ]


def socket_of(environment: Mapping[str, str]) -> str:
    """Where PulseAudio listens."""
    return str(Path(environment["XDG_RUNTIME_DIR"]) / "pulse" / "native")


def has_sound(environment: Mapping[str, str]) -> bool:
    """Whether this machine can play: its image has PulseAudio. Emulated, it would cost seconds of the start."""
    return "TRANSOM_EMULATED" not in environment and shutil.which("pulseaudio") is not None


def prepare(environment: Mapping[str, str]) -> None:
    """Make the socket's folder, and remove what a dead PulseAudio left. Raises OSError."""
    path = Path(socket_of(environment))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.path.lexists(path):
        path.unlink()
