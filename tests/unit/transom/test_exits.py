"""What the settings say of exits."""

from __future__ import annotations

from pathlib import Path

import pytest

from transom.exits import named_by, own_name, terms, webhook
from transom.model.clock import now_ms
from transom.model.errors import Invalid
from transom.settings import Settings
from transom_wire.exit import HostRule


def test_exits_of_the_environment_and_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "exits.txt"
    file.write_text("# mine\nhttp://u:hunter2@b.example:{1..2}\n")
    monkeypatch.setenv("TRANSOM_EXITS", "http://u:hunter2@a.example:1,socks5://a.example")
    settings = Settings(state=tmp_path, exits_file=file)
    assert [(each.host, each.port) for each in named_by(settings)] == [
        ("a.example", 1),
        ("a.example", 1080),
        ("b.example", 1),
        ("b.example", 2),
    ]
    assert "hunter2" not in repr(settings)


def test_a_file_that_is_wrong_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "exits.txt"
    file.write_text("http://a.example\nftp://u:hunter2@b.example\n")
    with pytest.raises(Invalid, match="line 2") as refused:
        named_by(Settings(state=tmp_path, exits_file=file))
    assert str(file) in refused.value.message
    assert "hunter2" not in refused.value.message
    with pytest.raises(Invalid, match="cannot be read"):
        named_by(Settings(state=tmp_path, exits_file=tmp_path / "missing"))
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match="not text"):
        named_by(Settings(state=tmp_path, exits_file=file))


def test_the_controller_s_own_name_is_denied_to_every_machine(tmp_path: Path) -> None:
    assert own_name(None) == ()
    assert own_name("https://Desk.example.org:8443/x") == (HostRule("desk.example.org"),)
    assert own_name("http://[2001:db8::1]:4000") == (HostRule("2001:db8::1"),)
    found = terms(Settings(state=tmp_path, public_url="https://desk.example.org"))
    assert found.always.deny == (HostRule("desk.example.org"),)


def test_a_webhook_needs_its_secret(tmp_path: Path) -> None:
    assert webhook(Settings(state=tmp_path), now_ms) is None
    with pytest.raises(ValueError, match="secret_file"):
        Settings(state=tmp_path, alert_webhook_url="https://hook.example/")
    secret = tmp_path / "secret"
    secret.write_bytes(b"0123456789abcdef")
    secret.chmod(0o600)
    made = webhook(
        Settings(state=tmp_path, alert_webhook_url="https://hook.example/", alert_webhook_secret_file=secret),
        now_ms,
    )
    assert made is not None
