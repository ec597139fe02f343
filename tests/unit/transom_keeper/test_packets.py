"""One message and its descriptors a packet; whatever arrives is returned or closed."""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_keeper import packets
from transom_wire.helper import TO_HELPER, Survey

MESSAGE = Survey("0123abcd")
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    one.settimeout(5)
    other.settimeout(5)
    with one, other:
        yield one, other


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_message_and_descriptors_travel(pair: Pair) -> None:
    reader, writer = os.pipe()
    packets.send(pair[0], MESSAGE, (writer,))
    os.close(writer)
    message, got = packets.receive(pair[1], TO_HELPER)
    assert message == MESSAGE
    assert not os.get_inheritable(got[0])
    os.write(got[0], b"x")
    assert os.read(reader, 1) == b"x"
    packets.close([*got, reader, reader, -1])


def rights(descriptors: list[int]) -> list[tuple[int, int, array.array[int]]]:
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]


@pytest.mark.parametrize(
    "body", [b"nonsense", b"{}", b"x" * 5000, b'{"type":"survey","tag":"0123abcd","more":1}']
)
def test_what_is_refused_leaves_no_descriptor_open(pair: Pair, body: bytes) -> None:
    before = open_descriptors()
    pair[0].sendmsg([body], rights([0, 1, 2]))
    with pytest.raises(packets.PacketError) as refused:
        packets.receive(pair[1], TO_HELPER)
    assert "nonsense" not in str(refused.value)
    assert open_descriptors() == before


def test_more_descriptors_than_are_taken_in(pair: Pair) -> None:
    before = open_descriptors()
    pair[0].sendmsg([b'{"type":"survey","tag":"0123abcd"}'], rights([0] * 200))
    with pytest.raises(packets.PacketError, match="more bytes or descriptors"):
        packets.receive(pair[1], TO_HELPER)
    assert open_descriptors() == before


def test_descriptors_without_a_word(pair: Pair) -> None:
    before = open_descriptors()
    pair[0].sendmsg([b""], rights([0]))
    with pytest.raises(packets.Closed):
        packets.receive(pair[1], TO_HELPER)
    assert open_descriptors() == before


def test_an_end_and_a_silence(pair: Pair) -> None:
    pair[1].settimeout(0.01)
    with pytest.raises(TimeoutError):
        packets.receive(pair[1], TO_HELPER)
    pair[0].close()
    with pytest.raises(packets.Closed):
        packets.receive(pair[1], TO_HELPER)


@given(st.binary(min_size=1, max_size=2000))
def test_no_bytes_break_it(body: bytes) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        one.send(body)
        try:
            packets.receive(other, TO_HELPER)
        except packets.PacketError:
            return
        raise AssertionError("a request was made of noise")
