"""Messages on the link: the connections a guest dials to its keeper, and what travels on to the controller.

A guest opens several link connections, one for each role. The first frame of each is Hello, and the
keeper answers with Welcome or closes. `boot` presents the one-use boot token; every other role
presents the link token that boot's Welcome carried.

| role | who | carries |
|---|---|---|
| boot | the supervisor, for the machine's life | Progress, Ready, ServiceState, OpenStream, SetScreen, OpenUrl |
| | and on a warm machine | Park, Identity -> Progress `parked`, `claimed` |
| webrtc | the WebRTC server | PeerOffer, PeerChange, PeerClose -> PeerAnswer, PeerState, StreamReport |
| signin | the sign-in agent | SigninStart, SigninCancel -> SigninState, CredentialSealed |
| stream | one connection per OpenStream | after Welcome: raw bytes, no frames |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from transom_wire.codec import Blob, Many, Range, Text
from transom_wire.fields import (
    Hostname,
    Id,
    Line,
    MachineId,
    Milliseconds,
    Name,
    PagePattern,
    Side,
    Token,
    Url,
)
from transom_wire.peers import FLOODS as FLOODS
from transom_wire.peers import MISDEEDS as MISDEEDS
from transom_wire.peers import PeerAnswer as PeerAnswer
from transom_wire.peers import PeerChange as PeerChange
from transom_wire.peers import PeerClose as PeerClose
from transom_wire.peers import PeerOffer as PeerOffer
from transom_wire.peers import PeerState as PeerState
from transom_wire.peers import PeerTerms as PeerTerms
from transom_wire.peers import StreamReport as StreamReport


@dataclass(frozen=True, slots=True)
class Hello:
    """First frame of each link connection, guest to keeper."""

    TYPE: ClassVar[str] = "hello"
    version: Annotated[int, Range(1, 1000)]
    role: Annotated[str, Text(16, "boot|webrtc|signin|stream")]
    token: Token
    stream: Id | None = None


@dataclass(frozen=True, slots=True)
class Welcome:
    """The keeper's answer to Hello. `boot` gets the settings of its machine, the others only the version."""

    TYPE: ClassVar[str] = "welcome"
    version: Annotated[int, Range(1, 1000)]
    link_token: Token | None = None
    session: Id | None = None
    width: Side | None = None
    height: Side | None = None
    start_url: Url | None = None
    forwarder_port: Annotated[int, Range(1, 65535)] | None = None
    warm: bool = False
    """True: bring the desktop up and wait for Identity; `session` and `start_url` come with that."""
    program: Annotated[str, Text(16, "browser|terminal")] = "browser"
    signin_pages: Annotated[tuple[PagePattern, ...], Many(64)] | None = None
    """What is shown may be recorded: the browser says when a page to sign in at is shown, these among them."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A boot stage was reached: display, desktop, browser; parked and claimed on a warm machine."""

    TYPE: ClassVar[str] = "progress"
    stage: Name


@dataclass(frozen=True, slots=True)
class Ready:
    """A browser window has painted."""

    TYPE: ClassVar[str] = "ready"
    width: Side
    height: Side


@dataclass(frozen=True, slots=True)
class Fatal:
    """The guest cannot go on; `reason` is for the operator."""

    TYPE: ClassVar[str] = "fatal"
    reason: Line


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A supervised service started or died."""

    TYPE: ClassVar[str] = "service_state"
    service: Name
    state: Annotated[str, Text(16, "started|died")]
    restarts: Annotated[int, Range(0, 10**6)]


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Asks the supervisor to dial the link again with role stream and this id, joined to a local server."""

    TYPE: ClassVar[str] = "open_stream"
    stream: Id
    kind: Annotated[str, Text(16, "vnc|view|files|record|channel")]


@dataclass(frozen=True, slots=True)
class SetScreen:
    """Asks the supervisor for a new desktop size, in pixels."""

    TYPE: ClassVar[str] = "set_screen"
    width: Side
    height: Side


@dataclass(frozen=True, slots=True)
class OpenUrl:
    """Asks the supervisor to open a URL in the machine's browser."""

    TYPE: ClassVar[str] = "open_url"
    url: Url


@dataclass(frozen=True, slots=True)
class Park:
    """Asks a warm machine that is going to be saved to let go of the link: it closes it without a word and
    dials again, with the same boot token, every 100 ms until a keeper answers. That may be another machine's:
    the saved one runs on as many clones."""

    TYPE: ClassVar[str] = "park"


@dataclass(frozen=True, slots=True)
class Identity:
    """A warm machine becomes a session's. The guest mixes `seed` into the kernel's random numbers before
    anything else, sets the clock, machine-id and host name, starts its program and services afresh, and
    answers with Progress `claimed`."""

    TYPE: ClassVar[str] = "identity"
    session: Id
    width: Side
    height: Side
    start_url: Url
    machine_id: MachineId
    hostname: Hostname
    seed: Annotated[bytes, Blob(64)]
    now: Milliseconds


