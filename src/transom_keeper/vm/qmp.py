"""QEMU's monitor protocol (QMP, one JSON object a line): what arrives, and what is said. Sans-I/O.

A VMM that its guest has taken over speaks it too: so every line is bounded, and held to the few shapes known here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

LINE_BYTES = 64 * 1024
TEXT_CHARACTERS = 300


class QmpError(Exception):
    """The monitor says something that it cannot mean, refuses, or is silent; for the operator."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """The first line: the monitor is there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A command was carried out."""

    id: int
    result: dict[str, Any]
    """Empty for an answer that is no object: no command used here has one."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command was not carried out."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened."""

    name: str
    data: dict[str, Any]


Said = Greeting | Answer | Refusal | Event


def command(number: int, name: str, arguments: dict[str, object] | None = None) -> bytes:
    """The line that asks for `name`; the answer carries `number`."""
    asked: dict[str, object] = {"execute": name, "id": number}
    if arguments:
        asked["arguments"] = arguments
    return json.dumps(asked).encode() + b"\r\n"


@dataclass(slots=True)
class Parser:
    """Lines from bytes, whatever pieces they come in."""

    _rest: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[Said]:
        """What is whole by now. Raises QmpError; the parser is of no use after that."""
        self._rest += data
        *lines, rest = self._rest.split(b"\n")
        if len(rest) > LINE_BYTES or any(len(line) > LINE_BYTES for line in lines):
            raise QmpError("the monitor says more in a line than it can mean")
        self._rest = bytearray(rest)
        return [read(bytes(line)) for line in lines if line.strip()]


def read(line: bytes) -> Said:
    """The meaning of one line. Raises QmpError."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise QmpError("the monitor says what is not JSON") from error
    if not isinstance(said, dict):
        raise QmpError("the monitor says what is no object")
    if isinstance(said.get("QMP"), dict):
        return Greeting()
    if isinstance(said.get("event"), str):
        return Event(said["event"][:TEXT_CHARACTERS], _object(said.get("data")))
    number = said.get("id")
    if isinstance(number, int) and "return" in said:
        return Answer(number, _object(said["return"]))
    if "error" in said:
        reason = str(_object(said["error"]).get("desc", "no reason given"))
        return Refusal(number if isinstance(number, int) else 0, reason[:TEXT_CHARACTERS])
    raise QmpError("the monitor says what is neither answer nor event")


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
