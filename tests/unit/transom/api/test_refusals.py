"""Which count a refused message belongs to: words of ours, whatever was said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.api.refusals import event_of, is_candidate
from transom.observe.metrics import REFUSALS


@given(st.text(), st.text() | st.sampled_from(["invalid", "too_large", "too_many", "stale_epoch"]))
def test_no_word_of_a_stranger_s_becomes_a_label(kind: str, code: str) -> None:
    assert event_of(kind, code) in (None, *REFUSALS)
    assert event_of("offer", code) in (None, *REFUSALS)


def test_what_says_nothing_of_a_message_is_not_counted() -> None:
    for code in ("unauthenticated", "not_found", "gone", "internal"):
        for kind in ("offer", "candidate", "heartbeat", "screen", "seats", "message"):
            assert event_of(kind, code) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:842163049 1 udp 1677729535 192.0.2.7 40000 typ srflx raddr 0.0.0.0 rport 0 generation 0",
        "candidate:1 1 TCP 1518280447 2001:db8::1 9 typ host tcptype active",
        "candidate:0 1 UDP 2122252543 0b1c2d3e-aaaa-bbbb-cccc-0123456789ab.local 50000 typ host",
        "a=candidate:1 2 udp 1 10.0.0.1 5 typ relay",
    ],
)
def test_candidates_of_browsers_are_some(text: str) -> None:
    assert is_candidate(text)


@given(st.text(max_size=200))
def test_anything_else_is_none(text: str) -> None:
    assert is_candidate("candidate: " + text) is False
    assert is_candidate("x" + text) is False
