"""A machine's network by packets: what a guest may say, and that everything else is dropped, and counted."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support import wire_guest as far
from tests.support.helper_lab import (
    HelperLab,
    drops,
    eventually,
    gone,
    helper,
    inside,
    number_of,
)
from tests.support.wire_guest import (
    ARP,
    IPV4,
    IPV6,
    VLAN,
    WireGuest,
    arp,
    frame,
    ip,
    tcp_syn,
    udp,
    wire_guest,
)
from transom_helper import living
from transom_keeper.helper import MachineNetwork
from transom_wire.vm import GATEWAY, GUEST, GUEST_MAC, TAP_MAC

pytestmark = pytest.mark.alone

OWNER, DOORS = 64_001, 3
OTHER_MAC = "06:00:c0:a8:64:0b"


@pytest.fixture(scope="module")
def lab() -> Iterator[HelperLab]:
    with helper() as running:
        yield running


@pytest.fixture
def network(lab: HelperLab) -> Iterator[MachineNetwork]:
    made = lab.client().network("mch_net", OWNER, DOORS, open_tap=True)
    yield made
    made.close()


def tap_of(network: MachineNetwork) -> int:
    assert network.tap is not None
    return network.tap


def test_link_and_forwarder_are_reached(network: MachineNetwork) -> None:
    with wire_guest(tap_of(network)) as guest:
        for listener, port in ((network.sockets.link, 4001), (network.sockets.forwarder, 3128)):
            listener.settimeout(10)
            with guest.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
                client.connect((GATEWAY, port))
                accepted, (address, _) = listener.accept()
                with accepted:
                    assert address == GUEST
                    client.sendall(b"x" * 100_000)
                    got = 0
                    while got < 100_000:
                        got += len(accepted.recv(65536))
                    accepted.sendall(b"back")
                    assert client.recv(10) == b"back"
    assert drops(network)["out"] == drops(network)["in"] == 0


def test_a_door_works_both_ways(network: MachineNetwork) -> None:
    with wire_guest(tap_of(network)) as guest, guest.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.bind((GUEST, 40_000))
        for door in network.sockets.door:
            door.settimeout(10)
            door.sendto(b"check", (GUEST, 40_000))
            assert agent.recvfrom(100) == (b"check", door.getsockname())
            agent.sendto(b"answer", door.getsockname())
            assert door.recvfrom(100) == (b"answer", (GUEST, 40_000))


HOSTILE = [
    ("another port, TCP", frame(IPV4, ip(6, tcp_syn(22))), "other"),
    ("another port, UDP", frame(IPV4, ip(17, udp(53))), "other"),
    ("past the last door", frame(IPV4, ip(17, udp(4100 + DOORS))), "other"),
    ("ICMP to the gateway", frame(IPV4, ip(1, b"\x08\x00\xf7\xff" + bytes(4))), "other"),
    ("the internet, TCP", frame(IPV4, ip(6, tcp_syn(3128, target="1.1.1.1"), target="1.1.1.1")), "other"),
    ("the internet, UDP", frame(IPV4, ip(17, udp(4100), target="8.8.8.8")), "other"),
    ("the metadata service", frame(IPV4, ip(6, tcp_syn(3128), target="169.254.169.254")), "other"),
    ("the host's loopback", frame(IPV4, ip(6, tcp_syn(3128), target="127.0.0.1")), "other"),
    ("another machine", frame(IPV4, ip(17, udp(4100), target="192.168.100.11")), "other"),
    ("its network's broadcast", frame(IPV4, ip(17, udp(4100), target="192.168.100.255")), "other"),
    ("multicast", frame(IPV4, ip(17, udp(5353), target="224.0.0.251")), "other"),
    ("IGMP", frame(IPV4, ip(2, bytes(8), target="224.0.0.22")), "other"),
    ("a raw protocol", frame(IPV4, ip(253, b"hello")), "other"),
    ("SCTP", frame(IPV4, ip(132, bytes(12))), "other"),
    ("a spoofed address", frame(IPV4, ip(17, udp(4100), source="192.168.100.11")), "other"),
    ("the gateway's own address", frame(IPV4, ip(17, udp(4100), source=GATEWAY)), "other"),
    ("no address", frame(IPV4, ip(17, udp(4100), source="0.0.0.0")), "other"),
    ("a loopback address", frame(IPV4, ip(17, udp(4100), source="127.0.0.1")), "other"),
    ("a fragment", frame(IPV4, ip(17, udp(4100), fragment=0x2000)), "fragments"),
    ("a later fragment", frame(IPV4, ip(17, udp(4100), fragment=0x0001)), "fragments"),
    ("a spoofed MAC", frame(IPV4, ip(17, udp(4100)), source=OTHER_MAC), "foreign hardware address"),
    ("the gateway's MAC", frame(IPV4, ip(17, udp(4100)), source=TAP_MAC), "foreign hardware address"),
    (
        "broadcast by MAC",
        frame(IPV4, ip(17, udp(4100)), target=far.BROADCAST),
        "not to the gateway's hardware address",
    ),
    (
        "another MAC",
        frame(IPV4, ip(17, udp(4100)), target=OTHER_MAC),
        "not to the gateway's hardware address",
    ),
    ("IPv6", frame(IPV6, bytes([0x60]) + bytes(39), target="33:33:00:00:00:01"), "ipv6"),
    ("a VLAN", frame(VLAN, struct.pack("!HH", 5, IPV4) + ip(17, udp(4100))), "other protocols"),
    ("EAPOL", frame(0x888E, bytes(46)), "other protocols"),
    ("LLDP", frame(0x88CC, bytes(46), target="01:80:c2:00:00:0e"), "other protocols"),
    ("PPPoE", frame(0x8863, bytes(46)), "other protocols"),
    ("ARP for another", frame(ARP, arp(1, "192.168.100.11"), target=far.BROADCAST), "arp"),
    ("an ARP answer", frame(ARP, arp(2, GATEWAY)), "arp"),
    ("ARP as another", frame(ARP, arp(1, GATEWAY, mac=OTHER_MAC), target=far.BROADCAST), "arp"),
    (
        "ARP of the gateway's address",
        frame(ARP, arp(1, GATEWAY, address=GATEWAY), target=far.BROADCAST),
        "arp",
    ),
]


@pytest.mark.parametrize(("one", "rule"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_everything_else_is_dropped_and_nothing_comes_back(
    network: MachineNetwork, one: bytes, rule: str
) -> None:
    tap = tap_of(network)
    before = drops(network)
    far.write(tap, one)
    assert far.read_all(tap) == []
    after = drops(network)
    assert {name: count - before[name] for name, count in after.items() if count != before[name]} == {rule: 1}
    for each in network.sockets.door:
        with pytest.raises(BlockingIOError):
            each.recvfrom(10)


def test_short_and_odd_frames_are_dropped(network: MachineNetwork) -> None:
    tap = tap_of(network)
    for size in (14, 15, 20, 33, 34, 60, 1514):
        for kind in (IPV4, ARP, 0):
            far.write(tap, frame(kind, bytes(size - 14)))
            far.write(tap, frame(kind, b"\xff" * (size - 14)))
    assert far.read_all(tap) == []


def test_the_gateway_says_where_it_is_and_nothing_more(network: MachineNetwork) -> None:
    tap = tap_of(network)
    far.write(tap, frame(ARP, arp(1, GATEWAY), target=far.BROADCAST))
    (answer,) = far.read_all(tap)
    assert answer[6:12].hex(":") == TAP_MAC and answer[20:22] == b"\x00\x02"


def test_a_flood_of_questions_is_thinned(network: MachineNetwork) -> None:
    tap = tap_of(network)
    for _ in range(500):
        far.write(tap, frame(ARP, arp(1, GATEWAY), target=far.BROADCAST))
    assert len(far.read_all(tap)) < 250
    assert drops(network)["arp"] > 250


def test_the_guest_cannot_move_the_neighbour_that_we_know(network: MachineNetwork) -> None:
    tap = tap_of(network)
    far.write(tap, frame(ARP, arp(2, GATEWAY, mac=OTHER_MAC), source=OTHER_MAC))
    far.write(tap, frame(ARP, arp(1, GUEST, mac=OTHER_MAC), source=OTHER_MAC, target=far.BROADCAST))
    network.sockets.door[0].sendto(b"to the guest", (GUEST, 40_000))
    (sent,) = far.read_all(tap)
    assert sent[:6].hex(":") == GUEST_MAC


def test_nothing_else_gets_out_of_the_namespace_either(network: MachineNetwork) -> None:
    """A program that holds the namespace has the same two ways to the guest and no other."""

    def hostile() -> list[str]:
        failed = []
        for target, port in ((GUEST, 22), ("192.168.100.11", 80), ("8.8.8.8", 53)):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                try:
                    one.sendto(b"hello", (target, port))
                except OSError as error:
                    failed.append(type(error).__name__)
        return failed

    assert len(inside(network.namespace, hostile)) == 3
    assert far.read_all(tap_of(network)) == []


def try_everything(guest: WireGuest) -> None:
    """As root of the guest, with a default route of its own making."""
    for line in (
        f"route add default via {GATEWAY}",
        "addr add 192.168.100.77/24 dev eth0",
        "-6 addr add fd00::1/64 dev eth0 nodad",
        "-6 route add default dev eth0",
    ):
        guest.run("ip", *line.split())
    for target in ("1.1.1.1", "169.254.169.254", GATEWAY, "192.168.100.11", "224.0.0.1"):
        with guest.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as one:
            one.sendto(b"\x08\x00\xf7\xff" + bytes(4), (target, 0))
    for target in ("fd00::2", "ff02::1%eth0", "2606:4700::1111"):
        with guest.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as one:
            one.sendto(b"\x80" + bytes(7), (target, 0))
    for source in (GUEST, "192.168.100.77"):
        for target in (GATEWAY, "1.1.1.1", "169.254.169.254", "100.100.100.200", "10.0.0.1"):
            for port in (22, 53, 80, 443, 4000):
                with guest.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
                    one.setblocking(False)
                    one.bind((source, 0))
                    one.connect_ex((target, port))
                with guest.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                    one.bind((source, 0))
                    one.connect_ex((target, port))
                    one.send(b"hello")


def test_a_hostile_root_with_a_default_route_gets_no_packet_back(network: MachineNetwork) -> None:
    with wire_guest(tap_of(network)) as guest:
        try_everything(guest)
        back = guest.settled()
    kinds = {struct.unpack("!H", one[12:14])[0] for one in back}
    assert kinds <= {ARP}
    counts = drops(network)
    assert counts["other"] > 20
    assert counts["forward"] == counts["in"] == 0


def test_two_machines_are_two_networks(lab: HelperLab, network: MachineNetwork) -> None:
    other = lab.client().network("mch_other", OWNER, DOORS, open_tap=True)
    far.write(tap_of(network), frame(IPV4, ip(17, udp(4100))))
    assert eventually(lambda: readable(network.sockets.door[0]))
    assert not readable(other.sockets.door[0])
    assert far.read_all(tap_of(other)) == []
    other.close()


def readable(one: socket.socket) -> bool:
    try:
        one.recvfrom(100, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    return True


HOLDER = """
import sys, time
from tests.support.helper_lab import number_of
from transom_keeper.helper import Helper
network = Helper(sys.argv[1]).network("mch_held", 64001, 12, open_tap=sys.argv[2] == "1")
print(number_of(network.namespace), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("open_tap", ["1", "0"])
def test_a_holder_killed_leaves_nothing(lab: HelperLab, open_tap: str) -> None:
    command = [sys.executable, "-c", HOLDER, lab.socket, open_tap]
    holders = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(5)]
    numbers = {int(each.stdout.readline()) for each in holders if each.stdout is not None}
    assert len(numbers) == 5 and numbers <= living.numbers()
    for each in holders:
        each.kill()
        each.communicate()
    assert gone(numbers)


def test_a_network_outlives_the_helper() -> None:
    with helper() as lab:
        network = lab.client().network("mch_net", OWNER, DOORS, open_tap=True)
        number = number_of(network.namespace)
        lab.kill()
        far.write(tap_of(network), frame(IPV4, ip(17, udp(4100))))
        assert eventually(lambda: readable(network.sockets.door[0]))
        lab.start()
        assert number in living.numbers()
        network.close()
        assert gone([number])


def test_fifty_networks_come_and_go(lab: HelperLab) -> None:
    assert lab.process is not None
    held = f"/proc/{lab.process.pid}/fd"
    before, numbers = len(os.listdir(held)), set()
    for each in range(50):
        network = lab.client().network("mch_net", OWNER, 12, open_tap=bool(each % 2))
        numbers.add(number_of(network.namespace))
        network.close()
    assert len(numbers) == 50
    assert gone(numbers)
    assert eventually(lambda: len(os.listdir(held)) == before)
