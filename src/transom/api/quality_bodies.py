"""What a viewer says of its picture, and how that is shown. Strict: a viewer is a stranger with a session."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from transom.api.bodies import Body, Epoch, Figure, PeerName, Rung

Millis = Annotated[float, Field(ge=0, le=600_000, allow_inf_nan=False)]
Fps = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Kbps = Annotated[float, Field(ge=0, le=10_000_000, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**31)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Kind = Literal["host", "srflx", "prflx", "relay"]
"""Of a candidate, in the words of RTCIceCandidateType."""
Transport = Literal["udp", "tcp", "tls"]
"""How packets leave the viewer: to the door, or to its TURN server."""
Cause = Literal["start", "loss", "delay", "probe", "limit"]
"""Why the guest's target rate is what it is."""
Decoder = Annotated[str, StringConstraints(pattern=r"^[ -~]{1,64}$")]
LATENCIES = 64
"""Latencies of one summary; the guest marks at most two frames a second."""

FREEZE_MS = 500
"""Nothing shorter is a freeze; as in the page's freezes.js."""
FREEZE_SLACK_MS = 5000
"""A freeze is found out up to 3 s after it began: the first of it may be of the summary before."""


class Latency(Body):
    """Where an input's milliseconds went: waiting for the desktop, the grab, the encoder, and all that follows."""

    act_ms: Millis
    grab_ms: Millis
    send_ms: Millis
    rest_ms: Millis


class Stats(Body):
    """A viewer's figures; what it does not know is null or left out."""

    fps: Figure = None
    kbps: Figure = None
    rtt_ms: Figure = None
    jitter_ms: Figure = None
    loss: Figure = None
    frames: Figure = None
    width: Figure = None
    height: Figure = None
    undrawn: Share | None = None
    decode_ms: Figure = None
    freezes: Count | None = None
    frozen_ms: Figure = None
    local: Kind | None = None
    remote: Kind | None = None
    transport: Transport | None = None
    decoder: Decoder | None = None
    target_kbps: Kbps | None = None
    target_fps: Fps | None = None
    scale: Percent | None = None
    cause: Cause | None = None
    latency_ms: Millis | None = None
    latency: Latency | None = None


class Summary(Body):
    """Some seconds on one rung: medians, and what was least and most. `latencies_ms` has each that was measured."""

    seconds: Annotated[float, Field(gt=0, le=120, allow_inf_nan=False)]
    rung: Rung
    fps: Fps | None = None
    fps_least: Fps | None = None
    fps_most: Fps | None = None
    kbps: Kbps | None = None
    kbps_least: Kbps | None = None
    kbps_most: Kbps | None = None
    rtt_ms: Millis | None = None
    rtt_most_ms: Millis | None = None
    jitter_ms: Millis | None = None
    jitter_most_ms: Millis | None = None
    loss: Share | None = None
    freezes: Annotated[int, Field(ge=0, le=1000)] | None = None
    frozen_ms: Millis | None = None
    target_kbps: Kbps | None = None
    scale: Percent | None = None
    latencies_ms: Annotated[tuple[Millis, ...], Field(max_length=LATENCIES, strict=False)] = ()
    local: Kind | None = None
    remote: Kind | None = None
    transport: Transport | None = None
    cause: Cause | None = None

    @model_validator(mode="after")
    def fits(self) -> Self:
        """Nothing stood still for longer than the seconds that are told of, or more often than could be."""
        most_ms = self.seconds * 1000 + FREEZE_SLACK_MS
        if (self.frozen_ms or 0) > most_ms or (self.freezes or 0) * FREEZE_MS > most_ms:
            raise ValueError("more freezes than fit in these seconds")
        return self


class Heartbeat(Body):
    """A viewer's sign of life. `first_frame`: true, or the Unix milliseconds of its first decoded frame."""

    peer: PeerName | None = None
    epoch: Epoch | None = None
    rung: Rung | None = None
    first_frame: bool | Annotated[int, Field(ge=0, le=2**53)] | None = None
    stats: Stats | None = None
    quality: Summary | None = None


class QualityRowView(BaseModel):
    """Some seconds of a picture, ended `at`. A figure that was not known is left out."""

    at: int
    seconds: float
    rung: str
    figures: dict[str, float]
    words: dict[str, str]


class RungChange(BaseModel):
    """From then on the viewer was on this rung."""

    at: int
    rung: str


class ViewerQuality(BaseModel):
    """One viewer's rows, oldest first, how its rung changed, and between which candidates its picture came."""

    viewer: str
    rows: list[QualityRowView]
    changes: list[RungChange]
    candidates: str


class QualityView(BaseModel):
    """What a session's picture was like."""

    session: str
    viewers: list[ViewerQuality]
