"""How a peer's pipeline comes to its end: one part after the other, each at rest before it is taken down.

Taken down at once, its parts go while threads of others still use them, and the process with them:

* A handshake that cannot write any more, since its encoder went first, is left between two record layers, and
  OpenSSL 3.2 to 3.5 frees one of them twice with the connection (openssl/openssl#30415): up to a second later, in the
  thread of GStreamer's clock, that holds a DTLS connection for its next retransmission.
* webrtcbin opens and closes data channels in a thread of its own. A channel that is linked as the SCTP decoder stops
  sets the pad's task going again, of a decoder that is no more. And a decoder's end has it close each channel, on an
  encoder that is going itself, while a channel may still send on the socket that the decoder closes.
"""

from __future__ import annotations

import asyncio
from typing import Any

from transom_guest.stream.gst import GObject, Gst

TASK_DEADLINE = 1.0
"""Seconds for webrtcbin to do what it was asked before; it takes milliseconds."""
PAD_REMOVED = GObject.signal_lookup("pad-removed", Gst.Element.__gtype__)
ROUNDS, ROUND_S = 2, 0.01
"""A channel that its viewer closes is done with in two tasks: the second comes once what it had to say was sent."""


class Ending:
    """Of one peer. `watch` is told of each element; from GStreamer's threads."""

    def __init__(self) -> None:
        self._inputs: list[Any] = []
        self._decoders: list[Any] = []
        self._encoders: list[Any] = []

    def watch(self, element: Any) -> None:
        """An element was added to the peer's pipeline."""
        name = element.__gtype__.name
        if name == "GstDtlsDec":
            self._inputs.append(element.get_static_pad("sink"))
        elif name == "GstSctpDec":
            self._decoders.append(element)
        elif name == "GstSctpEnc":
            self._encoders.append(element)

    async def bring(self, pipeline: Any, webrtc: Any) -> None:
        """Take the pipeline down; nobody may use it any more. Each step may wait for threads that wait for this
        one's lock, so another thread takes it."""
        await asyncio.to_thread(self._hear_no_more)
        for _ in range(ROUNDS if self._encoders else 0):
            await _idle(webrtc)
            await asyncio.sleep(ROUND_S)
        await asyncio.to_thread(self._down, pipeline)
        for parts in (self._inputs, self._decoders, self._encoders):
            parts.clear()

    def _hear_no_more(self) -> None:
        """When this returns nothing of the viewer's is under way in its handshake, or to its channels."""
        for pad in self._inputs:
            pad.set_active(False)
        for decoder in self._decoders:
            # webrtcbin's: else each pad's end is taken for the viewer's wish to close a channel
            GObject.signal_handlers_disconnect_matched(
                decoder, GObject.SignalMatchType.ID, PAD_REMOVED, 0, None, None, None
            )

    def _down(self, pipeline: Any) -> None:
        for encoder in self._encoders:
            # before the decoder, which closes the socket that this one's threads send on
            encoder.set_locked_state(True)
            encoder.set_state(Gst.State.NULL)
        pipeline.set_state(Gst.State.NULL)


async def _idle(webrtc: Any) -> None:
    """Return when webrtcbin's thread has done all that it was asked before; it takes one task after the other."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    promise = Gst.Promise.new_with_change_func(lambda *_: loop.call_soon_threadsafe(done.set))
    webrtc.emit("create-answer", None, promise)
    try:
        async with asyncio.timeout(TASK_DEADLINE):
            await done.wait()
    except TimeoutError:
        pass
