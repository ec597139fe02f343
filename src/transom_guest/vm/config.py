"""The config drive: a magic line, one JSON object, zeros. Pure; what the drive says is checked all the same.

No lasting secret is on it: the boot token works once. Plain classes here and beside it: the root part starts
before everything else, and under emulation each module that it does not import is a tenth of a second.
"""

from __future__ import annotations

import json
import re

MAGIC = b"transom-config-1\n"
DRIVE_BYTES = 64 * 1024
"""Both as in transom_wire.vm, which would bring the message codec with it."""
VERSION = 1

MACHINE_ID = re.compile(r"[0-9a-f]{32}")
HOSTNAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")
_MACHINE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PROGRAM = re.compile(r"browser|terminal")
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_ADDRESS = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")
_SIDES = range(64, 7681)
"""Pixels."""


class ConfigError(ValueError):
    """What was read is not what it must be; says which part and never quotes the value."""


class Fields:
    """A JSON object whose fields are taken one by one, each checked. `done` says that none is left."""

    def __init__(self, body: bytes) -> None:
        """Raises ConfigError."""
        try:
            found = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ConfigError("not JSON") from error
        if not isinstance(found, dict):
            raise ConfigError("not an object")
        self._left: dict[str, object] = found

    def text(self, name: str, pattern: re.Pattern[str]) -> str:
        """A string that matches `pattern` as a whole. Raises ConfigError."""
        value = self._left.pop(name, None)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ConfigError(f"{name}: not what it must be")
        return value

    def number(self, name: str, allowed: range) -> int:
        """A whole number, one of `allowed`. Raises ConfigError."""
        value = self._left.pop(name, None)
        if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
            raise ConfigError(f"{name}: not what it must be")
        return value

    def flag(self, name: str) -> bool:
        """True or false. Raises ConfigError."""
        value = self._left.pop(name, None)
        if not isinstance(value, bool):
            raise ConfigError(f"{name}: not what it must be")
        return value

    def done(self) -> None:
        """Raises ConfigError when there is a field that nobody took."""
        if self._left:
            raise ConfigError("an unknown field")


class MachineConfig:
    """What a virtual machine is told before it can ask anybody. Addresses are IPv4, sides in pixels."""

    def __init__(self, fields: Fields) -> None:
        """Raises ConfigError."""
        fields.number("version", range(VERSION, VERSION + 1))
        self.machine = fields.text("machine", _MACHINE)
        self.boot_token = fields.text("boot_token", _TOKEN)
        self.machine_id = fields.text("machine_id", MACHINE_ID)
        self.hostname = fields.text("hostname", HOSTNAME)
        self.width = fields.number("width", _SIDES)
        self.height = fields.number("height", _SIDES)
        self.program = fields.text("program", _PROGRAM)
        self.emulated = fields.flag("emulated")
        self.address = fields.text("address", _ADDRESS)
        self.gateway = fields.text("gateway", _ADDRESS)
        fields.done()


def decode(drive: bytes) -> MachineConfig:
    """Return the configuration on `drive`. Raises ConfigError."""
    if not drive.startswith(MAGIC) or len(drive) > DRIVE_BYTES:
        raise ConfigError("not a config drive")
    return MachineConfig(Fields(drive[len(MAGIC) :].rstrip(b"\0")))
