"""What one machine's door lets through: thresholds, and how much of each is left. Pure: the time is given."""

from __future__ import annotations

from dataclasses import dataclass

from transom_wire.rate import Bucket


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """Thresholds of one machine's door; seconds, packets and bytes."""

    registration_s: float = 30.0
    """A registration admits additional sources for this long; later ones can only replace a silent one."""
    sources_per_peer: int = 4
    """Browsers check from each network interface; more at once is not a viewer."""
    peers: int = 64
    """Registrations held at once (as many as a Snapshot lists); the oldest gives way."""
    takeover_silence_s: float = 1.0
    """A media path silent for longer is taken over by a new source: the viewer changed its address."""
    move_silence_s: float = 3.0
    """A media path silent for longer is taken over by any other source of the peer that still checks.
    Browsers check the pair they use at least each 2.5 s, so this is never a live one."""
    source_idle_s: float = 60.0
    """A source silent for longer is forgotten. Browsers check their spare pairs each 25 s."""
    packets_per_s: int = 8_000
    bytes_per_s: int = 6 * 2**20
    """To all viewers together, and as many at once: four of them at 12 Mbit/s, and no more of a tunnel."""
    viewer_packets_per_s: int = 1_500
    viewer_bytes_per_s: int = 2 * 2**20
    """From one viewer, and twice as many at once: so nobody who floods takes the room of another, or of the picture.
    A page that types, points, speaks and reports sends some three hundred; a clipboard goes at this rate."""
    replays: int = 4_096
    """Transactions remembered, so that a check seen once teaches no second source."""


class Allowance:
    """Packets, and the bytes in them."""

    def __init__(self, packets: float, size: float, now: float, seconds: float) -> None:
        """So many of each a second, and those of so many seconds at once."""
        self._packets = Bucket(packets, packets * seconds, now)
        self._bytes = Bucket(size, size * seconds, now)

    def take(self, size: int, now: float) -> bool:
        return self._packets.take(1, now) and self._bytes.take(size, now)
