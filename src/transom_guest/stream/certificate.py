"""The certificate of this process's DTLS: made here, and not by GStreamer, which makes an RSA key.

A P-256 key (RFC 8827, 6.5) takes a thousandth of the time to make, and less for each handshake. And it is made
when it is asked for: what GStreamer makes at the first element of a process may be older than a clone.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID = datetime.timedelta(days=30)
"""Longer than any machine lives; its signature is what counts, and nobody looks at its dates."""
SKEW = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """`pem` holds the certificate and its private key; `fingerprint` is as it stands in an SDP (RFC 8122)."""

    pem: str = field(repr=False)
    fingerprint: str


def make() -> Certificate:
    """A fresh one, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "transom")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + VALID)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = made.public_bytes(serialization.Encoding.PEM).decode() + private.decode()
    return Certificate(pem, f"sha-256 {made.fingerprint(hashes.SHA256()).hex(':').upper()}")
