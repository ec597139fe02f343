"""The far end of a machine's TAP without a machine: frames by hand, or a whole Linux network namespace."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from transom_helper import namespaces
from transom_wire.vm import GATEWAY, GUEST, GUEST_MAC, PREFIX, TAP_MAC

VNET_HEADER = bytes(10)
"""struct virtio_net_hdr of a plain frame, before each."""
BROADCAST = "ff:ff:ff:ff:ff:ff"
IPV4, ARP, IPV6, VLAN = 0x0800, 0x0806, 0x86DD, 0x8100


def frame(kind: int, body: bytes, source: str = GUEST_MAC, target: str = TAP_MAC) -> bytes:
    """An Ethernet frame."""
    addresses = bytes.fromhex((target + source).replace(":", ""))
    return addresses + struct.pack("!H", kind) + body


def ip(protocol: int, body: bytes, source: str = GUEST, target: str = GATEWAY, fragment: int = 0) -> bytes:
    """An IPv4 packet with a right checksum; `fragment` is the field of flags and offset."""
    head = struct.pack(
        "!BBHHHBBH4s4s",
        *(0x45, 0, 20 + len(body), 1, fragment, 64, protocol, 0),
        socket.inet_aton(source),
        socket.inet_aton(target),
    )
    return head[:10] + struct.pack("!H", _sum(head)) + head[12:] + body


def udp(port: int, body: bytes = b"hello", source: int = 5000) -> bytes:
    """A UDP datagram without a checksum."""
    return struct.pack("!HHHH", source, port, 8 + len(body), 0) + body


def tcp_syn(port: int, source: str = GUEST, target: str = GATEWAY) -> bytes:
    """A TCP segment that asks for a connection."""
    segment = struct.pack("!HHIIBBHHH", 5000, port, 1, 0, 0x50, 2, 65000, 0, 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!BBH", 0, 6, len(segment))
    return segment[:16] + struct.pack("!H", _sum(pseudo + segment)) + segment[18:]


def arp(operation: int, asks_for: str, mac: str = GUEST_MAC, address: str = GUEST) -> bytes:
    """An ARP packet: 1 asks, 2 answers."""
    sender = bytes.fromhex(mac.replace(":", "")) + socket.inet_aton(address)
    return struct.pack("!HHBBH", 1, IPV4, 6, 4, operation) + sender + bytes(6) + socket.inet_aton(asks_for)


def _sum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def write(tap: int, one: bytes) -> None:
    """Send a frame as the guest."""
    os.write(tap, VNET_HEADER + one)


def read_all(tap: int, seconds: float = 0.15) -> list[bytes]:
    """Every frame that comes back until nothing more does for `seconds`."""
    found = []
    while select.select([tap], [], [], seconds)[0]:
        found.append(os.read(tap, 65536)[len(VNET_HEADER) :])
    return found


@dataclass
class WireGuest:
    """A network namespace behind the TAP, with root in it: what a hostile guest's kernel can do, without one."""

    tap: int
    namespace: int = -1
    back: list[bytes] = field(default_factory=list)
    """Frames that came from the machine's network."""
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self, *command: str, seconds: float = 10) -> subprocess.CompletedProcess[str]:
        """Run a command in it."""

        def inside() -> subprocess.CompletedProcess[str]:
            namespaces.enter(self.namespace, namespaces.CLONE_NEWNET)
            return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)

        return namespaces.apart(inside)

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket in it."""

        def inside() -> socket.socket:
            namespaces.enter(self.namespace, namespaces.CLONE_NEWNET)
            made = socket.socket(family, kind, protocol)
            made.settimeout(10)
            return made

        return namespaces.apart(inside)

    def pump(self, own: int) -> None:
        """Carry frames both ways."""
        while not self._stop.is_set():
            ready, _, _ = select.select([own, self.tap], [], [], 0.05)
            for each in ready:
                with contextlib.suppress(BlockingIOError):
                    data = os.read(each, 65536)
                    if each == self.tap:
                        self.back.append(data[len(VNET_HEADER) :])
                    os.write(own if each == self.tap else self.tap, data)

    def stop(self) -> None:
        """Let go."""
        self._stop.set()

    def settled(self, seconds: float = 0.3) -> list[bytes]:
        """What has come back, once nothing more does."""
        while True:
            count = len(self.back)
            time.sleep(seconds)
            if len(self.back) == count:
                return list(self.back)


@contextlib.contextmanager
def wire_guest(tap: int) -> Iterator[WireGuest]:
    """A guest at the other end of `tap`, with the address it should have."""
    guest = WireGuest(tap)

    def make() -> tuple[int, int]:
        namespaces.unshare(namespaces.CLONE_NEWNET)
        own = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(own, 0x400454CA, struct.pack("16sH22x", b"eth0", 0x0002 | 0x1000 | 0x4000))
        for line in (
            f"link set eth0 address {GUEST_MAC}",
            f"addr add {GUEST}/{PREFIX} dev eth0",
            "link set lo up",
            "link set eth0 up",
        ):
            subprocess.run(["ip", *line.split()], check=True)
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC), own

    guest.namespace, own = namespaces.apart(make)
    pump = threading.Thread(target=guest.pump, args=(own,))
    pump.start()
    try:
        yield guest
    finally:
        guest.stop()
        pump.join()
        os.close(own)
        os.close(guest.namespace)
