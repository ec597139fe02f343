"""The helper's client: each way it can be told no, or nothing."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from transom_helper import network
from transom_keeper import packets
from transom_keeper.helper import Helper, HelperError
from transom_wire.helper import (
    TO_HELPER,
    Denied,
    Found,
    Group,
    HelperAnswer,
    Jailed,
    Network,
    Removed,
    StartJail,
)
from transom_wire.keeper_config import Limits

TAG = "0123abcd"
LIMITS = Limits(2**28, 1000, 100)
Script = Callable[[socket.socket], None]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Callable[[Script], Helper]]:
    """A helper that does as its script says with its one caller."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    threads = []

    def play(script: Script) -> Helper:
        def run() -> None:
            peer, _ = listener.accept()
            with peer:
                script(peer)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return Helper(str(tmp_path / "s"), 5.0)

    yield play
    for thread in threads:
        thread.join(10)
    listener.close()


def answering(answer: HelperAnswer, descriptors: Callable[[], list[int]] = list) -> Script:
    def script(peer: socket.socket) -> None:
        _, got = packets.receive(peer, TO_HELPER)
        given = descriptors()
        packets.send(peer, answer, given)
        packets.close([*got, *given])

    return script


def test_answers(place: Callable[[Script], Helper]) -> None:
    found = Found(("mch_a",), version=2)
    assert place(answering(found)).survey(TAG) == found
    place(answering(Removed())).remove("mch_a", TAG)
    child = os.pidfd_open(os.getpid())
    assert place(answering(Group(("no cpu limit",)))).group("mch_a", TAG, LIMITS, child) == ("no cpu limit",)
    os.close(child)


def test_a_network_arrives_checked(place: Callable[[Script], Helper]) -> None:
    def made() -> list[int]:
        return list(network.make(64_001, 3, open_tap=True).descriptors)

    got = place(answering(Network(), made)).network("mch_a", 64_001, 3, open_tap=True)
    assert got.sockets.link.getsockname() == ("192.168.100.1", 4001)
    assert len(got.sockets.door) == 3
    assert got.tap is not None and not got.sockets.forwarder.getblocking()
    got.close()


def pipe_ends(count: int) -> Callable[[], list[int]]:
    return lambda: [os.dup(0) for _ in range(count)]


@pytest.mark.parametrize("count", [0, 5, 7, 6])
def test_other_descriptors_than_asked_for_are_closed(place: Callable[[Script], Helper], count: int) -> None:
    """Too few, too many, and the right number of the wrong kind."""
    before = len(os.listdir("/proc/self/fd"))
    client = place(answering(Network(), pipe_ends(count)))
    with pytest.raises(HelperError):
        client.network("mch_a", 64_001, 2, open_tap=True)

    def settled() -> bool:
        return len(os.listdir("/proc/self/fd")) <= before

    deadline = threading.Event()
    for _ in range(200):
        if settled():
            return
        deadline.wait(0.02)
    raise AssertionError("descriptors stayed open")


def test_a_jail(place: Callable[[Script], Helper]) -> None:
    ours, theirs = socket.socketpair()
    request = StartJail("mch_a", TAG, 64_001, LIMITS, False)

    def descriptors() -> list[int]:
        return [os.pidfd_open(os.getpid()), theirs.detach()]

    jail = place(answering(Jailed(("no cpu limit",)), descriptors)).start_jail(request, [])
    jail.api.send(b"hello")
    assert ours.recv(10) == b"hello"
    assert jail.warnings == ("no cpu limit",)
    jail.close()
    ours.close()
    with pytest.raises(HelperError, match="cannot be used"):
        place(answering(Jailed(), pipe_ends(2))).start_jail(request, [])


def refused(client: Helper) -> HelperError:
    with pytest.raises(HelperError) as caught:
        client.survey(TAG)
    return caught.value


def test_a_no_comes_with_its_mend(place: Callable[[Script], Helper]) -> None:
    error = refused(place(answering(Denied("not you", "ask nicely"))))
    assert (error.reason, error.mend) == ("not you", "ask nicely")


def test_other_answers_than_asked_for(place: Callable[[Script], Helper]) -> None:
    def nonsense(peer: socket.socket) -> None:
        packets.receive(peer, TO_HELPER)
        peer.send(b"nonsense")

    assert "something else" in refused(place(answering(Removed()))).reason
    assert "is none" in refused(place(nonsense)).reason


def test_a_helper_that_hangs_up(place: Callable[[Script], Helper]) -> None:
    error = refused(place(lambda peer: None))
    assert f"--allow-uid {os.geteuid()}" in error.mend


def test_a_helper_that_says_nothing(place: Callable[[Script], Helper]) -> None:
    over = threading.Event()
    client = place(lambda peer: over.wait(10) and None)
    assert "in time" in refused(Helper(client.path, 0.05)).reason
    over.set()


def test_no_helper(tmp_path: Path) -> None:
    error = refused(Helper(str(tmp_path / "none")))
    assert "no root helper" in error.reason and "systemctl" in error.mend
    (tmp_path / "s").touch()
    assert refused(Helper(str(tmp_path / "s"))).mend


def test_a_queue_that_is_full_is_waited_for(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / "s"))
    listener.listen(0)
    with listener, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as first:
        first.connect(str(tmp_path / "s"))
        assert "in time" in refused(Helper(str(tmp_path / "s"), 0.1)).reason
