"""What tools draw becomes plain lines, and nothing a tool writes can break or bloat that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.signin.terminal import MAX_LINE, MAX_LINES, MAX_STRING, TerminalText


def lines(*chunks: bytes) -> list[str]:
    text = TerminalText()
    found = [line for chunk in chunks for line in text.feed(chunk)]
    return [*found, text.partial] if text.partial else found


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        (b"one\r\ntwo\n", ["one", "two"]),
        (b"\x1b[94mhttp://a/b\x1b[0m\r\n", ["http://a/b"]),
        (b"a\x1b[3Cb\n", ["a   b"]),
        (b"10%\r20%\r100%\n", ["100%"]),
        (b"long text\rhi\x1b[K\n", ["hi"]),
        (b"abc\x1b[2K\rxy\n", ["xy"]),
        (b"abcd\x1b[2DXY\n", ["abXY"]),
        (b"abc\b\bX\n", ["aXc"]),
        (b"ab\x1b[6Gf\n", ["ab   f"]),
        (b"up\x1b[1Adown\x1b[5;1Hthere", ["up", "down", "there"]),
        (b"\x1b]0;title\x07shown\n", ["shown"]),
        (b"\x1b]0;title\x1b\\shown\n", ["shown"]),
        (b"\x1b]8;;https://x/y\x07click\x1b]8;;\x07\n", ["https://x/y", "click"]),
        (b"\x1b]8;id=1;https://x/y\x1b\\https://\nx/y\n", ["https://x/y", "https://", "x/y"]),
        (b"\x1bPq#0;1\x1b\\text\n", ["text"]),
        (b"\x1b(B\x1b7\x1b8\x1b=text\n", ["text"]),
        ("“Grüße” ✓\n".encode(), ["“Grüße” ✓"]),
        (b"\xff\xfe ok\n", ["\ufffd\ufffd ok"]),
        (b"Continue? [Y/n]: ", ["Continue? [Y/n]:"]),
        (b"\r\n \r\n\t\n", []),
    ],
)
def test_drawn_and_seen(written: bytes, seen: list[str]) -> None:
    assert lines(written) == seen


@given(
    st.lists(st.sampled_from(["a", "é", "\r", "\n", "\x1b[1;2m", "\x1b[2C", "\x1b]8;;http://u\x07", "\x1b7"]))
)
def test_where_the_chunks_are_cut_makes_no_difference(parts: list[str]) -> None:
    whole = "".join(parts).encode()
    assert lines(whole) == lines(*(whole[at : at + 1] for at in range(len(whole))))


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_give_clean_short_lines(chunks: list[bytes]) -> None:
    for line in lines(*chunks):
        assert 0 < len(line) <= MAX_LINE
        assert "\x1b" not in line
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in line)


def test_an_endless_line_is_cut() -> None:
    found = lines(b"x" * (3 * MAX_LINE + 5))
    assert [len(line) for line in found] == [MAX_LINE, MAX_LINE, MAX_LINE, 5]


def test_a_flood_keeps_the_newest_lines() -> None:
    found = lines(b"".join(b"%d\n" % number for number in range(3 * MAX_LINES)))
    assert len(found) <= MAX_LINES
    assert found[-1] == str(3 * MAX_LINES - 1)


def test_a_command_that_never_ends_is_given_up() -> None:
    text = TerminalText()
    for _ in range(MAX_STRING // 1000 + 2):
        text.feed(b"\x1b]0;" if _ == 0 else b"a" * 1000)
    assert text.feed(b"\nafter\n")[-1] == "after"


def test_a_jump_far_to_the_right_stays_in_bounds() -> None:
    assert all(len(line) <= MAX_LINE for line in lines(b"\x1b[999999C" * 50 + b"x\n"))
