"""The TAP of a machine's network."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

import pytest

from transom_helper import interface, namespaces


def apart(work: object) -> object:
    def run() -> object:
        namespaces.unshare(namespaces.CLONE_NEWNET)
        return work()  # type: ignore[operator]

    return namespaces.apart(run)


def test_the_kernel_is_strict_before_there_is_an_interface() -> None:
    def look() -> tuple[str, ...]:
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        interface.settle()
        os.close(interface.make_tap(None) or -1)
        again = interface.make_tap(None)
        names = ("ip_forward", "conf/tap0/rp_filter", "conf/tap0/forwarding", "conf/tap0/accept_redirects")
        found = tuple(Path("/proc/sys/net/ipv4", name).read_text().strip() for name in names)
        six = Path("/proc/sys/net/ipv6/conf/tap0/disable_ipv6")
        os.close(again or -1)
        return (*found, six.read_text().strip() if six.exists() else "1")

    assert apart(look) == ("0", "1", "0", "0", "1")


def test_a_tap_by_descriptor_goes_with_it() -> None:
    def look() -> tuple[str, str]:
        tap = interface.make_tap(None)
        assert tap is not None
        interface.address()
        there = interface.hardware_address()
        os.close(tap)
        return there, interface.hardware_address()

    assert apart(look) == ("06:00:c0:a8:64:01", "")


def test_a_tap_by_name_is_its_owner_s() -> None:
    """As Firecracker opens it: by name, as a user without rights."""
    request = struct.pack("16sH22x", b"tap0", 0x0002 | 0x1000 | 0x4000)

    def open_as(uid: int) -> int:
        child = os.fork()
        if child == 0:
            descriptor = os.open("/dev/net/tun", os.O_RDWR)
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            try:
                fcntl.ioctl(descriptor, 0x400454CA, request)
            except OSError:
                os._exit(1)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def look() -> tuple[object, ...]:
        made = interface.make_tap(64_001)
        return made, open_as(64_001), open_as(64_002), open_as(64_001)

    assert apart(look) == (None, 0, 1, 0)


def test_without_a_tap_there_is_no_address() -> None:
    with pytest.raises(OSError):
        apart(interface.address)
