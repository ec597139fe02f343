"""Several viewers of one session over the API: links, seats, and how each of them ends. Machines are fake."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api import Api, close_of, serving
from tests.support.sdps import answer, offer
from tests.support.waiting import until
from transom.api import streams, watch
from transom.api.sockets import Places
from transom.api.viewer_page import NAMES_LIMIT
from transom.stream import intake, seats
from transom.stream.peers import PEERS_LIMIT
from transom_wire.link import PeerAnswer, PeerState

HELLO = b"RFB 003.008\n\x01\x01"
ASK, KEY = b"\x03" + bytes(9), b"\x04\x01\x00\x00\x00\x00\x00\x61"


@dataclass
class Guest:
    """Somebody who came by a link."""

    client: httpx.AsyncClient
    cookie: str
    session: str
    link: str
    token: str

    @property
    def path(self) -> str:
        return f"/api/watch/{self.session}/{self.link}"


@dataclass
class Bench:
    api: Api
    owner: httpx.AsyncClient
    session: str

    async def link(self, kind: str = "ask", **body: Any) -> tuple[str, str]:
        """(id, token) of a new link."""
        made = await self.owner.post(
            f"/api/sessions/{self.session}/links", json={"kind": kind, "label": "Bob", **body}
        )
        assert made.status_code == 201, made.text
        return made.json()["id"], made.json()["url"].removeprefix("/watch#")

    async def guest(self, kind: str = "ask", **body: Any) -> Guest:
        link, token = await self.link(kind, **body)
        client = await self.api.client(Origin=self.api.url)
        entered = await client.post("/api/watch", json={"token": token})
        assert entered.json()["session"] == self.session
        assert entered.json()["link"] == link
        return Guest(client, entered.headers["set-cookie"].partition(";")[0], self.session, link, token)

    def events(self, guest: Guest | None = None) -> Any:
        if guest is None:
            bearer = self.owner.headers["Authorization"]
            return self.api.socket(f"/api/sessions/{self.session}/events", Authorization=bearer)
        return self.api.socket(f"{guest.path}/events", Cookie=guest.cookie, Origin=self.api.url)

    def vnc(self, peer: str, guest: Guest | None = None) -> Any:
        if guest is None:
            bearer = self.owner.headers["Authorization"]
            return self.api.socket(f"/api/sessions/{self.session}/vnc?peer={peer}", Authorization=bearer)
        path = f"{guest.path}/vnc?peer={peer}"
        return self.api.socket(path, Cookie=guest.cookie, Origin=self.api.url)

    def told(self) -> list[tuple[str, str, Any]]:
        """What the guest's stream server was told: kind, peer, and whether it drives."""
        bodies = [json.loads(body) for role, body in self.keeper.to_guest() if role == "webrtc"]
        return [
            (body["type"], body["peer"], body.get("terms", {}).get("drives"))
            for body in bodies
            if "peer" in body
        ]

    @property
    def keeper(self) -> Any:
        return self.api.driver.of(self.session)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with serving(tmp_path) as api:
        owner = await api.client(await api.user("ada"))
        yield Bench(api, owner, await api.ready_session(owner))
        await owner.aclose()


