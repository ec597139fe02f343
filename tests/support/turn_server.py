"""A real coturn on loopback, as deploy/turnserver.conf sets it up, with a secret of the test's own."""

from __future__ import annotations

import base64
import hashlib
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

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.exit_certificates import Authority
from tests.support.server import free_port

RELAY_PORTS = 8
"""As many viewers' pairs as one test has at a time, and more."""


@dataclass(frozen=True)
class TurnServer:
    """Where it listens, and the file with its secret."""

    port: int
    secret_file: Path
    tls_port: int
    """TLS, by a certificate of `authority` for 127.0.0.1."""
    authority: Path
    key_pin: str
    """SHA-256 of the certificate's public key in base64: what Chromium can be told to trust."""
    relays: range
    """The ports that it relays from."""

    @property
    def urls(self) -> list[str]:
        """By each of three transports."""
        place = f"127.0.0.1:{self.port}"
        return [
            f"turn:{place}?transport=udp",
            f"turn:{place}?transport=tcp",
            f"turns:127.0.0.1:{self.tls_port}?transport=tcp",
        ]


@contextmanager
def coturn(*more: str) -> Iterator[TurnServer]:
    """A TURN server that relays to 127.0.0.1 only (loopback peers must be allowed for a test on one host), with
    `more` lines of configuration."""
    folder = Path(tempfile.mkdtemp(prefix="transom-turn-"))
    port, tls_port, secret = free_port(), free_port(), secrets.token_hex(16)
    first = 20000 + secrets.randbelow(1000) * RELAY_PORTS
    authority = Authority(folder, "relay lab")
    certificate, key = authority.issue("relay", ["127.0.0.1"])
    secret_file = folder / "secret"
    secret_file.touch(0o600)
    secret_file.write_text(secret)
    config = folder / "turnserver.conf"
    config.touch(0o600)
    config.write_text(
        f"listening-port={port}\nlistening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nuse-auth-secret\n"
        f"static-auth-secret={secret}\nrealm=transom.test\nallow-loopback-peers\nno-cli\nno-dtls\n"
        f"tls-listening-port={tls_port}\ncert={certificate}\npkey={key}\n"
        f"min-port={first}\nmax-port={first + RELAY_PORTS - 1}\n"
        f"pidfile={folder}/pid\nlog-file=stdout\nuserdb={folder}/db\n" + "".join(f"{line}\n" for line in more)
    )
    process = subprocess.Popen(
        ["turnserver", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    )
    try:
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
                    asks.settimeout(0.5)
                    asks.connect(("127.0.0.1", port))
                    asks.send(b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12))  # STUN: the UDP side comes after TCP's
                    asks.recv(2048)
                break
            except OSError:
                assert time.monotonic() < end and process.poll() is None, "coturn did not start"
                time.sleep(0.05)
        relays = range(first, first + RELAY_PORTS)
        yield TurnServer(port, secret_file, tls_port, authority.ca, _pin(certificate), relays)
    finally:
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)


def _pin(certificate: Path) -> str:
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()
