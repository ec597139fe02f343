"""Terms of viewers."""

from __future__ import annotations

from dataclasses import dataclass

from transom.stream.terms import terms
from transom_wire.link import PeerTerms


@dataclass
class Rules:
    clipboard: str = "down"
    clipboard_kib: int = 2
    microphone: bool = True
    stream_kbps: int = 3000


def test_a_driver_has_what_the_operator_allows() -> None:
    assert terms(Rules(), drives=True) == PeerTerms(True, "down", 2048, True, 3000)


def test_a_watcher_has_nothing() -> None:
    assert terms(Rules(), drives=False) == PeerTerms(False, "off", 0, False)
