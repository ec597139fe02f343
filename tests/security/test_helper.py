"""Hostile callers of the root helper: who is let in, for whom they may speak, what they may send, and how much."""

from __future__ import annotations

import array
import contextlib
import json
import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.helper_lab import (
    CALLER,
    LIMITS,
    OWNER,
    STRANGER,
    TAG,
    Failed,
    HelperLab,
    as_user,
    eventually,
    helper,
)
from transom_helper.admission import CONNECTIONS_OF_ONE, REQUESTS_BURST
from transom_keeper import packets
from transom_wire.codec import encode
from transom_wire.helper import FROM_HELPER, Denied, MakeGroup, MakeNetwork, Remove, StartJail, Survey

pytestmark = pytest.mark.alone

SECOND = CALLER + 100
MOST = 4


@pytest.fixture(scope="module")
def lab() -> Iterator[HelperLab]:
    with helper("--allow-uid", str(SECOND), "--machines", str(MOST)) as running:
        yield running


@pytest.fixture(autouse=True)
def _still_serves(lab: HelperLab) -> Iterator[None]:
    """Whatever was tried, the helper serves its next caller, holds nothing, and has written no secret."""
    assert lab.process is not None
    held = f"/proc/{lab.process.pid}/fd"
    before = len(os.listdir(held))
    yield
    assert lab.process.poll() is None, lab.log.read_text()
    assert lab.client().survey(TAG).machines == ()
    assert eventually(lambda: len(os.listdir(held)) <= before)
    assert "Traceback" not in lab.log.read_text()


def connect(lab: HelperLab) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.connect(lab.socket)
    peer.settimeout(15)
    return peer


def test_a_stranger_is_turned_away_before_a_word(lab: HelperLab) -> None:
    with pytest.raises(Failed) as failed:
        as_user(STRANGER, lambda: lab.client().survey(TAG))
    assert failed.value.kind == "HelperError"
    assert f"--allow-uid {STRANGER}" in failed.value.mend


def test_a_stranger_s_many_connections_keep_nobody_out(lab: HelperLab) -> None:
    def crowd() -> Any:
        peers = [connect(lab) for _ in range(200)]
        return len(peers), lab.client().path

    assert as_user(STRANGER, crowd)[0] == 200
    as_user(CALLER, lambda: lab.client().survey(TAG))


def test_a_caller_s_idle_connections_keep_others_in(lab: HelperLab) -> None:
    def crowd() -> list[bool]:
        peers = [connect(lab) for _ in range(CONNECTIONS_OF_ONE + 10)]
        time.sleep(0.3)
        alive = []
        for peer in peers:
            peer.setblocking(False)
            try:
                alive.append(peer.recv(1) != b"")
            except BlockingIOError:
                alive.append(True)
            except OSError:
                alive.append(False)
        return alive

    assert as_user(CALLER, crowd).count(True) == CONNECTIONS_OF_ONE
    as_user(SECOND, lambda: lab.client().survey(TAG))


def test_one_that_takes_every_descriptor_ends_no_helper(lab: HelperLab) -> None:
    """A helper with few: connections, and then requests that come with all that a packet takes, fill it up."""

    def crowd(other: HelperLab) -> int:
        peers = [connect(other) for _ in range(CONNECTIONS_OF_ONE - 10)]
        assert eventually(lambda: "can be taken in now" in other.log.read_text())
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.setblocking(False)
                packets.send(peer, MakeGroup("mch_a", TAG, LIMITS), [0] * packets.MOST_DESCRIPTORS)
        time.sleep(0.5)
        return len(peers)

    with helper(prefix=("prlimit", "--nofile=160:160")) as other:
        assert as_user(CALLER, lambda: crowd(other)) == CONNECTIONS_OF_ONE - 10
        assert other.process is not None and other.process.poll() is None, other.log.read_text()
        assert eventually(lambda: as_user(CALLER, lambda: other.client().survey(TAG).machines) == ())


def test_nobody_speaks_for_others(lab: HelperLab) -> None:
    for owner in (SECOND, STRANGER, 1, 1000):
        with pytest.raises(Failed, match="not one that machines run as"):
            as_user(CALLER, lambda owner=owner: lab.client().network("mch_a", owner, 1, open_tap=False))
    assert as_user(
        CALLER, lambda: lab.client().network("mch_a", CALLER, 1, open_tap=False).sockets is not None
    )
    assert as_user(
        CALLER, lambda: lab.client().network("mch_a", OWNER, 1, open_tap=False).sockets is not None
    )


