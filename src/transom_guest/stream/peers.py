"""Which peer an offer makes, replaces or is refused for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAX_MALFORMED = 100
"""Malformed messages after which a peer is closed."""
MAX_PEERS = 8
"""Viewers at one time: each costs a pipeline, three door sockets and its share of the uplink."""


@dataclass(frozen=True, slots=True)
class Accept:
    """Make the peer, after closing the one of an older epoch where `replaces`."""

    replaces: bool


@dataclass(frozen=True, slots=True)
class Stale:
    """An offer of this epoch or a newer one was seen: drop it without a word."""


@dataclass(frozen=True, slots=True)
class Full:
    """There are MAX_PEERS already."""


def judge(epochs: Mapping[str, int], peer: str, epoch: int) -> Accept | Stale | Full:
    """Decide on an offer, where `epochs` has the living peers' epochs by name."""
    if peer in epochs:
        return Accept(replaces=True) if epoch > epochs[peer] else Stale()
    return Full() if len(epochs) >= MAX_PEERS else Accept(replaces=False)
