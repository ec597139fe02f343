from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom.egress.health import (
    DEAD_AFTER_MS,
    DEAD_PAUSE_MS,
    FAILURES,
    PAUSES_MS,
    SUCCESSES,
    Event,
    Failed,
    Traffic,
    Worked,
    after,
    next_check,
    score,
    sooner,
)
from transom.model.exit import ExitState, Health

EVERY = 300_000


def through(health: Health, *events: Event, at: int = 1_000, step: int = 1_000) -> Health:
    for number, event in enumerate(events):
        health = after(health, event, at + number * step)
    return health


def failing(health: Health, until: int, at: int = 0) -> Health:
    """Fail at each retry until `until`."""
    now = at
    while now < until:
        health = after(health, Failed("it hangs"), now)
        now = max(now + 1, next_check(health, EVERY))
    return health


def test_a_new_exit_is_given_and_due_at_once() -> None:
    assert Health().state.usable
    assert next_check(Health(), EVERY) == 0
    assert score(Health()) == 100


def test_one_failure_is_a_suspicion_and_three_a_quarantine() -> None:
    once = through(Health(), Failed("no answer"))
    assert once.state is ExitState.SUSPECT
    assert once.state.usable
    assert next_check(once, EVERY) - once.checked_at < 10_000
    thrice = through(Health(), *[Failed("no answer")] * FAILURES)
    assert thrice.state is ExitState.QUARANTINED
    assert not thrice.state.usable
    assert score(thrice) == 0
    assert thrice.why == "no answer"


def test_the_pause_grows_with_each_failed_retry_and_is_bounded() -> None:
    health = through(Health(), *[Failed("x")] * FAILURES)
    pauses = []
    for _ in range(len(PAUSES_MS) - 2):
        pauses.append(health.retry_at - health.checked_at)
        health = after(health, Failed("x"), health.retry_at)
    assert pauses == sorted(pauses)
    assert pauses[0] == PAUSES_MS[0]
    assert max(pauses) <= PAUSES_MS[-1]


def test_a_long_quarantine_is_death_and_death_is_asked_rarely() -> None:
    dead = failing(Health(), DEAD_AFTER_MS * 2)
    assert dead.state is ExitState.DEAD
    assert dead.retry_at - dead.checked_at == DEAD_PAUSE_MS


def test_it_returns_from_the_dead_by_way_of_suspicion() -> None:
    dead = failing(Health(), DEAD_AFTER_MS * 2)
    first = after(dead, Worked(50), dead.retry_at)
    assert first.state is ExitState.SUSPECT
    back = through(first, *[Worked(50)] * (SUCCESSES - 1), at=first.checked_at + 1)
    assert back.state is ExitState.HEALTHY
    assert back.strikes == 0


def test_one_that_has_just_come_back_goes_at_its_first_failure() -> None:
    quarantined = through(Health(), *[Failed("x")] * FAILURES)
    probing = after(quarantined, Worked(50), quarantined.retry_at)
    again = after(probing, Failed("x"), probing.retry_at)
    assert again.state is ExitState.QUARANTINED
    assert again.retry_at - again.checked_at > PAUSES_MS[0]


def test_users_failures_colour_the_score_and_call_a_check_but_never_the_state() -> None:
    health = after(Health(), Worked(50), 1_000)
    for number in range(200):
        health = after(health, Traffic(worked=0, failed=1000, bytes=0, seconds=5), 10_000 + number * 5_000)
    assert health.state is ExitState.HEALTHY
    assert score(health) < 10
    assert next_check(health, EVERY) <= 10_000 + 199 * 5_000


def test_slow_lossy_and_busy_exits_score_less() -> None:
    good = through(Health(), *[Worked(60)] * 5)
    assert score(good) > score(through(Health(), *[Worked(2_000)] * 5))
    assert score(good) > score(after(good, Traffic(5, 5, 0, 5.0), 9_000))
    assert score(good) > score(after(good, Traffic(5, 0, 10**9, 5.0, 60.0), 9_000))


def test_a_check_is_due_on_schedule_and_sooner_when_asked() -> None:
    health = after(Health(), Worked(50), 1_000)
    assert next_check(health, EVERY) == 1_000 + EVERY
    assert next_check(sooner(health, 50_000), EVERY) == 50_000
    assert sooner(health, 1_500) == health


events = st.one_of(
    st.builds(Worked, st.floats(0, 1e6)),
    st.builds(Failed, st.text(max_size=400)),
    st.builds(
        Traffic,
        st.integers(0, 10**9),
        st.integers(0, 10**9),
        st.integers(0, 10**15),
        st.floats(0.001, 1e6),
        st.none() | st.floats(0, 1e6),
    ),
)


@given(st.lists(st.tuples(events, st.integers(0, 10**7)), max_size=60))
def test_whatever_happens_the_figures_stay_what_they_are(happened: list[tuple[Event, int]]) -> None:
    health, now = Health(), 0
    for event, later in happened:
        now += later
        before = health
        health = after(health, event, now)
        assert 0 <= score(health) <= 100
        assert (score(health) == 0) == (not health.state.usable)
        assert 0.0 <= health.loss <= 1.0
        assert health.load >= 0
        assert len(health.why) <= 200
        assert next_check(health, EVERY) <= now + max(EVERY, DEAD_PAUSE_MS)
        if isinstance(event, Traffic):
            assert health.state is before.state
        if isinstance(event, Worked):
            assert health.state.usable
        if before.state is ExitState.DEAD and isinstance(event, Failed):
            assert health.state is ExitState.DEAD


@given(st.lists(st.booleans(), max_size=30))
def test_it_always_finds_back(before: list[bool]) -> None:
    health = through(Health(), *[Worked(10) if good else Failed("x") for good in before])
    for _ in range(SUCCESSES + 1):
        health = after(health, Worked(10), max(health.retry_at, health.checked_at + 1))
    assert health.state is ExitState.HEALTHY


def test_time_in_which_nobody_asked_makes_no_exit_dead() -> None:
    """The controller was down for a day: the first failure after it is one more, not the last."""
    health = Health(checked_at=1)
    for now in (2_000, 4_000, 6_000):
        health = after(health, Failed("down"), now)
    assert health.state is ExitState.QUARANTINED
    health = after(health, Failed("down"), 86_400_000)
    assert health.state is ExitState.QUARANTINED
    asked, now = 0, 86_400_000
    while health.state is ExitState.QUARANTINED:
        now, asked = health.retry_at, asked + 1
        health = after(health, Failed("down"), now)
    assert health.state is ExitState.DEAD and asked <= len(PAUSES_MS)
    assert now - 86_400_000 >= DEAD_AFTER_MS