def test_one_caller_s_machines_are_not_another_s(lab: HelperLab) -> None:
    def make() -> Any:
        me = os.pidfd_open(os.getpid())
        lab.client().group("mch_mine", TAG, LIMITS, me)
        return lab.client().survey(TAG).machines

    child = subprocess.Popen(["sleep", "60"], user=CALLER, group=CALLER, extra_groups=[])
    pidfd = os.pidfd_open(child.pid)
    try:
        as_user(CALLER, lambda: lab.client().group("mch_mine", TAG, LIMITS, pidfd))
        assert as_user(CALLER, lambda: lab.client().survey(TAG).machines) == ("mch_mine",)
        assert as_user(SECOND, lambda: lab.client().survey(TAG).machines) == ()
        for attempt in (lambda: lab.client().remove("mch_mine", TAG), make):
            with pytest.raises(Failed, match="another user's"):
                as_user(SECOND, attempt)
        assert child.poll() is None
        as_user(CALLER, lambda: lab.client().remove("mch_mine", TAG))
        assert child.wait(10) == -9
    finally:
        child.kill()
        child.wait()
        os.close(pidfd)


def test_nobody_puts_another_s_process_into_a_group(lab: HelperLab) -> None:
    """Whose end would be the end of that process."""
    victims = [
        subprocess.Popen(["sleep", "60"]),
        subprocess.Popen(["sleep", "60"], user=SECOND, group=SECOND, extra_groups=[]),
    ]
    assert lab.process is not None
    for victim in [*(each.pid for each in victims), lab.process.pid, 1]:
        pidfd = os.pidfd_open(victim)
        with pytest.raises(Failed, match="another user's"):
            as_user(CALLER, lambda pidfd=pidfd: lab.client().group("mch_a", TAG, LIMITS, pidfd))
        os.close(pidfd)
    for each in victims:
        assert each.poll() is None
        each.kill()
        each.wait()


def test_a_caller_has_so_many_networks_and_no_more(lab: HelperLab) -> None:
    def many() -> int:
        held = []
        for _ in range(MOST + 3):
            try:
                held.append(lab.client().network("mch_a", CALLER, 1, open_tap=True))
            except Exception as error:
                assert "networks" in str(error)
        return len(held)

    assert as_user(CALLER, many) == MOST
    assert eventually(lambda: as_user(CALLER, many) == MOST)  # those of a caller that died do not count


def test_a_caller_has_so_many_machines_and_no_more(lab: HelperLab) -> None:
    children = [
        subprocess.Popen(["sleep", "60"], user=CALLER, group=CALLER, extra_groups=[]) for _ in range(MOST + 1)
    ]
    pidfds = [os.pidfd_open(each.pid) for each in children]

    def many() -> list[str]:
        said = []
        for number, pidfd in enumerate(pidfds):
            try:
                lab.client().group(f"mch_{number}", TAG, LIMITS, pidfd)
                said.append("")
            except Exception as error:
                said.append(str(error))
        for number in range(len(pidfds)):
            lab.client().remove(f"mch_{number}", TAG)
        return said

    said = as_user(CALLER, many)
    assert said[:MOST] == [""] * MOST and "machines" in said[MOST]
    assert children[MOST].poll() is None
    for child, pidfd in zip(children, pidfds, strict=True):
        child.kill()
        child.wait()
        os.close(pidfd)


def test_a_flood_of_requests_is_refused(lab: HelperLab) -> None:
    def flood() -> int:
        with connect(lab) as peer:
            refused = 0
            for _ in range(int(REQUESTS_BURST) + 600):
                packets.send(peer, Survey(TAG))
                answer, _ = packets.receive(peer, FROM_HELPER)
                refused += isinstance(answer, Denied)
            return refused

    assert as_user(SECOND, flood) > 100
    assert as_user(CALLER, lambda: lab.client().survey(TAG).machines) == ()


def fields(message: Any, **changes: Any) -> bytes:
    body = json.loads(encode(message))
    body.update(changes)
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode()


