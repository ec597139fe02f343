import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.input.message import (
    Asked,
    Button,
    Density,
    Finger,
    Fingers,
    Holding,
    Key,
    KeyFrame,
    Look,
    Move,
    Nudge,
    Ping,
    ReleaseAll,
    Resize,
    Text,
    Touching,
    Wheel,
)
from transom_guest.input.parser import MAX_EPOCH, MAX_MESSAGE, InputError, parse


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["m", 1, 0, 7679]', Move(1, 0, 7679)),
        ('["d", 2, -4096, 4096]', Nudge(2, -4096, 4096)),
        ('["b", 2, 10, 20, 3, 1]', Button(2, 10, 20, 3, True)),
        ('["b", 2, 10, 20, 9, 0]', Button(2, 10, 20, 9, False)),
        ('["w", 3, 10, 20, -10, 10]', Wheel(3, 10, 20, -10, 10)),
        ('["k", 4, 97, 1]', Key(4, 97, True)),
        ('["k", 4, 16905728, 0]', Key(4, 0x0101F600, False)),
        ('["h", 5, [65505, 97]]', Holding(5, frozenset({0xFFE1, 97}))),
        ('["h", 5, []]', Holding(5, frozenset())),
        ('["f", 5, [[0, 1, 2], [9, 0, 7679]]]', Fingers(5, (Finger(0, 1, 2), Finger(9, 0, 7679)), True)),
        ('["f", 5, []]', Fingers(5, (), True)),
        ('["g", 5, [[3, 4, 5]]]', Fingers(5, (Finger(3, 4, 5),), False)),
        ('["y", 5, 1]', Touching(5, True)),
        ('["r", 6]', ReleaseAll(6)),
        ('["t", 7, "grüße 😀"]', Text(7, "grüße 😀")),
        ('["s", 8, 1281, 721]', Resize(8, 1280, 720)),
        ('["s", 8, 64, 7680]', Resize(8, 64, 7680)),
        ('["z", 8, 150]', Density(8, 150)),
        ('["i", 9]', KeyFrame(9)),
        ('["l", 9]', Look(9)),
        ('["o", 9, 1]', Asked(9, 1)),
        ('["o", 9, 2147483648]', Asked(9, MAX_EPOCH)),
        ('["p", 12]', Ping(12)),
        ('["p", 12.5]', Ping(12.5)),
        ('["p", "abc"]', Ping("abc")),
        ('["p", 12, 4294967295]', Ping(12, 4294967295)),
    ],
)
def test_each_message_of_the_contract_is_read(text, message):
    assert parse(text) == message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "[1]",
        "null",
        '"m"',
        "[" * 8000,
        '["m", 1, 2]',
        '["m", 1, 2, 3, 4]',
        '["m", 1, -1, 3]',
        '["m", 1, 7680, 3]',
        '["m", 1, 2.0, 3]',
        '["m", 1, NaN, 3]',
        '["m", true, 2, 3]',
        '["m", -1, 2, 3]',
        '["m", 9007199254740993, 2, 3]',
        '["m", "1", 2, 3]',
        '["z", 1]',
        '["d", 1, 4097, 0]',
        '["d", 1, 0.5, 0]',
        '["d", 1, 0]',
        '["b", 1, 2, 3, 4, 1]',
        '["b", 1, 2, 3, 1, 2]',
        '["b", 1, 2, 3, 1, true]',
        '["w", 1, 2, 3, 0, 11]',
        '["k", 1, 0, 1]',
        '["k", 1, 536870912, 1]',
        '["k", 1, 16777216, 1]',
        '["k", 1, 17891328, 1]',
        '["k", 1, 16832512, 1]',
        '["f", 1]',
        '["f", 1, 2]',
        '["f", 1, [[0, 1]]]',
        '["f", 1, [[10, 1, 1]]]',
        '["f", 1, [[0, 1, 7680]]]',
        '["f", 1, [[0, 1, 1], [0, 2, 2]]]',
        '["g", 1, [0, 1, 1]]',
        json.dumps(["f", 1, [[number, 1, 1] for number in range(11)]]),
        '["y", 1, 2]',
        '["h", 1, 97]',
        '["h", 1, ["a"]]',
        json.dumps(["h", 1, [97] * 65]),
        json.dumps(["t", 1, "x" * 1001]),
        '["t", 1, 5]',
        r'["t", 1, "\ud800"]',
        '["s", 1, 63, 720]',
        '["z", 1, 99]',
        '["z", 1, 401]',
        '["z", 1, 1.5]',
        '["s", 1, 1280, 7681]',
        '["p", null]',
        '["p"]',
        '["p", 1, -1]',
        '["p", 1, 4294967296]',
        '["p", 1, 1.5]',
        '["p", 1, true]',
        '["p", 1, null]',
        '["p", 1, 2, 3]',
        '["l", 1, 2]',
        '["p", []]',
        '["p", 1e300]',
        json.dumps(["p", "x" * 65]),
        '["p", "a\\nb"]',
        json.dumps(["t", 1, "x" * MAX_MESSAGE]),
        '["t", 1, "' + "é" * (MAX_MESSAGE // 2) + '"]',
        '["m", ' + "1" * 5000 + ", 2, 3]",
    ],
)
def test_what_is_outside_the_contract_is_refused(text):
    with pytest.raises(InputError):
        parse(text)


def test_errors_do_not_quote_the_message():
    with pytest.raises(InputError) as caught:
        parse('["t", 1, "SECRET", 2]')
    assert "SECRET" not in str(caught.value)


@given(st.text(max_size=200))
def test_any_text_is_refused_or_read(text):
    with contextlib.suppress(InputError):
        parse(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(st.sampled_from("mbwfgykhrtsip"), st.lists(JSON, max_size=6))
def test_whatever_follows_a_tag_the_result_is_within_its_limits(tag, fields):
    try:
        message = parse(json.dumps([tag, *fields]))
    except InputError:
        return
    match message:
        case Move(_, x, y) | Button(_, x, y, _, _) | Wheel(_, x, y, _, _):
            assert 0 <= x < 7680
            assert 0 <= y < 7680
        case Fingers(_, at, _):
            assert len({finger.id for finger in at}) == len(at) <= 10
            assert all(0 <= finger.id < 10 and max(finger.x, finger.y) < 7680 for finger in at)
        case Key(_, keysym, _):
            assert 1 <= keysym <= 0x1FFFFFFF
        case Resize(_, width, height):
            assert width % 2 == height % 2 == 0
            assert 64 <= min(width, height) <= max(width, height) <= 7680
        case Text(_, text):
            text.encode()


@given(
    st.builds(
        lambda s, x, y: ["m", s, x, y], st.integers(0, 2**53), st.integers(0, 7679), st.integers(0, 7679)
    )
    | st.builds(
        lambda s, k, d: ["k", s, k, d], st.integers(0, 2**53), st.integers(1, 0xFFFF), st.integers(0, 1)
    )
    | st.builds(lambda s, t: ["t", s, t], st.integers(0, 2**53), st.text(max_size=1000))
)
def test_every_message_within_the_contract_is_read(fields):
    assert parse(json.dumps(fields)).seq == fields[1]
