"""A guest that attacks its own forwarder: what it costs the host, and what another machine's forwarder notices."""

from __future__ import annotations

import contextlib
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.support.exit_lab import WEB, ExitLab, exit_lab
from tests.support.forwarder_process import ForwarderProcess, forwarder_process, pss_kib

pytestmark = pytest.mark.alone

PATIENCE_S = 30.0
GROWTH_KIB = 32 * 1024
"""What an attack may add to a forwarder's memory; 256 connections are let in at once."""

ATTACK = """
import errno, resource, select, socket, sys, time
port, first, until = int(sys.argv[1]), sys.argv[2].encode().decode("unicode_escape").encode(), time.time() + 60
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 12000), hard))
held = []
for number in range(10_000):
    one = socket.socket(); one.setblocking(False)
    one.connect_ex(("127.0.0.1", port))
    held.append(one)
    if number % 200 == 199: time.sleep(0.05)
    if number == 2000: print("attacking", flush=True)
print("all", flush=True)
while time.time() < until:
    for one in held:
        try: one.send(first)
        except OSError: pass
    time.sleep(1)
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[ExitLab]:
    with exit_lab(["dante"]) as made:
        yield made


@pytest.fixture
def attacked(lab: ExitLab) -> Iterator[ForwarderProcess]:
    with forwarder_process(lab.proxies[0].route()) as made:
        yield made


@pytest.fixture
def victim(lab: ExitLab) -> Iterator[ForwarderProcess]:
    with forwarder_process(lab.proxies[0].route()) as made:
        yield made


@contextlib.contextmanager
def attack(on: ForwarderProcess, first: str) -> Iterator[subprocess.Popen[str]]:
    """10,000 connections that send `first` again and again."""
    words = [sys.executable, "-c", ATTACK, str(on.port), first]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "attacking\n"
            yield process
        finally:
            process.kill()


def connect_ms(by: ForwarderProcess) -> float:
    """From nothing to a byte there and back through a tunnel."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", by.port), timeout=PATIENCE_S) as made:
        made.sendall(f"CONNECT {WEB}:7 HTTP/1.1\r\nHost: {WEB}\r\n\r\n".encode())
        answer = made.recv(4096)
        assert b" 200 " in answer, answer
        made.sendall(b"x")
        assert made.recv(1) == b"x"
    return (time.perf_counter() - began) * 1000


def p99(by: ForwarderProcess, count: int = 100) -> float:
    return statistics.quantiles([connect_ms(by) for _ in range(count)], n=100)[98]


@pytest.mark.parametrize(
    "first",
    [
        "",
        "G",
        "GET http://x.example/ HTTP/1.1\\r\\nX: " + "y" * 2000,
        "CONNECT 127.0.0.1:1 HTTP/1.1\\r\\n\\r\\n",
    ],
    ids=["silence", "half a request", "a head without an end", "calls to itself"],
)
def test_ten_thousand_connections_cost_little_and_nobody_else(
    attacked: ForwarderProcess, victim: ForwarderProcess, first: str, record_property: pytest.RecordProperty
) -> None:
    calm = p99(victim)
    before = pss_kib(attacked.pid)
    with attack(attacked, first):
        stormy = p99(victim)
        grown = pss_kib(attacked.pid) - before
    record_property("p99_ms", f"{calm:.1f} calm, {stormy:.1f} attacked, {grown} KiB grown")
    print(f"victim p99 {calm:.1f} ms, attacked {stormy:.1f} ms; the attacked grew {grown} KiB")
    assert grown < GROWTH_KIB
    # the attack's own processor time is on the test's two cores, where a machine's would be in its group
    assert stormy < 20 * calm + 250


def test_the_attacked_forwarder_serves_again_when_it_is_over(attacked: ForwarderProcess) -> None:
    with attack(attacked, "G"):
        pass
    assert connect_ms(attacked) < PATIENCE_S * 1000


def test_a_page_opens_while_half_requests_pile_up(attacked: ForwarderProcess) -> None:
    """The guest's own: each new connection takes the place of the one that has idled longest."""
    held = []
    for _ in range(400):
        one = socket.create_connection(("127.0.0.1", attacked.port), timeout=PATIENCE_S)
        one.sendall(b"GET http://x.example/ HTTP/1.1\r\n")
        held.append(one)
    assert connect_ms(attacked) < PATIENCE_S * 1000
    for one in held:
        one.close()
