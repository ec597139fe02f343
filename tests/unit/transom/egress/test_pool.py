from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transom.egress.pools import a_pool, an_exit, applied
from transom.egress.pool import (
    CROWDED,
    NO_EXITS,
    NONE_LEFT,
    NONE_WORKS,
    QUIET,
    SHARED,
    Rules,
    best,
    grant,
    move,
    overdue,
    without,
)
from transom.model.exit import ExitState, Health, Lease, Pool

NOW = 1_000_000
REFUSE, SHARE = Rules("refuse"), Rules("share")


def exit_of(pool: Pool, user: str) -> str | None:
    lease = pool.leases.get(user)
    return lease.exit if lease else None


def test_a_lease_is_kept() -> None:
    pool = a_pool(an_exit("a"), an_exit("b"), leases={"ada": "b"})
    decision, lease, _ = grant(pool, "ada", NOW, REFUSE)
    assert not decision
    assert lease is not None and lease.exit == "b"


def test_a_new_user_gets_the_best_free_one_with_a_line_of_the_trail() -> None:
    pool = a_pool(
        an_exit("a"), an_exit("b", health=Health(latency_ms=5_000)), an_exit("c"), leases={"ada": "a"}
    )
    decision, lease, _ = grant(pool, "bob", NOW, REFUSE)
    assert lease is not None and lease.exit == "c"
    assert [(line.user, line.action, line.subject) for line in decision.lines] == [("bob", "exit_lease", "c")]


@pytest.mark.parametrize(
    ("pool", "why"),
    [
        (a_pool(), NO_EXITS),
        (a_pool(an_exit("a"), leases={"ada": "a"}), NONE_LEFT),
        (a_pool(an_exit("a", ExitState.QUARANTINED), an_exit("b", draining=True)), NONE_WORKS),
    ],
)
def test_no_exit_has_a_reason(pool: Pool, why: str) -> None:
    decision, lease, said = grant(pool, "bob", NOW, REFUSE)
    assert (bool(decision), lease, said) == (False, None, why)


def test_sharing_takes_the_one_with_the_fewest_and_says_so() -> None:
    pool = a_pool(an_exit("a"), an_exit("b"), leases={"ada": "a", "bob": "b", "cy": "a"})
    _, lease, _ = grant(pool, "dan", NOW, SHARE)
    assert lease is not None
    assert (lease.exit, lease.shared, lease.word) == ("b", True, SHARED)


@pytest.mark.parametrize("bad", [{"draining": True}, {"health": Health(ExitState.DEAD)}])
def test_a_drained_or_dead_exit_moves_its_user_at_once_and_tells(bad: dict[str, object]) -> None:
    pool = a_pool(an_exit("a", **bad), an_exit("b"), leases={"ada": "a"})
    decision = overdue(pool, NOW, REFUSE)
    assert exit_of(applied(pool, decision), "ada") == "b"
    assert "another one now" in decision.put[0].word
    assert [(line.action, line.subject, line.detail["from"]) for line in decision.lines] == [
        ("exit_move", "b", "a")
    ]


def test_the_rule_ask_asks_and_moves_nobody() -> None:
    rules = Rules("refuse", "ask")
    pool = a_pool(an_exit("a", draining=True), an_exit("b"), leases={"ada": "a"})
    asked = applied(pool, overdue(pool, NOW, rules))
    assert exit_of(asked, "ada") == "a"
    assert asked.leases["ada"].asked
    assert not overdue(asked, NOW, rules), "it is asked once"
    decision, lease, _ = move(asked, "ada", NOW, rules)
    assert lease is not None and lease.exit == "b" and not lease.asked
    assert exit_of(applied(asked, decision), "ada") == "b"


def test_the_question_is_taken_back_when_the_exit_returns() -> None:
    rules = Rules("refuse", "ask")
    pool = a_pool(an_exit("a", draining=True), an_exit("b"), leases={"ada": "a"})
    asked = applied(pool, overdue(pool, NOW, rules))
    back = Pool({**asked.exits, "a": an_exit("a")}, asked.leases)
    calm = applied(back, overdue(back, NOW, rules))
    assert (calm.leases["ada"].asked, calm.leases["ada"].word) == (False, "")


def test_the_rule_never_leaves_them_with_a_word() -> None:
    pool = a_pool(an_exit("a", ExitState.DEAD), an_exit("b"), leases={"ada": "a"})
    after = applied(pool, overdue(pool, NOW, Rules("refuse", "never")))
    assert exit_of(after, "ada") == "a"
    assert "stays yours" in after.leases["ada"].word


def test_nowhere_to_go_is_said_and_kept() -> None:
    pool = a_pool(an_exit("a", ExitState.DEAD), leases={"ada": "a"})
    after = applied(pool, overdue(pool, NOW, REFUSE))
    assert exit_of(after, "ada") == "a"
    assert after.leases["ada"].word.startswith("Your exit does not work")


def test_a_quiet_exit_is_kept_and_its_user_told_until_it_speaks() -> None:
    pool = a_pool(an_exit("a", ExitState.QUARANTINED), an_exit("b"), leases={"ada": "a"})
    quiet = applied(pool, overdue(pool, NOW, REFUSE))
    assert (exit_of(quiet, "ada"), quiet.leases["ada"].word) == ("a", QUIET)
    back = Pool({**quiet.exits, "a": an_exit("a")}, quiet.leases)
    assert applied(back, overdue(back, NOW, REFUSE)).leases["ada"].word == ""


