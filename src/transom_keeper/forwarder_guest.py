"""One connection of a guest: its requests, one after the other, each judged and dialled anew."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

import h11

from transom_keeper.forwarder_count import Tally
from transom_keeper.forwarder_exit import Way
from transom_keeper.forwarder_leg import Leg
from transom_keeper.forwarder_line import Line
from transom_keeper.forwarder_tunnel import tunnel
from transom_keeper.forwarder_ways import Ways
from transom_keeper.proxy import (
    ProxyError,
    Target,
    downstream_response,
    error_page,
    target_of,
    upstream_request,
    wants_html,
)

MOVED = ProxyError(503, "moved", "The way out of this machine has changed. Please try again.")


@dataclass(frozen=True, slots=True)
class ForwarderLimits:
    """Thresholds of one machine's forwarder; seconds and counts."""

    connections: int = 256
    """At once; one more takes the place of the one that has idled longest, or waits. Chromium opens 32."""
    requests: int = 1_000
    """On one kept connection."""
    head_s: float = 60.0
    """For a request's head to arrive whole, an idle kept connection included."""
    dial_s: float = 40.0
    """For the exit to connect, all addresses and all tries together."""
    response_s: float = 300.0
    """For a response to begin: a long poll may take minutes."""
    body_s: float = 120.0
    """For the next piece of a body, and for a reader to make room."""
    tunnel_idle_s: float = 900.0
    half_closed_s: float = 120.0


