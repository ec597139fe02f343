"""What somebody who came by a link may do: see one session's picture, and ask for its keyboard. Nothing else.

A guest's ticket is a cookie that browsers send below `/api/watch/SESSION/LINK` only: no other route knows it, and who
opens two links in one browser is two guests, each by the terms of its own link.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response, WebSocket
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, StringConstraints

from transom.api import channel, events, sockets, vnc
from transom.api.access import Address, P, address_of, form_of, origin_allowed
from transom.api.bodies import Body, Offer
from transom.api.parts import Parts, parts_of
from transom.api.quality_bodies import Heartbeat
from transom.api.seats import SeatAct, SeatsView, act, listing
from transom.api.signalling import WAIT_LIMIT_MS, EpochQuery, PeerQuery, heard, offered
from transom.api.sockets import Closing, Visitor
from transom.api.views import guest_session
from transom.auth.cookies import read_cookie
from transom.auth.links import Guest
from transom.model.errors import Gone, NotFound, Refused, TooMany, TransomError, Unauthenticated
from transom.model.session import Session
from transom.stream.seats import GUESTS_LIMIT
from transom.stream.turn import ice_servers

router = APIRouter(tags=["watching"])
SECURE_NAME, PLAIN_NAME = "__Secure-transom-watch", "transom-watch-dev"
TICKET_LIMIT = 128
event_places = sockets.Places(limit=6, own=2)
vnc_places, channel_places = sockets.Places(limit=3, own=2), sockets.Places(limit=3, own=2)
"""Two are a link's own: a page that comes back is there before its old socket is known to be gone."""


class Entry(Body):
    """A link's token: what follows `#` in its address."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=TICKET_LIMIT)]


class EntryView(BaseModel):
    """What the link leads to."""

    session: str
    link: str
    kind: str
    name: str
    expires_at: int | None


@router.post("/api/watch")
async def enter(entry: Entry, request: Request, response: Response, address: Address, parts: P) -> EntryView:
    """Exchange a link's token for a cookie that is good below that link only. 410 says why it is over."""
    parts.limits.entry(address)
    form = form_of(request)
    if form is None:
        raise Refused("watching over plain HTTP works on this computer only: use HTTPS", code="insecure")
    link, ticket = await parts.links.enter(entry.token)
    await _living(parts, link.session)
    if parts.seating.guests(link.session) >= GUESTS_LIMIT:
        raise TooMany("this session has as many guests as it takes: try again later", retry_after=30)
    name, marks = (SECURE_NAME, "; Secure") if form.secure else (PLAIN_NAME, "")
    path = f"/api/watch/{link.session}/{link.id}"
    response.headers["Set-Cookie"] = f"{name}={ticket}; Path={path}; HttpOnly; SameSite=Strict{marks}"
    return EntryView(
        session=link.session,
        link=link.id,
        kind=link.kind.value,
        name=link.label,
        expires_at=link.expires_at,
    )


async def _guest_of(connection: Request | WebSocket, session: str, link: str) -> Guest:
    """Who this is. Raises Unauthenticated, NotFound for another link or session, Gone for a link over."""
    form = form_of(connection)
    name = SECURE_NAME if form is not None and form.secure else PLAIN_NAME
    ticket = read_cookie(connection.headers.get("cookie", ""), name) if form else None
    plausible = ticket is not None and len(ticket) <= TICKET_LIMIT and ticket.isascii()
    guest = await parts_of(connection).links.guest(ticket) if ticket is not None and plausible else None
    if guest is None:
        raise Unauthenticated("open the link first")
    if (guest.link.session, guest.link.id) != (session, link):
        raise NotFound("no such session")
    return guest


async def _living(parts: Parts, session: str) -> Session:
    found = await parts.ledger.get(session)
    if found.state.over or found.wanted_end is not None:
        raise Gone("the session is over", reason=found.wanted_end or "")
    return found


async def _guest(session: str, link: str, request: Request) -> Guest:
    return await _guest_of(request, session, link)


async def _watched(guest: Annotated[Guest, Depends(_guest)], parts: P) -> Session:
    return await _living(parts, guest.link.session)


By = Annotated[Guest, Depends(_guest)]
Watched = Annotated[Session, Depends(_watched)]


@router.get("/api/watch/{session}/{link}")
async def get_watched(by: By, parts: P) -> dict[str, Any]:
    """How the session stands, and when the link ends; whose it is and what it is for is not said."""
    found = guest_session(await parts.ledger.get(by.link.session))
    return {**found, "link_expires_at": by.link.expires_at}


