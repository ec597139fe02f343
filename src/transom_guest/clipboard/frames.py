"""The clipboard channel's messages, either way: `put`, its chunks, `got` and `no`. Pure; hostile input."""

from __future__ import annotations

import json
from dataclasses import dataclass

from transom_guest.clipboard.item import TYPES, Item, ItemError, item

CHUNK = 16 * 1024
"""Bytes of one binary message."""
MAX_WORDS = 256
"""Characters of a text message."""
DEADLINE = 30.0
"""Seconds a transfer may take, from its `put` to its last chunk."""
MAX_STRAY = 512
"""Chunks that may still arrive of a transfer that was refused; its sender may not have heard yet."""
MAX_ID = 2**53


class FrameError(ValueError):
    """A message outside the contract; the text says why and never quotes it."""


@dataclass(frozen=True, slots=True)
class Put:
    """`size` bytes of `type` follow, in chunks."""

    id: int
    type: str
    size: int
    copies: int
    """Copies made on the desktop that its sender knew of: what was copied there since is newer."""


@dataclass(frozen=True, slots=True)
class Got:
    """The whole of `id` was taken."""

    id: int


@dataclass(frozen=True, slots=True)
class No:
    """`id` was not taken, or not to its end."""

    id: int


def parse(text: str) -> Put | Got | No:
    """The message in `text`. Raises FrameError."""
    if len(text) > MAX_WORDS:
        raise FrameError("message too long")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrameError("not JSON") from error
    match fields:
        case ["put", id, str(type), size, copies] if type in TYPES:
            return Put(_whole(id), type, _whole(size), _whole(copies))
        case ["got", id]:
            return Got(_whole(id))
        case ["no", id, str()]:
            return No(_whole(id))
    raise FrameError("no such message")


def put(id: int, of: Item, copies: int) -> str:
    """Announces an item: the desktop's copy number `copies`."""
    return json.dumps(["put", id, of.type, len(of.data), copies])


def got(id: int) -> str:
    """Says that a transfer was taken."""
    return json.dumps(["got", id])


def no(id: int, reason: str) -> str:
    """Says that a transfer was not taken; `reason` is one word."""
    return json.dumps(["no", id, reason])


def copied(copies: int) -> str:
    """Says that a program of the desktop has the clipboard now, whatever is in it: so many did so far."""
    return json.dumps(["copied", copies])


def may(*, up: bool, down: bool, limit: int, copies: int) -> str:
    """What the guest takes and gives, how many bytes, and how often the desktop's programs have copied."""
    return json.dumps(["may", int(up), int(down), limit, copies])


def chunks(of: Item) -> list[bytes]:
    """The binary messages of an item."""
    return [of.data[at : at + CHUNK] for at in range(0, len(of.data), CHUNK)]


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_ID:
        raise FrameError("not a whole number in range")
    return value


@dataclass(frozen=True, slots=True)
class Whole:
    """A transfer is complete."""

    id: int
    item: Item
    copies: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A transfer that is not taken, and why, in one word."""

    id: int
    reason: str


class Inbox:
    """Puts one transfer at a time together. `now` is a monotonic time in seconds."""

    def __init__(self, limit: int) -> None:
        """Nothing larger than `limit` bytes is taken; 0: nothing at all."""
        self.limit = limit
        self._put: Put | None = None
        self._data = bytearray()
        self._until = 0.0
        self._stray = 0

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._data)

    @property
    def busy(self) -> bool:
        """Whether chunks are awaited."""
        return self._put is not None

    def announced(self, message: Put, now: float) -> Refused | None:
        """A transfer begins; one that is under way is given up for it by its sender's own word."""
        self.drop()
        if not self.limit:
            return Refused(message.id, "policy")
        if message.size > self.limit:
            return Refused(message.id, "size")
        if not message.size:
            return Refused(message.id, "empty")
        self._put, self._until = message, now + DEADLINE
        return None

    def ends(self, count: int) -> bool:
        """Whether so many bytes more are all of the transfer."""
        return self._put is not None and len(self._data) + count == self._put.size

    def chunk(self, data: bytes, now: float) -> Whole | Refused | None:
        """Bytes of the transfer. Raises FrameError for those that none announced."""
        if len(data) > CHUNK:
            raise FrameError("chunk too long")
        message = self._put
        if message is None:
            self._stray += 1
            if self._stray > MAX_STRAY:
                raise FrameError("chunks that nobody announced")
            return None
        if now > self._until:
            return self.late(now)
        if not data or len(self._data) + len(data) > message.size:
            self.drop()
            return Refused(message.id, "broken")
        self._data += data
        return self._complete(message) if len(self._data) == message.size else None

    def late(self, now: float) -> Refused | None:
        """The transfer that is over its deadline, given up."""
        message = self._put
        if message is None or now <= self._until:
            return None
        self.drop()
        return Refused(message.id, "slow")

    def drop(self) -> None:
        """Forget what has come so far."""
        self._put, self._stray = None, 0
        self._data = bytearray()

    def _complete(self, message: Put) -> Whole | Refused:
        data = bytes(self._data)
        self.drop()
        try:
            return Whole(message.id, item(message.type, data), message.copies)
        except ItemError:
            return Refused(message.id, "broken")
