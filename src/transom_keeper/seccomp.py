"""The sandbox's system-call filter, as classic BPF for `bwrap --seccomp`. Pure.

The filter closes what namespaces leave open: address families that are not namespaced (AF_VSOCK), the
kernel's rarely used protocols, io_uring, keys, bpf. User namespaces stay, because Chromium's own sandbox is
made of them.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass

from transom_keeper.syscalls import AUDIT_ARCH, HIGHEST, NUMBERS, refusals

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
ERRNO = 0x00050000

LOAD_WORD, AND, RETURN, GO = 0x20, 0x54, 0x06, 0x05
EQUAL, GREATER_EQUAL, GREATER = 0x15, 0x35, 0x25
_JUMPS = (EQUAL, GREATER_EQUAL, GREATER)

NR_OFFSET, ARCH_OFFSET, ARGS_OFFSET = 0, 4, 16
X32_BIT = 0x40000000

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
SOCK_TYPE_MASK = 0xF
STREAM, DGRAM, RAW = 1, 2, 3
INET_PROTOCOLS = (0, 1, 6, 17, 58)
"""Default, ICMP, TCP, UDP, ICMPv6: the rest (SCTP, DCCP, MPTCP, SMC) would load rarely tried modules."""
NETLINK_PROTOCOLS = (0, 15)
"""Route and uevent, which libraries ask at start; netfilter, xfrm and the others stay shut."""
TIOCSTI, TIOCLINUX = 0x5412, 0x541C


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; a jump names the labels it goes to, `` for the next instruction."""

    code: int
    k: int
    yes: str = ""
    no: str = ""


Line = Instruction | str
"""A program's text: instructions, and labels before the instruction they name."""


class AssemblyError(ValueError):
    """A label that does not exist, or is too far for an 8-bit jump."""


def assemble(lines: list[Line]) -> bytes:
    """Return the program as `struct sock_filter[]`. Raises AssemblyError."""
    places: dict[str, int] = {}
    program: list[Instruction] = []
    for line in lines:
        if isinstance(line, str):
            places[line] = len(program)
        else:
            program.append(line)
    return b"".join(_pack(at, each, places) for at, each in enumerate(program))


def _pack(at: int, each: Instruction, places: dict[str, int]) -> bytes:
    if each.code == GO:
        return struct.pack("=HBBI", GO, 0, 0, _distance(at, each.yes, places))
    if each.code not in _JUMPS:
        return struct.pack("=HBBI", each.code, 0, 0, each.k)
    return struct.pack(
        "=HBBI", each.code, _distance(at, each.yes, places), _distance(at, each.no, places), each.k
    )


def _distance(at: int, label: str, places: dict[str, int]) -> int:
    if not label:
        return 0
    try:
        distance = places[label] - at - 1
    except KeyError as error:
        raise AssemblyError(f"no label {label}") from error
    if not 0 <= distance <= 255:
        raise AssemblyError(f"label {label} is {distance} instructions away")
    return distance


def _argument(index: int) -> Instruction:
    """Load the low half of an argument: the kernel looks at an int's 32 bits only, and so must the filter."""
    return Instruction(LOAD_WORD, ARGS_OFFSET + 8 * index)


def _refuse(code: int) -> Instruction:
    return Instruction(RETURN, ERRNO | code)


def _one_of(values: tuple[int, ...], then: str) -> list[Line]:
    return [Instruction(EQUAL, value, yes=then) for value in values]


def _preamble(machine: str) -> list[Line]:
    """Another architecture (int 0x80 with its socketcall) dies; x32 and calls not yet thought of: ENOSYS."""
    return [
        Instruction(LOAD_WORD, ARCH_OFFSET),
        Instruction(EQUAL, AUDIT_ARCH[machine], yes="native"),
        Instruction(RETURN, KILL_PROCESS),
        "native",
        Instruction(LOAD_WORD, NR_OFFSET),
        Instruction(GREATER_EQUAL, X32_BIT, no="not x32"),
        _refuse(errno.ENOSYS),
        "not x32",
        Instruction(GREATER, HIGHEST, no="known"),
        _refuse(errno.ENOSYS),
        "known",
    ]


def _looked_into(machine: str) -> list[Line]:
    numbers = NUMBERS[machine]
    return [
        Instruction(EQUAL, numbers["ioctl"], yes="ioctl"),
        Instruction(EQUAL, numbers["socket"], yes="socket"),
        Instruction(EQUAL, numbers["socketpair"], yes="socket"),
        Instruction(GO, 0, yes="denied"),
        "ioctl",
        _argument(1),
        *_one_of((TIOCSTI, TIOCLINUX), "typing"),
        Instruction(RETURN, ALLOW),
        "typing",
        _refuse(errno.EPERM),
    ]


def _sockets() -> list[Line]:
    return [
        "socket",
        _argument(0),
        *_one_of((AF_UNIX,), "allow"),
        *_one_of((AF_INET, AF_INET6), "inet"),
        *_one_of((AF_NETLINK,), "netlink"),
        _refuse(errno.EAFNOSUPPORT),
        "inet",
        _argument(1),
        Instruction(AND, SOCK_TYPE_MASK),
        *_one_of((STREAM, DGRAM, RAW), "inet protocol"),
        _refuse(errno.ESOCKTNOSUPPORT),
        "inet protocol",
        _argument(2),
        *_one_of(INET_PROTOCOLS, "allow"),
        _refuse(errno.EPROTONOSUPPORT),
        "netlink",
        _argument(2),
        *_one_of(NETLINK_PROTOCOLS, "allow"),
        _refuse(errno.EPROTONOSUPPORT),
        "allow",
        Instruction(RETURN, ALLOW),
    ]


def _denied(machine: str) -> list[Line]:
    lines: list[Line] = ["denied"]
    for each in refusals(machine):
        label = f"after {each.number}"
        lines += [Instruction(EQUAL, each.number, no=label), _refuse(each.errno), label]
    return [*lines, Instruction(RETURN, ALLOW)]


def program(machine: str) -> bytes:
    """Return the filter for `machine` (as `platform.machine()` names it). Raises KeyError for one unknown."""
    return assemble([*_preamble(machine), *_looked_into(machine), *_sockets(), *_denied(machine)])
