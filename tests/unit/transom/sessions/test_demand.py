"""How often sessions are asked for, and how many wait."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import START, a_session
from transom.model.session import EndReason, SessionState
from transom.sessions.demand import MISS_WEIGHT, WINDOW_MS, Demand, Waiting

S = SessionState


def test_the_busiest_minute_counts_for_a_while() -> None:
    demand = Demand()
    for second in range(6):
        demand.looked(START + second * 1000, hit=True)
    demand.looked(START + 200_000, hit=True)
    assert demand.per_minute(START + 200_000) == 6
    assert demand.per_minute(START + WINDOW_MS + 6_000) == 1
    assert demand.per_minute(START + 2 * WINDOW_MS + 200_000) == 0


def test_who_found_nothing_counts_more() -> None:
    demand = Demand()
    demand.looked(START, hit=False)
    assert demand.per_minute(START) == MISS_WEIGHT
    assert (demand.hits, demand.misses, demand.looked_at) == (0, 1, START)


@given(st.lists(st.tuples(st.integers(0, 900_000), st.booleans()), max_size=60))
def test_the_rate_is_never_more_than_what_came(looks: list[tuple[int, bool]]) -> None:
    demand = Demand()
    for at, hit in sorted(looks):
        demand.looked(START + at, hit=hit)
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
