"""Machines and sessions in any order of events: a slot is one machine's, a machine one session's, for ever."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from sqlalchemy import create_engine

from tests.support.fakes import a_session
from transom.model.ids import new_id
from transom.model.machine import Machine, MachinePhase
from transom.model.session import EndReason, Session, SessionState
from transom.store import machines, sessions
from transom.store.tables import metadata

P = MachinePhase
DRIVERS = st.sampled_from(["namespace", "qemu"])


class Pool(RuleBasedStateMachine):
    """Each rule is one transaction of some controller, on rows that it may have read long before."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = create_engine("sqlite://")
        metadata.create_all(self.engine)
        self.owners: dict[str, str] = {}

    def teardown(self) -> None:
        self.engine.dispose()

    rows = Bundle("rows")
    asked = Bundle("asked")

    @rule(target=rows, driver=DRIVERS, made_at=st.integers(0, 9))
    def make(self, driver: str, made_at: int) -> Machine:
        with self.engine.begin() as connection:
            machine = Machine(new_id("mch"), driver, "sha256-0", 0, P.MAKING, 1, made_at, warm=True)
            return machines.add_machine(connection, machine)

    @rule(target=rows, row=rows)
    def make_again(self, row: Machine) -> Machine:
        with self.engine.begin() as connection:
            again = machines.add_machine(connection, replace(row, phase=P.MAKING, session=None))
        assert again.slot == row.slot
        return again

    @rule(target=rows, seen=rows, phase=st.sampled_from([P.PARKED, P.LEAVING, P.OVER]))
    def move(self, seen: Machine, phase: MachinePhase) -> Machine:
        if seen.phase is P.OVER or (
            phase is P.PARKED and seen.session is not None
        ):  # nobody parks what is a session's
            return seen
        moved = replace(seen, phase=phase, ended_at=5 if phase is P.OVER else None)
        with self.engine.begin() as connection:
            return moved if machines.save_machine(connection, moved, seen) else seen

    @rule(target=asked, driver=DRIVERS)
    def ask(self, driver: str) -> Session:
        with self.engine.begin() as connection:
            return sessions.add_session(connection, a_session(driver=driver, image="sha256-0"), None)

    @rule(session=asked)
    def stop(self, session: Session) -> None:
        with self.engine.begin() as connection:
            sessions.save_session(connection, replace(session, wanted_end=EndReason.STOPPED), session)

    @rule(session=consumes(asked), twice=st.booleans())
    def take(self, session: Session, twice: bool) -> None:
        for _ in range(1 + twice):
            self._take(session)

    def _take(self, session: Session) -> None:
        try:
            with self.engine.begin() as connection:
                taken = machines.take_parked(connection, session, 7, lambda found: given(session, found))
        except machines.Moved:
            return
        if taken is not None:
            assert session.id not in self.owners.values()
            assert taken.machine not in self.owners
            self.owners[taken.machine] = session.id

    @invariant()
    def everything_is_in_its_place(self) -> None:
        with self.engine.begin() as connection:
            standing = machines.list_machines(connection, True, 0)
            slots = [row.slot for row in standing]
            assert len(set(slots)) == len(slots)
            assert all(slot < len(machines.list_machines(connection, False, 1000)) for slot in slots)
            for machine, owner in self.owners.items():
                row, session = (
                    machines.get_machine(connection, machine),
                    sessions.get_session(connection, owner),
                )
                assert row is not None
                assert session is not None
                assert (row.session, session.machine, session.driver) == (owner, machine, row.driver)
            assert all(row.session is None for row in standing if row.phase is P.PARKED)


def given(session: Session, machine: Machine) -> Session:
    return replace(session, state=SessionState.CREATING, machine=machine.id, pooled=True)


TestPool = Pool.TestCase
TestPool.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
