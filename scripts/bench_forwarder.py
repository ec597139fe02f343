"""Figures of the forwarder beside tinyproxy, haproxy and a direct connection to the same upstream.

    make bench-forwarder            # needs root, tinyproxy, haproxy, squid

All four lead to one squid with Basic auth in a network namespace, and behind it to one far side. Rounds
alternate between them, so that what the host does meanwhile falls on all. Writes build/bench/forwarder.json and
.md, and prints the table.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import busy, seconds_of

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.exit_lab import WEB, ExitLab, Proxy, exit_lab  # noqa: E402
from tests.support.forwarder_process import ForwarderProcess, forwarder_process, pss_kib  # noqa: E402
from tests.support.server import free_port  # noqa: E402

PATIENCE_S = 20.0
ECHO, FLOOD = 7, 19
BURST = 8
TIMES = ("connect_ms", "first_byte_ms", "burst_ms")


@dataclass
class Way:
    """One way to the far side. `login` goes with each CONNECT: only the direct way needs it."""

    name: str
    address: tuple[str, int]
    login: str = ""
    pid: int = 0

    def tunnel(self, port: int) -> socket.socket:
        """A tunnel to the far side's `port`."""
        made = self.ask(port)
        self.answered(made)
        return made

    def ask(self, port: int) -> socket.socket:
        """A connection on which a tunnel was asked for."""
        made = socket.create_connection(self.address, timeout=PATIENCE_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"CONNECT {WEB}:{port} HTTP/1.1\r\nHost: {WEB}:{port}\r\n"
        made.sendall(
            (head + (f"Proxy-Authorization: Basic {self.login}\r\n" if self.login else "") + "\r\n").encode()
        )
        return made

    def answered(self, made: socket.socket) -> None:
        """Wait until the tunnel is there."""
        answer = b""
        while b"\r\n\r\n" not in answer:
            more = made.recv(4096)
            if not more:
                raise ConnectionError(f"{self.name} closed")
            answer += more
        if b" 200" not in answer.partition(b"\r\n")[0]:
            raise ConnectionError(f"{self.name}: {answer[:100]!r}")


def connect_ms(way: Way) -> float:
    """From nothing to an open tunnel."""
    began = time.perf_counter()
    with way.tunnel(ECHO):
        return (time.perf_counter() - began) * 1000


def first_byte_ms(way: Way) -> float:
    """From nothing to one byte there and back."""
    began = time.perf_counter()
    with way.tunnel(ECHO) as made:
        made.sendall(b"x")
        made.recv(1)
        return (time.perf_counter() - began) * 1000


def burst_ms(way: Way) -> float:
    """From nothing to BURST open tunnels, asked for at once, as a page does."""
    began = time.perf_counter()
    with contextlib.ExitStack() as open_ones:
        asked = [open_ones.enter_context(way.ask(ECHO)) for _ in range(BURST)]
        for made in asked:
            way.answered(made)
        return (time.perf_counter() - began) * 1000


def mbit_s(way: Way, seconds: float) -> tuple[float, float]:
    """Download through one tunnel, and the way's own processor seconds a second meanwhile."""
    room = bytearray(2**20)
    with way.tunnel(FLOOD) as made:
        made.recv_into(room)
        cpu, moved, began = _cpu_s(way.pid), 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            moved += made.recv_into(room)
        passed = time.perf_counter() - began
    return moved * 8 / 1e6 / passed, (_cpu_s(way.pid) - cpu) / passed


def _cpu_s(pid: int) -> float:
    return seconds_of([pid] if pid else [])


@contextlib.contextmanager
def other_proxy(command: list[str], port: int) -> Iterator[int]:
    """A proxy in the foreground, listening."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            if time.monotonic() > until or process.poll() is not None:
                raise RuntimeError(f"{command[0]} did not start")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def tinyproxy_command(folder: Path, port: int, up: Proxy) -> list[str]:
    """tinyproxy before `up`."""
    path = folder / "tinyproxy.conf"
    path.touch(0o600)
    path.write_text(
        f"Listen 127.0.0.1\nPort {port}\nMaxClients 500\nTimeout 600\nLogLevel Critical\n"
        f"Upstream http {up.username}:{up.password}@{up.host}:{up.port}\n"
    )
    return ["tinyproxy", "-d", "-c", str(path)]


def haproxy_command(folder: Path, port: int, up: Proxy) -> list[str]:
    """haproxy before `up`."""
    path = folder / "haproxy.cfg"
    path.touch(0o600)
    path.write_text(
        "global\n  nbthread 1\n  maxconn 1000\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n"
        f"  timeout server 60s\n  timeout tunnel 600s\nfrontend guest\n  bind 127.0.0.1:{port}\n"
        "  default_backend up\nbackend up\n"
        f'  http-request set-header Proxy-Authorization "Basic {login_of(up)}"\n  server up {up.host}:{up.port}\n'
    )
    return ["haproxy", "-db", "-f", str(path)]


def login_of(up: Proxy) -> str:
    """Its Basic credentials."""
    return base64.b64encode(f"{up.username}:{up.password}".encode()).decode()


def rounds(ways: list[Way], count: int, measure: Callable[[Way], float]) -> dict[str, list[float]]:
    """`count` measurements of each way, one round after the other, each round in an order of its own."""
    found: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(count):
        for way in random.sample(ways, len(ways)):
            found[way.name].append(measure(way))
    return found


def summary(values: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    ordered = sorted(values)
    return {
        "p50": round(statistics.median(ordered), 3),
        "p95": round(ordered[int(len(ordered) * 0.95)], 3),
        "n": len(ordered),
    }


def overhead(found: dict[str, list[float]], name: str) -> float:
    """The median of what a way takes more than the direct one in the same round."""
    return round(statistics.median(a - b for a, b in zip(found[name], found["direct"], strict=True)), 3)


def measure_all(
    lab: ExitLab, ways: list[Way], ours: ForwarderProcess, count: int, seconds: float
) -> dict[str, Any]:
    """Every figure."""
    before, began = busy(), time.monotonic()
    rounds(ways, 20, first_byte_ms)
    connects, bytes_ = rounds(ways, count, connect_ms), rounds(ways, count, first_byte_ms)
    bursts = rounds(ways, max(1, count // 4), burst_ms)
    flows: dict[str, list[tuple[float, float]]] = {way.name: [] for way in ways}
    for _ in range(3):
        for way in random.sample(ways, len(ways)):
            flows[way.name].append(mbit_s(way, seconds))
    load_kib = _under_load(ways[1], ours)
    spent = time.monotonic() - began
    figures = {
        way.name: {
            "connect_ms": summary(connects[way.name]),
            "first_byte_ms": summary(bytes_[way.name]),
            "connect_over_direct_ms": overhead(connects, way.name),
            "burst_ms": summary(bursts[way.name]),
            "mbit_s": round(statistics.median(flow for flow, _ in flows[way.name])),
            "cores": round(statistics.median(cores for _, cores in flows[way.name]), 2),
            "pss_mib": round(pss_kib(way.pid) / 1024, 1) if way.pid else None,
        }
        for way in ways
    }
    return {
        "ways": figures,
        "ours_mib": {
            "python_and_asyncio": round(ours.bare_kib / 1024, 1),
            "forwarder": round((ours.ready_kib - ours.bare_kib) / 1024, 1),
            "forwarder_with_100_busy_tunnels": round((load_kib - ours.bare_kib) / 1024, 1),
        },
        "host": {
            "cores": os.cpu_count(),
            "load": os.getloadavg(),
            "busy_cores_of_everybody": round((busy() - before) / spent, 2),
        },
    }


def _under_load(way: Way, ours: ForwarderProcess) -> int:
    """Its weight with 100 tunnels that the far side floods and nobody reads."""
    with contextlib.ExitStack() as open_ones:
        for _ in range(100):
            open_ones.enter_context(way.tunnel(FLOOD))
        time.sleep(2)
        return pss_kib(ours.pid)


def table(found: dict[str, Any]) -> str:
    """As in docs/measurements.md."""
    heads = ["", "CONNECT, ms", "over direct, ms", "and a byte there and back", f"{BURST} at once"]
    lines = [_row(*heads, "Mbit/s, one tunnel", "cores for that", "PSS MiB"), _row(*["---"] * 8)]
    for name, each in found["ways"].items():
        times = [f"{each[what]['p50']:.2f} / {each[what]['p95']:.2f}" for what in TIMES]
        over = f"{each['connect_over_direct_ms']:.2f}"
        weight = each["pss_mib"] or ""
        lines.append(_row(name, times[0], over, *times[1:], each["mbit_s"], each["cores"], weight))
    ours, host = found["ours_mib"], found["host"]
    lines += [
        "",
        "Times are medians and 95th percentiles.",
        f"Of ours: Python and asyncio {ours['python_and_asyncio']} MiB, the forwarder {ours['forwarder']} more, "
        f"{ours['forwarder_with_100_busy_tunnels']} more with 100 tunnels whose readers stall.",
        f"Host: {host['cores']} cores, load {host['load'][0]:.1f}, "
        f"{host['busy_cores_of_everybody']} cores busy with everything that ran.",
    ]
    return "\n".join(lines)


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each download")
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench")
    asked = parser.parse_args()
    missing = [each for each in ("squid", "tinyproxy", "haproxy", "tcpdump") if shutil.which(each) is None]
    if missing or os.getuid() != 0:
        sys.exit(f"needs root, and apt-get install squid tinyproxy-bin haproxy tcpdump; missing: {missing}")
    with exit_lab(["squid"]) as lab, contextlib.ExitStack() as open_ones:
        up, ports = lab.proxies[0], (free_port(), free_port())
        ours = open_ones.enter_context(forwarder_process(up.route()))
        tiny = open_ones.enter_context(other_proxy(tinyproxy_command(lab.folder, ports[0], up), ports[0]))
        ha = open_ones.enter_context(other_proxy(haproxy_command(lab.folder, ports[1], up), ports[1]))
        ways = [
            Way("direct", (up.host, up.port), login_of(up)),
            Way("transom", ("127.0.0.1", ours.port), pid=ours.pid),
            Way("tinyproxy", ("127.0.0.1", ports[0]), pid=tiny),
            Way("haproxy", ("127.0.0.1", ports[1]), pid=ha),
        ]
        found = measure_all(lab, ways, ours, asked.rounds, asked.seconds)
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "forwarder.json").write_text(json.dumps(found, indent=1) + "\n")
    (asked.out / "forwarder.md").write_text(table(found) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
