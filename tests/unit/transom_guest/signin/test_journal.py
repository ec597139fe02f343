"""What an agent writes down for its successor."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.transom_guest.signin.test_flow import SPEC
from transom_guest.signin.journal import Journal, Memory
from transom_wire.link import SigninStart

MEMORY = Memory(SigninStart("flw_1", SPEC, "key", bytes(32), "who"), 3, "digest", True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "signin.json"


def test_there_and_back_again(path: Path) -> None:
    journal = Journal(path)
    assert journal.read() is None
    journal.write(MEMORY)
    journal.write(MEMORY)
    assert journal.read() == MEMORY
    assert path.stat().st_mode & 0o777 == 0o600
    journal.forget()
    journal.forget()
    assert journal.read() is None


def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    Journal(tmp_path / "missing/signin.json").write(MEMORY)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.sampled_from([b"{}", b'{"start":1}', b"[]", b"null", b'"x"'])))
def test_what_cannot_be_believed_is_nothing(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    assert Journal(path).read() is None


@pytest.mark.parametrize(
    ("good", "bad"), [(b'"serial": 3', b'"serial": -1'), (b'"serial": 3', b'"serial": true'), (b"true", b"1")]
)
def test_a_field_of_another_type_spoils_the_whole(path: Path, good: bytes, bad: bytes) -> None:
    Journal(path).write(MEMORY)
    path.write_bytes(path.read_bytes().replace(good, bad))
    assert Journal(path).read() is None
