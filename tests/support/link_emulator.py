"""A slow link between this host and a network namespace: two TUN devices and a queue between them in user space.

Needs root, not `tc netem`, which not every kernel has. Run as a process by `emulated_link`; it reads one JSON
object a line on standard input (`{"down": {...}, "up": {...}}`, fields of Shape) and answers each with its counters.
A viewer in the namespace reaches the host at `link.host` through the link, and the page by `127.0.0.1:port`, past it.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import heapq
import json
import os
import random
import secrets
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000
MTU = 1500


@dataclass
class Shape:
    """One direction. What is 0 is not done."""

    kbps: float = 0
    queue_ms: float = 300
    """Drop-tail: what would stand longer is dropped."""
    delay_ms: float = 0
    jitter_ms: float = 0
    loss: float = 0
    """Share of packets lost at random."""
    burst_every_s: float = 0
    burst_ms: float = 0
    """Each `burst_every_s` everything is lost for `burst_ms`."""


@dataclass
class Direction:
    """A queue from one descriptor to another."""

    source: int
    sink: int
    shape: Shape = field(default_factory=Shape)
    free_at: float = 0.0
    last_at: float = 0.0
    passed_bytes: int = 0
    dropped: int = 0
    lost: int = 0
    flight: list[tuple[float, int, bytes]] = field(default_factory=list)
    count: int = 0
    waiting: asyncio.TimerHandle | None = None

    def readable(self) -> None:
        with suppress(BlockingIOError):
            while True:
                self.take(os.read(self.source, 65536), time.monotonic())

    def take(self, packet: bytes, now: float) -> None:
        shape = self.shape
        burst = shape.burst_every_s and now % shape.burst_every_s < shape.burst_ms / 1000
        stands = max(self.free_at - now, 0.0)
        if shape.kbps and stands * 1000 > shape.queue_ms:
            self.dropped += 1
            return
        if shape.kbps:
            self.free_at = max(self.free_at, now) + len(packet) * 8 / 1000 / shape.kbps
        if burst or random.random() < shape.loss:
            self.lost += 1
            return
        at = max(self.free_at, now) + (shape.delay_ms + random.random() * shape.jitter_ms) / 1000
        # jitter does not reorder: a queue is a queue
        self.last_at = at = max(at, self.last_at)
        self.count += 1
        heapq.heappush(self.flight, (at, self.count, packet))
        self.deliver()

    def deliver(self) -> None:
        now = time.monotonic()
        while self.flight and self.flight[0][0] <= now:
            packet = heapq.heappop(self.flight)[2]
            self.passed_bytes += len(packet)
            self.out(packet)
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None
        if self.flight:
            self.waiting = asyncio.get_running_loop().call_later(
                max(self.flight[0][0] - now, 0), self.deliver
            )

    def out(self, packet: bytes) -> None:
        with suppress(OSError):
            os.write(self.sink, packet)

    def told(self) -> dict[str, float]:
        stands = max(self.free_at - time.monotonic(), 0.0) * 1000
        return {"bytes": self.passed_bytes, "dropped": self.dropped, "lost": self.lost, "queue_ms": stands}


class Link:
    """A running emulator, for tests."""

    def __init__(self, name: str, host: str, process: subprocess.Popen[str]) -> None:
        self.namespace, self.host, self._process = name, host, process

    def shape(self, down: Shape = Shape(), up: Shape = Shape()) -> dict[str, Any]:
        """Change both directions, live; `down` is to the viewer. Returns the counters."""
        return self._ask({"down": asdict(down), "up": asdict(up)})

    def counters(self) -> dict[str, Any]:
        return self._ask({})

    def move(self) -> str:
        """Give the viewer another address, at once, and let every connection of the page stand still for ever, as
        one that was made from the old address does. Returns the new address."""
        subnet, device = self.host.removesuffix(".1"), device_of(self.namespace)
        new = f"{subnet}.3"
        inside = ["ip", "-n", self.namespace]
        self._ask({"stall": {}})
        for words in (
            [*inside, "addr", "del", f"{subnet}.2", "peer", self.host, "dev", device],
            [*inside, "addr", "add", new, "peer", self.host, "dev", device],
            [*inside, "route", "replace", "default", "via", self.host],
            ["ip", "route", "add", new, "dev", device],
        ):
            subprocess.run(words, check=True, timeout=10)
        return new

    def _ask(self, what: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def emulated_link(port: int = 0) -> Iterator[Link]:
    """A link to a namespace of its own; where `port` is given, that port of the host's loopback is in there too."""
    name = f"transom-link-{secrets.token_hex(3)}"
    subnet = f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(256)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    process = None
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.link_emulator", name, subnet, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        link = Link(name, f"{subnet}.1", process)
        link.counters()
        yield link
    finally:
        if process is not None:
            process.kill()
            process.wait()
        subprocess.run(["ip", "netns", "delete", name], check=True)


