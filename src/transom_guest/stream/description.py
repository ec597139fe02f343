"""What a peer and webrtcbin say to each other: descriptions, ICE credentials, and the form of the picture's packets."""

from __future__ import annotations

import secrets
from typing import Any

from transom_guest.stream.gst import GstError, GstSdp, GstWebRTC

UFRAG_BYTES, PASSWORD_BYTES = 8, 16
"""Random ones, twice as many characters: RFC 8445 asks for 24 and 128 bits."""


def credentials() -> tuple[str, str]:
    """ICE's, from the kernel: webrtcbin draws its own from a generator that a clone may share."""
    return secrets.token_hex(UFRAG_BYTES), secrets.token_hex(PASSWORD_BYTES)


def description(kind: Any, sdp: str, kept: list[Any]) -> Any:
    """An SDP as webrtcbin takes it; what must live as long as the peer goes to `kept`. Raises GstError."""
    result, message = GstSdp.SDPMessage.new_from_text(sdp)
    if result != GstSdp.SDPResult.OK:
        raise GstError("that is not an SDP")
    found = GstWebRTC.WebRTCSessionDescription.new(kind, message)
    kept += [message, found]
    return found
