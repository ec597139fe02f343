"""The egress as its users meet it, on a real store; proxies and keepers are dictionaries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.exits import ECHO, HOST, Clock, Egresses, World, a_session, a_snapshot, an_egress
from transom.egress.measure import NotMeasured
from transom.egress.pool import NONE_LEFT, Rules
from transom.egress.service import AWAY, NOT_YET, OwnExit
from transom.egress.state import Terms
from transom.egress.upstream import read_list
from transom.model.errors import Conflict, Invalid, NotFound, Unavailable, VaultError
from transom.model.exit import ExitState, Lists
from transom.model.session import SessionState
from transom_wire.exit import HostRule

TWO = "http://u:secret-1@proxy.example:{101..102}"


@pytest.fixture
async def egress(tmp_path: Path) -> AsyncIterator[Egresses]:
    async with an_egress(tmp_path) as made:
        yield made


async def test_without_a_pool_the_settings_decide(tmp_path: Path) -> None:
    async with an_egress(tmp_path, terms=Terms(fallback="direct")) as egress:
        ada = await egress.user("ada")
        assert (await egress.service.route(ada)).kind == "direct"
        assert egress.service.own(ada).kind == "direct"
    async with an_egress(tmp_path, terms=Terms(fallback="none")) as egress:
        route = await egress.service.route(ada)
        assert route.kind == "none" and route.why


async def test_a_machine_that_left_by_an_exit_never_leaves_by_the_hosts_own_address(tmp_path: Path) -> None:
    """The pool's last exit is removed where the settings say `direct`: living machines are shut in."""
    async with an_egress(tmp_path, terms=Terms(fallback="direct")) as egress:
        ada = await egress.user("ada")
        before = await egress.attach(ada, exit=None)
        await egress.service.look()
        assert egress.last_told(before).kind == "direct", "one that never had an exit goes on"
        session = await egress.attach(ada, exit="ext_of_another_time")
        await egress.service.look()
        assert egress.last_told(session).kind == "none" and "removed" in egress.last_told(session).why
        assert (await egress.service.route(ada)).kind == "direct", "a new one leaves as it is set"


async def test_each_user_gets_a_route_of_their_own_with_its_password(egress: Egresses) -> None:
    await egress.add(TWO)
    ada, bob, cy = [await egress.user(name) for name in ("ada", "bob", "cy")]
    assert egress.service.own(ada).word == NOT_YET, "nobody is told that there is no way out before they ask"
    one, two = await egress.service.route(ada), await egress.service.route(bob)
    assert {one.port, two.port} == {101, 102}
    assert (one.kind, one.username, one.password) == ("upstream", "u", "secret-1")
    assert await egress.service.route(ada) == one, "sticky"
    none = await egress.service.route(cy)
    assert (none.kind, none.why) == ("none", NONE_LEFT)
    assert egress.service.own(cy) == OwnExit("none", None, None, None, None, False, False, NONE_LEFT)
    assert egress.said.kinds().count("pool_empty") == 1
    await egress.service.route(cy)
    assert egress.said.kinds().count("pool_empty") == 1, "said once"


async def test_leases_survive_a_restart_and_reality_is_corrected(tmp_path: Path) -> None:
    async with an_egress(tmp_path) as egress:
        await egress.add(TWO)
        ada = await egress.user("ada")
        mine = await egress.service.route(ada)
    async with an_egress(tmp_path) as egress:
        assert (await egress.service.route(ada)).exit == mine.exit
        session = await egress.attach(ada, exit="ext_another_one")
        await egress.service.look()
        assert egress.last_told(session) == mine
        assert egress.last_told(session).password == "secret-1"
        await egress.service.look()
        assert len(egress.keepers.told[session]) == 1, "told once"


