from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.vm import identity as module
from transom_guest.vm.config import ConfigError
from transom_guest.vm.identity import (
    LINE_LIMIT,
    RNDADDENTROPY,
    RNDRESEEDCRNG,
    Self,
    decode,
    encode,
    write_names,
)

SELF = Self(bytes(range(64)), 1_700_000_000_123, "b" * 32, "desk-1")


def line(**changes: Any) -> bytes:
    body = {**json.loads(encode(SELF)), **changes}
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode() + b"\n"


def test_what_is_asked_arrives() -> None:
    assert vars(decode(encode(SELF))) == vars(SELF)
    assert len(encode(Self(bytes(64), 2**53 - 1, "b" * 32, "h" * 63))) < LINE_LIMIT


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": "00" * 31},
        {"seed": "00" * 65},
        {"seed": "0" * 65},
        {"seed": "zz" * 32},
        {"seed": None},
        {"now": -1},
        {"now": 1.5},
        {"now": 2**53},
        {"machine_id": "b" * 31},
        {"hostname": "a\nb"},
        {"hostname": ""},
        {"hostname": ...},
        {"command": "reboot"},
    ],
)
def test_a_request_that_is_not_right_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        decode(line(**changes))


@given(st.binary(max_size=1200))
def test_any_bytes_are_refused_or_a_self(data: bytes) -> None:
    try:
        found = decode(data)
    except ConfigError:
        return
    assert 32 <= len(found.seed) <= 64


def test_names_appear_whole_and_readable(tmp_path: Path) -> None:
    for folder in ("etc", "var/lib/dbus"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc" / "machine-id").write_text("old\n")
    (tmp_path / "var/lib/dbus/machine-id").symlink_to("/etc/machine-id")
    write_names("b" * 32, "desk", f"{tmp_path}/")
    assert (tmp_path / "etc/machine-id").read_text() == "b" * 32 + "\n"
    assert (tmp_path / "var/lib/dbus/machine-id").read_text() == "b" * 32 + "\n"
    assert not (tmp_path / "var/lib/dbus/machine-id").is_symlink()
    assert (tmp_path / "etc/hostname").read_text() == "desk\n"
    assert "127.0.0.1 localhost desk" in (tmp_path / "etc/hosts").read_text()
    assert (tmp_path / "etc/machine-id").stat().st_mode & 0o777 == 0o644
    assert not list(tmp_path.rglob("*.new"))


def test_the_kernel_is_told_of_the_seed_with_credit_and_then_reseeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, bytes]] = []
    monkeypatch.setattr(module.fcntl, "ioctl", lambda _fd, number, data=b"": calls.append((number, data)))
    (tmp_path / "urandom").touch()
    module.reseed(b"s" * 62, str(tmp_path / "urandom"))
    (first, data), (second, _) = calls
    assert (first, second) == (RNDADDENTROPY, RNDRESEEDCRNG)
    assert struct.unpack_from("ii", data) == (62 * 8, 64) and data[8:] == b"s" * 62 + bytes(2)


def test_random_numbers_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(module, "reseed", lambda _seed: order.append("seed"))
    monkeypatch.setattr(module.time, "clock_settime", lambda _clock, at: order.append(f"clock {at}"))
    monkeypatch.setattr(module, "write_names", lambda *names: order.append(" ".join(names)))
    monkeypatch.setattr("builtins.open", lambda *_: os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    module.take(SELF)
    assert order == ["seed", "clock 1700000000.123", f"{'b' * 32} desk-1"]
