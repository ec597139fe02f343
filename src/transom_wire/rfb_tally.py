"""Counts what a driving viewer does in RFB (RFC 6143): how many keys, buttons and notches, never which. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from transom_wire.rfb import RfbError, Watching

KEY, POINTER, QEMU = 4, 5, 255
BUTTONS, WHEEL = 0b0000_0111, 0b0111_1000
"""Bits of a pointer's mask: left, middle, right; up, down, left, right."""


@dataclass(frozen=True, slots=True)
class Doings:
    """What was pressed and turned."""

    keys: int = 0
    buttons: int = 0
    wheel: int = 0

    def __bool__(self) -> bool:
        return bool(self.keys or self.buttons or self.wheel)


class Tally(Watching):
    """Reads along. What it cannot read ends the count and nothing else: the stream is not its own."""

    def __init__(self) -> None:
        super().__init__()
        self._keys = self._buttons = self._wheel = 0
        self._mask = 0
        self._lost = False

    def read(self, data: bytes) -> None:
        """The viewer said this."""
        if self._lost:
            return
        try:
            self.feed(data)
        except RfbError:
            self._lost = True

    def take(self) -> Doings:
        """What was done since this was called last."""
        found = Doings(self._keys, self._buttons, self._wheel)
        self._keys = self._buttons = self._wheel = 0
        return found

    def _drop(self, length: int) -> bytes:
        kind, said = self._kept[0], self._kept
        if kind == KEY:
            self._keys += said[1] != 0
        elif kind == QEMU:
            self._keys += said[1] == 0 and said[2:4] != b"\0\0"
        elif kind == POINTER:
            pressed = said[1] & ~self._mask
            self._buttons += (pressed & BUTTONS).bit_count()
            self._wheel += (pressed & WHEEL).bit_count()
            self._mask = said[1] & (BUTTONS | WHEEL)
        return super()._drop(length)
