from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_keeper.rules import HostList, Rules
from transom_wire.address import AddressError, parse_host
from transom_wire.exit import HostRule


@pytest.mark.parametrize(
    ("rule", "asked", "port", "matches"),
    [
        (HostRule("example.org"), "example.org", 443, True),
        (HostRule("Example.ORG."), "example.org.", 443, True),
        (HostRule("example.org"), "www.example.org", 443, False),
        (HostRule("example.org"), "notexample.org", 443, False),
        (HostRule("*.example.org"), "example.org", 443, True),
        (HostRule("*.example.org"), "a.b.example.org", 443, True),
        (HostRule("*.example.org"), "notexample.org", 443, False),
        (HostRule("*.example.org"), "example.org.evil.net", 443, False),
        (HostRule("example.org", 443), "example.org", 443, True),
        (HostRule("example.org", 443), "example.org", 80, False),
        (HostRule("*"), "anything.net", 1, True),
        (HostRule("*"), "9.9.9.9", 1, True),
        (HostRule("*", 443), "9.9.9.9", 443, True),
        (HostRule("*", 443), "9.9.9.9", 80, False),
        (HostRule("9.9.9.9"), "9.9.9.9", 80, True),
        (HostRule("9.9.9.9"), "0x09090909", 80, True),
        (HostRule("0x09090909"), "9.9.9.9", 80, True),
        (HostRule("9.9.9.9"), "::ffff:9.9.9.9", 80, True),
        (HostRule("9.9.9.9"), "[64:ff9b::909:909]", 80, True),
        (HostRule("9.9.9.9"), "9.9.9.90", 80, False),
        (HostRule("[2620:fe::fe]"), "2620:fe:0::0fe", 80, True),
        (HostRule("2620:fe::fe"), "[2620:fe::fe%eth0]", 80, True),
        (HostRule("*.9.9.9.9"), "9.9.9.9", 80, True),
        (HostRule("a..b"), "a.b", 80, False),
    ],
)
def test_what_a_rule_takes_in(rule: HostRule, asked: str, port: int, matches: bool) -> None:
    assert HostList([rule]).matches(parse_host(asked), port) is matches


def test_an_empty_allow_list_allows_and_a_deny_list_wins() -> None:
    assert Rules().refusal("a.example", 80) is None
    rules = Rules(allow=[HostRule("*.example")], deny=[HostRule("bad.example", 80), HostRule("*", 25)])
    assert rules.refusal("good.example", 80) is None
    assert rules.refusal("bad.example", 443) is None
    assert "blocked here" in (rules.refusal("bad.example", 80) or "")
    assert "blocked here" in (rules.refusal("good.example", 25) or "")
    assert "not on the list of what is allowed" in (rules.refusal("other.net", 80) or "")


def test_a_refusal_names_no_rule() -> None:
    rules = Rules(allow=[HostRule("secret.example")], deny=[HostRule("*.hidden.example")])
    told = f"{rules.refusal('other.net', 80)} {rules.refusal('a.hidden.example', 80)}"
    assert "secret" not in told and "hidden" not in told


def test_a_list_whose_rules_nobody_can_meet_allows_nothing() -> None:
    assert Rules(allow=[HostRule("a..b")]).refusal("a.b", 80)


def test_a_names_address_is_held_to_the_deny_list_only() -> None:
    rules = Rules(allow=[HostRule("site.example")], deny=[HostRule("9.9.9.9", 80)])
    assert rules.denies(ip_address("9.9.9.9"), 80)
    assert rules.denies(ip_address("::ffff:9.9.9.9"), 80)
    assert not rules.denies(ip_address("9.9.9.9"), 443)
    assert not rules.denies(ip_address("1.1.1.1"), 80)


@given(st.from_regex(r"(?:\*\.)?[A-Za-z0-9_.:\[\]-]{1,40}|\*", fullmatch=True), st.text(max_size=60))
def test_any_rule_the_wire_lets_through_meets_any_host(pattern: str, asked: str) -> None:
    try:
        host = parse_host(asked)
    except AddressError:
        return
    HostList([HostRule(pattern)]).matches(host, 80)


@given(
    st.from_regex(r"(?:[a-z]{1,5}\.){1,3}[a-z]{2,4}", fullmatch=True),
    st.from_regex(r"[a-z]{1,9}9", fullmatch=True),
)
def test_a_suffix_takes_in_all_below_and_nothing_beside(name: str, label: str) -> None:
    below = HostList([HostRule(f"*.{name}")])
    assert below.matches(name, 80) and below.matches(f"{label}.{name}", 80)
    assert not below.matches(f"{label}{name}", 80) and not below.matches(f"{name}.{label}", 80)
