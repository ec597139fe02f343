"""A real coturn on loopback, as deploy/turnserver.conf sets it up, with a secret of the test's own."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.server import free_port


@dataclass(frozen=True)
class TurnServer:
    """Where it listens, and the file with its secret."""

    port: int
    secret_file: Path


@contextmanager
def coturn() -> Iterator[TurnServer]:
    """A TURN server that relays to 127.0.0.1 only (loopback peers must be allowed for a test on one host)."""
    folder = Path(tempfile.mkdtemp(prefix="transom-turn-"))
    port, secret = free_port(), secrets.token_hex(16)
    secret_file = folder / "secret"
    secret_file.touch(0o600)
    secret_file.write_text(secret)
    config = folder / "turnserver.conf"
    config.touch(0o600)
    config.write_text(
        f"listening-port={port}\nlistening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nuse-auth-secret\n"
        f"static-auth-secret={secret}\nrealm=transom.test\nallow-loopback-peers\nno-cli\nno-tls\nno-dtls\n"
        f"pidfile={folder}/pid\nlog-file=stdout\nuserdb={folder}/db\n"
    )
    process = subprocess.Popen(
        ["turnserver", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    )
    try:
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < end and process.poll() is None, "coturn did not start"
                time.sleep(0.05)
        yield TurnServer(port, secret_file)
    finally:
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)
