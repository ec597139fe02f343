"""Networks are counted without being held."""

from __future__ import annotations

import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.helper_lab import eventually
from transom_helper import living, namespaces
from transom_helper.living import Living, messages
from transom_helper.refusal import Refusal


def new_network() -> int:
    def make() -> int:
        namespaces.unshare(namespaces.CLONE_NEWNET)
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    return namespaces.apart(make)


def test_a_network_counts_for_as_long_as_it_is_there() -> None:
    networks = Living()
    first, second = new_network(), new_network()
    networks.note(first, 1000)
    networks.note(second, 1001)
    assert networks.count() == {1000: 1, 1001: 1}
    with pytest.raises(Refusal, match="1 networks"):
        networks.check(1000, 1)
    networks.check(1000, 2)
    os.close(first)
    assert eventually(lambda: networks.count() == {1001: 1})
    networks.check(1000, 1)
    os.close(second)
    assert eventually(lambda: not networks.count())


def test_a_later_helper_takes_no_number_of_an_earlier() -> None:
    earlier = Living()
    first = new_network()
    earlier.note(first, 1000)
    later, second = Living(), new_network()
    later.note(second, 1000)
    assert later.count() == {1000: 1}
    assert earlier.count() == {1000: 1}
    assert len(living.numbers()) >= 2
    os.close(first)
    os.close(second)


def test_a_network_is_used_by_whom_it_was_made_for() -> None:
    networks, mine, foreign = Living(), new_network(), new_network()
    networks.note(mine, 1000)
    networks.expect(mine, 1000)
    networks.expect(mine, 0)
    for namespace, uid in ((mine, 1001), (foreign, 1000), (foreign, 0)):
        with pytest.raises(Refusal, match="none that was made for this user"):
            networks.expect(namespace, uid)
    later = Living()
    later.expect(mine, 0)
    with pytest.raises(Refusal, match="none that was made"):
        later.expect(mine, 1000)
    os.close(mine)
    os.close(foreign)


def test_a_network_that_is_made_while_others_are_counted_stays_its_caller_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    networks, mine = Living(), new_network()
    numbers = living.numbers

    def meanwhile() -> set[int]:
        seen = numbers()
        networks.note(mine, 1000)
        return seen

    monkeypatch.setattr(living, "numbers", meanwhile)
    networks.count()
    monkeypatch.undo()
    networks.expect(mine, 1000)
    assert networks.count() == {1000: 1}
    os.close(mine)


def test_a_namespace_that_has_a_number_of_another_s_is_none_of_ours() -> None:
    """The kernel gives numbers from 0 on to the namespaces of the host's virtual links."""
    networks, foreign = Living(), new_network()
    living._ask(
        living._RTM_NEWNSID,
        living._NLM_F_ACK,
        ((living._NETNSA_NSID, 77_001), (living._NETNSA_FD, foreign)),
    )
    assert living.number_of(foreign) == 77_001
    for uid in (0, 1000):
        with pytest.raises(Refusal):
            networks.expect(foreign, uid)
    os.close(foreign)


def test_what_is_no_namespace_is_an_error() -> None:
    with open(os.devnull) as null, pytest.raises(OSError):
        Living().note(null.fileno(), 1000)


def test_messages_of_the_kernel_are_taken_apart() -> None:
    one = struct.pack("IHHII", 21, 3, 0, 1, 0) + b"hello" + bytes(3)
    two = struct.pack("IHHII", 16, 2, 0, 1, 0)
    assert messages(one + two) == [(3, b"hello"), (2, b"")]


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    assert sum(len(body) + 16 for _, body in messages(data)) <= len(data)
    for _, body in messages(data):
        living._attributes(body)