async def test_a_drained_exit_moves_living_machines_and_tells_their_user(egress: Egresses) -> None:
    await egress.add(TWO)
    ada = await egress.user("ada")
    before = await egress.service.route(ada)
    session = await egress.attach(ada, exit=before.exit)
    await egress.service.look()
    heard: list[OwnExit] = []
    assert before.exit is not None
    with egress.service.listen(ada, heard.append):
        await egress.desk.drain(before.exit, True, by="root")
        await egress.settle()
    after = egress.last_told(session)
    assert after.exit != before.exit
    assert any("another one now" in own.word for own in heard)
    assert heard[-1].address == f"203.0.113.{after.port}"
    trail = [line["action"] for line in await egress.store.list_audit(user=None, limit=20)]
    assert trail[:3] == ["exit_move", "exit_drain", "exit_lease"]
    assert "user_moved" in egress.said.kinds()
    await egress.desk.seen(ada)
    assert egress.service.own(ada).word == ""


async def test_a_user_who_is_asked_moves_by_their_own_word(tmp_path: Path) -> None:
    async with an_egress(tmp_path, terms=Terms(rules=Rules(move="ask"), echo=ECHO)) as egress:
        await egress.add(TWO)
        ada = await egress.user("ada")
        before = await egress.service.route(ada)
        session = await egress.attach(ada)
        assert before.exit is not None
        with pytest.raises(Conflict):
            await egress.desk.confirm(ada)
        await egress.desk.drain(before.exit, True, by="root")
        assert egress.service.own(ada).asked
        assert egress.last_told(session).exit == before.exit
        lease = await egress.desk.confirm(ada)
        await egress.service.look()
        assert egress.last_told(session).exit == lease.exit != before.exit
        assert not egress.service.own(ada).asked


async def test_a_keeper_that_is_away_learns_its_route_on_return(egress: Egresses) -> None:
    await egress.add(TWO)
    ada = await egress.user("ada")
    session = await egress.attach(ada)
    egress.keepers.away.add(session)
    await egress.service.look()
    assert session not in egress.keepers.told
    egress.keepers.away.clear()
    await egress.service.look()
    assert egress.last_told(session).kind == "upstream"


async def test_a_user_without_an_exit_gets_one_when_one_is_added(egress: Egresses) -> None:
    await egress.add("http://proxy.example:101")
    ada, bob = await egress.user("ada"), await egress.user("bob")
    await egress.service.route(ada)
    session = await egress.attach(bob)
    await egress.service.look()
    assert egress.last_told(session).kind == "none"
    await egress.add("http://proxy.example:102")
    await egress.service.look()
    assert (egress.last_told(session).kind, egress.last_told(session).port) == ("upstream", 102)
    assert egress.service.own(bob).word == ""


async def test_a_removed_exit_is_gone_from_machines_too(egress: Egresses) -> None:
    await egress.add("http://proxy.example:101")
    ada = await egress.user("ada")
    route = await egress.service.route(ada)
    session = await egress.attach(ada)
    await egress.service.look()
    assert route.exit is not None
    await egress.desk.remove(route.exit, by="root")
    await egress.service.look()
    assert egress.last_told(session).kind == "none"
    with pytest.raises(NotFound):
        await egress.desk.remove(route.exit, by="root")


async def test_addresses_are_measured_on_lease_and_compared(tmp_path: Path) -> None:
    world = World({101: "203.0.113.7", 102: "203.0.113.7", 103: HOST})
    async with an_egress(tmp_path, world=world) as egress:
        await egress.add("http://u:p@proxy.example:{101..103}")
        ada = await egress.user("ada")
        await egress.service.route(ada)
        await egress.settle()
        assert sorted(egress.said.kinds()) == ["address_duplicate", "address_is_host"]
        assert egress.service.own(ada).address in ("203.0.113.7", HOST)
        world.addresses[101] = "203.0.113.9"
        await egress.desk.check(None)
        assert egress.said.kinds().count("address_changed") == 1
        assert "before it was 203.0.113.7" in egress.said.alerts[-1].text
        assert ("p" in {password for _, password in world.asked}) is True


