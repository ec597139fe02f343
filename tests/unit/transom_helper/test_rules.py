"""The packet filter's text. What it does to packets is in tests/integration/test_helper_network.py."""

from __future__ import annotations

import re

import pytest

from transom_helper.rules import FIRST_DOOR, ruleset


def chains(text: str) -> dict[str, list[str]]:
    found = {}
    for table, body in re.findall(r"table (\w+) transom \{(.*?)\n\}", text, re.DOTALL):
        for chain, lines in re.findall(r"chain (\w+) \{(.*?)\n  \}", body, re.DOTALL):
            found[f"{table} {chain}"] = [line.strip() for line in lines.strip().splitlines()]
    return found


def test_every_chain_drops_what_no_rule_takes() -> None:
    found = chains(ruleset(12))
    assert set(found) == {"netdev ingress", "arp output", "inet input", "inet output", "inet forward"}
    for lines in found.values():
        assert lines[0].endswith("policy drop;")
        assert "counter drop" in lines[-1]


def test_nothing_is_accepted_by_half_an_address() -> None:
    for name, lines in chains(ruleset(12)).items():
        for line in lines:
            if line.endswith("accept") and name.startswith(("netdev", "inet")) and "arp" not in line:
                assert "ip saddr 192.168.100." in line and "ip daddr 192.168.100." in line, line
                assert " dport " in line or " sport " in line


def test_a_drop_has_a_name_of_its_own() -> None:
    names = re.findall(r'drop comment "([^"]+)"', ruleset(1))
    assert len(names) == ruleset(1).count("counter drop") == len(set(names))


@pytest.mark.parametrize("doors", [1, 12, 64])
def test_as_many_doors_as_asked(doors: int) -> None:
    assert f"udp dport {FIRST_DOOR}-{FIRST_DOOR + doors - 1} " in ruleset(doors)
