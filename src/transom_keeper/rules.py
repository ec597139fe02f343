"""Where a machine may go by its route's lists. Pure; compiled once a route, asked once a request.

A rule's host is a name, `*.name` (the name and all below it), an address in any spelling, or `*`. What a
rule says of an address holds for every spelling of it, and for addresses that a translator would turn into it.
"""

from __future__ import annotations

from collections.abc import Iterable

from transom_wire.address import AddressError, IPAddress, inner_address, parse_host
from transom_wire.exit import HostRule

Ports = set[int | None]


class HostList:
    """One list of rules."""

    def __init__(self, rules: Iterable[HostRule]) -> None:
        self._exact: dict[IPAddress | str, Ports] = {}
        self._below: dict[str, Ports] = {}
        self._any: Ports = set()
        self.empty = True
        for rule in rules:
            self.empty = False
            self._add(rule)

    def _add(self, rule: HostRule) -> None:
        if rule.host == "*":
            self._any.add(rule.port)
            return
        try:
            host = parse_host(rule.host.removeprefix("*."))
        except AddressError:
            return  # what no request can name, no rule needs to match
        if isinstance(host, str) and rule.host.startswith("*."):
            self._below.setdefault(host, set()).add(rule.port)
        else:
            self._exact.setdefault(_plain(host), set()).add(rule.port)

    def matches(self, host: IPAddress | str, port: int) -> bool:
        """True when one of the rules takes in `host`, as `parse_host` returned it, at `port`."""
        found = [self._any, self._exact.get(_plain(host), set())]
        if isinstance(host, str):
            labels = host.split(".")
            found += [self._below.get(".".join(labels[place:]), set()) for place in range(len(labels))]
        return any(None in ports or port in ports for ports in found)


class Rules:
    """An allow and a deny list; the deny list wins."""

    def __init__(self, allow: Iterable[HostRule] = (), deny: Iterable[HostRule] = ()) -> None:
        self._allow, self._deny = HostList(allow), HostList(deny)

    def refusal(self, host: IPAddress | str, port: int) -> str | None:
        """Which list keeps `host` and `port` out, in words for the person at the browser; None when none does."""
        if self._deny.matches(host, port):
            return "it is on the list of what is blocked here"
        if not self._allow.empty and not self._allow.matches(host, port):
            return "it is not on the list of what is allowed here"
        return None

    def denies(self, address: IPAddress, port: int) -> bool:
        """True when a name's address is on the deny list. The allow list is about what was asked for."""
        return self._deny.matches(address, port)


def _plain(host: IPAddress | str) -> IPAddress | str:
    return host if isinstance(host, str) else inner_address(host)