async def test_an_exit_that_dies_is_an_alert_and_its_user_moves(tmp_path: Path) -> None:
    world, clock = World(), Clock()
    async with an_egress(tmp_path, world=world, clock=clock) as egress:
        await egress.add(TWO)
        ada = await egress.user("ada")
        before = await egress.service.route(ada)
        session = await egress.attach(ada)
        await egress.settle()
        assert before.port is not None
        world.addresses[before.port] = NotMeasured("the exit cannot be reached", own=True)
        for _ in range(60):
            clock.now += 60_000
            await egress.settle()
            if egress.last_told(session).exit != before.exit:
                break
        assert egress.last_told(session).exit != before.exit
        assert egress.said.kinds()[0] == "exit_down"
        assert "user_moved" in egress.said.kinds()
        assert egress.service.own(ada).word.startswith("Your exit does not work any more")
        world.addresses.clear()
        for _ in range(60):
            clock.now += 300_000
            await egress.settle()
        assert "exit_back" in egress.said.kinds()


async def test_an_echo_service_that_is_down_kills_no_exit(tmp_path: Path) -> None:
    world, clock = World(echo=False), Clock()
    async with an_egress(tmp_path, world=world, clock=clock) as egress:
        await egress.add(TWO)
        for _ in range(20):
            clock.now += 60_000
            await egress.settle()
        assert {exit.health.state for exit in egress.desk.pool.exits.values()} == {ExitState.HEALTHY}
        assert egress.said.alerts == []
        world.echo = True
        world.addresses[101] = NotMeasured("the answer was 500")
        for _ in range(20):
            clock.now += 60_000
            await egress.settle()
        states = {exit.upstream.port: exit.health.state for exit in egress.desk.pool.exits.values()}
        assert not states[101].usable
        assert states[102] is ExitState.HEALTHY


async def test_what_machines_move_is_counted_once_also_over_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    async with an_egress(tmp_path, clock=clock) as egress:
        await egress.add("http://proxy.example:101")
        ada = await egress.user("ada")
        row = a_session(ada)
        egress.service.noticed(row)
        await egress.service.attached(row.id, a_snapshot(row, None))
        await egress.service.look()
        egress.use(row.id, bytes_up=100, bytes_down=1000, ok=3, connections=3, dial_ms=60, changes=1)
        egress.use(
            row.id, bytes_up=150, bytes_down=1500, ok=4, connections=5, failed_down=1, dial_ms=80, changes=1
        )
        clock.now += 10_000
        await egress.service.look()
        (used,) = await egress.desk.usage(ada)
        assert (used.bytes_up, used.bytes_down, used.connections, used.failed) == (150, 1500, 5, 1)
    async with an_egress(tmp_path, clock=clock) as egress:
        counters = {"exit_bytes_up": "150", "exit_bytes_down": "1500", "exit_connections": "5"}
        egress.service.noticed(row)
        await egress.service.attached(row.id, replace(a_snapshot(row, used.exit), counters=counters))
        await egress.service.look()
        egress.use(row.id, bytes_up=200, bytes_down=1500, connections=5, failed_down=1)
        clock.now += 10_000
        await egress.service.look()
        (used,) = await egress.desk.usage(ada)
        assert (used.bytes_up, used.bytes_down, used.connections) == (200, 1500, 5)
        (exit,) = egress.desk.pool.exits.values()
        assert (exit.bytes_up, exit.bytes_down) == (200, 1500)


async def test_what_waits_to_be_written_is_not_counted_again_when_a_keeper_comes_back(tmp_path: Path) -> None:
    clock = Clock()
    async with an_egress(tmp_path, clock=clock) as egress:
        await egress.add("http://proxy.example:101")
        ada = await egress.user("ada")
        mine = await egress.service.route(ada)
        row = a_session(ada)
        egress.service.noticed(row)
        await egress.service.attached(row.id, a_snapshot(row, mine.exit))
        await egress.service.look()
        egress.use(row.id, bytes_up=100, bytes_down=1000, connections=3)
        counters = {"exit_bytes_up": "120", "exit_bytes_down": "1000", "exit_connections": "3"}
        for _ in range(3):
            await egress.service.attached(row.id, replace(a_snapshot(row, mine.exit), counters=counters))
            egress.use(row.id, bytes_up=120, bytes_down=1000, connections=3)
        clock.now += 10_000
        await egress.service.look()
        (used,) = await egress.desk.usage(ada)
        assert (used.bytes_up, used.bytes_down, used.connections) == (120, 1000, 3)