NETWORK = MakeNetwork("mch_a", OWNER, 1, True)
GROUP = MakeGroup("mch_a", TAG, LIMITS)
JAIL = StartJail("mch_a", TAG, OWNER, LIMITS, False)
MALFORMED = [
    b"\x00",
    b"{",
    b"[]",
    b"null",
    b"[" * 2000,
    b'{"type":"make_network"}',
    b'{"type":"exec","command":"id"}',
    b"x" * 60_000,
    fields(NETWORK, doors=0),
    fields(NETWORK, doors=65),
    fields(NETWORK, doors=True),
    fields(NETWORK, doors="1"),
    fields(NETWORK, doors=1e400),
    fields(NETWORK, owner=0),
    fields(NETWORK, owner=-1),
    fields(NETWORK, owner=2**32),
    fields(NETWORK, open_tap=1),
    fields(NETWORK, open_tap=...),
    fields(NETWORK, path="/etc/passwd"),
    *(
        fields(message, machine=name)
        for message in (NETWORK, GROUP, JAIL)
        for name in ("", "../../etc", "a/b", "a b", "a\n", "a;id", "$(id)", "x" * 65, None, 7, "ｍ", "a\x00")
    ),
    *(fields(GROUP, tag=tag) for tag in ("", "../../..", "0123ABCD", "0123abcd0", "0123abc\n", None)),
    fields(GROUP, limits={}),
    fields(GROUP, limits={**json.loads(encode(GROUP))["limits"], "memory_bytes": 1}),
    fields(GROUP, limits={**json.loads(encode(GROUP))["limits"], "pids": 10**9}),
    fields(JAIL, restore="yes"),
    fields(JAIL, save=None),
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_request_is_refused_and_the_connection_ends(lab: HelperLab, body: bytes) -> None:
    with connect(lab) as peer:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
        peer.sendmsg([body], rights)
        answer, got = packets.receive(peer, FROM_HELPER)
        assert isinstance(answer, Denied) and got == []
        with pytest.raises((packets.Closed, ConnectionResetError)):
            packets.receive(peer, FROM_HELPER)


def test_noise_is_refused(lab: HelperLab) -> None:
    seeds = [encode(each) for each in (NETWORK, GROUP, JAIL, Remove("mch_a", TAG))]
    chance = random.Random(4)
    for _ in range(60):
        body = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        with connect(lab) as peer:
            peer.send(bytes(body))
            answer, got = packets.receive(peer, FROM_HELPER)
            packets.close(got)  # a changed digit may still be a request
            assert answer is not None


def test_descriptors_of_every_wrong_kind_are_refused_and_closed(lab: HelperLab, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("content")
    reader, writer = os.pipe()
    watched, theirs = socket.socketpair()
    wrong = [
        [],
        [reader, writer],
        [os.open(plain, os.O_RDONLY)],
        [os.open("/", os.O_RDONLY)],
        [os.open("/proc/self/ns/net", os.O_RDONLY)],
        [os.open("/dev/null", os.O_RDWR)],
        [os.open(plain, os.O_PATH)],
        [theirs.fileno()],
    ]
    for message in (GROUP, NETWORK, JAIL, Remove("mch_a", TAG), Survey(TAG)):
        for descriptors in wrong:
            if not descriptors and not isinstance(message, MakeGroup | StartJail):
                continue
            with connect(lab) as peer:
                packets.send(peer, message, descriptors)
                answer, got = packets.receive(peer, FROM_HELPER)
                assert isinstance(answer, Denied), (message, descriptors)
                assert got == []
    theirs.close()
    watched.settimeout(10)
    assert watched.recv(1) == b""  # the helper has let go of the other end
    packets.close(each for group in wrong[1:-1] for each in group)


def test_a_caller_that_says_nothing_is_let_go(lab: HelperLab) -> None:
    began = time.monotonic()
    with connect(lab) as peer:
        peer.settimeout(30)
        assert peer.recv(1) == b""
    assert time.monotonic() - began < 25


def test_a_caller_that_leaves_before_its_answer_leaves_nothing(lab: HelperLab) -> None:
    for _ in range(30):
        with connect(lab) as peer:
            packets.send(peer, NETWORK)
