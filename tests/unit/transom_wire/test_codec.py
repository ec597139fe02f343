from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.transom_wire.shapes import message
from transom_wire import control, link
from transom_wire.codec import Blob, Many, Range, Text, WireError, decode, encode, load
from transom_wire.keeper_config import KeeperConfig

EVERY = sorted(
    {*control.FROM_KEEPER, *control.TO_KEEPER, KeeperConfig}
    | {cls for role in link.FROM_GUEST.values() for cls in role}
    | {cls for role in link.TO_GUEST.values() for cls in role}
    | {link.Hello},
    key=lambda cls: cls.TYPE,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@dataclass(frozen=True)
class Part:
    name: Annotated[str, Text(4, r"[a-z]+")]


@dataclass(frozen=True)
class Whole:
    TYPE: ClassVar[str] = "whole"
    count: Annotated[int, Range(1, 9)]
    ratio: float
    parts: Annotated[tuple[Part, ...], Many(2)]
    note: Annotated[str, Text(3)] | None
    raw: Annotated[bytes, Blob(3)] = b""
    names: Annotated[dict[str, str], Many(1), Text(2)] | None = None
    ready: bool = False


GOOD: dict[str, Any] = {"count": 1, "ratio": 0.5, "parts": [{"name": "a"}], "note": None}


def whole(**changes: Any) -> Whole:
    return load(Whole, {**GOOD, **changes})


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_each_message_survives_the_wire(cls: type[Any]) -> None:
    @given(message(cls))
    @settings(max_examples=20, deadline=None)
    def survives(sent: Any) -> None:
        assert decode(encode(sent), EVERY) == sent

    survives()


def test_types_are_unique() -> None:
    assert len({cls.TYPE for cls in EVERY}) == len(EVERY)


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_a_message_that_is_not_expected_is_refused(cls: type[Any]) -> None:
    @given(message(cls))
    @settings(max_examples=2, deadline=None)
    def refused(sent: Any) -> None:
        with pytest.raises(WireError):
            decode(encode(sent), [other for other in EVERY if other is not cls])

    refused()


@given(st.binary(max_size=400))
def test_bytes_that_are_no_message(body: bytes) -> None:
    with pytest.raises(WireError):
        decode(body, EVERY)


@given(st.sampled_from([cls.TYPE for cls in EVERY]), st.dictionaries(st.text(max_size=12), JSON, max_size=5))
def test_objects_are_a_message_or_a_wire_error(kind: str, fields: dict[str, Any]) -> None:
    try:
        decode(json.dumps({"type": kind, **fields}).encode(), EVERY)
    except WireError:
        return


@given(st.data())
def test_one_changed_field_is_a_message_or_a_wire_error(data: st.DataObject) -> None:
    cls = data.draw(st.sampled_from([cls for cls in EVERY if cls.__dataclass_fields__.keys() - {"TYPE"}]))
    body = json.loads(encode(data.draw(message(cls))))
    body[data.draw(st.sampled_from(sorted(body)))] = data.draw(JSON)
    try:
        got = decode(json.dumps(body).encode(), EVERY)
    except WireError:
        return
    assert decode(encode(got), EVERY) == got


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"type": 1}',
        b'{"type": ["ping"]}',
        b'{"type": {"ping": 1}}',
        b'{"type": "nothing"}',
        b'{"type": "ping"',
        b'{"type": "ping"} trailing',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"type":' * 50_000,
        b'{"type": "ping", "extra": 1}',
    ],
)
def test_bodies_that_are_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        decode(body, EVERY)


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 0},
        {"count": 10},
        {"count": 1.0},
        {"count": "1"},
        {"count": True},
        {"count": None},
        {"count": 10**400},
        {"ratio": float("nan")},
        {"ratio": float("inf")},
        {"ratio": 1e300},
        {"ratio": False},
        {"parts": None},
        {"parts": {}},
        {"parts": "ab"},
        {"parts": [{"name": "a"}] * 3},
        {"parts": [{}]},
        {"parts": [None]},
        {"parts": [{"name": "a", "more": 1}]},
        {"parts": [{"name": "abcde"}]},
        {"parts": [{"name": "A"}]},
        {"parts": [{"name": "a\n"}]},
        {"note": "abcd"},
        {"note": 1},
        {"note": "\ud800"},
        {"raw": "AAAAAA=="},
        {"raw": "A"},
        {"raw": "A A="},
        {"raw": "AAA="[:-1]},
        {"raw": [1]},
        {"raw": None},
        {"names": {"a": "b", "c": "d"}},
        {"names": {"a": "bcd"}},
        {"names": {"a": 1}},
        {"names": [["a", "b"]]},
        {"names": {"k" * 257: "a"}},
        {"ready": 1},
        {"ready": "true"},
        {"unknown": 1},
        {"TYPE": "whole"},
        {"type": "whole"},
    ],
    ids=repr,
)
def test_values_past_their_limits(changes: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        whole(**changes)


@pytest.mark.parametrize("missing", ["count", "ratio", "parts", "note"])
def test_a_field_without_a_default_must_be_there(missing: str) -> None:
    with pytest.raises(WireError, match="missing"):
        load(Whole, {name: value for name, value in GOOD.items() if name != missing})


def test_limits_are_inclusive_and_defaults_hold() -> None:
    got = whole(count=9, ratio=1, note="abc", raw="AAAA", names={"a": "bc"}, parts=[{"name": "abcd"}] * 2)
    assert got == Whole(9, 1, (Part("abcd"), Part("abcd")), "abc", b"\0\0\0", {"a": "bc"})
    assert whole() == Whole(1, 0.5, (Part("a"),), None, b"", None, False)


def test_an_error_never_quotes_the_value() -> None:
    for changes in ({"note": "hunter2hunter2"}, {"hunter2": 1}, {"raw": "hunter2!"}):
        with pytest.raises(WireError) as raised:
            whole(**changes)
        assert "hunter2" not in str(raised.value)
