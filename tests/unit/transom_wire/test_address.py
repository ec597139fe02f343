"""Spellings that must not get past, and public addresses that must."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_wire.address import AddressError, inner_address, parse_host, refuse_host, refuse_reason

REFUSED = [
    ("127.0.0.1", "loopback"),
    ("127.1", "loopback"),
    ("127.0.1", "loopback"),
    ("127.255.255.255", "loopback"),
    ("2130706433", "loopback"),
    ("0x7f000001", "loopback"),
    ("0X7F000001", "loopback"),
    ("0x7f.1", "loopback"),
    ("0x7f.0x0.0x0.0x1", "loopback"),
    ("017700000001", "loopback"),
    ("0177.0.0.01", "loopback"),
    ("127.0.0.1.", "loopback"),
    ("0", "unspecified"),
    ("0x", "unspecified"),
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"),
    ("10.0.0.1", "private"),
    ("10.1", "private"),
    ("012.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.100.1", "private"),
    ("3232235777", "private"),
    ("0xc0.0xa8.0x1.0x1", "private"),
    ("100.64.0.1", "carrier-grade NAT"),
    ("100.127.255.255", "carrier-grade NAT"),
    ("169.254.0.1", "link-local"),
    ("169.254.169.254", "cloud metadata"),
    ("2852039166", "cloud metadata"),
    ("0xa9fea9fe", "cloud metadata"),
    ("0251.0376.0251.0376", "cloud metadata"),
    ("169.16689662", "cloud metadata"),
    ("169.254.170.2", "cloud metadata"),
    ("100.100.100.200", "cloud metadata"),
    ("168.63.129.16", "cloud metadata"),
    ("192.0.0.192", "cloud metadata"),
    ("192.0.0.8", "reserved"),
    ("192.0.2.1", "documentation"),
    ("198.51.100.7", "documentation"),
    ("203.0.113.9", "documentation"),
    ("192.88.99.1", "6to4"),
    ("198.18.0.1", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("4294967295", "broadcast"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("[::1]", "loopback"),
    ("0:0:0:0:0:0:0:1", "loopback"),
    ("::1%lo", "loopback"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:7f00:1", "loopback"),
    ("[::ffff:169.254.169.254]", "cloud metadata"),
    ("::FFFF:A9FE:A9FE", "cloud metadata"),
    ("::ffff:10.0.0.1%eth0", "private"),
    ("0:0:0:0:0:ffff:0a00:0001", "private"),
    ("::127.0.0.1", "IPv4-compatible"),
    ("::8.8.8.8", "IPv4-compatible"),
    ("::ffff:0:127.0.0.1", "reserved"),
    ("64:ff9b::7f00:1", "loopback"),
    ("64:ff9b::10.0.0.1", "private"),
    ("64:ff9b::169.254.169.254", "cloud metadata"),
    ("64:ff9b:1::8.8.8.8", "NAT64"),
    ("2002:7f00:1::", "6to4"),
    ("2002:808:808::1", "6to4"),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"),
    ("2001:2::1", "benchmarking"),
    ("2001:20::1", "reserved"),
    ("2001:db8::1", "documentation"),
    ("3fff::1", "documentation"),
    ("fc00::1", "private"),
    ("fd12:3456::1", "private"),
    ("fd00:ec2::254", "cloud metadata"),
    ("fd00:ec2::254%eth0", "cloud metadata"),
    ("fd20:ce::254", "cloud metadata"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("fe80::1%25eth0", "link-local"),
    ("febf:ffff::1", "link-local"),
    ("fec0::1", "site-local"),
    ("ff02::1", "multicast"),
    ("ff0e::1%2", "multicast"),
    ("100::1", "reserved"),
    ("5f00::1", "reserved"),
    ("4000::1", "reserved"),
    ("2606:4700::5efe:10.0.0.1", "private"),
    ("2606:4700::200:5efe:7f00:1", "loopback"),
]

ALLOWED = [
    "8.8.8.8",
    "1.1.1.1",
    "134744072",
    "0x08080808",
    "010.010.010.010",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "169.253.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "2606:4700::5efe:8.8.8.8",
    "2001:200::1",
    "2003::1",
]

NONSENSE = [
    "",
    ".",
    "..",
    "localhost",
    "example.org",
    "1.2.3.4.5",
    "1.2.3.256",
    "256.1",
    "4294967296",
    "0x100000000",
    "09.0.0.1",
    "1..2",
    "1.2.3.4..",
    "[127.0.0.1]",
    "[::1",
    "::1]",
    "::1::",
    "::ffff:1.2.3.4.5",
    "1.2.3.4:80",
    "127.0.0.1%lo",
    "１２７.0.0.1",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "127.0.0.1\x00",
    "127.0.0.1 ",
    "127.0.0.1/8",
    "-1",
    "%31%32%37.0.0.1",
]


@pytest.mark.parametrize(("spelling", "reason"), REFUSED)
def test_refused(spelling: str, reason: str) -> None:
    assert refuse_reason(spelling) == reason


@pytest.mark.parametrize("spelling", ALLOWED)
def test_allowed(spelling: str) -> None:
    assert refuse_reason(spelling) is None


@pytest.mark.parametrize("text", NONSENSE)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert refuse_reason(text) is not None


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("_dmarc.example.org", "_dmarc.example.org"),
        ("localhost", "localhost"),
        ("a", "a"),
        ("0x7g.example", "0x7g.example"),
        ("1.2.3.example", "1.2.3.example"),
        ("127.0.0.1.nip.io", "127.0.0.1.nip.io"),
        ("0177.1", IPv4Address("127.0.0.1")),
        ("[2606:4700::1]", IPv6Address("2606:4700::1")),
        ("::ffff:1.2.3.4", IPv4Address("1.2.3.4")),
    ],
)
def test_hosts(text: str, host: object) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "a/b",
        "a@b",
        "a\\b",
        "-a.example",
        "a-.example",
        "a..b",
        ".a",
        "a" * 64 + ".example",
        ".".join(["a" * 60] * 5),
        "bücher.example",
        "example.org:80",
        "[example.org]",
        "foo.123",
        "foo.0x1f",
        "%65xample.org",
        "a\n.example",
        "example.org\n",
    ],
)
def test_hosts_that_are_none(text: str) -> None:
    with pytest.raises(AddressError) as raised:
        parse_host(text)
    assert text not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("localhost", "loopback"),
        ("LocalHost.", "loopback"),
        ("a.b.localhost", "loopback"),
        ("localhost.localdomain", "loopback"),
        ("printer.local", "link-local"),
        ("db.internal", "private"),
        ("nas.home.arpa", "private"),
        ("router.lan", "private"),
        ("intranet.corp", "private"),
        ("abc.onion", "hidden service"),
        ("metadata", "cloud metadata"),
        ("metadata.google.internal", "cloud metadata"),
        ("metadata.goog", "cloud metadata"),
        ("instance-data", "cloud metadata"),
        ("instance-data.ec2.internal", "private"),
        ("printer", "unqualified"),
        ("com", "unqualified"),
        ("127.0.0.1.nip.io", "loopback"),
        ("a.b.10.0.0.1.nip.io", "private"),
        ("10-0-0-1.sslip.io", "private"),
        ("app-169-254-169-254.sslip.io", "cloud metadata"),
        ("a.app-10-0-0-1.x.example", "private"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("example.org", None),
        ("localhost.example.org", None),
        ("local.example.org", None),
        ("notlocal", "unqualified"),
        ("internal.example", None),
        ("mylocal.org", None),
        ("home.example", None),
        ("home.arpa.example", None),
        ("8.8.8.8.nip.io", None),
        ("8-8-8-8.example.org", None),
        ("999-0-0-1.example.org", None),
        ("10-0-0.example.org", None),
        ("10-0-0-1x.example.org", None),
        ("v10-0-0-1.example.org", None),
        ("ec2-54-1-2-3.compute.amazonaws.com", None),
        ("8.8.8.8", None),
    ],
)
def test_hosts_that_somebody_else_would_resolve(name: str, reason: str | None) -> None:
    assert refuse_host(parse_host(name)) == reason


@given(st.text(max_size=300) | st.from_regex(r"[a-z0-9.-]{1,250}", fullmatch=True))
def test_any_host_is_judged_without_another_error(text: str) -> None:
    try:
        host = parse_host(text)
    except AddressError:
        return
    refuse_host(host)


@given(st.ip_addresses(v=4))
def test_the_inner_address_is_the_one_that_is_reached(address: IPv4Address) -> None:
    for spelling in (str(address), f"::ffff:{address}", f"64:ff9b::{address}"):
        host = parse_host(spelling)
        assert not isinstance(host, str) and inner_address(host) == address


def test_the_inner_address_has_no_zone() -> None:
    assert inner_address(IPv6Address("2620:fe::fe%eth0")) == IPv6Address("2620:fe::fe")


@given(st.integers(0, 2**32 - 1), st.sampled_from(["10", "8", "16"]), st.integers(1, 4))
def test_every_spelling_of_an_ipv4_address_is_judged_alike(number: int, base: str, parts: int) -> None:
    address = IPv4Address(number)
    octets = list(address.packed)
    heads, rest = octets[: parts - 1], int.from_bytes(bytes(octets[parts - 1 :]), "big")
    form = {"10": "{:d}", "8": "0{:o}", "16": "0x{:x}"}[base]
    spelled = ".".join(form.format(part) for part in [*heads, rest])
    assert parse_host(spelled) == address
    assert refuse_reason(spelled) == refuse_reason(str(address))


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_what_it_maps(address: IPv4Address) -> None:
    assert refuse_reason(f"::ffff:{address}") == refuse_reason(str(address))
    assert refuse_reason(f"[::ffff:{address}]") == refuse_reason(str(address))
    assert refuse_reason(f"64:ff9b::{address}") == refuse_reason(str(address))


@given(st.ip_addresses())
def test_the_standard_library_calls_global_what_passes(address: IPv4Address | IPv6Address) -> None:
    """Ours is stricter in places, and laxer only for NAT64's well-known prefix, which it looks into."""
    if refuse_reason(str(address)) is None and address not in IPv6Network("64:ff9b::/96"):
        assert address.is_global and not address.is_multicast


@given(
    st.sampled_from(
        ["10.0.0.0/8", "127.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3"]
    ),
    st.integers(0, 2**32 - 1),
)
def test_the_whole_of_each_range_is_refused(network: str, number: int) -> None:
    inside = IPv4Network(network)
    assert refuse_reason(str(inside[number % inside.num_addresses]))


@given(st.text(max_size=300))
def test_any_text_is_judged_without_another_error(text: str) -> None:
    refuse_reason(text)


@given(st.from_regex(r"[0-9a-fA-Fx.:%\[\]]{0,40}", fullmatch=True))
def test_near_addresses_are_judged_without_another_error(text: str) -> None:
    refuse_reason(text)
