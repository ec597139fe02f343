"""The filter, run by an interpreter of classic BPF: every rule for both architectures."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_keeper.seccomp import (
    ALLOW,
    ERRNO,
    GO,
    KILL_PROCESS,
    RETURN,
    AssemblyError,
    Instruction,
    assemble,
    program,
)
from transom_keeper.syscalls import AUDIT_ARCH, HIGHEST, NUMBERS

machines = pytest.mark.parametrize("machine", sorted(NUMBERS))
PROGRAMS = {machine: program(machine) for machine in NUMBERS}


def interpret(code: bytes, data: bytes) -> int:
    """What the kernel would answer for one `struct seccomp_data`."""
    steps = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    accumulator, at = 0, 0
    while True:
        operation, yes, no, k = steps[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, k)
        elif operation == 0x54:
            accumulator &= k
        elif operation == 0x05:
            at += k
        elif operation == 0x06:
            return int(k)
        else:
            met = {0x15: accumulator == k, 0x25: accumulator > k, 0x35: accumulator >= k}[operation]
            at += yes if met else no


def ask(machine: str, number: int, *args: int, arch: int | None = None) -> int:
    values = [each & 0xFFFFFFFFFFFFFFFF for each in (*args, *[0] * (6 - len(args)))]
    return interpret(
        PROGRAMS[machine],
        struct.pack("=IIQ6Q", number, AUDIT_ARCH[machine] if arch is None else arch, 0, *values),
    )


def refused(code: int) -> int:
    return ERRNO | code


@machines
def test_a_foreign_architecture_is_killed(machine: str) -> None:
    for arch in {0x40000003, 0x40000028, *AUDIT_ARCH.values(), 0} - {AUDIT_ARCH[machine]}:
        assert ask(machine, 102, 1, arch=arch) == KILL_PROCESS


@machines
def test_x32_and_calls_nobody_has_thought_about_do_not_exist(machine: str) -> None:
    for number in (0x40000000 + 41, 0x40000000, 0xFFFFFFFF, HIGHEST + 1, 512):
        assert ask(machine, number, 2, 1, 0) == refused(errno.ENOSYS)


@machines
@given(domain=st.integers(0, 2**32 - 1), high=st.integers(0, 2**32 - 1))
def test_only_four_address_families_pass(machine: str, domain: int, high: int) -> None:
    """Whatever the upper half says: the kernel reads an int."""
    for name in ("socket", "socketpair"):
        answer = ask(machine, NUMBERS[machine][name], high << 32 | domain, 1, 0)
        assert answer == (ALLOW if domain in (1, 2, 10, 16) else refused(errno.EAFNOSUPPORT))


@machines
@given(kind=st.integers(0, 2**32 - 1), protocol=st.integers(0, 2**32 - 1))
def test_the_internet_s_common_protocols_pass(machine: str, kind: int, protocol: int) -> None:
    for domain in (2, 10):
        answer = ask(machine, NUMBERS[machine]["socket"], domain, kind, protocol)
        if kind & 0xF not in (1, 2, 3):
            assert answer == refused(errno.ESOCKTNOSUPPORT)
        elif protocol not in (0, 1, 6, 17, 58):
            assert answer == refused(errno.EPROTONOSUPPORT)
        else:
            assert answer == ALLOW


@machines
def test_flags_in_a_socket_s_type_change_nothing(machine: str) -> None:
    cloexec, nonblock = 0o2000000, 0o4000
    for kind in (1, 2, 3):
        assert ask(machine, NUMBERS[machine]["socket"], 2, kind | cloexec | nonblock, 0) == ALLOW
    assert ask(machine, NUMBERS[machine]["socket"], 2, 5 | cloexec, 0) == refused(errno.ESOCKTNOSUPPORT)


@machines
@given(protocol=st.integers(0, 64))
def test_netlink_is_for_routes_and_events(machine: str, protocol: int) -> None:
    answer = ask(machine, NUMBERS[machine]["socket"], 16, 3, protocol)
    assert answer == (ALLOW if protocol in (0, 15) else refused(errno.EPROTONOSUPPORT))


@machines
@pytest.mark.parametrize("name", ["io_uring_setup", "io_uring_enter", "io_uring_register"])
def test_io_uring_does_not_exist(machine: str, name: str) -> None:
    assert ask(machine, NUMBERS[machine][name]) == refused(errno.ENOSYS)


@machines
@pytest.mark.parametrize(
    "name",
    [
        "add_key",
        "keyctl",
        "request_key",
        "bpf",
        "perf_event_open",
        "userfaultfd",
        "kexec_load",
        "mount",
        "fsopen",
    ],
)
def test_back_rooms_are_refused(machine: str, name: str) -> None:
    assert ask(machine, NUMBERS[machine][name], 1, 2, 3) == refused(errno.EPERM)


@machines
def test_typing_into_a_terminal_is_refused_and_other_ioctls_pass(machine: str) -> None:
    ioctl = NUMBERS[machine]["ioctl"]
    for request in (0x5412, 0x541C, 0x1_0000_5412):
        assert ask(machine, ioctl, 0, request) == refused(errno.EPERM)
    assert ask(machine, ioctl, 0, 0x5413) == ALLOW


@pytest.mark.parametrize(
    ("machine", "names"),
    [
        ("x86_64", {"clone": 56, "clone3": 435, "unshare": 272, "execve": 59, "seccomp": 317, "connect": 42}),
        (
            "aarch64",
            {"clone": 220, "clone3": 435, "unshare": 97, "execve": 221, "seccomp": 277, "connect": 203},
        ),
    ],
)
def test_what_a_browser_s_own_sandbox_needs_passes(machine: str, names: dict[str, int]) -> None:
    for number in names.values():
        assert ask(machine, number, 0x10000000) == ALLOW


@machines
@given(number=st.integers(0, HIGHEST))
def test_every_known_call_has_an_answer(machine: str, number: int) -> None:
    answer = ask(machine, number, 1, 1, 0)
    assert answer == ALLOW or answer & 0xFFFF0000 == ERRNO
    if number not in NUMBERS[machine].values():
        assert answer == ALLOW


@machines
def test_the_program_is_one_the_kernel_takes(machine: str) -> None:
    assert len(PROGRAMS[machine]) % 8 == 0
    assert 0 < len(PROGRAMS[machine]) // 8 <= 4096


def test_a_label_that_is_not_there_or_too_far_is_an_error() -> None:
    with pytest.raises(AssemblyError, match="no label"):
        assemble([Instruction(GO, 0, yes="nowhere")])
    far = [Instruction(RETURN, ALLOW) for _ in range(256)]
    with pytest.raises(AssemblyError, match="away"):
        assemble([Instruction(0x15, 1, yes="far"), *far, "far", Instruction(RETURN, ALLOW)])
    with pytest.raises(AssemblyError, match="away"):
        assemble(["back", Instruction(0x15, 1, yes="back")])


def test_an_architecture_without_a_table_is_an_error() -> None:
    with pytest.raises(KeyError):
        program("riscv64")
