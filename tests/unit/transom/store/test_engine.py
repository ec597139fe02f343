"""URLs of databases, and the file of one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.model.errors import Invalid
from transom.store.engine import in_memory, prepare_file, read_url


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("sqlite:///x.db", "sqlite+pysqlite"),
        ("sqlite://", "sqlite+pysqlite"),
        ("postgresql://u:p@h/d", "postgresql+psycopg"),
        ("postgresql+psycopg2://u:p@h/d", "postgresql+psycopg"),
        ("postgres://h/d", "postgresql+psycopg"),
    ],
)
def test_the_driver_is_filled_in(text: str, driver: str) -> None:
    assert read_url(text).drivername == driver


@pytest.mark.parametrize("text", ["", "nonsense", "mysql://u:s3cret@h/d", "postgresql://u:s3cret@h:port/d"])
def test_what_cannot_be_used_is_refused_without_quoting(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_url(text)
    assert "s3cret" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        read_url(text)
    except Invalid:
        return


def test_memory_is_told_from_files() -> None:
    assert in_memory(read_url("sqlite://"))
    assert in_memory(read_url("sqlite:///:memory:"))
    assert not in_memory(read_url("sqlite:///x.db"))
    assert not in_memory(read_url("postgresql://h/d"))


def test_a_new_file_is_private_from_its_first_moment(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.db"
    prepare_file(read_url(f"sqlite:///{path}"))
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"kept")
    path.chmod(0o666)
    prepare_file(read_url(f"sqlite:///{path}"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == b"kept"
