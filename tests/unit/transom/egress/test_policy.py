from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.egress.policy import (
    LIST_LIMIT,
    NOTHING,
    both,
    covers,
    narrower,
    read_rule,
    read_rules,
    together,
    written,
)
from transom.model.errors import Invalid
from transom.model.exit import Lists
from transom_wire.codec import decode, encode
from transom_wire.control import SetExit
from transom_wire.exit import ExitRoute, HostRule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("example.org", HostRule("example.org")),
        ("*.Example.org.:443", HostRule("*.example.org", 443)),
        ("*", HostRule("*")),
        ("*:443", HostRule("*", 443)),
        ("203.0.113.7:80", HostRule("203.0.113.7", 80)),
        ("0x7f.1", HostRule("127.0.0.1")),
        ("[2001:DB8::1]:443", HostRule("2001:db8::1", 443)),
        ("2001:db8::1", HostRule("2001:db8::1")),
        (" example.org ", HostRule("example.org")),
    ],
)
def test_rules_as_people_write_them(text: str, rule: HostRule) -> None:
    assert read_rule(text) == rule
    assert read_rule(written(rule)) == rule


@pytest.mark.parametrize(
    "text",
    [
        "",
        "exa mple",
        "*.203.0.113.7",
        "a.*.b",
        "**",
        "example.org:0",
        "example.org:x",
        "fe80::1%eth0",
        "[::1",
        "ü.de",
        "http://example.org",
        "example.org:99999999",
        "*.",
        "a" * 300,
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_rule(text)


def test_lists_are_bounded_and_the_same_twice_is_once() -> None:
    assert read_rules(["a.org", "A.org"]) == (HostRule("a.org"),)
    with pytest.raises(Invalid):
        read_rules([f"h{n}.org" for n in range(LIST_LIMIT + 1)])


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("*.a.org", "x.a.org:443", "x.a.org:443"),
        ("*.a.org:443", "*.b.a.org", "*.b.a.org:443"),
        ("*.a.org", "a.org", "a.org"),
        ("*", "*.a.org:80", "*.a.org:80"),
        ("a.org:80", "a.org:443", None),
        ("*.a.org", "xa.org", None),
        ("a.org", "b.org", None),
    ],
)
def test_what_two_rules_take_in(one: str, other: str, common: str | None) -> None:
    for pair in ((one, other), (other, one)):
        found = narrower(read_rule(pair[0]), read_rule(pair[1]))
        assert (written(found) if found else None) == common


def test_lists_together() -> None:
    user = Lists(allow=(HostRule("*.a.org"), HostRule("b.org")), deny=(HostRule("bad.a.org"),))
    provider = Lists(allow=(HostRule("x.a.org", 443),), deny=(HostRule("c.org"),))
    assert together(user, provider) == Lists(
        (HostRule("x.a.org", 443),), (HostRule("bad.a.org"), HostRule("c.org"))
    )
    assert together(user, Lists()) == user
    assert together() == Lists()


def test_two_allow_lists_with_nothing_in_common_allow_nothing() -> None:
    """An empty allow list would allow everything."""
    found = together(Lists(allow=(HostRule("a.org"),)), Lists(allow=(HostRule("b.org"),)))
    assert found == Lists(deny=(NOTHING,))


hosts = st.sampled_from(
    ["*", "*.a.org", "a.org", "x.a.org", "*.x.a.org", "y.x.a.org", "b.org", "203.0.113.7"]
)
rules = st.builds(HostRule, hosts, st.sampled_from([None, 80, 443]))
names = st.sampled_from(["a.org", "x.a.org", "y.x.a.org", "z.y.x.a.org", "b.org", "203.0.113.7", "other.net"])


def takes_in(rule: HostRule, name: str, port: int) -> bool:
    return covers(rule.host, name) and rule.port in (None, port)


@given(st.lists(rules, max_size=6), st.lists(rules, max_size=6), names, st.sampled_from([80, 443, 22]))
def test_both_is_exactly_both(one: list[HostRule], other: list[HostRule], name: str, port: int) -> None:
    expected = any(takes_in(r, name, port) for r in one) and any(takes_in(r, name, port) for r in other)
    assert any(takes_in(rule, name, port) for rule in both(one, other)) is expected


@given(
    st.lists(
        st.builds(Lists, st.lists(rules, max_size=40).map(tuple), st.lists(rules, max_size=40).map(tuple))
    )
)
def test_whatever_the_lists_the_wire_carries_them(lists: list[Lists]) -> None:
    found = together(*lists[:4])
    route = ExitRoute(kind="direct", allow=found.allow, deny=found.deny)
    assert decode(encode(SetExit(route)), (SetExit,)) == SetExit(route)


@given(st.text(max_size=80))
def test_whatever_the_text_it_is_a_rule_that_the_wire_carries_or_invalid(text: str) -> None:
    try:
        rule = read_rule(text)
    except Invalid:
        return
    assert decode(encode(SetExit(ExitRoute(kind="none", deny=(rule,)))), (SetExit,))
