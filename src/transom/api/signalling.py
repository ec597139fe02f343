"""The mission's routes: a whole peer connection by plain polling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from transom.api.access import Address, Owned, P, Who
from transom.api.bodies import Candidate, Description, Epoch, Offer, PeerName
from transom.api.parts import Parts
from transom.api.quality import told
from transom.api.quality_bodies import Heartbeat
from transom.api.refusals import is_candidate
from transom.api.seats import OwnerPerson, came, looked
from transom.api.views import signin
from transom.model.errors import TooLarge
from transom.model.seat import Kind, Person
from transom.model.session import Session, SessionState
from transom.stream.offer import read_offer
from transom.stream.turn import ice_servers

router = APIRouter(tags=["signalling"])
CANDIDATE_LIMIT = 4096
"""Characters; the longest real candidate has about 300."""
WAIT_LIMIT_MS = 10_000

PeerQuery = Annotated[PeerName, Query()]
EpochQuery = Annotated[Epoch, Query()]
Hold = Callable[[str], Awaitable[None]]


@router.get("/api/webrtc/ice-servers")
async def get_ice_servers(who: Who, parts: P) -> dict[str, Any]:
    """STUN and TURN for the viewer; TURN credentials are time-limited."""
    servers = ice_servers(parts.settings, who.user.id, parts.clock())
    return {"ice_servers": servers, "ttl_s": parts.settings.turn_seconds}


@router.post("/api/webrtc/session/{session}/offer", status_code=202)
async def post_offer(
    owned: Owned, offer: Offer, person: OwnerPerson, address: Address, parts: P
) -> dict[str, Any]:
    """Take a viewer's offer; its answer comes by `answer`, or by the events' WebSocket."""
    await offered(parts, owned, person, offer, address)
    return {"peer": offer.peer, "epoch": offer.epoch}


@router.get("/api/webrtc/session/{session}/offer", responses={204: {"description": "no offer"}})
async def get_offer(owned: Owned, parts: P) -> Response:
    """The newest offer, for an answerer of one's own."""
    peer = parts.broker.newest_offer(owned.id)
    if peer is None:
        return Response(status_code=204)
    return JSONResponse({"peer": peer.name, "epoch": peer.epoch, "sdp": peer.sdp})


@router.get("/api/webrtc/session/{session}/answer", responses={204: {"description": "not yet"}})
async def get_answer(
    owned: Owned,
    parts: P,
    peer: PeerQuery,
    epoch: EpochQuery,
    wait_ms: Annotated[int, Query(ge=0, le=WAIT_LIMIT_MS)] = 0,
) -> Response:
    """The guest's answer to this offer."""
    sdp = await parts.broker.answer(owned.id, peer, epoch, wait_ms)
    if sdp is None:
        return Response(status_code=204)
    return JSONResponse({"peer": peer, "epoch": epoch, "sdp": sdp})


@router.post("/api/webrtc/session/{session}/answer", status_code=202)
async def post_answer(owned: Owned, answer: Description, parts: P) -> dict[str, Any]:
    """An answer by an answerer of one's own."""
    parts.broker.answer_by_hand(owned.id, answer.peer, answer.epoch, answer.sdp)
    return {"peer": answer.peer, "epoch": answer.epoch}


@router.delete("/api/webrtc/session/{session}/peers/{peer}/{epoch}", status_code=204)
async def delete_peer(owned: Owned, peer: PeerName, epoch: Epoch, person: OwnerPerson, parts: P) -> Response:
    """The viewer leaves: its place in the machine is free at once. What is unknown or over is nothing to do."""
    await parted(parts, owned.id, person, peer, epoch)
    return Response(status_code=204)


@router.post("/api/webrtc/session/{session}/candidate", status_code=202)
async def post_candidate(owned: Owned, candidate: Candidate, parts: P) -> dict[str, Any]:
    """Taken and dropped: the door needs no candidate of the viewer's. One that is none is counted."""
    if len(candidate.candidate) > CANDIDATE_LIMIT:
        raise TooLarge(f"the candidate is longer than {CANDIDATE_LIMIT} characters")
    if not is_candidate(candidate.candidate):
        parts.metrics.signalling("candidate_malformed")
    return {"peer": candidate.peer, "epoch": candidate.epoch}


@router.get("/api/webrtc/session/{session}/candidate")
async def get_candidates(owned: Owned, parts: P, peer: PeerQuery, epoch: EpochQuery) -> dict[str, Any]:
    """The door, once there is an answer."""
    lines = parts.broker.candidates(owned.id, peer, epoch)
    return {"candidates": [{"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0} for line in lines]}


@router.get("/api/auth/session/{session}")
async def get_auth_session(owned: Owned) -> dict[str, Any]:
    """A session's state and sign-in, in short."""
    return {
        "id": owned.id,
        "state": owned.state.value,
        "provider": owned.provider,
        "signin": signin(owned.signin),
    }


@router.post("/api/auth/session/{session}/heartbeat")
async def post_heartbeat(owned: Owned, beat: Heartbeat, person: OwnerPerson, parts: P) -> dict[str, Any]:
    """Each ten seconds; keeps the session from idling out."""
    session = await heard(parts, owned, person, beat)
    return {"state": session.state.value, "idle_at": session.idle_at, "expires_at": session.expires_at}


async def offered(
    parts: Parts, session: Session, person: Person, offer: Offer, address: str, hold: Hold | None = None
) -> None:
    """Take in a viewer's offer: it has a seat first, and the guest is told with the offer what that allows. An
    offer that cannot be read seats nobody. `hold` keeps the seat of whoever is no look."""
    parts.limits.offer(session.id, offer.peer, person, address)
    read = read_offer(offer.sdp)
    if hold is not None and not offer.look:
        await hold(offer.peer)
    heard_of = looked if offer.look else came
    await heard_of(parts, session.id, person, offer.peer)
    ready = session.state is SessionState.READY
    await parts.broker.offer(session.id, offer.peer, offer.epoch, read, ready=ready)


async def parted(parts: Parts, session: str, person: Person, peer: str, epoch: int) -> None:
    """End a viewer's peer connection, and its seat with it unless it goes on by another."""
    if await parts.broker.bye(session, peer, epoch):
        await parts.seating.gone(session, peer, person)


async def heard(parts: Parts, session: Session, person: Person, beat: Heartbeat) -> Session:
    """Take in a viewer's sign of life; the row with its new idle end."""
    if beat.peer is not None:
        await came(parts, session.id, person, beat.peer)
    told(parts, session.id, beat)
    if person.kind is Kind.OWNER:
        return await parts.sessions.seen(session, beat.first_frame)
    drives = beat.peer is not None and parts.seating.drives(session.id, beat.peer)
    return await parts.sessions.seen(session, None) if drives else session