class GuestConnection:
    """Serves until one side ends. `idle_since` is set while nothing but a request's head is awaited."""

    def __init__(
        self, leg: Leg, ways: Ways, tally: Tally, limits: ForwarderLimits, idle: Callable[[], None]
    ) -> None:
        """`idle` is called whenever the next request begins to be awaited."""
        self._guest = Line(leg, h11.SERVER)
        self._ways, self._tally, self._limits = ways, tally, limits
        self._target: Target | None = None
        self._site: Leg | None = None
        self._cut: ProxyError | None = None
        self._html = False
        self.idle_since: float | None = None
        self._idle = idle

    def route_changed(self, other_exit: bool) -> None:
        """End what goes by another exit than the present one, or to what may not be reached any more."""
        if self._site is None or self._target is None:
            return
        try:
            self._ways.judge(self._target)
        except ProxyError as error:
            self._end_site(error)
        else:
            if other_exit:
                self._end_site(MOVED)

    def _end_site(self, why: ProxyError) -> None:
        self._cut = why
        if self._site is not None:
            self._site.abort()

    def give_way(self) -> None:
        """Another connection needs the place of this idle one."""
        self._guest.leg.abort()

    async def serve(self) -> None:
        """Until the connection is closed."""
        linger, flush_s = False, self._limits.body_s
        try:
            for _ in range(self._limits.requests):
                if not await self._request():
                    break
        except ProxyError as error:
            linger = await self._refuse(self._cut or error)
        except h11.RemoteProtocolError as error:
            refused = ProxyError(
                error.error_status_hint, "request", "The request is not HTTP that a proxy takes."
            )
            linger = await self._refuse(refused)
        except (OSError, TimeoutError, h11.LocalProtocolError):
            self._tally.failed("moved" if self._cut else "broken")
            flush_s = 0.0
        except asyncio.CancelledError:
            flush_s = 0.0
            raise
        finally:
            await self._guest.close(flush_s=flush_s, linger=linger)

    async def _request(self) -> bool:
        """Serve one request; True when the connection can carry another."""
        self.idle_since = time.monotonic()
        self._idle()
        try:
            request = await self._guest.receive(self._limits.head_s)
        except TimeoutError:
            return False
        finally:
            self.idle_since = None
        if not isinstance(request, h11.Request):
            return False
        self._tally.add("requests")
        self._html, self._cut = wants_html(request), None
        target = target_of(request)
        way = await self._ways.open(target)
        self._target, self._site = target, way.leg
        try:
            if target.path is None:
                await self._tunnel(way.leg)
                return False
            return await self._forward(way, upstream_request(request, target, way.absolute))
        finally:
            self._target = self._site = None

    async def _tunnel(self, site: Leg) -> None:
        ended = "broken"
        try:
            if not isinstance(await self._guest.receive(self._limits.head_s), h11.EndOfMessage):
                raise ProxyError(400, "request", "A CONNECT request has no body.")
            established = h11.Response(status_code=200, headers=[], reason=b"Connection established")
            await self._guest.send(established, self._limits.body_s)
            self._tally.add("tunnels")
            ended = await tunnel(
                self._guest.raw(),
                site,
                up=self._count_up,
                down=self._count_down,
                idle_s=self._limits.tunnel_idle_s,
                half_closed_s=self._limits.half_closed_s,
            )
            self._tally.add(f"tunnels_{'moved' if self._cut else ended}")
            if ended != "done" or self._cut:
                raise ConnectionError(f"the tunnel was {ended}")
        finally:
            await _close(site, self._limits.body_s if ended == "done" else 0.0)

    async def _forward(self, way: Way, request: h11.Request) -> bool:
        site, guest = Line(way.leg, h11.CLIENT), self._guest
        upload: asyncio.Task[None] | None = None
        try:
            await self._to_site(site, request)
            upload = asyncio.ensure_future(self._upload(site))
            await self._download(site, by_proxy=way.absolute is not None)
        finally:
            if upload is not None:
                upload.cancel()
                await asyncio.gather(upload, return_exceptions=True)
            await site.close()
        if guest.http.our_state is not h11.DONE or guest.http.their_state is not h11.DONE:
            return False
        guest.http.start_next_cycle()
        return True

    async def _upload(self, site: Line) -> None:
        """The request's body. Where it breaks off on the way in, the site is cut off too; where the site
        takes no more, its response decides."""
        try:
            async with contextlib.aclosing(self._body()) as body:
                async for piece in body:
                    with contextlib.suppress(OSError, TimeoutError):
                        await site.send(h11.Data(data=piece), self._limits.body_s)
                        self._count_up(len(piece))
            with contextlib.suppress(OSError, TimeoutError):
                await site.send(h11.EndOfMessage(), self._limits.body_s)
        except (OSError, TimeoutError, h11.ProtocolError):
            site.leg.abort()

    async def _body(self) -> AsyncGenerator[bytes, None]:
        if self._guest.http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            await self._guest.send(go_on, self._limits.body_s)
        while isinstance(event := await self._guest.receive(self._limits.body_s), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise ConnectionError("the guest ended in the middle of its request")

    async def _download(self, site: Line, *, by_proxy: bool) -> None:
        response = downstream_response(await self._response(site), by_proxy=by_proxy)
        await self._guest.send(response, self._limits.body_s)
        while True:
            event = await self._of_response(site)
            await self._guest.send(event, self._limits.body_s)
            if isinstance(event, h11.EndOfMessage):
                return
            self._count_down(len(event.data))

    async def _of_response(self, site: Line) -> h11.Data | h11.EndOfMessage:
        try:
            event = await site.receive(self._limits.body_s)
        except h11.RemoteProtocolError as error:
            raise ConnectionError("the site's response broke off") from error
        if isinstance(event, h11.Data | h11.EndOfMessage):
            return event
        raise ConnectionError("the site ended in the middle of its response")

    async def _response(self, site: Line) -> h11.Response:
        """The final response's head; interim ones are for this hop and end here."""
        try:
            async with asyncio.timeout(self._limits.response_s):
                while True:
                    event = await site.receive(self._limits.response_s)
                    if isinstance(event, h11.Response):
                        return event
                    if not isinstance(event, h11.InformationalResponse):
                        raise ProxyError(502, "site", "The site closed without an answer.")
        except TimeoutError as error:
            raise ProxyError(504, "timeout", "The site did not answer in time.") from error
        except (OSError, h11.RemoteProtocolError) as error:
            raise ProxyError(502, "site", "The site's answer cannot be read.") from error

    async def _to_site(self, site: Line, request: h11.Request) -> None:
        try:
            await site.send(request, self._limits.body_s)
        except (OSError, TimeoutError) as error:
            raise ProxyError(502, "site", "The site closed the connection.") from error

    async def _refuse(self, error: ProxyError) -> bool:
        """Send the error page where the response has not begun; True when its reader should have time."""
        self._tally.failed(error.cause)
        if self._guest.http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return False
        page, body = error_page(error, html=self._html)
        # h11 knows no other way to ask whether a body may follow: to HEAD it may not.
        with contextlib.suppress(OSError, TimeoutError, h11.LocalProtocolError):
            await self._guest.send(page, self._limits.body_s)
            await self._guest.send(h11.Data(data=body), self._limits.body_s)
        return True

    def _count_up(self, size: int) -> None:
        if self._cut is None:
            self._tally.add("bytes_up", size)

    def _count_down(self, size: int) -> None:
        if self._cut is None:
            self._tally.add("bytes_down", size)


async def _close(leg: Leg, flush_s: float) -> None:
    """Close; what was written still goes out for `flush_s`."""
    with contextlib.suppress(TimeoutError):
        if flush_s and not leg.is_lost:
            leg.transport.close()
            async with asyncio.timeout(flush_s):
                await leg.closed()
    leg.abort()
