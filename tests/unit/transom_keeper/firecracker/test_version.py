"""Which versions of Firecracker a machine may run under."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_keeper.firecracker.version import CLOCK_REALTIME, Version, allowed, parse, wanted

SAID = """Firecracker v1.14.4

2026-04-07T22:00:00 [anonymous-instance:main] Firecracker exiting successfully. exit_code=0
"""


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (SAID, Version(1, 14, 4)),
        ("1.15.1", Version(1, 15, 1)),
        ("v1.17.0-dev", Version(1, 17, 0, released=False)),
        ("Firecracker v1.15.1-dirty", Version(1, 15, 1, released=False)),
        ("Firecracker", None),
        ("", None),
        ("1.15", None),
    ],
)
def test_reads_what_a_binary_says(text: str, version: Version | None) -> None:
    assert parse(text) == version


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("0.25.0", False),
        ("1.13.1", False),
        ("1.14.3", False),
        ("1.14.4-rc1", False),
        ("1.14.4", True),
        ("1.14.12", True),
        ("1.15.0", False),
        ("1.15.1-dirty", False),
        ("1.15.1", True),
        ("1.16.0-dev", True),
        ("1.16.1", True),
        ("2.0.0", True),
    ],
)
def test_what_has_a_known_hole_is_refused(text: str, fine: bool) -> None:
    version = parse(text)
    assert version is not None
    assert allowed(version) is fine


def test_one_that_is_no_release_comes_before_its_release() -> None:
    assert Version(1, 16, 0, released=False) < CLOCK_REALTIME < Version(1, 16, 1, released=False)
    assert str(Version(1, 16, 0, released=False)) == "1.16.0 (not a release)"


def test_the_words_name_both_floors() -> None:
    assert wanted() == "at least 1.14.4 or 1.15.1"


@given(st.text())
def test_any_text_is_read_or_is_none(text: str) -> None:
    version = parse(text)
    assert version is None or isinstance(allowed(version), bool)