@dataclass(frozen=True, slots=True)
class CredentialFile:
    """One file a provider's tool leaves behind. Paths are relative to `home`."""

    path: Annotated[str, Text(200, r"(?!/)(?!.*\.\.)[A-Za-z0-9._/ -]+")]
    required: bool = True
    format: Annotated[str, Text(16, "json|yaml|text")] = "json"
    must_have: Annotated[tuple[str, ...], Many(16)] = ()
    """Dotted paths that must be present and not empty, e.g. `tokens.refresh_token`."""
    expires: Annotated[str, Text(200)] = ""
    """Dotted path of the expiry: epoch seconds or milliseconds, RFC 3339, or `jwt:` before a token's path."""


@dataclass(frozen=True, slots=True)
class SigninSpec:
    """How to sign one provider's tool in: the part of its TOML that the guest needs."""

    provider: Name
    argv: Annotated[tuple[str, ...], Many(32), Text(500)]
    env: Annotated[dict[str, str], Many(32), Text(1000)]
    companion: Annotated[tuple[str, ...], Many(32), Text(500)]
    """A server to run beside the tool while it signs in, e.g. the demo's issuer; empty for none."""
    url_pattern: Annotated[str, Text(500)]
    code_pattern: Annotated[str, Text(500)]
    done_pattern: Annotated[str, Text(500)]
    failed_pattern: Annotated[str, Text(500)]
    answers: Annotated[dict[str, str], Many(8), Text(500)]
    """Prompt pattern -> keys to type, for tools that ask before they begin."""
    files: Annotated[tuple[CredentialFile, ...], Many(8)]
    timeout_s: Annotated[int, Range(10, 3600)]
    companion_port: Annotated[int, Range(1, 65535)] | None = None
    """Port on the machine's 127.0.0.1 that the companion answers on before the tool is started."""


@dataclass(frozen=True, slots=True)
class SigninStart:
    """Run a sign-in. `identity` is the associated data that binds what is sealed to its record."""

    TYPE: ClassVar[str] = "signin_start"
    flow: Id
    spec: SigninSpec
    vault_key_id: Id
    vault_public_key: Annotated[bytes, Blob(32)]
    identity: Annotated[str, Text(500)]


@dataclass(frozen=True, slots=True)
class SigninCancel:
    """Stop a sign-in; it answers with state cancelled."""

    TYPE: ClassVar[str] = "signin_cancel"
    flow: Id


@dataclass(frozen=True, slots=True)
class SigninState:
    """How a sign-in fares. `message` is the tool's own last line, cleaned; `url` what the user opens."""

    TYPE: ClassVar[str] = "signin_state"
    flow: Id
    stage: Annotated[str, Text(16, "starting|waiting|saving|done|failed|cancelled")]
    url: Url | None = None
    user_code: Annotated[str, Text(64)] | None = None
    message: Line = ""


@dataclass(frozen=True, slots=True)
class CredentialSealed:
    """Credential files sealed in the guest (transom_wire.sealing). Sent again until CredentialStored answers."""

    TYPE: ClassVar[str] = "credential_sealed"
    flow: Id
    serial: Annotated[int, Range(1, 10**6)]
    """Rises with each change the tool makes to its files while the machine lives."""
    vault_key_id: Id
    names: Annotated[tuple[str, ...], Many(8), Text(200)]
    expires_at: Milliseconds | None
    wrapped_key: Annotated[bytes, Blob(512)]
    nonce: Annotated[bytes, Blob(12)]
    ciphertext: Annotated[bytes, Blob(128 * 1024)]


@dataclass(frozen=True, slots=True)
class CredentialStored:
    """The controller has committed (or refused for good) this serial; the guest may forget it."""

    TYPE: ClassVar[str] = "credential_stored"
    flow: Id
    serial: Annotated[int, Range(1, 10**6)]
    accepted: bool
    reason: Line = ""


@dataclass(frozen=True, slots=True)
class Ping:
    """Either way, each ten seconds; a link silent for thirty is dead."""

    TYPE: ClassVar[str] = "ping"


FROM_BOOT = (Progress, Ready, Fatal, ServiceState, Ping)
FROM_WEBRTC = (PeerAnswer, PeerState, StreamReport, Ping)
FROM_SIGNIN = (SigninState, CredentialSealed, Ping)
FROM_GUEST = {"boot": FROM_BOOT, "webrtc": FROM_WEBRTC, "signin": FROM_SIGNIN}
"""What each role may send; anything else is garbage and closes that connection."""

TO_BOOT = (Welcome, OpenStream, SetScreen, OpenUrl, Park, Identity, Ping)
TO_WEBRTC = (Welcome, PeerOffer, PeerChange, PeerClose, Ping)
TO_SIGNIN = (Welcome, SigninStart, SigninCancel, CredentialStored, Ping)
TO_GUEST = {"boot": TO_BOOT, "webrtc": TO_WEBRTC, "signin": TO_SIGNIN}

GuestMessage = (
    Progress
    | Ready
    | Fatal
    | ServiceState
    | PeerAnswer
    | PeerState
    | StreamReport
    | SigninState
    | CredentialSealed
    | Ping
)
ToGuestMessage = (
    OpenStream
    | SetScreen
    | OpenUrl
    | Park
    | Identity
    | PeerOffer
    | PeerChange
    | PeerClose
    | SigninStart
    | SigninCancel
    | CredentialStored
    | Ping
)
