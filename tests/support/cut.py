"""A wire cut: UDP to and from one port of this host dropped by an nftables table of the test's own."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.server import Server

DEADLINE_S = 10


def door_port(server: Server, session: str) -> int:
    """The UDP port of the door that the newest viewer was told."""
    with server.client() as client:
        offer = client.get(f"/api/webrtc/session/{session}/offer").raise_for_status().json()
        query = {"peer": offer["peer"], "epoch": offer["epoch"]}
        told = client.get(f"/api/webrtc/session/{session}/candidate", params=query).raise_for_status().json()
    return int(told["candidates"][0]["candidate"].split()[5])


@contextmanager
def udp_cut(*ports: int, spared: range = range(0)) -> Iterator[None]:
    """No datagram with these ports, either way, while the block runs; but to and from the ports that are `spared`."""
    table = f"transom_test_{secrets.token_hex(4)}"
    few = f"{spared.start}-{spared.stop - 1}"
    spare = f"  udp sport {few} accept\n  udp dport {few} accept\n" if spared else ""
    cut = ", ".join(map(str, ports))
    rules = (
        f"table inet {table} {{\n chain cut {{\n  type filter hook input priority 0;\n{spare}"
        f"  udp dport {{ {cut} }} drop\n  udp sport {{ {cut} }} drop\n }}\n}}\n"
    )
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, timeout=DEADLINE_S)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "inet", table], check=True, timeout=DEADLINE_S)
