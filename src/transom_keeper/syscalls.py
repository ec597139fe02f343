"""Which system calls the sandbox refuses, by number for each architecture, and with which error.

Sources: the kernel's `unistd_64.h` (x86_64) and `asm-generic/unistd.h` (aarch64). From 424 on both
tables are one.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

_COMMON = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "open_tree_attr": 467,
}

NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        **_COMMON,
        "ioctl": 16,
        "socket": 41,
        "socketpair": 53,
        "syslog": 103,
        "uselib": 134,
        "vhangup": 153,
        "modify_ldt": 154,
        "pivot_root": 155,
        "acct": 163,
        "settimeofday": 164,
        "mount": 165,
        "umount2": 166,
        "swapon": 167,
        "swapoff": 168,
        "reboot": 169,
        "iopl": 172,
        "ioperm": 173,
        "init_module": 175,
        "delete_module": 176,
        "quotactl": 179,
        "nfsservctl": 180,
        "lookup_dcookie": 212,
        "clock_settime": 227,
        "kexec_load": 246,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "migrate_pages": 256,
        "move_pages": 279,
        "perf_event_open": 298,
        "fanotify_init": 300,
        "fanotify_mark": 301,
        "name_to_handle_at": 303,
        "open_by_handle_at": 304,
        "finit_module": 313,
        "kexec_file_load": 320,
        "bpf": 321,
        "userfaultfd": 323,
    },
    "aarch64": {
        **_COMMON,
        "lookup_dcookie": 18,
        "ioctl": 29,
        "umount2": 39,
        "mount": 40,
        "pivot_root": 41,
        "nfsservctl": 42,
        "vhangup": 58,
        "quotactl": 60,
        "acct": 89,
        "kexec_load": 104,
        "init_module": 105,
        "delete_module": 106,
        "clock_settime": 112,
        "syslog": 116,
        "reboot": 142,
        "settimeofday": 170,
        "socket": 198,
        "socketpair": 199,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "swapon": 224,
        "swapoff": 225,
        "migrate_pages": 238,
        "move_pages": 239,
        "perf_event_open": 241,
        "fanotify_init": 262,
        "fanotify_mark": 263,
        "name_to_handle_at": 264,
        "open_by_handle_at": 265,
        "finit_module": 273,
        "bpf": 280,
        "userfaultfd": 282,
        "kexec_file_load": 294,
    },
}

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

HIGHEST = 469
"""`file_setattr`, Linux 6.17. A call that came later has not been thought about: ENOSYS."""

_ABSENT = (
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "uselib",
    "nfsservctl",
    "lookup_dcookie",
    "fanotify_init",
    "fanotify_mark",
)
"""Answered ENOSYS, as by a kernel built without them. io_uring makes sockets that no filter sees."""

_LOOKED_INTO = ("ioctl", "socket", "socketpair")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One system call that never succeeds."""

    number: int
    errno: int


def refusals(machine: str) -> tuple[Refusal, ...]:
    """Every call refused whatever its arguments. Mounts too: only user namespaces made inside could, and
    file systems are where those have hurt the kernel most; Chromium's sandbox needs none."""
    return tuple(
        Refusal(number, errno.ENOSYS if name in _ABSENT else errno.EPERM)
        for name, number in sorted(NUMBERS[machine].items())
        if name not in _LOOKED_INTO
    )
