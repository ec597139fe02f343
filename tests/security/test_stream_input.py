"""Bad input to the stream: a viewer, a watcher and a guest who mean ill, and beside them one whose picture goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiortc.exceptions import InvalidStateError

from tests.support.api import Api, serving
from tests.support.link_emulator import Shape
from tests.support.sdps import answer, offer
from tests.support.stream_fixtures import golden_image, lab, loopback_only
from tests.support.stream_lab import DEADLINE, StreamLab
from tests.support.stream_viewer import Viewer
from transom.stream.peers import PEERS_LIMIT
from transom_guest.input.parser import MAX_MESSAGE
from transom_guest.stream.peers import MAX_PEERS
from transom_wire.link import PeerAnswer, PeerOffer, PeerState, PeerTerms
from transom_wire.rate import BURST, DEBT

__all__ = ["golden_image", "lab", "loopback_only"]

A, B = 0x61, 0x62
CROWD = 1000
WEBRTC_STRING = 51
"""The payload protocol of a text on a data channel (RFC 8831, 8)."""
WRONG_SIZES, WRONG_WORDS = 3, 7
"""Those that are said on `control`, and so not lost."""
SPEAKER = b"\x00\x00\x00\x07"
"""Who sends the reports; under another name each would not be looked at."""
MADE_UP, KEPT_BYTES = 5000, 2**24
"""Senders whose names are made up: at seven kilobytes each they would be twice the bytes that may be kept."""
SENDER_REPORT, GENERIC_FEEDBACK, PICTURE_FEEDBACK = 200, 205, 206


async def goes_on(lab: StreamLab, viewer: Viewer) -> None:
    """The viewer's key is felt, and it sees what the key does."""
    viewer.say("k", A, 1)
    await viewer.sees("red")
    viewer.say("k", A, 0)
    await viewer.sees("black")


