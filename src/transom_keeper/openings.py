"""The three sockets of one machine: its link, its forwarder and its door, opened and closed together."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address

from transom_keeper.door import Door
from transom_keeper.forwarder import Forwarder
from transom_keeper.link import LinkRelay, LinkSink
from transom_keeper.machine import Machine
from transom_keeper.sandbox import FORWARDER_PORT
from transom_keeper.splice import Stream
from transom_wire import WIRE_VERSION
from transom_wire.control import RegisterPeer
from transom_wire.exit import ExitRoute
from transom_wire.keeper_config import KeeperConfig
from transom_wire.link import Welcome


class Openings:
    """Nothing is open before `open`, nor after `close`; what is asked in between is done, else nothing is."""

    def __init__(self) -> None:
        self.link: LinkRelay | None = None
        self.door: Door | None = None
        self.forwarder: Forwarder | None = None

    async def open(
        self, machine: Machine, token: str, config: KeeperConfig, public: socket.socket, sink: LinkSink
    ) -> None:
        """Listen on all three; the guest's first word must bring `token`."""
        sockets, loop = machine.sockets, asyncio.get_running_loop()
        self.link = LinkRelay(sockets.link, _welcome(config), token, sink)
        self.door = Door(public, sockets.door, loop, agent_address=machine.agent_address)
        own = {ip_address(config.door_address)}
        self.forwarder = Forwarder(sockets.forwarder, config.exit, own=own)
        await self.link.start()
        await self.forwarder.start()

    async def close(self) -> None:
        """Close them; what the guest still says is lost."""
        if self.link is not None:
            await self.link.close()
        if self.forwarder is not None:
            await self.forwarder.close()
        if self.door is not None:
            self.door.close()

    async def open_stream(self, kind: str) -> Stream | None:
        """A raw stream to the guest's `kind`; None when it opens none."""
        return await self.link.open_stream(kind) if self.link is not None else None

    def say(self, role: str, body: bytes) -> bool:
        """Send to the guest; False when that role is not there."""
        return self.link is not None and self.link.send(role, body)

    def register(self, peer: RegisterPeer) -> None:
        """Let the door know a viewer. Raises ValueError when there is no door yet."""
        self._door().register(peer)

    def release(self, peer: str) -> None:
        """Let the door forget it. Raises ValueError when there is no door yet."""
        self._door().release(peer)

    def _door(self) -> Door:
        if self.door is None:
            raise ValueError("too early for the door")
        return self.door

    def leave_by(self, route: ExitRoute, tell: Callable[[], None]) -> None:
        """The forwarder's exit is another one from now on."""
        if self.forwarder is not None:
            self.forwarder.change(route, tell)


def _welcome(config: KeeperConfig) -> Welcome:
    return Welcome(
        version=WIRE_VERSION,
        session=config.session,
        width=config.width,
        height=config.height,
        start_url=config.start_url,
        forwarder_port=FORWARDER_PORT,
        warm=config.session is None,
        program=config.program,
        signin_pages=config.signin_pages,
    )
