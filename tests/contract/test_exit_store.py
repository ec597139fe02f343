"""Exits and leases on SQLite and on a real PostgreSQL alike, also when many ask at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from transom.egress.pool import Rules, grant, overdue, without
from transom.model.alert import Alert, AlertKind
from transom.model.exit import (
    Counted,
    Decision,
    Exit,
    ExitState,
    Health,
    Lease,
    Line,
    Lists,
    Pool,
    Upstream,
)
from transom.model.ids import new_id
from transom.model.user import Role, User
from transom.store.alerts import KEPT
from transom.store.database import Store
from transom_wire.exit import HostRule

NASTY = "a'b\"; DROP TABLE exits; -- \u202e 🦉 %s :x {0}"
REFUSE, SHARE = Rules("refuse"), Rules("share")


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = Store(url, wait_ms=4000)
    await opened.open()
    yield opened
    await opened.close()


def an_exit(number: int, **changes: object) -> Exit:
    upstream = Upstream("http", "proxy.example", 10_000 + number, "user")
    made = Exit(new_id("ext"), f"e{number}", upstream, sealed=b"\0sealed", created_at=number)
    return replace(made, **changes)  # type: ignore[arg-type]


async def users(store: Store, count: int) -> list[str]:
    made = [User(new_id("usr"), f"user{number}", Role.USER, 0) for number in range(count)]
    for user in made:
        await store.add_user(user)
    return [user.id for user in made]


async def lease(store: Store, user: str, rules: Rules = REFUSE) -> Lease | None:
    found: list[Lease | None] = []

    def plan(pool: Pool) -> Decision:
        decision, given, _ = grant(pool, user, 1_000, rules)
        found.append(given)
        return decision

    await store.exits.decide(plan, at=1_000)
    return found[-1]


async def test_an_exit_comes_back_as_it_was(store: Store) -> None:
    made = an_exit(
        1,
        label=NASTY,
        region="de",
        tags=("fast", "b"),
        draining=True,
        health=Health(ExitState.SUSPECT, since=5, streak=-1, latency_ms=12.5, loss=0.25, why=NASTY),
    )
    assert await store.exits.add([made]) == (1, 0)
    pool = await store.exits.pool()
    assert pool.exits == {made.id: made}
    assert pool.exits[made.id].sealed == b"\0sealed"
    assert pool.leases == {}


async def test_the_same_upstream_is_one_exit_also_without_a_user_name(store: Store) -> None:
    plain = an_exit(1, upstream=Upstream("http", "proxy.example", 1))
    assert await store.exits.add([plain, an_exit(2)]) == (2, 0)
    again = an_exit(9, upstream=Upstream("http", "proxy.example", 1))
    assert await store.exits.add([again, an_exit(2), an_exit(3)]) == (1, 2)
    assert len((await store.exits.pool()).exits) == 3


async def test_fifty_users_at_once_get_fifty_exits(store: Store, url: str) -> None:
    await store.exits.add([an_exit(number) for number in range(50)])
    people = await users(store, 50)
    other = Store(url, wait_ms=4000)  # a second program on the same database
    await other.open()
    try:
        given = await asyncio.gather(
            *(lease(other if number % 2 else store, user) for number, user in enumerate(people))
        )
    finally:
        await other.close()
    assert len({each.exit for each in given if each is not None}) == 50
    pool = await store.exits.pool()
    assert {user: len(pool.users_of(one.exit)) for user, one in pool.leases.items()} == dict.fromkeys(
        people, 1
    )


async def test_more_users_than_exits_are_refused_or_share_evenly(store: Store) -> None:
    await store.exits.add([an_exit(number) for number in range(3)])
    people = await users(store, 9)
    given = await asyncio.gather(*(lease(store, user) for user in people))
    assert sum(each is not None for each in given) == 3
    await asyncio.gather(*(lease(store, user, SHARE) for user in people))
    pool = await store.exits.pool()
    assert sorted(len(pool.users_of(exit)) for exit in pool.exits) == [3, 3, 3]


async def test_a_lease_is_kept_and_the_same_user_asking_twice_at_once_gets_one(store: Store) -> None:
    await store.exits.add([an_exit(number) for number in range(5)])
    (ada,) = await users(store, 1)
    given = await asyncio.gather(*(lease(store, ada) for _ in range(8)))
    assert len({each.exit for each in given if each is not None}) == 1


async def test_the_database_itself_refuses_two_owners(store: Store) -> None:
    exit = an_exit(1)
    await store.exits.add([exit])
    ada, bob = await users(store, 2)
    both = Decision(put=(Lease(ada, exit.id, 1), Lease(bob, exit.id, 2)))
    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.exits.decide(lambda _: both, at=1)
    assert not (await store.exits.pool()).leases


async def test_a_decision_is_whole_with_its_lines(store: Store) -> None:
    exits = [an_exit(1), an_exit(2)]
    await store.exits.add(exits)
    (ada,) = await users(store, 1)
    first = await lease(store, ada)
    assert first is not None
    assert await store.exits.set_draining(first.exit, True)
    pool, decision = await store.exits.decide(lambda pool: overdue(pool, 5, REFUSE), at=5)
    assert pool.leases[ada].exit != first.exit
    assert (await store.exits.pool()).leases == pool.leases
    trail = await store.list_audit(user=ada, limit=10)
    assert [line["action"] for line in trail] == ["exit_move", "exit_lease"]
    assert trail[0]["detail"] == {"from": first.exit}
    assert decision.put


async def test_a_user_who_is_gone_gets_nothing_and_loses_their_lease(store: Store) -> None:
    await store.exits.add([an_exit(1)])
    (ada,) = await users(store, 1)
    assert await lease(store, ada) is not None
    await store.delete_user(ada)
    assert not (await store.exits.pool()).leases
    await lease(store, ada)
    assert not (await store.exits.pool()).leases


async def test_a_removed_exit_hands_its_user_on(store: Store) -> None:
    one, two = an_exit(1), an_exit(2)
    await store.exits.add([one])
    (ada,) = await users(store, 1)
    await lease(store, ada)
    await store.exits.add([two])
    removed = await store.exits.remove(one.id, lambda pool: without(pool, one.id, 9, REFUSE), at=9)
    assert removed is not None
    pool = await store.exits.pool()
    assert set(pool.exits) == {two.id} == {pool.leases[ada].exit}
    assert await store.exits.remove(one.id, lambda _: Decision(), at=9) is None


async def test_health_and_address_are_kept(store: Store) -> None:
    exit = an_exit(1)
    await store.exits.add([exit])
    await store.exits.save_health({exit.id: Health(ExitState.DEAD, why="gone"), "ext_nobody": Health()})
    assert await store.exits.save_address(exit.id, "203.0.113.7", 5) is None
    assert await store.exits.save_address(exit.id, "203.0.113.8", 6) == "203.0.113.7"
    found = (await store.exits.pool()).exits[exit.id]
    assert (found.health.state, found.health.why) == (ExitState.DEAD, "gone")
    assert (found.address, found.address_at) == ("203.0.113.8", 6)


async def test_what_was_moved_adds_up_by_machine_and_by_exit(store: Store) -> None:
    one, two = an_exit(1), an_exit(2)
    await store.exits.add([one, two])
    assert await store.exits.counted_of("mch_a") is None
    await store.exits.count([Counted("mch_a", one.id, "usr_a", "ses_a", 10, 100, 1, 0, 5)])
    await store.exits.count([Counted("mch_a", one.id, "usr_a", "ses_a", 5, 50, 1, 1, 6)])
    await store.exits.count([Counted("mch_a", two.id, "usr_a", "ses_a", 1, 2**40, 1, 0, 7)])
    whole = await store.exits.counted_of("mch_a")
    assert whole is not None
    assert (whole.bytes_up, whole.bytes_down, whole.connections, whole.failed) == (16, 150 + 2**40, 3, 1)
    pool = await store.exits.pool()
    assert (pool.exits[one.id].bytes_up, pool.exits[two.id].bytes_down) == (15, 2**40)
    assert [each.exit for each in await store.exits.usage("usr_a")] == [two.id, one.id]
    assert await store.exits.usage("usr_b") == []
    assert await store.exits.prune_usage(before=7) == 1


async def test_lists_are_kept_by_kind_and_subject(store: Store) -> None:
    lists = Lists((HostRule("*.example.org", 443),), (HostRule("evil.example.org"),))
    await store.exits.set_lists("user", "usr_a", lists)
    await store.exits.set_lists("provider", "codex", Lists(deny=(HostRule("*"),)))
    await store.exits.set_lists("provider", "codex", Lists(allow=(HostRule("openai.example"),)))
    found = await store.exits.lists()
    assert found[("user", "usr_a")] == lists
    assert found[("provider", "codex")] == Lists(allow=(HostRule("openai.example"),))
    await store.exits.set_lists("user", "usr_a", None)
    assert set(await store.exits.lists()) == {("provider", "codex")}


async def test_alerts_are_numbered_acknowledged_once_and_bounded(store: Store) -> None:
    first = await store.exits.add_alert(Alert(AlertKind.EXIT_DOWN, NASTY, 5, "ext_a", "usr_a"))
    second = await store.exits.add_alert(Alert(AlertKind.EXIT_BACK, "back", 6))
    assert second > first
    assert await store.exits.acknowledge(first, by="usr_root", at=9)
    assert await store.exits.acknowledge(first, by="usr_other", at=10)
    assert not await store.exits.acknowledge(second + 100, by="usr_root", at=9)
    newest, oldest = await store.exits.list_alerts(10)
    assert (newest.kind, oldest.text, oldest.exit) == (AlertKind.EXIT_BACK, NASTY, "ext_a")
    assert (oldest.acknowledged_by, oldest.acknowledged_at) == ("usr_root", 9)
    assert len(await store.exits.list_alerts(KEPT + 1)) == 2


async def test_a_plan_that_breaks_changes_nothing(store: Store) -> None:
    def broken(pool: Pool) -> Decision:
        raise RuntimeError("a fault of ours")

    with pytest.raises(RuntimeError):
        await store.exits.decide(broken, at=1)
    line = Decision(lines=(Line("usr_a", "exit_add", "x"),))
    await store.exits.decide(lambda _: line, at=1)
    assert len(await store.list_audit(user="usr_a", limit=9)) == 1