async def say(socket: Any, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def hears(socket: Any, fits: Any) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if fits(message):
                return message


def driven_by(peer: str | None) -> Any:
    def fits(message: dict[str, Any]) -> bool:
        if message["type"] != "seats":
            return False
        return [viewer["peer"] for viewer in message["viewers"] if viewer["drives"]] == (
            [] if peer is None else [peer]
        )

    return fits


async def here(socket: Any, peer: str, sdp: bool = False) -> None:
    await say(socket, type="seat", do="here", peer=peer)
    if sdp:
        await say(socket, type="offer", peer=peer, epoch=1, sdp=offer())


async def test_the_desktop_is_asked_for_given_and_taken_back(bench: Bench) -> None:
    guest = await bench.guest()
    async with bench.events() as mine, bench.events(guest) as theirs:
        await here(mine, "o", sdp=True)
        await hears(mine, driven_by("o"))
        await here(theirs, "g", sdp=True)
        await hears(theirs, lambda message: driven_by("o")(message) and message["you"] == "g")
        await until(lambda: ("peer_offer", "g", False) in bench.told())
        assert ("peer_offer", "o", True) in bench.told()

        await say(theirs, type="seat", do="request", peer="g")
        asked = await hears(mine, lambda m: m["type"] == "seats" and any(v["asks"] for v in m["viewers"]))
        assert {"peer": "g", "name": "Bob", "kind": "ask", "drives": False, "asks": True} in asked["viewers"]
        await say(mine, type="seat", do="give", peer="o", to="g")
        await hears(theirs, driven_by("g"))
        assert bench.told()[-2:] == [("peer_change", "o", False), ("peer_change", "g", True)]

        await say(mine, type="seat", do="take", peer="o")
        await hears(theirs, driven_by("o"))
        assert bench.told()[-2:] == [("peer_change", "g", False), ("peer_change", "o", True)]


async def test_a_guest_hears_of_the_picture_and_of_nothing_else(bench: Bench) -> None:
    guest = await bench.guest("view")
    async with bench.events() as mine, bench.events(guest) as theirs:
        await here(mine, "o", sdp=True)
        heard = [await hears(theirs, lambda message: True) for _ in range(2)]
        (session,) = [message["session"] for message in heard if message["type"] == "session"]
        assert session["state"] == "ready"
        assert not [
            value
            for name, value in session.items()
            if name in ("provider", "machine", "driver", "signin") and value
        ]
        assert session["timeline"] == {}
        await until(lambda: bench.api.offers(bench.session))
        bench.keeper.say("webrtc", PeerAnswer("o", 1, answer()))
        await hears(mine, lambda message: message["type"] == "answer")
        await here(theirs, "g", sdp=True)
        await until(lambda: len(bench.api.offers(bench.session)) == 2)
        bench.keeper.say("webrtc", PeerAnswer("g", 1, answer()))
        kinds: list[tuple[str, Any]] = []
        async with asyncio.timeout(10):
            while not kinds or kinds[-1][0] != "answer":
                message = json.loads(await theirs.recv())
                kinds.append((message["type"], message.get("peer")))
        assert set(kinds) <= {("seats", None), ("session", None), ("answer", "g")}


async def test_a_guest_speaks_for_itself_only(bench: Bench) -> None:
    guest, other = await bench.guest(), await bench.guest("view")
    async with bench.events() as mine, bench.events(guest) as theirs, bench.events(other) as watcher:
        await here(mine, "o", sdp=True)
        await hears(mine, driven_by("o"))
        for message in (
            {"type": "offer", "peer": "o", "epoch": 2, "sdp": offer()},
            {"type": "heartbeat", "peer": "o"},
            {"type": "seat", "do": "leave", "peer": "o"},
        ):
            await theirs.send(json.dumps(message))
            refused = await hears(theirs, lambda message: message["type"] == "refused")
            assert refused["code"] == "peer_taken"
        await say(theirs, type="bye", peer="o", epoch=1)
        await here(theirs, "g")
        for do, to in (("take", None), ("give", "g"), ("refuse", "o")):
            await say(theirs, type="seat", do=do, peer="g", **({"to": to} if to else {}))
            assert (await hears(theirs, lambda message: message["type"] == "refused"))["code"] == "refused"
        await here(watcher, "w")
        await say(watcher, type="seat", do="request", peer="w")
        assert (await hears(watcher, lambda message: message["type"] == "refused"))["code"] == "view_only"
        assert ("peer_close", "o", None) not in bench.told()
    async with httpx.AsyncClient(base_url=bench.api.url, headers={"Cookie": guest.cookie}) as client:
        got = await client.get(f"{guest.path}/answer?peer=o&epoch=1")
        assert got.status_code == 404


@pytest.mark.parametrize("how", ["revoke", "expire", "end"])
async def test_a_link_that_is_over_ends_pictures_and_sockets_at_once_and_says_why(
    bench: Bench, how: str
) -> None:
    guest = await bench.guest(seconds=3 if how == "expire" else None)
    bench.api.driver.stream = display(bytearray())
    async with bench.events(guest) as theirs, bench.vnc("g", guest) as picture:
        await here(theirs, "g", sdp=True)
        await until(lambda: ("peer_offer", "g", False) in bench.told())
        assert await picture.recv() == b"RFB 003.008\n"
        if how == "revoke":
            gone = await bench.owner.delete(f"/api/sessions/{bench.session}/links/{guest.link}")
            assert gone.status_code == 204
        elif how == "end":
            await bench.owner.delete(f"/api/sessions/{bench.session}")
        why = {"revoke": (4411, "this link was withdrawn"), "expire": (4411, "this link has expired")}.get(
            how, (4410, "stopped")
        )
        assert await close_of(theirs) == why
        assert await close_of(picture) == why
    if how != "end":
        await until(lambda: ("peer_close", "g", None) in bench.told())
    answers = [
        await guest.client.post("/api/watch", json={"token": guest.token}),
        await guest.client.post(
            f"{guest.path}/offer",
            json={"peer": "g", "epoch": 2, "sdp": offer()},
            headers={"Cookie": guest.cookie},
        ),
    ]
    for refused in answers:
        assert refused.status_code == 410
        assert refused.json()["error"]["message"] == ("the session is over" if how == "end" else why[1])
    again = bench.events(guest)
    async with again as socket:
        assert (await close_of(socket))[0] == why[0]


async def test_a_name_is_not_free_while_its_viewer_is_away(bench: Bench) -> None:
    """Guests are shown the owner's names, whose pictures go on when nothing is heard of them."""
    guest = await bench.guest("view")
    async with bench.events(guest) as theirs:
        async with bench.events() as mine:
            await here(mine, "o", sdp=True)
            await hears(mine, driven_by("o"))
            await until(lambda: ("peer_offer", "o", True) in bench.told())
            await say(mine, type="seat", do="leave", peer="o")
            await hears(mine, driven_by(None))
        told = bench.told()
        await say(theirs, type="offer", peer="o", epoch=2**31 - 1, sdp=offer())
        refused = await hears(theirs, lambda message: message["type"] == "refused")
        assert (refused["code"], refused["peer"]) == ("peer_taken", "o")
        await here(theirs, "o")
        refused = await hears(theirs, lambda message: message["type"] == "refused")
        assert (refused["code"], refused["peer"], refused["epoch"]) == ("peer_taken", "o", None)
        assert bench.told() == told
        async with bench.events() as mine:
            await here(mine, "o")
            await hears(mine, driven_by("o"))


@pytest.mark.parametrize("how", ["leave", "bye", "look", "late"])
async def test_nobody_leaves_the_list_and_keeps_the_picture(bench: Bench, how: str) -> None:
    guest = await bench.guest("view")
    cookie = {"Cookie": guest.cookie}
    seats = f"{guest.path}/seats"

    async def offers(epoch: int) -> None:
        body = {"peer": "g", "epoch": epoch, "sdp": offer(), "look": how == "look"}
        said = await guest.client.post(f"{guest.path}/offer", json=body, headers=cookie)
        assert said.status_code == 202
        await until(lambda: len(bench.api.offers(bench.session)) == epoch)
        bench.keeper.say("webrtc", PeerAnswer("g", epoch, answer()))
        await until(lambda: bench.api.broker.candidates(bench.session, "g", epoch))
        bench.keeper.say("webrtc", PeerState("g", epoch, "connected"))

    async def leaves() -> None:
        body = {"do": "leave", "peer": "g"}
        assert (await guest.client.post(seats, json=body, headers=cookie)).json() == {"viewers": []}

    await offers(1)
    if how == "bye":
        async with bench.events(guest) as theirs:
            await say(theirs, type="bye", peer="g", epoch=2**30)
            await until(lambda: ("peer_close", "g", None) in bench.told())
    else:
        await leaves()
    await until(lambda: ("peer_close", "g", None) in bench.told())
    assert (await bench.owner.get(f"/api/sessions/{bench.session}/seats")).json() == {"viewers": []}
    if how == "late":  # it may come again, and is seen
        await offers(2)
        there = (await bench.owner.get(f"/api/sessions/{bench.session}/seats")).json()["viewers"]
        assert [each["peer"] for each in there] == ["g"]
        await bench.owner.delete(f"/api/sessions/{bench.session}/links/{guest.link}")
        await until(lambda: bench.told().count(("peer_close", "g", None)) == 2)


async def test_who_comes_and_leaves_over_and_over_keeps_nobody_out(bench: Bench) -> None:
    guest = await bench.guest("view")
    for number in range(PEERS_LIMIT + 1):
        body = {"peer": f"g{number}", "epoch": 1, "sdp": offer()}
        path, cookie = guest.path, {"Cookie": guest.cookie}
        assert (await guest.client.post(f"{path}/offer", json=body, headers=cookie)).status_code == 202
        await guest.client.post(f"{path}/seats", json={"do": "leave", "peer": f"g{number}"}, headers=cookie)
    mine = {"peer": "o", "epoch": 1, "sdp": offer()}
    assert (
        await bench.owner.post(f"/api/webrtc/session/{bench.session}/offer", json=mine)
    ).status_code == 202


async def test_links_are_listed_without_their_token_and_are_so_many_at_most(bench: Bench) -> None:
    _, token = await bench.link("view", seconds=60)
    listed = await bench.owner.get(f"/api/sessions/{bench.session}/links")
    assert token not in listed.text
    assert listed.json()[0] | {"id": "", "created_at": 0, "expires_at": 0} == {
        "id": "",
        "kind": "view",
        "label": "Bob",
        "created_at": 0,
        "expires_at": 0,
        "over": None,
        "url": None,
    }
    trail = (await bench.owner.get("/api/audit")).text
    assert "link_make" in trail
    assert token not in trail
    for _ in range(15):
        await bench.link()
    more = await bench.owner.post(f"/api/sessions/{bench.session}/links", json={})
    assert (more.status_code, more.json()["error"]["code"]) == (409, "too_many_links")


async def test_guessing_a_link_is_slow(bench: Bench) -> None:
    async with httpx.AsyncClient(base_url=bench.api.url) as client:
        codes = [
            (await client.post("/api/watch", json={"token": f"{number:043}"})).status_code
            for number in range(22)
        ]
    assert codes[0] == 404
    assert codes[-1] == 429


async def test_guests_are_so_many_at_most_and_the_owner_still_comes_in(bench: Bench) -> None:
    guests = [await bench.guest("view") for _ in range(seats.GUESTS_LIMIT + 1)]
    for number, guest in enumerate(guests):
        said = await guest.client.post(
            f"{guest.path}/seats",
            json={"do": "here", "peer": f"g{number}"},
            headers={"Cookie": guest.cookie},
        )
        assert said.status_code == (200 if number < seats.GUESTS_LIMIT else 429)
    late = await guests[0].client.post("/api/watch", json={"token": guests[0].token})
    assert (late.status_code, late.json()["error"]["code"]) == (429, "too_many")
    mine = await bench.owner.post(f"/api/sessions/{bench.session}/seats", json={"do": "here", "peer": "o"})
    assert mine.json()["viewers"][-1] == {
        "peer": "o",
        "name": "ada",
        "kind": "owner",
        "drives": True,
        "asks": False,
    }


async def test_one_link_s_sockets_leave_room_for_another_s(bench: Bench) -> None:
    greedy, modest = await bench.guest("view"), await bench.guest("view")
    bench.api.driver.stream = display(bytearray())

    def channel(guest: Guest) -> Any:
        path = f"{guest.path}/channel?peer={guest.link}"
        return bench.api.socket(path, Cookie=guest.cookie, Origin=bench.api.url)

    async with AsyncExitStack() as held:

        async def all_taken(opens: Any, places: Places) -> None:
            """One more than the link may have: any of them is the one that has no place."""
            opened = [
                asyncio.create_task(close_of(await held.enter_async_context(opens(greedy))))
                for _ in range(places.own + places.limit + 1)
            ]
            over, rest = await asyncio.wait(opened, return_when=asyncio.FIRST_COMPLETED)
            assert [each.result()[0] for each in over] == [4429]
            for each in rest:
                each.cancel()
            socket = await held.enter_async_context(opens(modest))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(close_of(socket), 0.5)

        await all_taken(bench.events, watch.event_places)
        await all_taken(lambda guest: bench.vnc(guest.link, guest), watch.vnc_places)
        bench.api.driver.stream = display(bytearray(), says=b"")
        await all_taken(channel, watch.channel_places)


def display(heard: bytearray, says: bytes = b"RFB 003.008\n") -> Any:
    """A display that greets, and writes down what it hears."""

    async def stream() -> tuple[asyncio.StreamReader, Any]:
        reader = asyncio.StreamReader()
        reader.feed_data(says)
        return reader, Ear(heard)

    return stream


class Ear:
    """A StreamWriter that only listens."""

    def __init__(self, heard: bytearray) -> None:
        self._heard = heard

    def write(self, data: bytes) -> None:
        self._heard.extend(data)

    async def drain(self) -> None: ...
    def close(self) -> None: ...


async def test_a_watchers_novnc_carries_no_input_and_ends_when_the_seat_moves(bench: Bench) -> None:
    guest, heard = await bench.guest(), bytearray()
    bench.api.driver.stream = display(heard)
    async with AsyncExitStack() as opened:
        mine = await opened.enter_async_context(bench.vnc("o"))
        await mine.recv()
        theirs = await opened.enter_async_context(bench.vnc("g", guest))
        await theirs.recv()
        kinds = [kind for _, kind in bench.api.driver.streams]
        assert kinds == ["vnc", "view"]
        await theirs.send(HELLO + KEY + ASK + KEY)
        await until(lambda: bytes(heard) == HELLO + ASK)
        await mine.send(KEY)
        await until(lambda: bytes(heard) == HELLO + ASK + KEY)
        gave = await bench.owner.post(
            f"/api/sessions/{bench.session}/seats", json={"do": "give", "peer": "o", "to": "g"}
        )
        assert gave.status_code == 200
        assert await close_of(mine) == (4409, "you watch now")
        assert await close_of(theirs) == (4409, "you drive now")
    async with bench.vnc("g", guest) as theirs:
        await theirs.recv()
        assert bench.api.driver.streams[-1][1] == "vnc"
        heard.clear()
        await theirs.send(HELLO + KEY)
        await until(lambda: bytes(heard) == HELLO + KEY)


async def test_a_look_at_novnc_only_watches_whatever_name_it_gives_and_ends_by_itself(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LOOK_S", 3.0)
    heard = bytearray()
    bench.api.driver.stream = display(heard)
    async with bench.vnc("o") as mine, bench.vnc("o&look=1") as look:
        await mine.recv()
        await look.recv()
        assert sorted(kind for _, kind in bench.api.driver.streams) == ["view", "vnc"]
        await look.send(HELLO + KEY + ASK + KEY)
        await until(lambda: bytes(heard) == HELLO + ASK)
        assert (await close_of(look))[0] == 4408
        seats = (await bench.owner.get(f"/api/sessions/{bench.session}/seats")).json()["viewers"]
        assert [(seat["peer"], seat["drives"]) for seat in seats] == [("o", True)]


async def test_a_watcher_that_says_what_is_no_rfb_is_out(bench: Bench) -> None:
    guest = await bench.guest("view")
    bench.api.driver.stream = display(bytearray())
    async with bench.vnc("g", guest) as socket:
        await socket.send(HELLO + b"\x07")
        code, reason = await close_of(socket)
        assert (code, reason) == (4400, "a watcher does not say that: an unknown message")


async def test_a_page_that_is_gone_frees_the_desktop_and_one_whose_socket_breaks_keeps_it_a_while(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seats, "CUT_MS", 3000)  # for a page to be there again
    async with bench.events() as second:
        async with bench.events() as first:
            await here(first, "a")
            await hears(first, driven_by("a"))
            await here(second, "b")
            await say(first, type="seat", do="leave", peer="a")
            await hears(second, driven_by("b"))
            await say(first, type="seat", do="here", peer="a")
            await say(first, type="seat", do="take", peer="a")
            await hears(second, driven_by("a"))
        # the socket broke without a word
        async with bench.events() as again:
            await here(again, "a")
            await asyncio.sleep(3.5)
            assert bench.api.seating.drives(bench.session, "a")
        await hears(second, driven_by("b"))


async def test_a_look_has_no_seat_and_who_says_goodbye_has_none_any_more(bench: Bench) -> None:
    path = f"/api/webrtc/session/{bench.session}"
    look = {"peer": "look", "epoch": 1, "sdp": offer(), "look": True}
    assert (await bench.owner.post(f"{path}/offer", json=look)).status_code == 202
    await until(lambda: ("peer_offer", "look", False) in bench.told())
    assert bench.api.seating.seats(bench.session) == ()
    page = {"peer": "page", "epoch": 2, "sdp": offer()}
    assert (await bench.owner.post(f"{path}/offer", json=page)).status_code == 202
    await until(lambda: ("peer_offer", "page", True) in bench.told())
    assert (await bench.owner.delete(f"{path}/peers/look/1")).status_code == 204
    await until(lambda: ("peer_close", "look", None) in bench.told())
    assert bench.api.seating.whose(bench.session, "look") is None
    # the goodbye of a try that a newer one replaced is no goodbye
    assert (await bench.owner.delete(f"{path}/peers/page/1")).status_code == 204
    assert bench.api.seating.drives(bench.session, "page")
    beat = {"peer": "page", "epoch": 2, "rung": "webrtc"}
    await bench.owner.post(f"/api/auth/session/{bench.session}/heartbeat", json=beat)
    assert 'transom_viewers{rung="webrtc"} 1.0' in (await bench.owner.get("/metrics")).text
    assert (await bench.owner.delete(f"{path}/peers/page/2")).status_code == 204
    assert 'transom_viewers{rung="webrtc"} 1.0' not in (await bench.owner.get("/metrics")).text
    assert bench.api.seating.seats(bench.session) == ()


async def test_an_offer_that_cannot_be_read_takes_no_seat(bench: Bench) -> None:
    """By both roads, the owner's and a link's: places are left for whoever comes with a picture to see."""
    guest = await bench.guest()
    garbage = {"epoch": 1, "sdp": "v=0\r\ngarbage"}
    for number in range(20):
        for client, path in (
            (bench.owner, f"/api/webrtc/session/{bench.session}/offer"),
            (guest.client, f"{guest.path}/offer"),
        ):
            signed = {"Cookie": guest.cookie} if client is guest.client else {}
            refused = await client.post(path, json={"peer": f"p{number}", **garbage}, headers=signed)
            assert refused.status_code == 422, refused.text
    for events in (bench.events(), bench.events(guest)):
        async with events as socket:
            for number in range(20):
                await say(socket, type="offer", peer=f"q{number}", **garbage)
                told = await hears(socket, lambda message: message["type"] == "refused")
                assert (told["code"], told["peer"]) == ("invalid", f"q{number}")
    assert bench.api.seating.seats(bench.session) == ()
    shown = await bench.owner.get(f"/api/sessions/{bench.session}/seats")
    assert shown.json() == {"viewers": []}
    page = {"peer": "page", "epoch": 1, "sdp": offer()}
    answered = await bench.owner.post(f"/api/webrtc/session/{bench.session}/offer", json=page)
    assert answered.status_code == 202
    assert bench.api.seating.drives(bench.session, "page")
    text = (await bench.owner.get("/metrics")).text
    assert 'transom_signalling_events_total{event="offer_malformed"} 80.0' in text


async def test_no_label_turns_the_text_around_it(bench: Bench) -> None:
    for label in ("Bob\u202egpj", "\u2066Bob", "B\u200bob", "Bob\x9b2J", "Bob\n"):
        body = {"kind": "view", "label": label}
        refused = await bench.owner.post(f"/api/sessions/{bench.session}/links", json=body)
        assert refused.status_code == 422, label
        assert (await bench.owner.post("/api/tokens", json={"label": label})).status_code == 422
    for label in ("Žofie", "محمد", "علی\u200cرضا", "👩\u200d🔬", ""):
        await bench.link(label=label)


async def test_a_guest_is_told_when_the_link_ends(bench: Bench) -> None:
    lasting, short = await bench.guest(), await bench.guest(seconds=900)
    links = (await bench.owner.get(f"/api/sessions/{bench.session}/links")).json()
    assert [link["expires_at"] is None for link in links] == [True, False]
    for guest, link in zip((lasting, short), links, strict=True):
        said = await guest.client.get(guest.path, headers={"Cookie": guest.cookie})
        assert said.json()["link_expires_at"] == link["expires_at"]


async def test_a_guest_s_look_is_its_own_and_its_page_stays_when_it_is_over(bench: Bench) -> None:
    guest = await bench.guest()
    path, signed = guest.path, {"Cookie": guest.cookie}
    async with bench.events() as mine, bench.events(guest) as theirs:
        await here(mine, "o", sdp=True)
        await hears(mine, driven_by("o"))
        await here(theirs, "g", sdp=True)
        await hears(theirs, lambda message: message.get("you") == "g")
        look = {"peer": "o", "epoch": 2, "sdp": offer(), "look": True}
        taken = await guest.client.post(f"{path}/offer", json=look, headers=signed)
        assert taken.json()["error"]["code"] == "peer_taken"
        sent = await guest.client.post(f"{path}/offer", json={**look, "peer": "g-look"}, headers=signed)
        assert sent.status_code == 202
        got = await guest.client.get(f"{path}/answer?peer=g-look&epoch=2", headers=signed)
        assert got.status_code == 204
        await say(theirs, type="bye", peer="g-look", epoch=2)
        await until(lambda: ("peer_close", "g-look", None) in bench.told())
        await say(theirs, type="bye", peer="g", epoch=1)
        await until(lambda: ("peer_close", "g", None) in bench.told())
        assert [seat.peer for seat in bench.api.seating.seats(bench.session)] == ["o", "g"]


async def test_who_left_by_a_socket_is_not_seated_again_by_its_signs_of_life(bench: Bench) -> None:
    async with bench.events() as mine:
        await here(mine, "first")
        await hears(mine, driven_by("first"))
        for number in range(40):
            await say(mine, type="seat", do="leave", peer=f"p{number}")
        await say(mine, type="seat", do="leave", peer="first")
        await hears(mine, driven_by(None))
        await say(mine, type="ping")
        await hears(mine, lambda message: message["type"] == "pong")
        assert bench.api.seating.seats(bench.session) == ()
        for number in range(NAMES_LIMIT):
            await here(mine, f"p{number}")
            await say(mine, type="seat", do="leave", peer=f"p{number}")
        await here(mine, "last")
        await hears(mine, driven_by("last"))


async def test_a_page_is_so_many_viewers_at_most(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seats, "OWN_LIMIT", 100)
    async with bench.events() as mine:
        for number in range(NAMES_LIMIT + 1):
            await here(mine, f"p{number}")
        refused = await hears(mine, lambda message: message["type"] == "refused")
        assert refused["code"] == "too_many"
        assert len(bench.api.seating.seats(bench.session)) == NAMES_LIMIT


async def test_only_who_drives_keeps_a_session_from_idling_out(bench: Bench) -> None:
    guest = await bench.guest("view")
    before = (await bench.api.sessions.ledger.get(bench.session)).last_seen_at
    await asyncio.sleep(0.05)
    beat = await guest.client.post(
        f"{guest.path}/heartbeat", json={"peer": "g"}, headers={"Cookie": guest.cookie}
    )
    assert beat.status_code == 200
    assert (await bench.api.sessions.ledger.get(bench.session)).last_seen_at == before


async def test_who_floods_by_a_link_is_ended_and_waits_and_nobody_else_does(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On both sockets of the noVNC rung: what comes too fast is read later, and without end by nobody."""
    monkeypatch.setattr(intake, "BURST", 50)
    monkeypatch.setattr(intake, "DEBT", 20)
    heard, streams = bytearray(), bench.api.driver.streams

    async def silent() -> tuple[asyncio.StreamReader, Any]:
        return asyncio.StreamReader(), Ear(bytearray())

    friend = await bench.guest("view")
    for road, message in (("vnc", ASK), ("channel", '["k", 1, 97, 1]')):
        troll = await bench.guest("view")
        path = troll.path
        signed = {"Cookie": troll.cookie}
        bench.api.driver.stream = silent
        del streams[:]
        async with bench.api.socket(
            f"{path}/{road}?peer=troll-{road}", **signed, Origin=bench.api.url
        ) as flooding:
            await until(lambda: streams)
            bench.api.driver.stream = display(heard)
            await flooding.send(HELLO if road == "vnc" else message)
            for _ in range(200):
                await flooding.send(message)
            async with bench.vnc("friend", friend) as watching:
                del heard[:]
                await watching.send(HELLO + ASK)
                await until(lambda: HELLO in heard)
            assert await close_of(flooding) == (4429, "too many messages")
        body = {"peer": f"again-{road}", "epoch": 1, "sdp": offer()}
        refused = await troll.client.post(f"{path}/offer", json=body, headers=signed)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many")
        assert int(refused.headers["Retry-After"]) >= 1
        async with bench.events(troll) as events:
            await say(events, type="offer", **body)
            told = await hears(events, lambda message: message["type"] == "refused")
            assert (told["code"], told["peer"]) == ("too_many", body["peer"])
            assert told["retry_after"] >= 1
        async with bench.api.socket(f"{path}/vnc?peer=other", **signed, Origin=bench.api.url) as socket:
            assert (await close_of(socket))[0] == 4429
    text = (await bench.owner.get("/metrics")).text
    assert "transom_viewer_messages_late_total 4" in text
    assert 'transom_signalling_events_total{event="flooded"} 2.0' in text
    assert 'transom_signalling_events_total{event="offer_limited"} 4.0' in text


async def test_two_links_in_one_browser_are_two_guests(bench: Bench) -> None:
    """One keeps no cookie of the other's, goes by its own terms, and ends by itself."""
    view, ask = await bench.link("view"), await bench.link("ask")
    async with await bench.api.client(Origin=bench.api.url) as browser:
        paths = []
        for link, token in (view, ask):
            entered = await browser.post("/api/watch", json={"token": token})
            paths.append(f"/api/watch/{bench.session}/{link}")
            marks = entered.headers["set-cookie"].split("; ")[1:]
            assert marks == [f"Path={paths[-1]}", "HttpOnly", "SameSite=Strict"]
        for path, kind in zip(paths, ("view", "ask"), strict=True):
            said = await browser.post(f"{path}/seats", json={"do": "here", "peer": kind})
            assert {each["peer"]: each["kind"] for each in said.json()["viewers"]}[kind] == kind
        cookies = {cookie.path: f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar}
        asks = {"do": "request", "peer": "view"}
        assert (await browser.post(f"{paths[0]}/seats", json=asks)).status_code == 403
        async with httpx.AsyncClient(base_url=bench.api.url, headers={"Cookie": cookies[paths[1]]}) as other:
            assert (await other.get(paths[0])).status_code == 404
            assert (await other.get(paths[1])).status_code == 200
        await bench.owner.delete(f"/api/sessions/{bench.session}/links/{view[0]}")
        assert [(await browser.get(path)).status_code for path in paths] == [410, 200]
        await bench.owner.delete(f"/api/sessions/{bench.session}/links/{ask[0]}")
        assert [(await browser.get(path)).status_code for path in paths] == [410, 410]


@pytest.mark.parametrize("road", ["vnc", "channel"])
async def test_a_socket_whose_name_is_another_s_says_so_by_a_code_of_its_own(bench: Bench, road: str) -> None:
    guest, other = await bench.guest(), await bench.guest()
    async with bench.events(guest) as theirs:
        await here(theirs, "g")
        await hears(theirs, lambda message: message.get("you") == "g")
        path = f"{other.path}/{road}?peer=g"
        async with bench.api.socket(path, Cookie=other.cookie, Origin=bench.api.url) as socket:
            assert await close_of(socket) == (4412, "this peer's name is another viewer's")
