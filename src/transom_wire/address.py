"""One classifier of addresses, for everything that dials on a guest's behalf. Pure: no resolver, no socket.

`parse_host` reads a host as a browser or `inet_aton` would, every spelling of a number included, so
that nothing called a name is really an address. `refuse_reason` then judges the resolved address; the
caller dials exactly the address it asked about, never the name again (DNS rebinding). Where somebody else
resolves the name, `refuse_host` judges what can be judged before: addresses, and names that are never public.
Ranges: IANA's special-purpose registries for IPv4 and IPv6, RFC 6890 and its updates. Names: RFC 6761, 6762,
7686, 8375, ICANN's reservation of `internal`, and what clouds call their metadata services.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IPAddress = IPv4Address | IPv6Address

MAX_NAME = 253
"""Characters of a DNS name (RFC 1035), the trailing dot not counted."""
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")


class AddressError(ValueError):
    """The text is neither a host name nor an address in any spelling; it must not be passed on."""


_METADATA: dict[IPAddress, str] = {
    IPv4Address("169.254.169.254"): "cloud metadata",
    IPv4Address("169.254.170.2"): "cloud metadata",
    IPv4Address("100.100.100.200"): "cloud metadata",
    IPv4Address("168.63.129.16"): "cloud metadata",
    IPv4Address("192.0.0.192"): "cloud metadata",
    IPv6Address("fd00:ec2::254"): "cloud metadata",
    IPv6Address("fd20:ce::254"): "cloud metadata",
}

_RANGES_4 = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("240.0.0.0/4", "reserved"),
    )
)

_RANGES_6 = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::/96", "IPv4-compatible"),
        ("64:ff9b:1::/48", "NAT64"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("2001::/32", "Teredo"),
        ("2001:2::/48", "benchmarking"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)
"""Bits 64..95 of an ISATAP interface identifier (RFC 5214); the last 32 bits are an IPv4 address."""

_LOCAL_NAMES = {
    "localhost": "loopback",
    "localdomain": "loopback",
    "local": "link-local",
    "internal": "private",
    "intranet": "private",
    "private": "private",
    "corp": "private",
    "home": "private",
    "lan": "private",
    "home.arpa": "private",
    "onion": "hidden service",
    "i2p": "hidden service",
    "metadata": "cloud metadata",
    "instance-data": "cloud metadata",
    "metadata.google.internal": "cloud metadata",
    "metadata.goog": "cloud metadata",
    "metadata.tencentyun.com": "cloud metadata",
    "metadata.platformequinix.com": "cloud metadata",
}
"""Names that mean something near whoever resolves them, each with all names below it."""
_SPELT = re.compile(r"(?:.*[.-])?([0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9]{1,3}(?:-[0-9]{1,3}){3})")
"""An IPv4 address at the end of a label, with dots or hyphens: `10.0.0.1.nip.io`, `app-10-0-0-1.nip.io`."""


def refuse_host(host: IPAddress | str) -> str | None:
    """Return why a guest may not reach `host`, as `parse_host` returned it, through somebody who resolves names.

    A name without a dot is refused: the resolver might complete it. So is one that spells a refused address,
    as services do that give every address a name.
    """
    if not isinstance(host, str):
        return _refuse(host)
    for name in _and_its_parents(host):
        if name in _LOCAL_NAMES:
            return _LOCAL_NAMES[name]
    if "." not in host:
        return "unqualified"
    return next((reason for reason in map(_refuse_spelt, _and_its_children(host)) if reason), None)


def _and_its_parents(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[place:]) for place in range(len(labels))]


def _and_its_children(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[:place]) for place in range(1, len(labels))]


def _refuse_spelt(front: str) -> str | None:
    match = _SPELT.fullmatch(front)
    octets = [int(octet) for octet in re.split(r"[.-]", match[1])] if match else []
    if not octets or any(octet > 255 for octet in octets):
        return None
    return _refuse(IPv4Address(bytes(octets)))


def inner_address(address: IPAddress) -> IPAddress:
    """The IPv4 address that `address` maps or that NAT64 would make of it, else the address without its zone."""
    if isinstance(address, IPv4Address):
        return address
    bare = IPv6Address(int(address))
    mapped = bare.ipv4_mapped
    return mapped or (IPv4Address(int(bare) & 0xFFFFFFFF) if bare in _NAT64 else bare)


def refuse_reason(address: str) -> str | None:
    """Return why a guest may not reach `address`, or None when it is an ordinary public address.

    `address` is an IP address in any spelling `parse_host` knows; a name is refused, as is nonsense.
    """
    try:
        host = parse_host(address)
    except AddressError:
        return "not an address"
    if isinstance(host, str):
        return "not an address"
    return _refuse(host)


def parse_host(text: str) -> IPAddress | str:
    """Return the address that `text` spells, or the host name it is, in lower case without a final dot.

    Brackets may stand around IPv6. A zone id stays on an address and never makes it another one.
    Raises AddressError, which does not quote `text`.
    """
    if not text.isascii() or len(text) > MAX_NAME + 1:
        raise AddressError("host: too long, or not ASCII")
    if text.startswith("[") != text.endswith("]"):
        raise AddressError("host: unpaired bracket")
    if text.startswith("["):
        return _parse_6(text[1:-1])
    if ":" in text:
        return _parse_6(text)
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _parse_4(labels)
    if len(name) > MAX_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressError("host: not a DNS name")
    return name


def _parse_6(text: str) -> IPAddress:
    try:
        address = IPv6Address(text)
    except ValueError as error:
        raise AddressError("host: not an IPv6 address") from error
    return address.ipv4_mapped or address


def _parse_4(parts: list[str]) -> IPv4Address:
    """One to four numbers, decimal, octal or hexadecimal, the last filling what is left: `inet_aton`'s rule."""
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise AddressError("host: ends in a number and is no IPv4 address")
    *heads, last = [_number(part) for part in parts]
    if any(head > 255 for head in heads) or last >= 256 ** (4 - len(heads)):
        raise AddressError("host: IPv4 number out of range")
    return IPv4Address(last + sum(head << (24 - 8 * place) for place, head in enumerate(heads)))


def _number(text: str) -> int:
    try:
        if text.startswith("0x"):
            return int(text[2:] or "0", 16)
        return int(text, 8 if text.startswith("0") else 10)
    except ValueError as error:
        raise AddressError("host: not a number") from error


def _refuse(address: IPAddress) -> str | None:
    if isinstance(address, IPv6Address):
        # A zone id makes two equal addresses compare unlike: judge the 128 bits alone.
        return _refuse_6(IPv6Address(int(address)))
    if address in _METADATA:
        return _METADATA[address]
    return next((reason for network, reason in _RANGES_4 if address in network), None)


def _refuse_6(address: IPv6Address) -> str | None:
    if address in _METADATA:
        return _METADATA[address]
    reason = next((reason for network, reason in _RANGES_6 if address in network), None)
    if reason:
        return reason
    inner = _embedded(address)
    if inner is not None:
        return _refuse(inner)
    return None if address in _GLOBAL_6 else "reserved"


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a translator or a tunnel would take out of `address`, if there is one."""
    bits = int(address)
    low = IPv4Address(bits & 0xFFFFFFFF)
    if address.ipv4_mapped is not None or address in _NAT64:
        return low
    if (bits >> 32) & 0xFFFFFFFF in _ISATAP:
        return low if _refuse(low) else None
    return None
