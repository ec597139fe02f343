from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_keeper.vm import qmp
from transom_keeper.vm.qmp import Answer, Event, Greeting, Parser, QmpError, Refusal, command, read

GREETING = b'{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}'


def test_what_a_monitor_says() -> None:
    assert read(GREETING) == Greeting()
    assert read(b'{"return": {}, "id": 3}') == Answer(3, {})
    assert read(b'{"return": {"status": "completed"}, "id": 3}') == Answer(3, {"status": "completed"})
    assert read(b'{"return": [1], "id": 3}') == Answer(3, {})
    refused = read(b'{"id": 4, "error": {"class": "GenericError", "desc": "no such thing"}}')
    assert refused == Refusal(4, "no such thing")
    stopped = read(b'{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}')
    assert stopped == Event("STOP", {})


@pytest.mark.parametrize(
    "line", [b"nonsense", b"[]", b"3", b"{}", b'{"return": {}}', b'{"id": 1}', b"[" * 5000, b"\xff\xfe"]
)
def test_what_a_monitor_never_says(line: bytes) -> None:
    with pytest.raises(QmpError):
        read(line)


def test_a_command_is_one_line_that_carries_its_number() -> None:
    assert json.loads(command(7, "stop")) == {"execute": "stop", "id": 7}
    line = command(8, "migrate", {"uri": "fd:a\nb"})
    assert line.count(b"\n") == 1 and json.loads(line)["arguments"] == {"uri": "fd:a\nb"}


@given(st.lists(st.integers(0, 2**31)), st.data())
def test_pieces_do_not_matter(numbers: list[int], data: st.DataObject) -> None:
    stream = b"".join(b'{"return": {}, "id": %d}\r\n' % number for number in numbers)
    parser, heard = Parser(), list[qmp.Said]()
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        heard += parser.feed(stream[:size])
        stream = stream[size:]
    assert heard == [Answer(number, {}) for number in numbers]


@given(st.binary(max_size=4000))
def test_garbage_is_an_error_in_words_or_nothing_yet(data: bytes) -> None:
    parser = Parser()
    try:
        assert all(isinstance(each, qmp.Said) for each in parser.feed(data))
    except QmpError as error:
        assert str(error)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["QMP", "event", "id", "return", "error", "data", "desc"]), inner, max_size=4
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_a_meaning_or_an_error(value: object) -> None:
    try:
        assert isinstance(read(json.dumps(value).encode()), qmp.Said)
    except QmpError as error:
        assert str(error)


def test_a_line_without_end_is_given_up() -> None:
    parser = Parser()
    with pytest.raises(QmpError, match="more in a line"):
        for _ in range(100):
            parser.feed(b"x" * 4096)
    with pytest.raises(QmpError, match="more in a line"):
        Parser().feed(b"x" * (qmp.LINE_BYTES + 1) + b"\n")


def test_reasons_are_bounded() -> None:
    refused = read(json.dumps({"id": 1, "error": {"desc": "x" * 9999}}).encode())
    assert isinstance(refused, Refusal) and len(refused.reason) == qmp.TEXT_CHARACTERS
