from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.keeper_config import config
from transom_guest.vm.config import decode
from transom_keeper.vm.config_drive import DriveConfig, describe, encode_drive
from transom_wire.vm import CONFIG_BYTES, CONFIG_MAGIC, VmConfig

VM = VmConfig("/usr/bin/q", "tcg", "/k", "/i", "/r", 2)
DRIVE = describe(config(vm=VM, program="terminal"), "t" * 32, "0" * 32)


def test_the_guest_reads_what_was_written() -> None:
    read = decode(encode_drive(DRIVE))
    assert {name: getattr(read, name, 1) for name in asdict(DRIVE)} == asdict(DRIVE)
    assert (read.program, read.emulated, read.address) == ("terminal", True, "192.168.100.10")


@given(
    st.from_regex(r"[A-Za-z0-9_-]{16,128}", fullmatch=True),
    st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    st.integers(64, 7680),
    st.booleans(),
)
def test_whatever_a_keeper_may_say_arrives(token: str, machine_id: str, side: int, emulated: bool) -> None:
    said = replace(DRIVE, boot_token=token, machine_id=machine_id, width=side, emulated=emulated)
    read = decode(encode_drive(said))
    assert (read.boot_token, read.machine_id, read.width, read.emulated) == (
        token,
        machine_id,
        side,
        emulated,
    )


def test_a_drive_has_one_size_and_a_mark() -> None:
    drive = encode_drive(DRIVE)
    assert (
        len(drive) == CONFIG_BYTES and drive.startswith(CONFIG_MAGIC) and drive.rstrip(b"\0").endswith(b"}")
    )


def test_nothing_of_the_user_s_is_on_it() -> None:
    told = config(vm=VM, start_url="https://secret.example/x", session="ses_" + "b" * 20)
    assert b"secret" not in encode_drive(describe(told, "t" * 32, "0" * 32))
    assert b"ses_" not in encode_drive(describe(told, "t" * 32, "0" * 32))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        encode_drive(DriveConfig("m" * CONFIG_BYTES, "t", "0", "h", 1, 1, "browser", False))
