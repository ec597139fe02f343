"""The command tree: quick, complete, and polite."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.transom.cli.conftest import Run

REFERENCE = Path(__file__).resolve().parents[4] / "docs/reference/cli.md"
COMMANDS = {
    "serve": (),
    "doctor": (),
    "session": ("list", "show", "create", "stop"),
    "credential": ("list", "pull", "forget"),
    "token": ("list", "create", "remove"),
    "user": ("list", "add", "key", "remove"),
    "image": ("build", "list", "use", "rollback", "remove", "verify"),
    "vault": ("rewrap",),
}
LEAVES = [(group, *([name] if name else [])) for group, names in COMMANDS.items() for name in names or ("",)]


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_explains_itself_and_speaks_json(transom: Run, words: tuple[str, ...]) -> None:
    shown = transom(*words, "--help")
    assert shown.exit_code == 0
    assert "--json" in shown.stdout
    assert "--state" in shown.stdout


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_is_in_the_reference(words: tuple[str, ...]) -> None:
    assert f"`transom {' '.join(words)}" in REFERENCE.read_text()


def test_help_imports_nothing_heavy() -> None:
    heavy = ("sqlalchemy", "fastapi", "httpx", "pydantic", "rich.table", "alembic", "cryptography")
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom transom.cli.main import app\n"
        f"CliRunner().invoke(app, ['--help'])\nprint([m for m in {heavy!r} if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "[]", ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "words",
    [("nonsense",), ("session", "nonsense"), ("session", "show"), ("serve", "--port", "x"), ("user",)],
)
def test_a_wrong_command_line_is_two(transom: Run, words: tuple[str, ...]) -> None:
    assert transom(*words).exit_code == 2


def test_settings_that_cannot_be_are_two_and_not_quoted(
    transom: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSOM_DOOR_PORT_LOW", "s3cret")
    result = transom("serve", "--json")
    assert result.exit_code == 2
    assert "s3cret" not in result.output
    assert json.loads(result.stderr)["error"]["code"] == "settings"


def test_version(transom: Run) -> None:
    result = transom("--version")
    assert result.exit_code == 0
    assert result.stdout.strip()


def test_the_module_runs_and_says_where_a_server_would_be_known(tmp_path: object) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "transom", "session", "list", "--state", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert ran.returncode == 3, ran.stderr
    assert "Traceback" not in ran.stderr
    assert "mend: start one: transom serve" in ran.stderr
