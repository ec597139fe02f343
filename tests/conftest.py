"""Settings of every test."""

from __future__ import annotations

import pytest
from hypothesis import settings

# a busy machine makes any example slow; what may not be slow is measured in its own test
settings.register_profile("transom", deadline=None)
settings.load_profile("transom")

SHORT = 16
"""Bytes that are legible in a test's name."""


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Longer ones have the parameter's name, and a number where there are several: some hold random numbers or the
    time, and a test has one name, in every process that runs some of them and the next time."""
    return argname if isinstance(val, bytes) and len(val) > SHORT else None
