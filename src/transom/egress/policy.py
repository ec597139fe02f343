"""Allow and deny lists: what people write, and what a machine of this user and this provider may reach. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from transom.model.errors import Invalid
from transom.model.exit import Lists
from transom_wire.address import AddressError, parse_host
from transom_wire.exit import HostRule

LIST_LIMIT = 128
"""Rules of one list; a route carries the rules of two."""
ROUTE_LIMIT = 256
"""Rules that a route carries of each kind."""
NOTHING = HostRule("*")
"""As a deny rule: there is nothing that both allow lists allow."""


def read_rules(texts: Sequence[str]) -> tuple[HostRule, ...]:
    """Rules such as `example.org`, `*.example.org:443`, `203.0.113.7`, `[2001:db8::1]:443` or `*:443`.

    Raises Invalid.
    """
    if len(texts) > LIST_LIMIT:
        raise Invalid(f"more than {LIST_LIMIT} rules")
    return tuple(dict.fromkeys(read_rule(text) for text in texts))


def read_rule(text: str) -> HostRule:
    """One rule. Raises Invalid."""
    host, port = _split(text.strip())
    if port is not None and not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
        raise Invalid("a rule's port must be from 1 to 65535")
    return HostRule(_host(host), int(port) if port is not None else None)


def written(rule: HostRule) -> str:
    """The rule as `read_rule` takes it."""
    host = f"[{rule.host}]" if ":" in rule.host else rule.host
    return host if rule.port is None else f"{host}:{rule.port}"


def together(*lists: Lists) -> Lists:
    """What holds where each of `lists` does: everything denied by one, nothing that one does not allow."""
    allow: tuple[HostRule, ...] = ()
    deny = tuple(dict.fromkeys(rule for each in lists for rule in each.deny))
    for each in lists:
        if each.allow and allow:
            allow = both(allow, each.allow)
            if not 0 < len(allow) <= ROUTE_LIMIT:
                return Lists(deny=(NOTHING,))
        else:
            allow = allow or each.allow
    return Lists(allow, deny) if len(deny) <= ROUTE_LIMIT else Lists(deny=(NOTHING,))


def both(one: Iterable[HostRule], other: Sequence[HostRule]) -> tuple[HostRule, ...]:
    """Rules for exactly what both lists allow."""
    pairs = (narrower(a, b) for a in one for b in other)
    return tuple(dict.fromkeys(rule for rule in pairs if rule is not None))


def narrower(one: HostRule, other: HostRule) -> HostRule | None:
    """The rule for what both take in, or None where that is nothing."""
    if one.port is not None and other.port is not None and one.port != other.port:
        return None
    port = one.port if one.port is not None else other.port
    if covers(one.host, other.host):
        return HostRule(other.host, port)
    return HostRule(one.host, port) if covers(other.host, one.host) else None


def covers(pattern: str, inner: str) -> bool:
    """True when everything that `inner` takes in is taken in by `pattern`."""
    if pattern in ("*", inner):
        return True
    if not pattern.startswith("*.") or inner == "*":
        return False
    name = inner.removeprefix("*.")
    return name == pattern[2:] or name.endswith(pattern[1:])


def _split(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        host, bracket, tail = text[1:].partition("]")
        if not bracket:
            return text, None
        return host, tail.removeprefix(":") if tail else None
    if text.count(":") > 1:
        return text, None
    host, colon, port = text.partition(":")
    return host, port if colon else None


def _host(text: str) -> str:
    if text == "*":
        return text
    if "%" in text:
        raise Invalid("a rule's address has no zone")
    star = "*." if text.startswith("*.") else ""
    try:
        parsed = parse_host(text.removeprefix("*."))
    except AddressError:
        raise Invalid("a rule's host must be a name, *.name, an address or *") from None
    if star and not isinstance(parsed, str):
        raise Invalid("*. goes before a name, not before an address")
    return star + str(parsed)
