from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.vm.config import DRIVE_BYTES, MAGIC, ConfigError, MachineConfig, decode
from transom_wire import vm

GOOD: dict[str, Any] = {
    "version": 1,
    "machine": "mch_a",
    "boot_token": "t" * 43,
    "machine_id": "a" * 32,
    "hostname": "transom",
    "width": 1280,
    "height": 720,
    "program": "terminal",
    "emulated": True,
    "address": vm.GUEST,
    "gateway": vm.GATEWAY,
}


def drive(**changes: Any) -> bytes:
    body = {name: value for name, value in {**GOOD, **changes}.items() if value is not ...}
    return (MAGIC + json.dumps(body).encode()).ljust(DRIVE_BYTES, b"\0")


def test_the_drive_has_the_shape_the_wire_names() -> None:
    assert (MAGIC, DRIVE_BYTES) == (vm.CONFIG_MAGIC, vm.CONFIG_BYTES)


def test_a_whole_drive_is_read() -> None:
    found = decode(drive())
    assert {name: getattr(found, name) for name in vars(found)} == {
        name: value for name, value in GOOD.items() if name != "version"
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"version": True},
        {"version": ...},
        {"machine": ""},
        {"machine": "../x"},
        {"boot_token": "short"},
        {"boot_token": "t" * 129},
        {"boot_token": "tttttttttttttttttttt\n"},
        {"machine_id": "A" * 32},
        {"machine_id": "a" * 33},
        {"hostname": "-a"},
        {"hostname": "a;reboot"},
        {"hostname": "a" * 64},
        {"width": 63},
        {"width": 10**9},
        {"height": True},
        {"height": "720"},
        {"program": "bash"},
        {"emulated": 1},
        {"address": "192.168.100.256"},
        {"address": "192.168.100.10 "},
        {"gateway": "::1"},
        {"gateway": None},
        {"gateway": ...},
        {"seed": "x"},
    ],
)
def test_whatever_is_not_right_is_refused_without_being_quoted(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        decode(drive(**changes))
    assert not any(len(str(value)) > 8 and str(value) in str(caught.value) for value in changes.values())


@pytest.mark.parametrize(
    "content", [b"", MAGIC, MAGIC[:-1], b"x" + drive(), drive() + b"\0", MAGIC + b"[" * 60_000, MAGIC + b"[]"]
)
def test_what_is_no_drive(content: bytes) -> None:
    with pytest.raises(ConfigError):
        decode(content)


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_a_configuration_or_refused(content: bytes, magic: bool) -> None:
    try:
        found = decode(MAGIC + content if magic else content)
    except ConfigError:
        return
    assert isinstance(found, MachineConfig)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40), st.lists(st.none())
)


@given(st.sampled_from(sorted(GOOD)), VALUES)
def test_a_field_of_any_value_is_refused_or_within_its_limits(name: str, value: Any) -> None:
    try:
        found = decode(drive(**{name: value}))
    except ConfigError:
        return
    assert 64 <= found.width <= 7680 and 64 <= found.height <= 7680
    assert found.program in ("browser", "terminal") and isinstance(found.emulated, bool)
    assert all(
        each.isascii() and "\n" not in each for each in (found.machine, found.hostname, found.boot_token)
    )
