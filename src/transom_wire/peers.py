"""Messages of the link's role `webrtc`: offers, answers, and what viewers may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from transom_wire.codec import Range, Text
from transom_wire.fields import Epoch, Id, Line, Sdp

FLOODS = frozenset(f"too many {what}" for what in ("channels", "messages", "malformed messages", "reports"))
"""Reasons of a PeerState: the viewer was ended, for it sent what no page does."""
Misdeeds = Annotated[int, Range(0, 2**53)]


@dataclass(frozen=True, slots=True)
class PeerTerms:
    """What a viewer may do beyond watching. The guest holds it to them, whatever its page says."""

    drives: bool = True
    """Its input reaches the desktop."""
    clipboard: Annotated[str, Text(4, "off|up|down|both")] = "off"
    """Which way clipboards travel: `up` is from the viewer to the desktop."""
    clipboard_bytes: Annotated[int, Range(0, 16 * 2**20)] = 0
    microphone: bool = False
    kbps: Annotated[int, Range(150, 100_000)] = 2000
    """What its picture takes at most while it drives, in kbit/s."""


@dataclass(frozen=True, slots=True)
class PeerOffer:
    """A viewer's offer (SDP, RFC 8829) for one try at a peer connection. A new epoch replaces the old."""

    TYPE: ClassVar[str] = "peer_offer"
    peer: Id
    epoch: Epoch
    sdp: Sdp
    terms: PeerTerms = PeerTerms()


@dataclass(frozen=True, slots=True)
class PeerChange:
    """Other terms for a viewer, whatever its epoch: it was given the desktop, or it was taken from it."""

    TYPE: ClassVar[str] = "peer_change"
    peer: Id
    terms: PeerTerms


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """The guest's answer, candidates gathered and in it."""

    TYPE: ClassVar[str] = "peer_answer"
    peer: Id
    epoch: Epoch
    sdp: Sdp


@dataclass(frozen=True, slots=True)
class PeerState:
    """How a peer connection fares, in the words of RTCPeerConnection.connectionState."""

    TYPE: ClassVar[str] = "peer_state"
    peer: Id
    epoch: Epoch
    state: Annotated[str, Text(16, "new|connecting|connected|disconnected|failed|closed")]
    reason: Line = ""


@dataclass(frozen=True, slots=True)
class PeerClose:
    """The viewer left, or its epoch is over."""

    TYPE: ClassVar[str] = "peer_close"
    peer: Id
    epoch: Epoch


@dataclass(frozen=True, slots=True)
class StreamReport:
    """How a viewer's link fares, as the guest's rate control sees it; every five seconds while it changes."""

    TYPE: ClassVar[str] = "stream_report"
    peer: Id
    epoch: Epoch
    target_kbps: Annotated[int, Range(0, 10**6)]
    """What the viewer's link is thought to carry."""
    sent_kbps: Annotated[int, Range(0, 10**6)]
    """What it was sent; less than the target while the desktop has no more to show."""
    fps: Annotated[int, Range(0, 1000)]
    """Most frames a second that the encoder makes now."""
    scale: Annotated[int, Range(1, 100)]
    """Percent of the desktop's width and height that are encoded."""
    loss: Annotated[float, Range(0, 1)]
    """Share of packets that did not arrive."""
    rtt_ms: Annotated[float, Range(0, 10**6)]
    """There and back, whatever stands in queues among it."""
    cause: Annotated[str, Text(8, "start|loss|delay|probe|limit")]
    malformed: Misdeeds = 0
    """Messages of the viewer so far that were none."""
    unallowed: Misdeeds = 0
    """Of input that it sent as a watcher."""
    sizes: Misdeeds = 0
    """Of sizes that no desktop has."""
    floods: Misdeeds = 0
    """That were more at once than anybody may say, packets of RTCP among them."""
    rtcp: Misdeeds = 0
    """Packets of RTCP that were none."""
    forged: Misdeeds = 0
    """Packets of media or RTCP that were not sealed by the viewer's keys, or came twice."""
    clipboard: Misdeeds = 0
    """Clipboards that were too large, none, or of one who may send none."""


MISDEEDS = ("malformed", "unallowed", "sizes", "floods", "rtcp", "forged", "clipboard")
"""Counts of a StreamReport, each since its peer came."""
