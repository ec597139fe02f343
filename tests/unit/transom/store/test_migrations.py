"""A database of an earlier version is brought up, and nothing that lives is lost on the way."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from transom.model.machine import MachinePhase, Outcome
from transom.store.database import Store
from transom.store.schema import MIGRATIONS


def at_revision(path: Path, revision: str) -> str:
    url = f"sqlite:///{path}"
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    return url


async def test_sessions_keep_the_machines_they_had(tmp_path: Path) -> None:
    path = tmp_path / "transom.db"
    url = at_revision(path, "0001")
    with sqlite3.connect(path) as old:
        for slot, (name, state, kept) in enumerate(
            [("a", "ready", None), ("b", "booting", None), ("c", "failed", 9), ("d", "ended", None)]
        ):
            old.execute(
                "INSERT INTO sessions VALUES (?, 'usr_x', NULL, ?, 'namespace', 'sha256-0', 1, 2, 99, 60, 3,"
                " 640, 480, 'about:blank', ?, NULL, NULL, '', 5, ?, '{}', 'null', '[]')",
                (f"ses_{name * 20}", state, slot, kept),
            )
    old.close()
    store = Store(url)
    await store.open()
    try:
        sessions = {session.id: session for session in await store.list_sessions()}
        assert sessions["ses_" + "a" * 20].machine == "mch_" + "a" * 20
        assert (sessions["ses_" + "d" * 20].pooled, sessions["ses_" + "d" * 20].attempt) == (False, 1)
        rows = {row.id: row for row in await store.list_machines(living=False)}
        assert {row.id: (row.slot, row.phase, row.session) for row in rows.values()} == {
            "mch_" + "a" * 20: (0, MachinePhase.READY, "ses_" + "a" * 20),
            "mch_" + "b" * 20: (1, MachinePhase.MAKING, "ses_" + "b" * 20),
            "mch_" + "c" * 20: (2, MachinePhase.OVER, "ses_" + "c" * 20),
        }
        assert rows["mch_" + "c" * 20].outcome is Outcome.FAILED
    finally:
        await store.close()