def resident(lab: StreamLab) -> int:
    """Bytes of memory that the service has."""
    return int(Path(f"/proc/{lab.guest_pid()}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def reports(chance: random.Random) -> list[bytes]:
    """RTCP that is none: lengths that lie, counts without entries, feedback of packets nobody sent, noise."""
    found = []
    for kind in range(SENDER_REPORT, 208):
        for count in (0, 1, 15, 31):
            for words in (0, 1, 7, 0xFFFF):
                head = bytes([0x80 | count, kind]) + words.to_bytes(2, "big") + SPEAKER
                found.append(head + chance.randbytes(chance.choice((4, 8, 28, 400))))
    # transport-wide feedback: 65,535 packets in runs and vectors that end in the middle
    body = SPEAKER + chance.randbytes(4) + b"\xff\xf0\xff\xff" + b"\x00\x00\x01\x00" + b"\x3f\xff" * 20
    found.append(bytes([0x8F, GENERIC_FEEDBACK]) + (len(body) // 4).to_bytes(2, "big") + body)
    # a bitrate estimate for 255 streams, and a mantissa shifted by 63
    body = SPEAKER + chance.randbytes(4) + b"REMB" + b"\xff\xff\xff\xff" + chance.randbytes(12)
    found.append(bytes([0x8F, PICTURE_FEEDBACK]) + (len(body) // 4).to_bytes(2, "big") + body)
    return found


@pytest.mark.machine
@pytest.mark.usefixtures("loopback_only")
async def test_a_viewer_s_broken_packets_and_messages_harm_nobody(lab: StreamLab) -> None:
    good, bad = (
        Viewer(lab, "good"),
        Viewer(lab, "bad", terms=PeerTerms(clipboard="both", clipboard_bytes=2**20)),
    )
    try:
        await good.connect()
        await bad.connect()
        descriptors, chance = lab.descriptors(), random.Random(7)

        # RTCP under the right keys, and noise under none
        transport: Any = bad.pc.getTransceivers()[0].receiver.transport
        for report in reports(chance):
            await transport._send_rtp(report)
            await transport.transport._send(bytes([0x80]) + chance.randbytes(60))
        await goes_on(lab, good)
        before = resident(lab)
        for number in range(MADE_UP):
            await transport.transport._send(
                bytes([0x80, 96, 0, 1]) + bytes(4) + number.to_bytes(4) + bytes(50)
            )
            await asyncio.sleep(0.01 * (number % 100 == 0))
        await goes_on(lab, good)
        assert resident(lab) - before < KEPT_BYTES

        # messages: fewer than close the peer, of every wrong kind
        for text in ("", "[", "[1]", '["k"]', '["k", 1, 97]', '["s", 1, 1, 1]', '["s", 2, 32768, 32768]'):
            bad.control.send(text)
            bad.motion.send(text)
        bad.control.send(chance.randbytes(500))
        bad.control.send("[" + "9" * (MAX_MESSAGE + 1))
        bad.say("s", -1, 2**53)
        # four gigabytes are announced, and nothing is kept ready for them
        await bad.until(lambda: bad.clipboard.readyState == "open" or bad.control.send('["p", 1]'))
        for size in (2**32, 2**53, -1, 10**30):
            bad.clipboard.send(json.dumps(["put", 7, "text/plain", size, 0]))
        await bad.until(lambda: ["no", 7, "size"] in [json.loads(one) for one in bad.clipped])
        bad.control.send('["p", "still here"]')
        await bad.until(lambda: ["p", "still here"] in bad.heard)
        await goes_on(lab, good)
        assert (good.frame.width, good.frame.height) == (1280, 720)
        assert lab.state("bad", 1) == "connected"
        assert lab.descriptors() <= descriptors + 2
        # each is counted, and a size that no desktop has is answered by the one it has
        size = [said for said in bad.heard if said[0] == "size"]
        assert len(size) > WRONG_SIZES
        assert set(map(tuple, size)) == {("size", 1280, 720)}
        await bad.close()
        await lab.until(
            lambda: any(told.peer == "bad" and told.malformed >= WRONG_WORDS for told in lab.reports)
        )
        told = next(told for told in reversed(lab.reports) if told.peer == "bad")
        assert told.sizes >= WRONG_SIZES
        assert told.rtcp >= len(reports(chance)) * 3 / 4
        assert told.forged >= MADE_UP
        assert told.clipboard >= 2
    finally:
        await bad.close()
        await good.close()


@pytest.mark.machine
@pytest.mark.usefixtures("loopback_only")
async def test_a_thousand_peers_are_answered_each_and_cost_no_more_than_the_limit(lab: StreamLab) -> None:
    good = Viewer(lab, "good")
    try:
        await good.connect()
        sdp, pid = good.pc.localDescription.sdp, lab.guest_pid()
        threads = lambda: len(os.listdir(f"/proc/{pid}/task"))  # noqa: E731
        each = [PeerOffer(peer=f"p{number}", epoch=1, sdp=sdp) for number in range(CROWD)]
        junk = [PeerOffer(peer=f"j{number}", epoch=1, sdp="v=0\r\n" * number) for number in range(50)]
        await lab.say(*each, *junk)
        await goes_on(lab, good)

        def settled() -> bool:
            return all(name in told() for name in (*(one.peer for one in each), *(one.peer for one in junk)))

        def told() -> set[str]:
            return {peer for peer, _ in lab.answers} | {state.peer for state in lab.states}

        await lab.until(settled)
        answered = {peer for peer, _ in lab.answers} - {"good"}
        assert len(answered) < MAX_PEERS
        assert {state.state for state in lab.states if state.peer.startswith("j")} == {"failed"}
        assert threads() < 40 * MAX_PEERS
        await goes_on(lab, good)
        assert lab.guest_pid() == pid
    finally:
        await good.close()


@pytest.mark.machine
@pytest.mark.usefixtures("loopback_only")
async def test_a_watcher_who_floods_input_moves_nothing_and_slows_nobody(lab: StreamLab) -> None:
    driver, watcher = Viewer(lab, "driver"), Viewer(lab, "watcher", terms=PeerTerms(drives=False))
    try:
        await driver.connect()
        await watcher.connect()
        for number in range(2000):
            watcher.say(*chosen(number))
            if number % 100 == 0:
                await asyncio.sleep(0.01)
        watcher.control.send('["p", "heard"]')
        await watcher.until(lambda: ["p", "heard"] in watcher.heard)
        await goes_on(lab, driver)
        felt = [line for line in lab.felt if line not in ("ready", "press 61", "release 61")]
        assert felt == []
    finally:
        await watcher.close()
        await driver.close()


SLOW_LINK = Shape(kbps=100, delay_ms=150)
LATE_S, LATEST_S = 0.8, 4.0
"""From a key to its picture, the middle one and the worst, for a host that has other work: alone it is 0.05."""


@pytest.mark.machine
@pytest.mark.usefixtures("loopback_only")
async def test_neither_a_narrow_nor_a_flooding_watcher_slows_who_drives(lab: StreamLab) -> None:
    watches = PeerTerms(drives=False)
    driver, narrow = Viewer(lab, "driver"), Viewer(lab, "narrow", terms=watches)
    floods = {tag: Viewer(lab, f"flood-{tag}", terms=watches) for tag in ("p", "k")}
    try:
        for viewer in (driver, narrow, *floods.values()):
            await viewer.connect()
        narrow.narrow(SLOW_LINK)
        assert well(await delays(driver, 8))
        for tag, viewer in floods.items():
            flooding = asyncio.create_task(
                flood(viewer, json.dumps([tag, 1, A, 1][: 2 if tag == "p" else 4]))
            )
            assert well(await delays(driver, 4))
            await lab.until(partial(failed, lab, viewer.name))
            flooding.cancel()  # its own side finds out by a time limit only
            await asyncio.gather(flooding, return_exceptions=True)
        ended = {state.peer: state.reason for state in lab.states if state.state == "failed"}
        assert set(ended) == {viewer.name for viewer in floods.values()}
        assert all(reason.startswith("too many") for reason in ended.values())
        for name in ended:
            told = [each for each in lab.reports if each.peer == name][-1]
            assert told.malformed + told.unallowed + told.floods > DEBT / 2
        assert floods["p"].heard.count(["p", 1]) < BURST / 2
        assert well(await delays(driver, 4))
        assert lab.state("narrow", 1) == "connected"
    finally:
        for viewer in (driver, narrow, *floods.values()):
            await viewer.close()


def well(seconds: list[float]) -> bool:
    return sorted(seconds)[len(seconds) // 2] < LATE_S and max(seconds) < LATEST_S


async def delays(viewer: Viewer, count: int) -> list[float]:
    """Seconds from a key that goes down to the picture of it."""
    found = []
    for _ in range(count):
        begun = time.monotonic()
        viewer.say("k", A, 1)
        await viewer.sees("red")
        found.append(time.monotonic() - begun)
        viewer.say("k", A, 0)
        await viewer.sees("black")
    return found


async def flood(viewer: Viewer, message: str) -> None:
    """Say it as often as the channel takes it, until it is closed."""
    with contextlib.suppress(InvalidStateError):
        while viewer.control.readyState == "open":
            for _ in range(100 if viewer.control.bufferedAmount < 2**16 else 0):
                viewer.control.send(message)
            await asyncio.sleep(0.002)


SPARE_THREADS = 8
"""Of pools, which come and go; each channel that stayed would be two."""


@pytest.mark.machine
@pytest.mark.usefixtures("loopback_only")
async def test_a_watcher_who_makes_channels_without_end_is_ended_and_leaves_no_thread(lab: StreamLab) -> None:
    """Each would be two threads: made as a page makes them, and as streams that nobody asked for."""
    good = Viewer(lab, "good")
    watchers = [Viewer(lab, name, terms=PeerTerms(drives=False)) for name in ("many", "twice", "streams")]
    many, twice, streams = watchers
    pid = lab.guest_pid()
    threads = lambda: len(os.listdir(f"/proc/{pid}/task"))  # noqa: E731
    try:
        await good.connect()
        await goes_on(lab, good)  # by now the threads of its picture are there
        before = threads()
        for watcher in watchers:
            await watcher.connect()
            match watcher.name:
                case "many":
                    for number in range(200):
                        many.pc.createDataChannel(f"c{number}")
                case "twice":
                    twice.pc.createDataChannel("control")
                case _:
                    for number in range(8, 208):
                        await streams.pc.sctp._send(2 * number, WEBRTC_STRING, b"x")
            await lab.until(partial(failed, lab, watcher.name))
            assert threads() < before + 80
            async with asyncio.timeout(DEADLINE):
                while threads() > before + SPARE_THREADS:
                    await asyncio.sleep(0.05)
            await goes_on(lab, good)
        assert {state.reason for state in lab.states if state.state == "failed"} == {"too many channels"}
    finally:
        for viewer in (*watchers, good):
            await viewer.close()


def failed(lab: StreamLab, name: str) -> bool:
    return lab.state(name, 1) == "failed"


def chosen(number: int) -> tuple[Any, ...]:
    """One of all the kinds of input."""
    kinds = [("k", B, number % 2), ("t", "b"), ("b", 9, 9, 1, 1), ("w", 9, 9, 0, 1), ("m", 9, 9), ("h", [B])]
    return kinds[number % len(kinds)]  # type: ignore[no-any-return]


# the controller's side


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as running:
        yield running


async def sees(api: Api, client: httpx.AsyncClient, session: str, peer: str, epoch: int) -> None:
    """A well-behaved viewer of the session offers and gets its answer."""
    path = f"/api/webrtc/session/{session}"
    body = {"peer": peer, "epoch": epoch, "sdp": offer()}
    assert (await client.post(f"{path}/offer", json=body)).status_code == 202
    api.driver.of(session).say("webrtc", PeerAnswer(peer, epoch, answer()))
    query = {"peer": peer, "epoch": epoch, "wait_ms": 5000}
    assert "typ host" in (await client.get(f"{path}/answer", params=query)).json()["sdp"]


async def test_a_guest_s_garbage_opens_no_door_and_reaches_no_viewer_but_its_own(api: Api) -> None:
    ada, eve = await api.client(await api.user("ada")), await api.client(await api.user("eve"))
    async with ada, eve:
        well, ill = await api.ready_session(ada), await api.ready_session(eve)
        guest, path = api.driver.of(ill), f"/api/webrtc/session/{ill}"
        lies = (
            "v=0",
            "\x00" * 60_000,
            answer().replace("127.0.0.1", "10.0.0.7"),
            answer().replace("ice-pwd", "x"),
        )
        for epoch, sdp in enumerate(lies, 1):
            body = {"peer": "tab", "epoch": epoch, "sdp": offer()}
            assert (await eve.post(f"{path}/offer", json=body)).status_code == 202
            guest.say("webrtc", PeerAnswer("tab", epoch, sdp))
            refused = await eve.get(f"{path}/answer", params={"peer": "tab", "epoch": epoch, "wait_ms": 5000})
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "bad_answer")
            query = {"peer": "tab", "epoch": epoch}
            assert (await eve.get(f"{path}/candidate", params=query)).json()["candidates"] == []
        # of peers that never were, of others' peers, of epochs to come: answers and states without end
        for number in range(3000):
            guest.say("webrtc", PeerState(f"p{number % 50}", number, "connected"))
            guest.say("webrtc", PeerAnswer("tab", number + 100, answer()))
        await sees(api, ada, well, "tab", 1)
        async with asyncio.timeout(5):
            assert (await ada.get(f"/api/sessions/{well}")).json()["state"] == "ready"


async def test_a_viewer_s_thousand_offers_are_each_answered_and_most_are_refused(api: Api) -> None:
    ada, eve = await api.client(await api.user("ada")), await api.client(await api.user("eve"))
    async with ada, eve:
        well, crowded = await api.ready_session(ada), await api.ready_session(eve)
        turn = asyncio.Semaphore(32)

        async def asked(number: int) -> int:
            body = {"peer": f"p{number}", "epoch": 1, "sdp": offer()}
            async with turn:
                told = await eve.post(f"/api/webrtc/session/{crowded}/offer", json=body)
            assert told.status_code == 202 or int(told.headers["Retry-After"]) > 0
            return told.status_code

        codes = await asyncio.gather(*[asked(number) for number in range(CROWD)])
        assert set(codes) == {202, 429}
        # offers that the guest leaves without an answer make room after ten seconds
        assert PEERS_LIMIT <= codes.count(202) <= 8 * PEERS_LIMIT
        await sees(api, ada, well, "tab", 1)


@pytest.mark.parametrize("candidate", ["", "candidate:" + "9" * 4000, "a=\r\nm=video", "\x00", "😀" * 900])
async def test_candidates_of_any_kind_are_taken_and_lead_nowhere(api: Api, candidate: str) -> None:
    async with await api.client(await api.user("ada")) as ada:
        session = await api.ready_session(ada)
        path = f"/api/webrtc/session/{session}"
        body = {"peer": "tab", "epoch": 1, "candidate": candidate}
        assert (await ada.post(f"{path}/candidate", json=body)).status_code in (202, 422)
        too_long = {**body, "candidate": "x" * 5000}
        assert (await ada.post(f"{path}/candidate", json=too_long)).status_code == 413
        await sees(api, ada, session, "tab", 1)