async def test_what_was_moved_before_a_change_is_the_old_exit_s(tmp_path: Path) -> None:
    clock = Clock()
    async with an_egress(tmp_path, clock=clock) as egress:
        await egress.add(TWO)
        ada = await egress.user("ada")
        before = await egress.service.route(ada)
        session = await egress.attach(ada, exit=before.exit)
        await egress.service.look()
        egress.use(session, bytes_down=100)
        assert before.exit is not None
        lease = await egress.desk.move(ada, to=None, by="root")
        await egress.service.look()
        egress.use(session, bytes_down=130, changes=0)  # the last word before the change
        egress.use(session, bytes_down=1130, changes=1)
        clock.now += 10_000
        await egress.service.look()
        moved = {exit.id: exit.bytes_down for exit in egress.desk.pool.exits.values()}
        assert moved == {before.exit: 130, lease.exit: 1000}


async def test_lists_of_user_and_provider_travel_with_the_route(tmp_path: Path) -> None:
    shipped = {"codex": Lists(allow=(HostRule("*.openai.example", 443),))}
    async with an_egress(tmp_path, shipped=shipped) as egress:
        await egress.add("http://proxy.example:101")
        ada = await egress.user("ada")
        await egress.desk.set_lists("user", ada, Lists(deny=(HostRule("bad.example"),)), by="root")
        await egress.service.look()
        assert (await egress.service.route(ada)).allow == ()
        route = await egress.service.route(ada, "codex")
        assert route.allow == shipped["codex"].allow
        assert route.deny == (HostRule("bad.example"),)
        row = a_session(ada)
        egress.service.noticed(row)
        await egress.service.attached(row.id, a_snapshot(row, None))
        await egress.service.look()
        assert egress.last_told(row.id).allow == ()
        egress.service.noticed(replace(row, provider="codex"))
        await egress.service.look()
        assert egress.last_told(row.id).allow == shipped["codex"].allow


async def test_a_session_that_is_over_is_told_nothing(egress: Egresses) -> None:
    await egress.add(TWO)
    ada = await egress.user("ada")
    row = a_session(ada)
    egress.service.noticed(row)
    egress.service.noticed(replace(row, state=SessionState.ENDED))
    await egress.service.attached(row.id, a_snapshot(row, None))
    egress.use(row.id, bytes_up=1)
    await egress.service.look()
    assert egress.keepers.told == {}
    assert egress.desk.pool.leases == {}


async def test_few_free_exits_are_said_once(tmp_path: Path) -> None:
    async with an_egress(tmp_path, terms=Terms(low=2, echo=ECHO)) as egress:
        await egress.add("http://proxy.example:{101..102}")
        await egress.service.look()
        assert "pool_low" not in egress.said.kinds()
        await egress.service.route(await egress.user("ada"))
        await egress.service.look()
        await egress.service.look()
        assert egress.said.kinds().count("pool_low") == 1


async def test_exits_at_one_place_have_labels_of_their_own(egress: Egresses) -> None:
    await egress.add("http://user-{1..3}:p@proxy.example:8000\nhttp://a.example:1")
    await egress.add("http://user-{2..4}:p@proxy.example:8000\nsocks5://a.example:1")
    await egress.desk.add(read_list("http://b.example:{1..2}"), by="root", label="de")
    await egress.desk.remove("de-1", by="root")
    await egress.desk.add(read_list("http://b.example:3"), by="root", label="de")
    place = "proxy.example:8000"
    labels = [exit.label for exit in egress.desk.pool.exits.values()]
    assert sorted(labels) == sorted(
        ["a.example:1", "a.example:1-2", "de-2", "de-3", *(f"{place}-{n}" for n in range(1, 5))]
    )
    assert all(egress.desk.found(label).label == label for label in labels)


