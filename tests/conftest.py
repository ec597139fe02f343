"""Settings of every test."""

from __future__ import annotations

from hypothesis import settings

# a busy machine makes any example slow; what may not be slow is measured in its own test
settings.register_profile("transom", deadline=None)
settings.load_profile("transom")
