"""A machine's row from the first thought of it to its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.fakes import START, FakeClock, FakeMachines, FakeSessions, a_session
from transom.model.errors import Unavailable
from transom.model.ids import new_id
from transom.model.machine import Machine, MachinePhase, Outcome
from transom.model.session import EndReason, SessionState
from transom.sessions.accounts import CAUSE_LIMIT, LOOK_MS, Accounts

P = MachinePhase
LOG = "opened https://user:[hidden]@host\nBearer [hidden]\n\ufffd[2J"


class Logs:
    """MachineLogs with a secret in them; `broken` is a disk that cannot be read."""

    def __init__(self) -> None:
        self.broken, self.crash, self.reads = False, "", 0

    async def read(self, machine: str) -> str:
        self.reads += 1
        if self.broken:
            raise OSError("unreadable")
        return f"{self.crash}opened https://user:hunter2hunter2@host\nBearer abcdefghijkl\n\x1b[2J"


class Bench:
    def __init__(self) -> None:
        self.clock, self.logs = FakeClock(), Logs()
        self.sessions = FakeSessions()
        self.store = FakeMachines(self.sessions)
        self.accounts = Accounts(self.store, self.logs, self.clock)
        self.told: list[Machine] = []
        self.accounts.watch(self.told.append)

    async def begun(self, session: str | None = None) -> Machine:
        return await self.accounts.begin(new_id("mch"), driver="fake", image="sha256-0", session=session)

    def row(self, machine: Machine) -> Machine:
        return self.store.rows[machine.id]


async def test_a_row_begins_once() -> None:
    bench = Bench()
    row = await bench.begun()
    bench.clock.forward(5)
    again = await bench.accounts.begin(row.id, driver="fake", image="sha256-0", session=None)
    assert again == row
    assert (row.phase, row.warm, row.made_at) == (P.MAKING, True, START)


async def test_only_what_is_being_made_is_parked() -> None:
    bench = Bench()
    row = await bench.begun()
    assert await bench.accounts.leaving(row)
    await bench.accounts.parked(row.id, {"parked": 5})
    assert bench.row(row).phase is P.LEAVING
    assert not await bench.accounts.leaving(row)


async def test_the_first_word_about_a_failure_stays_and_so_does_the_first_end() -> None:
    bench = Bench()
    row = await bench.begun("ses_x")
    await bench.accounts.failed(row.id, "network", "x" * 900)
    await bench.accounts.over(row.id, Outcome.FAILED, "boot", "something later")
    await bench.accounts.over(row.id, Outcome.USED)
    found = bench.row(row)
    assert (found.failed_stage, len(found.cause), found.outcome) == ("network", CAUSE_LIMIT, Outcome.FAILED)
    assert [each.phase for each in bench.told] == [P.MAKING, P.MAKING, P.OVER]


async def test_a_failed_machines_log_is_kept_without_secrets() -> None:
    bench = Bench()
    row = await bench.begun()
    await bench.accounts.over(row.id, Outcome.FAILED, "display", "no X")
    kept = bench.store.logs[row.id]
    assert "opened" in kept
    assert "hunter2" not in kept
    assert "abcdefghijkl" not in kept
    assert "\x1b" not in kept


async def test_a_machine_that_served_leaves_no_log() -> None:
    bench = Bench()
    session = a_session(
        state=SessionState.STOPPING,
        wanted_end=EndReason.IDLE,
        timeline={"accepted": 0, "machine": 9, "ready": 90},
        last_seen_at=START + 1,
    )
    await bench.accounts.begin(session.machine, driver="fake", image="sha256-0", session=session.id)
    await bench.accounts.of_session(session, {"pids": 3})
    found = bench.store.rows[session.machine]
    assert (found.outcome, found.failed_stage, found.usage) == (Outcome.USED, "first_frame", {"pids": 3})
    assert found.stages == {"machine": 9, "ready": 90}
    assert not bench.store.logs


async def test_logs_that_cannot_be_read_do_not_keep_a_machine() -> None:
    bench = Bench()
    bench.logs.broken = True
    row = await bench.begun()
    await bench.accounts.over(row.id, Outcome.LOST, "running", "gone")
    assert bench.row(row).phase is P.OVER


async def test_the_stacks_of_a_crash_outlive_the_machine_and_its_log_comes_below() -> None:
    bench = Bench()
    row = await bench.begun()
    bench.logs.crash = "Fatal Python error: Aborted\n\nCurrent thread 0x01:\nFile peer.py, line 3\n"
    await bench.accounts.service_died(row.id)
    stacks = bench.store.logs[row.id]
    assert stacks.startswith("== last crash ==\nFatal Python error: Aborted\nCurrent thread 0x01:")
    assert "\x1b" not in stacks and "hunter2" not in stacks
    found = bench.row(row)
    assert (found.phase, found.failed_stage, found.cause) == (
        P.MAKING,
        "service",
        "Fatal Python error: Aborted",
    )
    bench.logs.crash = ""
    for _ in range(2):
        await bench.accounts.over(row.id, Outcome.USED)
        assert bench.store.logs[row.id] == f"{stacks}\n\n{LOG}"


async def test_a_machine_that_says_so_again_and_again_has_its_log_read_seldom() -> None:
    bench = Bench()
    row = await bench.begun()
    for _ in range(20):
        await bench.accounts.service_died(row.id)
    assert (bench.logs.reads, bench.store.logs, bench.row(row).failed_stage) == (1, {}, "")
    bench.clock.forward(LOOK_MS)
    bench.logs.broken = True
    await bench.accounts.service_died(row.id)
    assert bench.logs.reads == 2
    bench.logs.broken, bench.logs.crash = False, "Fatal Python error: Aborted\n"
    await bench.accounts.over(row.id, Outcome.USED)
    assert bench.row(row).failed_stage == "service"
    await bench.accounts.service_died(row.id)
    await bench.accounts.service_died(new_id("mch"))
    assert bench.logs.reads == 4


async def test_a_session_that_is_ready_has_a_machine_that_serves() -> None:
    bench = Bench()
    session = a_session(state=SessionState.READY, timeline={"accepted": 0, "ready": 70})
    await bench.accounts.begin(session.machine, driver="fake", image="sha256-0", session=session.id)
    await bench.accounts.session(replace(session, state=SessionState.BOOTING))
    assert bench.store.rows[session.machine].phase is P.MAKING
    await bench.accounts.session(session)
    await bench.accounts.session(session)
    assert bench.store.rows[session.machine].phase is P.READY
    assert bench.store.rows[session.machine].stages == {"ready": 70}


async def test_a_store_that_cannot_serve_is_said_and_nothing_is_lost() -> None:
    bench = Bench()
    row = await bench.begun()
    bench.sessions.broken = True
    with pytest.raises(Unavailable):
        await bench.accounts.over(row.id, Outcome.USED)
    bench.sessions.broken = False
    assert bench.row(row).phase is P.MAKING


async def test_an_unknown_machine_is_no_error() -> None:
    bench = Bench()
    await bench.accounts.over("mch_none", Outcome.USED)
    await bench.accounts.failed("mch_none", "boot", "x")
    assert not bench.told