@router.get("/api/watch/{session}/{link}/ice-servers")
async def get_ice_servers(by: By, watched: Watched, parts: P) -> dict[str, Any]:
    """STUN and TURN, as for the owner, with credentials of the guest's own."""
    servers = ice_servers(parts.settings, by.link.id, parts.clock())
    return {"ice_servers": servers, "ttl_s": parts.settings.turn_seconds}


@router.post("/api/watch/{session}/{link}/offer", status_code=202)
async def post_offer(by: By, watched: Watched, offer: Offer, address: Address, parts: P) -> dict[str, Any]:
    """Take a guest's offer."""
    await offered(parts, watched, by.person, offer, address)
    return {"peer": offer.peer, "epoch": offer.epoch}


@router.get("/api/watch/{session}/{link}/answer", responses={204: {"description": "not yet"}})
async def get_answer(
    by: By,
    watched: Watched,
    parts: P,
    peer: PeerQuery,
    epoch: EpochQuery,
    wait_ms: Annotated[int, Field(ge=0, le=WAIT_LIMIT_MS)] = 0,
) -> Response:
    """The answer to an offer of the guest's own."""
    if parts.seating.whose(watched.id, peer) != by.person.id:
        raise NotFound("no such viewer of yours")
    sdp = await parts.broker.answer(watched.id, peer, epoch, wait_ms)
    if sdp is None:
        return Response(status_code=204)
    return JSONResponse({"peer": peer, "epoch": epoch, "sdp": sdp})


@router.post("/api/watch/{session}/{link}/heartbeat")
async def post_heartbeat(by: By, watched: Watched, beat: Heartbeat, parts: P) -> dict[str, Any]:
    """Each ten seconds. It keeps the session from idling out only while this guest drives."""
    await heard(parts, watched, by.person, beat)
    return {"state": watched.state.value, "expires_at": watched.expires_at}


@router.get("/api/watch/{session}/{link}/recording")
async def get_recorded(by: By, parts: P) -> dict[str, str | None]:
    """Whether what they see and do is recorded: off, on or paused, and why."""
    session = by.link.session
    return {"state": parts.recordings.state(session), "why": parts.recordings.why(session)}


@router.get("/api/watch/{session}/{link}/seats")
async def get_seats(by: By, watched: Watched, parts: P) -> SeatsView:
    """Who watches, and who drives."""
    return SeatsView.model_validate({"viewers": listing(parts.seating.seats(watched.id))})


@router.post("/api/watch/{session}/{link}/seats")
async def post_seats(by: By, watched: Watched, wanted: SeatAct, parts: P) -> SeatsView:
    """Ask to drive; who drives may give and refuse."""
    await act(parts, watched.id, by.person, wanted)
    return await get_seats(by, watched, parts)


async def _admit(socket: WebSocket, session: str) -> Visitor:
    """Raises Closing."""
    if not origin_allowed(socket):
        raise Closing(sockets.SIGN_IN, "the Origin of this request is not this server")
    parts = parts_of(socket)
    try:
        guest = await _guest_of(socket, session, socket.path_params["link"])
        found = await _living(parts, session)
    except Unauthenticated as error:
        raise Closing(sockets.SIGN_IN, error.message) from error
    except NotFound as error:
        raise Closing(sockets.NOT_FOUND, error.message) from error
    except Gone as error:
        code = sockets.LINK if error.reason == "link" else sockets.OVER
        raise Closing(code, error.message if code == sockets.LINK else error.reason or "over") from error
    except TransomError as error:
        raise Closing(sockets.TRY_AGAIN, error.message) from error

    async def until_over() -> None:
        raise Closing(sockets.LINK, await parts.links.ended(guest.link))

    return Visitor(guest.person, found, until_over, address_of(socket))


@router.websocket("/api/watch/{session}/{link}/events")
async def watch_events(socket: WebSocket, session: str, link: str) -> None:
    """The events of a session as its guest may hear them."""
    await events.serve(socket, session, _admit, event_places)


@router.websocket("/api/watch/{session}/{link}/vnc")
async def watch_vnc(socket: WebSocket, session: str, link: str) -> None:
    """The display, for a guest: without input, unless it was given the desktop."""
    await vnc.serve(socket, session, _admit, vnc_places)


@router.websocket("/api/watch/{session}/{link}/channel")
async def watch_channel(socket: WebSocket, session: str, link: str) -> None:
    """Keys and clipboard, for a guest: nothing passes unless it was given the desktop."""
    await channel.serve(socket, session, _admit, channel_places)
