"""What a viewer may do, from the operator's settings and who it is. Pure."""

from __future__ import annotations

from typing import Protocol

from transom_wire.link import PeerTerms

KIB = 1024


class Rules(Protocol):
    """What is needed of the settings."""

    @property
    def clipboard(self) -> str: ...
    @property
    def clipboard_kib(self) -> int: ...
    @property
    def microphone(self) -> bool: ...
    @property
    def stream_kbps(self) -> int: ...


WATCHER = PeerTerms(drives=False)


def terms(rules: Rules, *, drives: bool) -> PeerTerms:
    """The terms of a viewer who drives, or of one who watches only."""
    if not drives:
        return WATCHER
    return PeerTerms(
        drives=True,
        clipboard=rules.clipboard,
        clipboard_bytes=rules.clipboard_kib * KIB,
        microphone=rules.microphone,
        kbps=rules.stream_kbps,
    )
