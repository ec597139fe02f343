"""How often sessions are asked for, with what desktop, and how many wait."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import START, a_session
from transom.model.session import EndReason, SessionState
from transom.sessions.demand import MISS_WEIGHT, PARKED_AREA, WINDOW_MS, Demand, Waiting

S = SessionState
SIZE = (1280, 720)


def test_the_busiest_minute_counts_for_a_while() -> None:
    demand = Demand()
    for second in range(6):
        demand.looked(START + second * 1000, hit=True, size=SIZE)
    demand.looked(START + 200_000, hit=True, size=SIZE)
    assert demand.per_minute(START + 200_000) == 6
    assert demand.per_minute(START + WINDOW_MS + 6_000) == 1
    assert demand.per_minute(START + 2 * WINDOW_MS + 200_000) == 0


def test_who_found_nothing_counts_more() -> None:
    demand = Demand()
    demand.looked(START, hit=False, size=SIZE)
    assert demand.per_minute(START) == MISS_WEIGHT
    assert (demand.hits, demand.misses, demand.looked_at) == (0, 1, START)


def test_the_next_desktop_has_the_size_that_was_asked_for_last() -> None:
    demand = Demand()
    assert demand.size(SIZE) == SIZE
    demand.looked(START, hit=False, size=(1064, 844))
    demand.looked(START, hit=True, size=(1400, 900))
    assert demand.size(SIZE) == (1400, 900)


@pytest.mark.parametrize(("size", "fits"), [((1920, PARKED_AREA // 1920), True), ((3840, 2160), False)])
def test_a_huge_desktop_does_not_wait_for_nobody(size: tuple[int, int], fits: bool) -> None:
    demand = Demand()
    demand.looked(START, hit=True, size=size)
    assert demand.size(SIZE) == (size if fits else SIZE)


@given(st.lists(st.tuples(st.integers(0, 900_000), st.booleans()), max_size=60))
def test_the_rate_is_never_more_than_what_came(looks: list[tuple[int, bool]]) -> None:
    demand = Demand()
    for at, hit in sorted(looks):
        demand.looked(START + at, hit=hit, size=SIZE)
    weight = sum(1 if hit else MISS_WEIGHT for _, hit in looks)
    assert 0 <= demand.per_minute(START + 900_000) <= weight


@pytest.mark.parametrize("state", [S.REQUESTED, S.CREATING, S.BOOTING])
def test_a_session_waits_until_it_is_ready_or_its_end_is_decided(state: SessionState) -> None:
    waiting, session = Waiting(), a_session(state=state)
    waiting.changed(session)
    waiting.changed(session)
    assert waiting() == 1
    waiting.changed(replace(session, wanted_end=EndReason.STOPPED))
    assert waiting() == 0
    waiting.changed(session)
    waiting.changed(replace(session, state=S.READY))
    assert waiting() == 0