def device_of(namespace: str) -> str:
    """The name of a link's device, on both sides."""
    return "tl" + namespace.rsplit("-", 1)[1]


def _tun(name: str) -> int:
    made = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(made, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return made


def _up(name: str, own: str, peer: str, *, queue: int = 2000) -> None:
    for words in (
        ["addr", "add", own, "peer", peer, "dev", name],
        ["link", "set", name, "up", "mtu", str(MTU), "txqueuelen", str(queue)],
    ):
        subprocess.run(["ip", *words], check=True)


def _enter(path: str) -> None:
    with open(path) as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def _inside(name: str, subnet: str, device: str, port: int) -> tuple[int, socket.socket | None]:
    """Made in the namespace, used from outside: descriptors belong to where they were made."""
    home = f"/proc/{os.getpid()}/ns/net"
    with open(home) as back:
        _enter(f"/run/netns/{name}")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        tun = _tun(device)
        _up(device, f"{subnet}.2", f"{subnet}.1")
        subprocess.run(["ip", "route", "add", "default", "via", f"{subnet}.1"], check=True)
        listener = socket.create_server(("127.0.0.1", port)) if port else None
        if ctypes.CDLL(None).setns(back.fileno(), CLONE_NEWNET):
            raise OSError("no way back out of the namespace")
    return tun, listener


class Pages:
    """The page's connections, past the link."""

    def __init__(self, port: int) -> None:
        self._port, self._running = port, set[asyncio.Task[Any]]()
        self._kept: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        tasks = {asyncio.create_task(pump(reader, far_writer)), asyncio.create_task(pump(far_reader, writer))}
        self._running |= tasks
        # what is dropped would be closed, and the other side told
        self._kept += [writer, far_writer]
        await asyncio.wait(tasks)
        self._running -= tasks

    def stall(self) -> None:
        """Nothing passes any more, and nobody is told."""
        for task in list(self._running):
            task.cancel()


async def _serve(name: str, subnet: str, port: int) -> None:
    device = device_of(name)
    tun = _tun(device)
    _up(device, f"{subnet}.1", f"{subnet}.2")
    far, listener = _inside(name, subnet, device, port)
    loop = asyncio.get_running_loop()
    directions = {"down": Direction(tun, far), "up": Direction(far, tun)}
    for direction in directions.values():
        loop.add_reader(direction.source, direction.readable)
    server, pages = None, Pages(port)
    if listener is not None:
        server = await asyncio.start_server(pages.serve, sock=listener)
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        for which, fields in json.loads(line).items():
            if which == "stall":
                pages.stall()
            else:
                directions[which].shape = Shape(**fields)
        print(json.dumps({which: one.told() for which, one in directions.items()}), flush=True)
    if server is not None:
        server.close()


if __name__ == "__main__":
    # a link that waits for a processor would be a slower one
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    asyncio.run(_serve(sys.argv[1], sys.argv[2], int(sys.argv[3])))
