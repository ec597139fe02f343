"""Machines' rows on SQLite and PostgreSQL: slots, phases, claims that two never win, logs, and their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.test_store_contract import NASTY, a_session
from transom.model.ids import new_id
from transom.model.machine import Machine, MachinePhase, Outcome
from transom.model.session import EndReason, Session, SessionState
from transom.store.database import Store

P = MachinePhase


@pytest.fixture
async def stores(url: str) -> AsyncIterator[tuple[Store, Store]]:
    """Two controllers' views of one database."""
    opened = Store(url), Store(url)
    for store in opened:
        await store.open()
    yield opened
    for store in opened:
        await store.close()


@pytest.fixture
def store(stores: tuple[Store, Store]) -> Store:
    return stores[0]


def a_machine(**changes: Any) -> Machine:
    machine = Machine(new_id("mch"), "namespace", "sha256-0", 0, P.MAKING, 1_000, 1_000)
    return replace(machine, **changes)


def parked(**changes: Any) -> Machine:
    return a_machine(phase=P.PARKED, warm=True, **changes)


def given(session: Session, machine: Machine) -> Session:
    return replace(session, state=SessionState.CREATING, machine=machine.id, pooled=True)


async def a_requested(store: Store, **changes: Any) -> Session:
    return await store.add_session(a_session(**changes), None)


async def test_a_machine_comes_back_as_it_was_written(store: Store) -> None:
    machine = a_machine(
        session="ses_x",
        warm=True,
        stages={"machine": 12, "parked": 3000},
        ended_at=2**41,
        outcome=Outcome.LOST,
        failed_stage="running",
        cause=NASTY,
        usage={"memory_bytes": 2**40},
    )
    assert await store.add_machine(machine) == machine
    assert await store.get_machine(machine.id) == machine
    assert await store.get_machine("mch_none") is None


async def test_a_row_written_twice_keeps_its_slot(store: Store) -> None:
    first = await store.add_machine(a_machine())
    second = await store.add_machine(a_machine())
    assert (first.slot, second.slot) == (0, 1)
    assert await store.add_machine(replace(second, slot=0, made_at=9)) == second


async def test_many_at_once_have_a_slot_each(stores: tuple[Store, Store]) -> None:
    made = await asyncio.gather(*(stores[n % 2].add_machine(a_machine()) for n in range(16)))
    assert sorted(machine.slot for machine in made) == list(range(16))


async def test_a_slot_is_free_once_its_machine_is_over_and_not_before(store: Store) -> None:
    first = await store.add_machine(a_machine())
    leaving = replace(first, phase=P.LEAVING)
    assert await store.save_machine(leaving, seen=first)
    assert (await store.add_machine(a_machine())).slot == 1
    assert await store.save_machine(replace(leaving, phase=P.OVER, ended_at=5), seen=leaving)
    assert (await store.add_machine(a_machine())).slot == 0


async def test_a_session_s_second_machine_is_in_another_slot_than_the_one_that_failed(store: Store) -> None:
    first = await store.add_machine(a_machine(session="ses_x"))
    assert await store.save_machine(replace(first, phase=P.OVER, ended_at=5), seen=first)
    assert (await store.add_machine(a_machine(session="ses_x"))).slot == 1
    assert (await store.add_machine(a_machine(session="ses_y"))).slot == 0
    assert (await store.add_machine(a_machine())).slot == 2


async def test_a_save_needs_the_phase_and_session_it_has_seen(store: Store) -> None:
    seen = await store.add_machine(a_machine())
    moved = replace(seen, phase=P.PARKED, stages={"parked": 4})
    assert await store.save_machine(moved, seen=seen)
    assert not await store.save_machine(replace(seen, phase=P.LEAVING), seen=seen)
    assert await store.save_machine(moved, seen=moved)
    assert not await store.save_machine(moved, seen=replace(moved, session="ses_x"))
    with pytest.raises(ValueError, match="for life"):
        await store.save_machine(replace(moved, slot=9), seen=moved)


