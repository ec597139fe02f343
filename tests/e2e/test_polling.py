"""A whole connection by plain HTTP polling, with a viewer that is no browser."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from av import VideoFrame

from tests.support.server import Server

pytestmark = [pytest.mark.machine]

RED = (
    "data:text/html,<body style='background:rgb(200,30,30)' "
    "onkeydown=\"document.body.style.background='rgb(30,60,200)'\">"
)


async def connect(client: httpx.AsyncClient, session: str, peer: str, epoch: int) -> RTCPeerConnection:
    """Offer, poll for the answer, take it: the mission's routes and nothing else."""
    viewer = RTCPeerConnection()
    viewer.addTransceiver("video", direction="recvonly")
    viewer.createDataChannel("control")
    await viewer.setLocalDescription(await viewer.createOffer())
    offer = {"peer": peer, "epoch": epoch, "sdp": viewer.localDescription.sdp}
    posted = await client.post(f"/api/webrtc/session/{session}/offer", json=offer)
    assert posted.status_code == 202, posted.text
    for _ in range(100):
        answer = await client.get(
            f"/api/webrtc/session/{session}/answer", params={"peer": peer, "epoch": epoch}
        )
        if answer.status_code == 200:
            break
        assert answer.status_code == 204, answer.text
        await asyncio.sleep(0.05)
    body = answer.json()
    assert (body["peer"], body["epoch"]) == (peer, epoch)
    assert body["sdp"].count("a=candidate") >= 1
    candidates = await client.get(
        f"/api/webrtc/session/{session}/candidate", params={"peer": peer, "epoch": epoch}
    )
    assert "typ host" in candidates.json()["candidates"][0]["candidate"]
    await viewer.setRemoteDescription(RTCSessionDescription(body["sdp"], "answer"))
    return viewer


async def wait_colour(viewer: RTCPeerConnection, channel: int, seconds: float = 15) -> tuple[int, int, int]:
    """Decode until the middle of the picture is mostly the wanted channel (0 red, 2 blue)."""
    track = viewer.getReceivers()[0].track
    async with asyncio.timeout(seconds):
        while True:
            frame = await track.recv()
            assert isinstance(frame, VideoFrame)
            plane = frame.reformat(format="rgb24").planes[0]
            at = plane.line_size * (frame.height * 2 // 3) + 3 * (frame.width // 2)
            colour = tuple(bytes(plane)[at : at + 3])
            if colour[channel] > 150 and sum(colour) - colour[channel] < 200:
                return colour  # type: ignore[return-value]


def client_of(server: Server) -> httpx.AsyncClient:
    bearer = {"Authorization": f"Bearer {server.ready['token']}"}
    return httpx.AsyncClient(base_url=server.url, headers=bearer, timeout=20)


async def test_a_whole_connection_by_polling(server: Server) -> None:
    session = (await asyncio.to_thread(server.create, start_url=RED))["id"]
    await asyncio.to_thread(server.wait_for, session, "ready")
    async with client_of(server) as client:
        servers = (await client.get("/api/webrtc/ice-servers")).json()
        assert isinstance(servers["ice_servers"], list)
        viewer = await connect(client, session, "aiortc", 1)
        try:
            await wait_colour(viewer, 0)
        finally:
            await viewer.close()


async def test_a_later_epoch_replaces_an_earlier_one(server: Server) -> None:
    session = (await asyncio.to_thread(server.create, start_url=RED))["id"]
    await asyncio.to_thread(server.wait_for, session, "ready")
    async with client_of(server) as client:
        first = await connect(client, session, "aiortc", 1)
        second = await connect(client, session, "aiortc", 2)
        stale = await client.get(
            f"/api/webrtc/session/{session}/answer", params={"peer": "aiortc", "epoch": 1}
        )
        assert stale.status_code == 409
        assert stale.json()["error"]["code"] == "stale_epoch"
        old = {"peer": "aiortc", "epoch": 1, "sdp": first.localDescription.sdp}
        assert (await client.post(f"/api/webrtc/session/{session}/offer", json=old)).status_code == 409
        await wait_colour(second, 0)
        await first.close()
        await second.close()


async def test_input_by_data_channel_reaches_the_desktop(server: Server) -> None:
    session = (await asyncio.to_thread(server.create, start_url=RED))["id"]
    await asyncio.to_thread(server.wait_for, session, "ready")
    async with client_of(server) as client:
        viewer = RTCPeerConnection()
        viewer.addTransceiver("video", direction="recvonly")
        control = viewer.createDataChannel("control")
        opened = asyncio.Event()
        control.on("open", opened.set)
        await viewer.setLocalDescription(await viewer.createOffer())
        body = {"peer": "keys", "epoch": 1, "sdp": viewer.localDescription.sdp}
        await client.post(f"/api/webrtc/session/{session}/offer", json=body)
        answer = await client.get(
            f"/api/webrtc/session/{session}/answer", params={"peer": "keys", "epoch": 1, "wait_ms": 10000}
        )
        await viewer.setRemoteDescription(RTCSessionDescription(answer.json()["sdp"], "answer"))
        try:
            await wait_colour(viewer, 0)
            await asyncio.wait_for(opened.wait(), 10)
            for sequence, message in enumerate(
                [["b", 640, 500, 1, 1], ["b", 640, 500, 1, 0], ["k", 0x67, 1], ["k", 0x67, 0]]
            ):
                control.send(json.dumps([message[0], sequence + 1, *message[1:]]))
            await wait_colour(viewer, 2)
        finally:
            await viewer.close()


async def test_answers_to_what_cannot_be(server: Server) -> None:
    session = (await asyncio.to_thread(server.create))["id"]
    await asyncio.to_thread(server.wait_for, session, "ready")
    async with client_of(server) as client:
        route = f"/api/webrtc/session/{session}"
        assert (await client.get(f"{route}/offer")).status_code == 204
        big = {"peer": "p", "epoch": 1, "sdp": "v=0\r\n" + "a=x\r\n" * 40_000}
        assert (await client.post(f"{route}/offer", json=big)).status_code == 413
        assert (
            await client.post(f"{route}/offer", json={"peer": "p", "epoch": 1, "sdp": "garbage"})
        ).status_code == 422
        unknown = {"peer": "p", "epoch": 1, "sdp": "v=0", "surprise": True}
        assert (await client.post(f"{route}/offer", json=unknown)).status_code == 422
        long = {"peer": "p", "epoch": 1, "candidate": "candidate:" + "1" * 5000}
        assert (await client.post(f"{route}/candidate", json=long)).status_code == 413
        missing = "/api/webrtc/session/ses_aaaaaaaaaaaaaaaaaaaa/offer"
        assert (await client.post(missing, json={"peer": "p", "epoch": 1, "sdp": "v=0"})).status_code == 404
