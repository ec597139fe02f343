"""Descriptors as a lying init might send them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from transom_keeper import arrivals
from transom_keeper.arrivals import ArrivalError, check, receive


def listener(port: int = 0, address: str = "127.0.0.1") -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    made.listen()
    return made


def datagram(address: str = "127.0.0.1") -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, 0))
    return made


@pytest.fixture
def proper(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """What an honest init sends, from a namespace that is not ours (each fake cookie says so)."""
    sockets = [listener(), listener(), *(datagram() for _ in range(12))]
    monkeypatch.setattr(arrivals, "LINK_PORT", sockets[0].getsockname()[1])
    monkeypatch.setattr(arrivals, "FORWARDER_PORT", sockets[1].getsockname()[1])
    monkeypatch.setattr(
        arrivals, "_cookie", lambda each: b"here" if each.family == socket.AF_UNIX else b"there"
    )
    yield sockets
    for each in sockets:
        each.close()


def handed(sockets: list[int]) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        socket.send_fds(theirs, [b"sockets"], sockets)
    return ours


def test_an_honest_init_s_sockets_are_taken(proper: list[socket.socket]) -> None:
    with handed([each.fileno() for each in proper]) as init:
        taken = receive(init)
    assert taken.link.getsockname() == proper[0].getsockname()
    assert taken.forwarder.getsockname() == proper[1].getsockname()
    assert [each.getsockname() for each in taken.door] == [each.getsockname() for each in proper[2:]]
    assert not taken.link.getblocking()
    assert not os.get_inheritable(taken.link.fileno())
    taken.close()


Lie = Callable[[list[socket.socket]], socket.socket]


def unbound(_: list[socket.socket]) -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def connected(all_: list[socket.socket]) -> socket.socket:
    made = datagram()
    made.connect(all_[2].getsockname())
    return made


def deaf(all_: list[socket.socket]) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return made


LIES: list[tuple[int, Lie, str]] = [
    (0, lambda all_: listener(), "port"),
    (1, lambda all_: datagram(), "type"),
    (0, lambda all_: socket.socket(socket.AF_UNIX), "family"),
    (0, lambda all_: socket.socket(socket.AF_INET6), "family"),
    (0, deaf, "not bound to"),
    (5, unbound, "not bound to"),
    (5, lambda all_: datagram("0.0.0.0"), "not bound to"),
    (5, lambda all_: datagram("127.0.0.2"), "not bound to"),
    (5, connected, "connected"),
    (5, lambda all_: listener(), "type"),
    (5, lambda all_: all_[6].dup(), "one port"),
]


@pytest.mark.parametrize(("place", "lie", "reason"), LIES)
def test_a_lie_is_refused(proper: list[socket.socket], place: int, lie: Lie, reason: str) -> None:
    false = lie(proper)
    with false, pytest.raises(ArrivalError, match=reason):
        check([*proper[:place], false, *proper[place + 1 :]])


def test_a_listener_that_does_not_listen_is_refused(
    proper: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setattr(arrivals, "LINK_PORT", bound.getsockname()[1])
        with pytest.raises(ArrivalError, match="does not listen"):
            check([bound, *proper[1:]])


@pytest.mark.parametrize("count", [1, 13, 15, 40])
def test_too_few_or_too_many_are_all_closed(proper: list[socket.socket], count: int) -> None:
    sent = [(proper * 3)[number].fileno() for number in range(count)]
    before = len(os.listdir("/proc/self/fd"))
    with handed(sent) as init, pytest.raises(ArrivalError, match=f"{count} descriptors"):
        receive(init)
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_no_socket_is_refused_and_closed(proper: list[socket.socket]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with open(os.devnull) as null:
        init = handed([null.fileno(), *(each.fileno() for each in proper[1:])])
    with init, pytest.raises(ArrivalError, match="no socket"):
        receive(init)
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_init_that_ends_is_an_error() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    with ours, pytest.raises(ArrivalError, match="ended"):
        receive(ours)


def test_sockets_of_the_host_s_own_network_are_refused(
    proper: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "_cookie", lambda each: b"same")
    with pytest.raises(ArrivalError, match="host's"):
        check(proper)


def test_sockets_of_two_networks_are_refused(
    proper: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "_cookie", lambda each: str(each.fileno()).encode())
    with pytest.raises(ArrivalError, match="not of one"):
        check(proper)


def test_a_kernel_that_knows_no_cookies_is_believed(
    proper: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "_cookie", lambda each: None)
    assert len(check(proper).door) == 12


def test_this_kernel_s_cookies_tell_namespaces() -> None:
    with socket.socket() as one, socket.socket(socket.AF_UNIX) as other:
        assert arrivals._cookie(one) == arrivals._cookie(other)
