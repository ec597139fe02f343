"""What requests may say and what answers look like. Strict: an unknown field or another type is a 422."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from transom_wire.screen import MAX_SIDE, MIN_SIDE

PeerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Epoch = Annotated[int, Field(ge=1, le=2**31)]
Side = Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)]
ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
UNSEEN = r"\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
"""No sign of a name: controls, and what turns the text around it. The joiners are: some scripts need them."""
Name = Annotated[str, StringConstraints(pattern=rf"^[^{UNSEEN}]{{1,64}}$")]
Figure = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)] | None
Rung = Literal["webrtc", "webrtc-relay", "vnc"]


class Body(BaseModel):
    """A request's JSON object."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SignIn(Body):
    """A one-use key."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class NewToken(Body):
    """A token's label, for its owner to know it by."""

    label: Name = "token"


class NewUser(Body):
    """A user."""

    name: Name
    role: Literal["administrator", "user"] = "user"


class NewSession(Body):
    """A session; what is left out is the server's choice."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        json_schema_extra={"examples": [{"provider": "demo"}, {"start_url": "https://example.org/"}]},
    )

    provider: ProviderName | None = None
    start_url: Annotated[str, StringConstraints(max_length=8192)] | None = None
    width: Side | None = None
    height: Side | None = None


class Screen(Body):
    """A desktop size in pixels."""

    width: Side
    height: Side


class StartSignin(Body):
    """Which provider to sign in to."""

    provider: ProviderName


class Description(Body):
    """An offer or answer. The SDP's length is checked where it is used, to answer 413."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        json_schema_extra={"examples": [{"peer": "tab-1", "epoch": 1, "sdp": "v=0\r\n..."}]},
    )

    peer: PeerName
    epoch: Epoch
    sdp: str


class Offer(Description):
    """A viewer's offer. A `look` tries whether a connection comes about: no viewer, so it has no seat."""

    look: bool = False


class Candidate(Body):
    """An ICE candidate, in the names of RTCIceCandidateInit."""

    peer: PeerName
    epoch: Epoch
    candidate: str
    sdpMid: Annotated[str, StringConstraints(max_length=64)] | None = None
    sdpMLineIndex: Annotated[int, Field(ge=0, le=64)] | None = None


class Me(BaseModel):
    """A user."""

    id: str
    name: str
    role: str


class SigninView(BaseModel):
    """A sign-in under way, or over."""

    flow: str
    provider: str
    stage: str
    url: str | None
    user_code: str | None
    message: str
    saved: dict[str, Any] | None


class SessionView(BaseModel):
    """A session. Times are Unix milliseconds; `timeline` has milliseconds since the request."""

    id: str
    state: str
    reason: str | None
    detail: str
    provider: str | None
    driver: str
    machine: str
    warm: bool
    attempt: int
    retried: str
    created_at: int
    expires_at: int
    idle_at: int
    width: int
    height: int
    warnings: list[str]
    timeline: dict[str, int]
    signin: SigninView | None
    page: str
    sequence: int
    usage: dict[str, int] | None = None


class MachineView(BaseModel):
    """A machine, living or over. `stages` has milliseconds since `made_at`; `usage` what its keeper said last."""

    id: str
    driver: str
    image: str
    slot: int
    phase: str
    phase_since: int
    made_at: int
    session: str | None
    warm: bool
    stages: dict[str, int]
    ended_at: int | None
    outcome: str | None
    failed_stage: str
    cause: str
    usage: dict[str, int]


class PoolView(BaseModel):
    """The warm pool."""

    least: int
    most: int
    target: int
    making: int
    parked: int
    memory_bytes: int
    hits: int
    misses: int
    failures: int
    last_failure: str


class FunnelView(BaseModel):
    """How many machines had this outcome, failed at this stage; outcome "" is living."""

    driver: str
    warm: bool
    outcome: str
    failed_stage: str
    count: int


class MachineLog(BaseModel):
    """The ends of a failed machine's logs. The guest's part may say anything."""

    machine: str
    log: str


class MachinesView(BaseModel):
    """What an operator sees of machines."""

    pool: PoolView
    funnel: list[FunnelView]
    machines: list[MachineView]


class FileView(BaseModel):
    """A file in the desktop's ~/Files."""

    name: str
    size: int
    modified_at: int


class FilesView(BaseModel):
    """`policy` is off, up, down or both; `more` says that there are files which cannot be shown."""

    policy: str
    most_bytes: int
    files: list[FileView]
    more: bool


class ErrorBody(BaseModel):
    """`code` is for programs, `message` for people."""

    code: str
    message: str


class ErrorView(BaseModel):
    """Every answer that is no success."""

    error: ErrorBody
