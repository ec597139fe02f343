"""Root's part of an identity: what the boot asks for, and how the kernel is told.

The request comes from the machine's user and is one JSON line, checked as if an attacker wrote it. It is
taken once; whoever holds the channel refuses a second.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import struct
import time

from transom_guest.vm.config import HOSTNAME, MACHINE_ID, ConfigError, Fields

LINE_LIMIT = 1024
"""Bytes of a request."""
TAKEN = b"taken\n"
"""The answer; anything else says why not."""
_SEED = re.compile(r"(?:[0-9a-f]{2}){32,64}")
_MILLISECONDS = range(2**53)

RNDADDENTROPY, RNDRESEEDCRNG = 0x40085203, 0x5207
"""random(4): mix in and credit; have the generator start anew from what was mixed in (Linux 4.17)."""


class Self:
    """Who a machine is from now on. `seed` is 32 to 64 bytes, secret until mixed in; `now` is Unix milliseconds."""

    def __init__(self, seed: bytes, now: int, machine_id: str, hostname: str) -> None:
        self.seed, self.now, self.machine_id, self.hostname = seed, now, machine_id, hostname


def encode(self: Self) -> bytes:
    """The request line."""
    body = {
        "seed": self.seed.hex(),
        "now": self.now,
        "machine_id": self.machine_id,
        "hostname": self.hostname,
    }
    return json.dumps(body).encode() + b"\n"


def decode(line: bytes) -> Self:
    """Read a request line. Raises ConfigError."""
    if len(line) > LINE_LIMIT or not line.endswith(b"\n"):
        raise ConfigError("not a line within its limit")
    fields = Fields(line)
    found = Self(
        seed=bytes.fromhex(fields.text("seed", _SEED)),
        now=fields.number("now", _MILLISECONDS),
        machine_id=fields.text("machine_id", MACHINE_ID),
        hostname=fields.text("hostname", HOSTNAME),
    )
    fields.done()
    return found


def take(self: Self) -> None:
    """Become `self`: random numbers first, so that nothing that follows draws from the old. Raises OSError."""
    reseed(self.seed)
    time.clock_settime(time.CLOCK_REALTIME, self.now / 1000)
    write_names(self.machine_id, self.hostname)
    with open("/proc/sys/kernel/hostname", "w") as file:
        file.write(self.hostname)


def reseed(seed: bytes, device: str = "/dev/urandom") -> None:
    """Mix `seed` in, credited, and have every stream of random numbers begin anew. Raises OSError."""
    descriptor = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
    try:
        padded = seed + bytes(-len(seed) % 4)
        fcntl.ioctl(descriptor, RNDADDENTROPY, struct.pack("ii", len(seed) * 8, len(padded)) + padded)
        fcntl.ioctl(descriptor, RNDRESEEDCRNG)
    finally:
        os.close(descriptor)


def write_names(machine_id: str, hostname: str, root: str = "/") -> None:
    """The files that hold machine-id and host name; each appears whole. Raises OSError."""
    _replace(f"{root}etc/machine-id", machine_id)
    if os.path.isdir(f"{root}var/lib/dbus"):
        _replace(f"{root}var/lib/dbus/machine-id", machine_id)
    _replace(f"{root}etc/hostname", hostname)
    _replace(f"{root}etc/hosts", f"127.0.0.1 localhost {hostname}\n::1 localhost")


def _replace(path: str, content: str) -> None:
    with open(f"{path}.new", "w") as file:
        file.write(content + "\n")
    os.chmod(f"{path}.new", 0o644)
    os.replace(f"{path}.new", path)