def test_who_shares_moves_when_another_is_free_and_who_was_first_stays() -> None:
    pool = a_pool(an_exit("a"), an_exit("b"), leases={"ada": "a", "bob": "a"})
    decision = overdue(pool, NOW, SHARE)
    after = applied(pool, decision)
    assert (exit_of(after, "ada"), exit_of(after, "bob")) == ("a", "b")
    assert after.leases["bob"].word.startswith(CROWDED)
    assert not after.leases["bob"].shared


def test_one_free_exit_is_given_once() -> None:
    pool = a_pool(an_exit("a", draining=True), an_exit("b", draining=True), an_exit("c"))
    pool = Pool(pool.exits, {"ada": Lease("ada", "a", 1), "bob": Lease("bob", "b", 2)})
    after = applied(pool, overdue(pool, NOW, REFUSE))
    assert (exit_of(after, "ada"), exit_of(after, "bob")) == ("c", "b")


def test_the_last_of_two_is_alone_again() -> None:
    pool = a_pool(an_exit("a"), leases={"ada": "a", "bob": "a"})
    left = Pool(pool.exits, {"bob": pool.leases["bob"]})
    assert not applied(left, overdue(left, NOW, SHARE)).leases["bob"].shared


def test_a_removed_exit_takes_its_user_elsewhere_whatever_the_rule() -> None:
    pool = a_pool(an_exit("a"), an_exit("b"), leases={"ada": "a"})
    decision = without(pool, "a", NOW, Rules("refuse", "never"))
    assert exit_of(applied(pool, decision), "ada") == "b"
    alone = a_pool(an_exit("a"), leases={"ada": "a"})
    gone = without(alone, "a", NOW, REFUSE)
    assert exit_of(applied(alone, gone), "ada") is None
    assert gone.lines[0].action == "exit_move"


def test_an_operator_s_word_moves_to_what_is_named() -> None:
    pool = a_pool(an_exit("a"), an_exit("b"), an_exit("c"), leases={"ada": "a", "bob": "b"})
    _, lease, _ = move(pool, "ada", NOW, REFUSE, to="c", by="root")
    assert lease is not None and lease.exit == "c"
    assert move(pool, "ada", NOW, REFUSE, to="b")[1] is None
    assert move(pool, "ada", NOW, REFUSE, to="nowhere")[1] is None
    shared = move(pool, "ada", NOW, SHARE, to="b")[1]
    assert shared is not None and shared.shared


def test_of_equals_the_one_that_moved_the_least_is_best() -> None:
    assert best([an_exit("a", bytes_up=5), an_exit("b"), an_exit("c", bytes_down=9)]).id == "b"


states = st.sampled_from(list(ExitState))
pools = st.builds(
    lambda flags, users: _arbitrary(flags, users),
    st.lists(st.tuples(states, st.booleans()), max_size=6),
    st.lists(st.integers(0, 5), max_size=8),
)
rules = st.builds(Rules, st.sampled_from(["share", "refuse"]), st.sampled_from(["never", "ask", "at_once"]))


def _arbitrary(flags: list[tuple[ExitState, bool]], users: list[int]) -> Pool:
    exits = [an_exit(f"e{n}", state, draining=draining) for n, (state, draining) in enumerate(flags)]
    wanted = {f"u{n}": f"e{e}" for n, e in enumerate(users) if e < len(exits)}
    return a_pool(*exits, leases=wanted)


def _sound(before: Pool, pool: Pool) -> None:
    for exit in pool.exits:
        own = [lease for lease in pool.leases.values() if lease.exit == exit and not lease.shared]
        assert len(own) <= 1, "two users hold one exit as their own"
    for user, lease in pool.leases.items():
        if before.leases.get(user) is None or before.leases[user].exit != lease.exit:
            assert pool.exits[lease.exit].usable, "nobody is given what does not work"


@given(pools, rules)
def test_whatever_the_pool_decisions_are_sound_and_come_to_rest(pool: Pool, rule: Rules) -> None:
    now = pool
    for _ in range(12):
        decision = overdue(now, NOW, rule)
        if not decision:
            break
        now = applied(now, decision)
        _sound(pool, now)
    assert not overdue(now, NOW, rule), "it goes on for ever"
    assert now.leases.keys() == pool.leases.keys(), "nobody loses a lease"


@given(pools, rules, st.integers(1, 6))
def test_two_users_never_share_while_a_free_one_is_left(pool: Pool, rule: Rules, count: int) -> None:
    now = pool
    for number in range(count):
        free = now.free()
        decision, lease, why = grant(now, f"new{number}", NOW, rule)
        assert (lease is None) == bool(why)
        now = applied(now, decision)
        if lease is not None and lease.shared:
            assert not free and rule.sharing == "share"
        if free:
            assert lease is not None and now.users_of(lease.exit) == [f"new{number}"]
    _sound(pool, now)
    if rule.move == "at_once":
        settled = now
        for _ in range(12):
            settled = applied(settled, overdue(settled, NOW, rule))
        crowded = [e for e in settled.exits if len(settled.users_of(e)) > 1 and settled.exits[e].usable]
        assert not crowded or not settled.free()


@given(pools, rules)
def test_a_removed_exit_is_nobody_s(pool: Pool, rule: Rules) -> None:
    for exit in pool.exits:
        after = applied(pool, without(pool, exit, NOW, rule))
        assert not after.users_of(exit)
        _sound(pool, replace(after))
