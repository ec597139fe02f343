"""The pool's plan: what is dropped, what is made, and what must never happen whatever is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import START
from transom.model.machine import Machine, MachinePhase
from transom.sessions.pool import (
    BACK_OFF_S,
    REPLACE_MS,
    DropWarm,
    MakeWarm,
    PoolPolicy,
    PoolView,
    plan_pool,
    target,
)

IMAGE, OTHER = "sha256-0", "sha256-1"
GIB = 2**30
POLICY = PoolPolicy(least=2, most=5, age_ms=3_600_000, reserve_bytes=GIB)
VIEW = PoolView(
    now=START, image=IMAGE, driver="fake", machines=(), available_bytes=100 * GIB, machine_bytes=GIB // 2
)


def parked(name: str, **changes: Any) -> Machine:
    made_at = changes.pop("made_at", START - 60_000)
    machine = Machine(name, "fake", IMAGE, 0, MachinePhase.PARKED, made_at + 2_000, made_at, warm=True)
    return replace(machine, **changes)


def view(*machines: Machine, **changes: Any) -> PoolView:
    return replace(VIEW, machines=machines, **changes)


def dropped(steps: list[Any]) -> dict[str, str]:
    return {step.machine: step.why for step in steps if isinstance(step, DropWarm)}


def test_an_empty_pool_is_filled_one_at_a_time() -> None:
    assert plan_pool(view(), POLICY) == [MakeWarm()]
    assert plan_pool(view(making=True), POLICY) == []
    assert plan_pool(view(parked("a")), POLICY) == [MakeWarm()]
    assert plan_pool(view(parked("a"), parked("b")), POLICY) == []


def test_no_pool_and_no_image_is_nothing() -> None:
    assert plan_pool(view(), replace(POLICY, least=0, most=0)) == []
    assert plan_pool(view(image=None), POLICY) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"waiting": 1},
        {"looked_at": START - 1_999},
        {"available_bytes": GIB + GIB // 2 - 1},
        {"failures": 1, "failed_at": START - 4_999},
        {"failures": 99, "failed_at": START - BACK_OFF_S[-1] * 1000 + 1},
    ],
)
def test_nothing_is_made_while_others_need_the_host_or_making_fails(changes: dict[str, Any]) -> None:
    assert plan_pool(view(**changes), POLICY) == []
    later = {name: 0 for name in changes if name != "available_bytes"}
    assert plan_pool(view(**later), POLICY) == [MakeWarm()]


@pytest.mark.parametrize(
    ("arrivals", "make_ms", "wanted"), [(0, 5_000, 2), (6, 5_000, 2), (20, 5_000, 4), (600, 5_000, 5)]
)
def test_its_size_follows_demand_within_its_limits(arrivals: float, make_ms: int, wanted: int) -> None:
    assert target(view(arrivals_per_minute=arrivals, make_ms=make_ms), POLICY) == wanted


def test_the_unfit_go_whatever_is_wanted() -> None:
    machines = (
        parked("old-image", image=OTHER),
        parked("other-driver", driver="qemu"),
        parked("aged", phase_since=START - POLICY.age_ms - REPLACE_MS),
        parked("dead"),
        parked("leaving", phase=MachinePhase.LEAVING),
        parked("cut", phase=MachinePhase.MAKING),
        parked("good"),
    )
    steps = plan_pool(view(*machines, lost=frozenset({"dead", "cut"})), POLICY)
    assert set(dropped(steps)) == {each.id for each in machines} - {"good"}
    assert MakeWarm() not in steps


def test_the_aged_serve_until_others_have_taken_their_place() -> None:
    age = {"phase_since": START - POLICY.age_ms, "made_at": START - POLICY.age_ms - 2_000}
    old = parked("a", **age), parked("b", **age)
    assert plan_pool(view(*old), POLICY) == [MakeWarm()]
    assert plan_pool(view(*old, making=True), POLICY) == []
    assert dropped(plan_pool(view(*old, parked("c")), POLICY)) == {"a": "more than are wanted"}
    assert plan_pool(view(old[1], parked("c")), POLICY) == [MakeWarm()]
    assert dropped(plan_pool(view(old[1], parked("c"), parked("d")), POLICY)) == {"b": "more than are wanted"}


@pytest.mark.parametrize(
    ("policy", "changes"), [(POLICY, {"available_bytes": GIB}), (replace(POLICY, most=2), {})]
)
def test_without_room_for_a_successor_the_aged_make_room_one_by_one(
    policy: PoolPolicy, changes: dict[str, Any]
) -> None:
    old = tuple(parked(name, phase_since=START - POLICY.age_ms) for name in "ab")
    assert dropped(plan_pool(view(*old, **changes), policy)) == {"a": "too old"}
    assert plan_pool(view(*old, making=True, **changes), policy) == []


def test_surplus_goes_oldest_first() -> None:
    machines = tuple(parked(name, made_at=START - age) for name, age in (("a", 10), ("b", 30), ("c", 20)))
    assert dropped(plan_pool(view(*machines), POLICY)) == {"b": "more than are wanted"}


def test_short_memory_takes_as_many_as_are_missing() -> None:
    machines = tuple(parked(name) for name in "ab")
    half_short = view(*machines, available_bytes=GIB - 1)
    assert dropped(plan_pool(half_short, POLICY)) == {"a": "memory is short"}
    assert len(dropped(plan_pool(replace(half_short, available_bytes=0), POLICY))) == 2


phases = st.sampled_from([MachinePhase.MAKING, MachinePhase.PARKED, MachinePhase.LEAVING])
machines_ = st.lists(
    st.builds(
        parked,
        st.uuids().map(str),
        phase=phases,
        image=st.sampled_from([IMAGE, IMAGE, OTHER]),
        made_at=st.integers(START - 5_000_000, START),
    ),
    max_size=9,
    unique_by=lambda machine: machine.id,
).map(tuple)
policies = st.tuples(st.integers(0, 6), st.integers(0, 6)).map(
    lambda sizes: PoolPolicy(min(sizes), max(sizes), 3_600_000, GIB)
)
views = st.builds(
    PoolView,
    now=st.just(START),
    image=st.sampled_from([IMAGE, IMAGE, None]),
    driver=st.just("fake"),
    machines=machines_,
    making=st.booleans(),
    waiting=st.integers(0, 2),
    arrivals_per_minute=st.floats(0, 1000),
    looked_at=st.integers(START - 10_000, START),
    make_ms=st.integers(1, 200_000),
    available_bytes=st.integers(0, 4 * GIB),
    machine_bytes=st.integers(0, GIB),
    failures=st.integers(0, 9),
    failed_at=st.integers(START - 1_000_000, START),
)


@given(views, policies)
def test_whatever_is_there_the_pool_keeps_its_promises(seen: PoolView, policy: PoolPolicy) -> None:
    steps = plan_pool(seen, policy)
    made = [step for step in steps if isinstance(step, MakeWarm)]
    gone = dropped(steps)
    assert len(gone) == len(steps) - len(made)
    assert gone.keys() <= {each.id for each in seen.machines}
    if made:
        assert policy.on
        assert seen.image is not None
        assert not seen.making
        assert seen.waiting == 0
        assert len(seen.machines) < policy.most
        assert seen.available_bytes - seen.machine_bytes >= policy.reserve_bytes
    left = [each for each in seen.machines if each.phase is MachinePhase.PARKED and each.id not in gone]
    assert len(left) <= policy.most
    assert all((each.image, each.driver) == (seen.image, seen.driver) for each in left)


@given(policies, st.floats(0, 200), st.integers(0, 9))
def test_on_a_quiet_host_it_settles_at_its_target(policy: PoolPolicy, arrivals: float, had: int) -> None:
    seen = view(*(parked(str(n)) for n in range(had)), arrivals_per_minute=arrivals)
    for number in range(40):
        steps = plan_pool(seen, policy)
        if not steps:
            break
        left = tuple(each for each in seen.machines if each.id not in dropped(steps))
        new = (parked(f"new {number}"),) if MakeWarm() in steps else ()
        seen = replace(seen, machines=left + new)
    assert plan_pool(seen, policy) == []
    assert len(seen.machines) == target(seen, policy)
