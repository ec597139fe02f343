"""A wire cut: UDP to and from one port of this host dropped by an nftables table of the test's own."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

DEADLINE_S = 10


@contextmanager
def udp_cut(port: int) -> Iterator[None]:
    """No datagram with this port, either way, while the block runs."""
    table = f"transom_test_{secrets.token_hex(4)}"
    rules = (
        f"table inet {table} {{\n chain cut {{\n  type filter hook input priority 0;\n"
        f"  udp dport {port} drop\n  udp sport {port} drop\n }}\n}}\n"
    )
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, timeout=DEADLINE_S)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "inet", table], check=True, timeout=DEADLINE_S)
