"""What an echo service says of us, read as if an attacker wrote it: the exit stands in between. Pure."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv6Address, ip_address

LIMIT = 4096
"""Bytes of an answer; more is none."""
KEYS = ("ip", "address", "origin", "query", "ip_addr")
"""Keys under which services of this kind say it in JSON."""


class BadAnswer(Exception):
    """It says no address. The message is ours, and quotes nothing."""


def read_address(body: bytes) -> str:
    """The address, written canonically. Raises BadAnswer.

    Text with nothing but the address, or a JSON object with it under one of KEYS. An address of this
    machine itself, of everybody or of nobody is no answer.
    """
    if len(body) > LIMIT:
        raise BadAnswer("the echo service said too much")
    try:
        text = body.decode("ascii").strip()
    except UnicodeDecodeError:
        raise BadAnswer("the echo service did not say an address") from None
    if text.startswith("{"):
        text = _from_json(text)
    try:
        address = ip_address(text)
    except ValueError:
        raise BadAnswer("the echo service did not say an address") from None
    if isinstance(address, IPv6Address) and (address.scope_id is not None or address.ipv4_mapped is not None):
        address = _plain(address)
    if address.is_loopback or address.is_unspecified or address.is_multicast or address.is_link_local:
        raise BadAnswer("the echo service said an address that nobody leaves by")
    return str(address)


def _plain(address: IPv6Address) -> IPv4Address | IPv6Address:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    raise BadAnswer("the echo service said an address with a zone")


def _from_json(text: str) -> str:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise BadAnswer("the echo service did not say an address") from None
    for key in KEYS:
        value = found.get(key)
        if isinstance(value, str):
            return value.strip()
    raise BadAnswer("the echo service did not say an address")
