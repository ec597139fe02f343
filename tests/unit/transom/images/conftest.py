from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.transom.images.recipes import plain_path, write_host_tools, write_recipe, write_root
from transom.images.store import ImageStore


@dataclass(frozen=True)
class Workshop:
    """A recipe, a store, and a host whose outside programs are stand-ins."""

    recipe: Path
    store: ImageStore
    tools: Path


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    tools = write_host_tools(tmp_path / "host", write_root(tmp_path / "debian"))
    monkeypatch.setenv("PATH", plain_path(tools))
    monkeypatch.setattr("transom.images.build.SPACE", 0)
    return Workshop(write_recipe(tmp_path / "recipe"), ImageStore(tmp_path / "images"), tools)
