from __future__ import annotations

import re

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from transom_guest.stream.certificate import make


def test_the_fingerprint_is_that_of_the_certificate_whose_key_is_beside_it() -> None:
    made = make()
    certificate = x509.load_pem_x509_certificate(made.pem.encode())
    key = load_pem_private_key(made.pem[made.pem.index("-----BEGIN PRIVATE") :].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1"
    assert certificate.public_key() == key.public_key()
    digest = made.fingerprint.removeprefix("sha-256 ").replace(":", "")
    assert bytes.fromhex(digest) == certificate.fingerprint(hashes.SHA256())
    assert re.fullmatch(r"sha-256 (?:[0-9A-F]{2}:){31}[0-9A-F]{2}", made.fingerprint)


def test_each_is_another_and_none_is_shown() -> None:
    one, other = make(), make()
    assert one.fingerprint != other.fingerprint
    assert "PRIVATE" not in repr(one)
