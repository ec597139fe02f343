"""Migrations: known, in order, and looked at without being run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from transom.model.errors import Invalid, Unavailable
from transom.store.database import Store
from transom.store.schema import HEAD, KNOWN, MIGRATIONS, inspect


def test_the_list_in_the_code_is_the_folder() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == KNOWN
    assert KNOWN[-1] == HEAD


async def test_a_look_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'transom.db'}"
    assert inspect(url) == "new"
    assert not list(tmp_path.iterdir())
    store = Store(url)
    await store.open()
    await store.close()
    assert inspect(url) == "current"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(Unavailable, match="newer version"):
        inspect(url)
    with pytest.raises(Invalid):
        inspect("mysql://x")


async def test_a_current_database_opens_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'transom.db'}"
    store = Store(url)
    await store.open()
    await store.close()
    code = (
        "import asyncio, sys; from transom.store.database import Store\n"
        f"s = Store({url!r}); asyncio.run(s.open()); print('alembic' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "False", ran.stderr
