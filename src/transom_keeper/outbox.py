"""Guest messages kept until the controller has committed them. Pure, and bounded.

Of messages that tell a state, only the newest counts and replaces the older. When all is full the oldest
go first; a sealed credential is never among them: when even those fill the box, the newest is refused.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from transom_wire.control import FromGuest
from transom_wire.link import (
    CredentialSealed,
    Fatal,
    GuestMessage,
    PeerAnswer,
    PeerState,
    Progress,
    Ready,
    ServiceState,
    SigninState,
    StreamReport,
)

MOST_MESSAGES = 1024
MOST_BYTES = 4 * 2**20
MOST_SEALED = 12
"""Sealed credentials that may wait: 12 of at most 256 KiB fit in MOST_BYTES with room for the rest."""


class OutboxFull(Exception):
    """A sealed credential finds no room; its sender must be told by cutting it off, and will send it again."""


@dataclass(frozen=True, slots=True)
class _Kept:
    message: FromGuest
    key: tuple[object, ...]
    sealed: bool


def key_of(message: GuestMessage) -> tuple[object, ...]:
    """Two messages with one key say the same thing, the later one more truly."""
    match message:
        case Progress(stage):
            return ("progress", stage)
        case Ready():
            return ("ready",)
        case Fatal():
            return ("fatal",)
        case ServiceState(service):
            return ("service", service)
        case PeerAnswer(peer, epoch):
            return ("answer", peer, epoch)
        case PeerState(peer, epoch):
            return ("peer", peer, epoch)
        case StreamReport(peer):
            return ("report", peer)
        case SigninState(flow):
            return ("signin", flow)
        case CredentialSealed(flow, serial):
            return ("sealed", flow, serial)
    return ("other",)


class Outbox:
    """What waits, in the order of its numbers."""

    def __init__(
        self, messages: int = MOST_MESSAGES, size: int = MOST_BYTES, sealed: int = MOST_SEALED
    ) -> None:
        self._most_messages, self._most_bytes, self._most_sealed = messages, size, sealed
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._by_key: dict[tuple[object, ...], int] = {}
        self._last = 0
        self._bytes = 0
        self._sealed = 0
        self.dropped = 0
        """Messages lost for want of room."""

    def add(self, role: str, at: int, body: bytes, message: GuestMessage) -> FromGuest:
        """Keep a checked message of `role`, return it with its number. Raises OutboxFull."""
        key, sealed = key_of(message), isinstance(message, CredentialSealed)
        if sealed and key not in self._by_key and self._sealed >= self._most_sealed:
            raise OutboxFull
        if key in self._by_key:
            self._forget(self._by_key[key])
        self._last += 1
        numbered = FromGuest(number=self._last, role=role, at=at, body=body)
        self._kept[self._last] = _Kept(numbered, key, sealed)
        self._by_key[key] = self._last
        self._bytes += len(body)
        self._sealed += sealed
        self._shrink()
        return numbered

    def acknowledge(self, number: int) -> None:
        """Forget everything up to `number`."""
        while self._kept and next(iter(self._kept)) <= number:
            self._forget(next(iter(self._kept)))

    def waiting(self) -> tuple[FromGuest, ...]:
        """What was not acknowledged, oldest first."""
        return tuple(each.message for each in self._kept.values())

    @property
    def precious(self) -> bool:
        """True while a sealed credential waits."""
        return self._sealed > 0

    def _forget(self, number: int) -> None:
        kept = self._kept.pop(number)
        del self._by_key[kept.key]
        self._bytes -= len(kept.message.body)
        self._sealed -= kept.sealed

    def _shrink(self) -> None:
        while len(self._kept) > self._most_messages or self._bytes > self._most_bytes:
            oldest = next((number for number, kept in self._kept.items() if not kept.sealed), None)
            if oldest is None:
                return
            self._forget(oldest)
            self.dropped += 1