async def test_the_oldest_that_fits_is_taken_with_its_session(store: Store) -> None:
    await store.add_machine(parked(made_at=1, image="sha256-1"))
    await store.add_machine(parked(made_at=2, driver="qemu"))
    await store.add_machine(a_machine(made_at=3, warm=True))
    await store.add_machine(parked(made_at=9))
    oldest = await store.add_machine(parked(made_at=5))
    session = await a_requested(store)
    taken = await store.take_parked(session, 77, lambda machine: given(session, machine))
    assert taken == await store.get_session(session.id) == given(session, oldest)
    row = await store.get_machine(oldest.id)
    assert row is not None
    assert (row.phase, row.session, row.phase_since) == (P.CLAIMED, session.id, 77)


async def test_nothing_parked_changes_nothing(store: Store) -> None:
    session = await a_requested(store)
    assert await store.take_parked(session, 1, lambda machine: given(session, machine)) is None
    assert await store.get_session(session.id) == session


async def test_a_session_that_moved_takes_nothing(store: Store) -> None:
    machine = await store.add_machine(parked())
    session = await a_requested(store)
    assert await store.save_session(replace(session, wanted_end=EndReason.STOPPED), seen=session)
    assert await store.take_parked(session, 1, lambda found: given(session, found)) is None
    assert await store.get_machine(machine.id) == machine


async def test_of_many_that_ask_at_once_each_machine_has_one(stores: tuple[Store, Store]) -> None:
    machines = [await stores[0].add_machine(parked(made_at=n)) for n in range(5)]
    sessions = [await a_requested(stores[0]) for _ in range(12)]

    async def take(n: int, session: Session) -> Session | None:
        return await stores[n % 2].take_parked(session, 1, lambda machine: given(session, machine))

    taken = await asyncio.gather(*(take(n, session) for n, session in enumerate(sessions)))
    won = [session for session in taken if session is not None]
    assert len(won) == len(machines)
    assert {session.machine for session in won} == {machine.id for machine in machines}
    for session in won:
        row = await stores[0].get_machine(session.machine)
        assert row is not None
        assert row.session == session.id


async def test_a_claim_and_a_drop_never_both_win(stores: tuple[Store, Store]) -> None:
    for _ in range(8):
        machine = await stores[0].add_machine(parked())
        session = await a_requested(stores[0])

        def give(found: Machine, session: Session = session) -> Session:
            return given(session, found)

        taken, dropped = await asyncio.gather(
            stores[0].take_parked(session, 1, give),
            stores[1].save_machine(replace(machine, phase=P.LEAVING), seen=machine),
        )
        assert (taken is not None) != dropped


async def test_living_are_all_there_and_of_the_others_the_newest(store: Store) -> None:
    living = [await store.add_machine(a_machine(made_at=n)) for n in range(3)]
    over = [
        await store.add_machine(a_machine(made_at=10 + n, phase=P.OVER, ended_at=20 + n)) for n in range(4)
    ]
    assert list(await store.list_machines(living=True)) == living[::-1]
    assert list(await store.list_machines(living=False, limit=2)) == [*over[:1:-1], *living[::-1]]


async def test_counts_are_by_driver_outcome_and_stage(store: Store) -> None:
    ended = {"phase": P.OVER, "ended_at": 9}
    for _ in range(2):
        await store.add_machine(a_machine(outcome=Outcome.USED, **ended))
    await store.add_machine(a_machine(outcome=Outcome.FAILED, failed_stage="display", **ended))
    await store.add_machine(a_machine(outcome=Outcome.FAILED, failed_stage="boot", made_at=1, **ended))
    await store.add_machine(parked())
    assert await store.machine_counts(since=1_000) == [
        ("namespace", False, "failed", "display", 1),
        ("namespace", False, "used", "", 2),
        ("namespace", True, "", "", 1),
    ]


async def test_a_log_is_kept_beside_the_row_and_goes_with_it(store: Store) -> None:
    old = await store.add_machine(a_machine(phase=P.OVER, ended_at=50))
    new = await store.add_machine(a_machine(phase=P.OVER, ended_at=500))
    living = await store.add_machine(a_machine())
    await store.save_machine_log(old.id, NASTY + "\0")
    assert await store.machine_log(old.id) == NASTY + "\ufffd"
    assert await store.machine_log(new.id) is None
    assert await store.prune_machines(before=100) == 1
    assert await store.machine_log(old.id) is None
    assert {row.id for row in await store.list_machines(living=False)} == {new.id, living.id}
