"""What of viewers' messages was refused, as events of `transom_signalling_events_total`: words of ours only."""

from __future__ import annotations

import re

from transom.api.parts import Parts

OFFERS = {"invalid": "offer_malformed", "too_large": "offer_too_large", "too_many": "offer_limited"}
CONFLICTS = frozenset({"no_seat", "stale_epoch", "epoch_used", "peer_taken"})
MALFORMED = frozenset({"invalid", "too_large"})
ROUTE = re.compile(
    r"/api/(?:webrtc/session|auth/session|sessions|watch/[^/]+)/[^/]+/(offer|candidate|heartbeat|screen|seats)"
)
_CANDIDATE = re.compile(
    r"(?:a=)?candidate:[A-Za-z0-9+/]{1,32} \d{1,5} [A-Za-z0-9-]{1,16} \d{1,10} [A-Za-z0-9.:%_-]{1,256} \d{1,5}"
    r" typ [a-z]{1,16}(?: [ -~]*)?",
    re.IGNORECASE,
)
"""RFC 8839 5.1; names of .local hosts, as browsers have them, and zones of addresses among it."""


def event_of(kind: str, code: str) -> str | None:
    """The event of a message of this kind that was refused with this error; None for what says nothing of it,
    as that its sender is not signed in."""
    if kind == "offer":
        return OFFERS.get(code, "offer_refused" if code in CONFLICTS else None)
    if code not in MALFORMED:
        return None
    return {
        "candidate": "candidate_malformed",
        "screen": "screen_refused",
        "heartbeat": "heartbeat_refused",
    }.get(kind, "message_malformed")


def count(parts: Parts, kind: str, code: str) -> None:
    """Count one that was refused."""
    event = event_of(kind, code)
    if event is not None:
        parts.metrics.signalling(event)
    if event == "heartbeat_refused":
        parts.quality_metrics.counted("refused", 1)


def count_request(parts: Parts, method: str, path: str, code: str) -> None:
    """Count a request that was answered with this error, if it was a viewer's message."""
    found = ROUTE.fullmatch(path) if method == "POST" else None
    if found is not None:
        count(parts, found[1], code)


def is_candidate(text: str) -> bool:
    """Whether this is an ICE candidate, or the empty word with which browsers say that there are no more."""
    return not text or _CANDIDATE.fullmatch(text) is not None
