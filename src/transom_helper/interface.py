"""The TAP of a machine's network, by ioctl: netdevice(7), arp(7), the kernel's networking/tuntap.rst.

Everything here acts on the network namespace of the calling thread. Raises OSError.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
from pathlib import Path

from transom_wire.vm import GATEWAY, GUEST, GUEST_MAC, PREFIX, TAP, TAP_MAC

TUN = "/dev/net/tun"
_TUNSETIFF, _TUNSETPERSIST, _TUNSETOWNER = 0x400454CA, 0x400454CB, 0x400454CC
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
_SIOCGIFHWADDR, _SIOCSIFHWADDR = 0x8927, 0x8924
_SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCSIFFLAGS, _SIOCSARP = 0x8916, 0x891C, 0x8914, 0x8955
_ARPHRD_ETHER = 1
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_ATF_COM, _ATF_PERM = 0x02, 0x04

_IPV4 = {
    "all/forwarding": 0,
    "default/forwarding": 0,
    "all/rp_filter": 1,
    "default/rp_filter": 1,
    "all/accept_redirects": 0,
    "default/accept_redirects": 0,
    "default/secure_redirects": 0,
    "all/send_redirects": 0,
    "default/send_redirects": 0,
    "all/accept_source_route": 0,
    "default/accept_source_route": 0,
    "all/route_localnet": 0,
    "all/proxy_arp": 0,
    "all/accept_local": 0,
    "all/arp_ignore": 2,
    "all/arp_announce": 2,
    "all/arp_accept": 0,
}
"""Set one by one: a new namespace may take the host's own values over (net.core.devconf_inherit_init_net)."""


def settle() -> None:
    """Forwarding off, strict about addresses, no IPv6: before there is any interface."""
    net = Path("/proc/sys/net")
    (net / "ipv4/ip_forward").write_text("0")
    for name, value in _IPV4.items():
        (net / "ipv4/conf" / name).write_text(str(value))
    if (net / "ipv6").is_dir():
        for name in ("all", "default"):
            (net / f"ipv6/conf/{name}/disable_ipv6").write_text("1")


def make_tap(owner: int | None) -> int | None:
    """Make the TAP. `owner` None: return it as a descriptor, and it goes with that. Else it stays in the
    namespace for the user `owner` to open by name."""
    descriptor = os.open(TUN, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, descriptor)
        flags = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", TAP.encode(), flags))
        if owner is None:
            undo.pop_all()
            return descriptor
        fcntl.ioctl(descriptor, _TUNSETOWNER, owner)
        fcntl.ioctl(descriptor, _TUNSETPERSIST, 1)
        return None


def address() -> None:
    """The TAP's fixed hardware address and address; up, with the guest as its one lasting neighbour."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _set(control, _SIOCSIFHWADDR, struct.pack("H6s8x", _ARPHRD_ETHER, _mac(TAP_MAC)))
        _set(control, _SIOCSIFADDR, _inet(GATEWAY))
        mask = socket.inet_ntoa(struct.pack("!I", 2**32 - 2 ** (32 - PREFIX)))
        _set(control, _SIOCSIFNETMASK, _inet(mask))
        _set(control, _SIOCSIFFLAGS, struct.pack("H14x", _IFF_UP | _IFF_RUNNING))
        entry = _inet(GUEST) + struct.pack("H6s8x", _ARPHRD_ETHER, _mac(GUEST_MAC))
        entry += struct.pack("i16s16s", _ATF_PERM | _ATF_COM, b"", TAP.encode())
        fcntl.ioctl(control, _SIOCSARP, entry)


def hardware_address() -> str:
    """The TAP's, such as `06:00:c0:a8:64:01`; empty when there is no TAP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        try:
            got = fcntl.ioctl(control, _SIOCGIFHWADDR, struct.pack("16s24x", TAP.encode()))
        except OSError:
            return ""
    return got[18:24].hex(":")


def _set(control: socket.socket, request: int, value: bytes) -> None:
    fcntl.ioctl(control, request, struct.pack("16s", TAP.encode()) + value + bytes(8))


def _inet(text: str) -> bytes:
    return struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(text))


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))
