"""One offer, answered by one webrtcbin: descriptions in and out by its promises, candidates gathered.

What it is given and what it replies is kept by the peer until its pipeline is down (see `peer`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from transom_guest.stream.deadlines import ANSWER_DEADLINE
from transom_guest.stream.description import credentials, description
from transom_guest.stream.gst import Gst, GstError, GstWebRTC
from transom_guest.stream.offer import H264, narrowed, with_credentials, with_profile
from transom_guest.stream.sound_offer import Opus

OFFER, ANSWER = GstWebRTC.WebRTCSDPType.OFFER, GstWebRTC.WebRTCSDPType.ANSWER


class Negotiation:
    """Takes the codecs that `offer` and `sound_offer` read; nothing else of the offer is answered."""

    def __init__(
        self, codec: H264, opus: Opus | None, *, keep: list[Any], to_loop: Callable[..., None]
    ) -> None:
        """`keep` takes what must live as long as the pipeline; `to_loop` calls in the event loop's thread."""
        self._codec, self._opus = codec, opus
        self._kept, self._to_loop = keep, to_loop
        self._loop = asyncio.get_running_loop()
        self._gathered = asyncio.Event()
        self._webrtc = cast("Any", None)
        self._asked: asyncio.Future[Any] | None = None
        self._closed = False

    def begin(self, webrtc: Any, connect: Callable[[Any, str, Callable[..., None]], None]) -> None:
        """Take the element that is to answer, before it starts."""
        self._webrtc = webrtc
        connect(webrtc, "notify::ice-gathering-state", self._gathering_changed)

    def close(self) -> None:
        """Let go of the element, which is about to go down: who waits for an answer is told so now."""
        self._closed, self._webrtc = True, None
        self._gathered.set()
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(None)

    async def answer(self, sdp: str) -> str:
        """The answer to the offer `sdp`, its candidates in it. Raises GstError within ANSWER_DEADLINE."""
        try:
            async with asyncio.timeout(ANSWER_DEADLINE):
                offered = narrowed(
                    sdp, self._codec.payload_type, self._opus.payload_type if self._opus else None
                )
                await self._ask("set-remote-description", description(OFFER, offered, self._kept))
                reply = await self._ask("create-answer", None)
                answer = reply.get_value("answer") if reply else None
                if answer is None:
                    raise GstError("webrtcbin made no answer")
                self._kept.append(answer)
                own = with_credentials(str(answer.sdp.as_text()), *credentials())
                await self._ask("set-local-description", description(ANSWER, own, self._kept))
                await self._gathered.wait()
                self._need_life()
        except TimeoutError as error:
            raise GstError("no answer in time") from error
        local = self._webrtc.get_property("local-description")
        self._kept.append(local)
        return with_profile(str(local.sdp.as_text()), self._codec)

    async def _ask(self, action: str, argument: Any) -> Any:
        """Emit an action that answers by promise; return the reply, which may be None. Raises GstError."""
        self._need_life()
        self._asked = done = self._loop.create_future()

        def changed(promise: Any, *_: Any) -> None:
            reply = promise.get_reply() if promise.wait() == Gst.PromiseResult.REPLIED else None
            self._kept.append(reply)
            self._to_loop(_settle, done, reply)

        promise = Gst.Promise.new_with_change_func(changed)
        self._kept += [promise, changed, argument]
        self._webrtc.emit(action, argument, promise)
        reply = await done
        self._need_life()  # or the promise may be gone, which the reply is a part of
        if reply is not None and reply.has_field("error"):
            raise GstError(f"{action} failed")
        return reply

    def _need_life(self) -> None:
        if self._closed:
            raise GstError("the peer is closed")

    # in one of GStreamer's threads

    def _gathering_changed(self, webrtc: Any, _spec: Any) -> None:
        if webrtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            self._to_loop(self._gathered.set)


def _settle(done: asyncio.Future[Any], reply: Any) -> None:
    if not done.done():
        done.set_result(reply)
