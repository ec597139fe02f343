"""QEMU's monitor, asked over the keeper's end of a socket pair: one command at a time, each with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from typing import Any

from transom_keeper.vm.qmp import Answer, Greeting, Parser, QmpError, Refusal, Said, command

GREETING_SECONDS = 20.0
"""From exec to the monitor's first word: QEMU maps its files and its memory before. 0.2 s on a quiet host."""
COMMAND_SECONDS = 10.0
SAVE_SECONDS, LOAD_SECONDS = 120.0, 25.0
"""For a machine's whole memory to be written, and to be read: who waits for a session had better boot it then."""
MOVE_LOOK_SECONDS = 0.02
READ_BYTES = 16 * 1024
_BANDWIDTH = 2**40
"""Bytes a second; QEMU's own default would hold a save to a network's pace."""


@dataclass(slots=True)
class Monitor:
    """One machine's monitor. Every call raises QmpError, and nothing else."""

    connection: socket.socket
    _parser: Parser = field(default_factory=Parser)
    _heard: list[Said] = field(default_factory=list)
    _last: int = 0

    def __post_init__(self) -> None:
        self.connection.setblocking(False)

    def close(self) -> None:
        """Let go of the monitor; the machine goes on."""
        self.connection.close()

    async def open(self) -> None:
        """Wait for the greeting, and begin."""
        async with _deadline(GREETING_SECONDS, "the VMM does not come up"):
            while not isinstance(await self._next(), Greeting):
                pass
        await self.ask("qmp_capabilities")

    async def ask(self, name: str, **arguments: object) -> dict[str, Any]:
        """Have a command carried out; its result. Arguments use `_` where QMP has `-`."""
        return await self._ask(name, {key.replace("_", "-"): each for key, each in arguments.items()}, None)

    async def hand_over(self, name: str, descriptor: int) -> None:
        """Give the VMM a descriptor, to be called `name`."""
        await self._ask("getfd", {"fdname": name}, descriptor)

    async def save(self, descriptor: int) -> None:
        """Write the state of the stopped machine, its memory included, to `descriptor`."""
        await self.ask("migrate-set-parameters", max_bandwidth=_BANDWIDTH)
        await self.hand_over("state", descriptor)
        await self.ask("migrate", uri="fd:state")
        await self._moved(SAVE_SECONDS)

    async def load(self, descriptor: int) -> None:
        """Read a machine's state from `descriptor`, which the VMM has inherited, and let it go on."""
        await self.ask("migrate-incoming", uri=f"fd:{descriptor}")
        await self._moved(LOAD_SECONDS)
        await self.ask("cont")

    async def _moved(self, seconds: float) -> None:
        async with _deadline(seconds, "the machine's memory is not moved in time"):
            while (found := await self.ask("query-migrate")).get("status") != "completed":
                if found.get("status") in ("failed", "cancelled"):
                    raise QmpError(
                        f"the machine's memory was not moved: {found.get('error-desc', '')!s:.300}"
                    )
                await asyncio.sleep(MOVE_LOOK_SECONDS)

    async def _ask(self, name: str, arguments: dict[str, object], descriptor: int | None) -> dict[str, Any]:
        self._last += 1
        line = command(self._last, name, arguments)
        async with _deadline(COMMAND_SECONDS, f"the VMM does not answer {name}"):
            if descriptor is None:
                await asyncio.get_running_loop().sock_sendall(self.connection, line)
            else:
                # a socket pair's buffer is empty between two commands: this does not block
                socket.send_fds(self.connection, [line], [descriptor])
            while True:
                match await self._next():
                    case Answer(id, result) if id == self._last:
                        return result
                    case Refusal(reason=reason):
                        raise QmpError(f"the VMM refuses {name}: {reason}")

    async def _next(self) -> Said:
        while not self._heard:
            data = await asyncio.get_running_loop().sock_recv(self.connection, READ_BYTES)
            if not data:
                raise QmpError("the VMM is gone")
            self._heard = self._parser.feed(data)
        return self._heard.pop(0)


@contextlib.asynccontextmanager
async def _deadline(seconds: float, reason: str) -> Any:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise QmpError(reason) from error
    except OSError as error:
        raise QmpError(f"{reason}: {error.strerror}") from error