async def test_the_operator_moves_a_user_by_name_of_the_exit(egress: Egresses) -> None:
    await egress.desk.add([], by="root")
    await egress.add(TWO)
    ada, bob = await egress.user("ada"), await egress.user("bob")
    mine, taken = await egress.service.route(ada), await egress.service.route(bob)
    with pytest.raises(Conflict):
        await egress.desk.move(ada, to=taken.exit, by="root")
    with pytest.raises(NotFound):
        await egress.desk.move(ada, to="nowhere", by="root")
    await egress.add("http://proxy.example:103")
    lease = await egress.desk.move(ada, to="proxy.example:103", by="root")
    assert lease.exit != mine.exit


async def test_passwords_are_opened_once_replaced_when_said_anew_and_fail_closed(egress: Egresses) -> None:
    await egress.add(TWO)
    ada = await egress.user("ada")
    for _ in range(5):
        await egress.service.route(ada)
        await egress.service.look()
    assert egress.box.opened == 2
    await egress.add("http://u:secret-2@proxy.example:{101..102}")
    await egress.service.look()
    assert (await egress.service.route(ada)).password == "secret-2"
    assert len(egress.desk.pool.exits) == 2
    for exit in egress.desk.pool.exits:
        await egress.store.exits.replace_sealed({exit: b"another vault's"})
    await egress.service.look()
    assert (await egress.service.route(ada)).kind == "none", "never without its password"


async def test_a_store_or_vault_that_is_away_never_raises(tmp_path: Path, monkeypatch: Any) -> None:
    async with an_egress(tmp_path) as egress:
        await egress.add(TWO)
        ada, bob = await egress.user("ada"), await egress.user("bob")
        mine = await egress.service.route(ada)

        async def away(*args: Any, **named: Any) -> Any:
            raise Unavailable("the database is locked")

        monkeypatch.setattr(egress.store.exits, "decide", away)
        monkeypatch.setattr(egress.store.exits, "pool", away)
        assert await egress.service.route(ada) == mine, "what is known goes on"
        assert (await egress.service.route(bob)).kind == "none"
        with pytest.raises(Unavailable):
            await egress.service.look()
    async with an_egress(tmp_path) as egress:
        monkeypatch.setattr(egress.service.state, "known", False)
        monkeypatch.setattr(egress.store.exits, "pool", away)
        route = await egress.service.route(ada)
        assert (route.kind, route.why) == ("none", AWAY)


async def test_too_many_exits_and_a_broken_vault_are_said(egress: Egresses, monkeypatch: Any) -> None:
    from transom.egress import desk

    monkeypatch.setattr(desk, "LIST_LIMIT", 1)
    with pytest.raises(Invalid):
        await egress.add(TWO)
    monkeypatch.undo()

    async def broken(name: str, secret: bytes) -> bytes:
        raise VaultError("no key")

    monkeypatch.setattr(egress.box, "seal_secret", broken)
    with pytest.raises(VaultError):
        await egress.add(TWO)
    assert not egress.desk.pool.exits


async def test_keep_lives_through_faults(tmp_path: Path, monkeypatch: Any) -> None:
    import asyncio

    async with an_egress(tmp_path, terms=Terms(tick_s=0.01)) as egress:
        looks = 0

        async def look() -> None:
            nonlocal looks
            looks += 1
            raise Unavailable("away") if looks == 1 else RuntimeError("a fault of ours")

        monkeypatch.setattr(egress.service, "look", look)
        task = asyncio.create_task(egress.service.keep())
        async with asyncio.timeout(10):
            while looks < 3:
                await asyncio.sleep(0.01)
        task.cancel()
