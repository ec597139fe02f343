"""Settings: from the environment, checked, each with its sentence."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest
from pydantic import ValidationError

from transom import settings as module
from transom import settings_stream as stream_module
from transom.settings import Settings


def test_lists_are_written_with_commas_or_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSOM_ALLOWED_ORIGINS", "https://a.example, https://b.example")
    monkeypatch.setenv("TRANSOM_PROVIDERS_DIRS", '["/one", "/two"]')
    monkeypatch.setenv("TRANSOM_IMAGES", "/images")
    read = Settings()
    assert read.allowed_origins == ("https://a.example", "https://b.example")
    assert read.providers_dirs == (Path("/one"), Path("/two"))
    assert read.images_dir == Path("/images")


def test_what_follows_from_the_state_folder() -> None:
    read = Settings(state=Path("/s"), public_url="https://desk.example/transom")
    assert read.database_url == "sqlite:////s/transom.db"
    assert (read.machines, read.kek, read.client_file) == (
        Path("/s/machines"),
        Path("/s/kek"),
        Path("/s/client.json"),
    )
    assert read.origins == ("https://desk.example",)
    assert read.limits.memory_bytes == 2048 * 2**20


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 70000},
        {"failed_keep_seconds": 3601},
        {"door_port_low": 50000, "door_port_high": 49000},
        {"door_port_low": 50000, "door_port_high": 50001},
        {"turn_urls": ("turn:t.example",)},
        {"exit": "tor"},
        {"width": 7680, "height": 4320},
        {"surprise": 1},
    ],
)
def test_what_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)  # type: ignore[arg-type]


def test_every_setting_says_what_it_is() -> None:
    trees = [ast.parse(Path(part.__file__).read_text()) for part in (module, stream_module)]
    bodies = [node.body for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    described = {
        node.target.id
        for body in bodies
        for node, following in itertools.pairwise(body)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(following, ast.Expr)
        and isinstance(following.value, ast.Constant)
    }
    assert described == set(Settings.model_fields)
