"""Origins as browsers write them, and as nobody but an attacker does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.auth.origin import loopback, loopback_address, read_origin, read_place, same_origin

OWN = [
    ("http://127.0.0.1:4000", "127.0.0.1:4000", "http"),
    ("http://localhost:4000", "localhost:4000", "http"),
    ("https://desk.example", "desk.example", "https"),
    ("https://desk.example", "desk.example:443", "https"),
    ("https://desk.example:443", "desk.example", "https"),
    ("http://desk.example", "desk.example:80", "http"),
    ("https://DESK.Example", "desk.example", "https"),
    ("https://desk.example", "Desk.EXAMPLE", "https"),
    ("http://[::1]:4000", "[::1]:4000", "http"),
    ("http://[::1]:4000", "[0:0:0:0:0:0:0:1]:4000", "http"),
    ("http://my_host:4000", "my_host:4000", "http"),
]
FOREIGN = [
    None,
    "",
    "null",
    "NULL",
    "https://evil.example",
    "http://desk.example",
    "https://desk.example:8443",
    "https://desk.example.evil.example",
    "https://evil-desk.example",
    "https://sub.desk.example",
    "https://desk.example.",
    "https://desk.example@evil.example",
    "https://desk.example:x@evil.example",
    "https://user@desk.example",
    "https://desk.example/",
    "https://desk.example?x",
    "https://desk.example#x",
    "https://desk.example\\@evil.example",
    "https://desk.example, https://evil.example",
    "https://desk.example https://evil.example",
    " https://desk.example",
    "https://desk.example\n",
    "https:desk.example",
    "https//desk.example",
    "//desk.example",
    "desk.example",
    "https://",
    "https://:443",
    "https://desk.example:",
    "https://desk.example:0",
    "https://desk.example:0443",
    "https://desk.example:65979",
    "https://desk.example:٤٤٣",
    "https://desk.examplé",
    "https://desk%2eexample",
    "https://desk..example",
    "https://[desk.example]",
    "https://[::1",
    "https://[::1%25eth0]",
    "ftp://desk.example",
    "file://",
    "chrome-extension://desk.example",
    "https://" + "a" * 400,
]


@pytest.mark.parametrize(("origin", "host", "scheme"), OWN)
def test_a_page_of_ours_is_ours(origin: str, host: str, scheme: str) -> None:
    assert same_origin(origin, host=host, scheme=scheme, allowed=())


@pytest.mark.parametrize("origin", FOREIGN)
def test_everything_else_is_not(origin: str | None) -> None:
    assert not same_origin(origin, host="desk.example", scheme="https", allowed=())


@pytest.mark.parametrize("host", ["", ":", "a b", "x@y", "desk.example/", "desk.example:99999", "[::1", "é"])
def test_a_host_that_cannot_be_read_owns_nothing(host: str) -> None:
    assert not same_origin(f"https://{host}", host=host, scheme="https", allowed=())


def test_an_allowed_origin_is_ours_too_and_a_broken_one_opens_nothing() -> None:
    allowed = ("https://Pages.example:443", "nonsense", "null", "")
    assert same_origin("https://pages.example", host="desk.example", scheme="https", allowed=allowed)
    for origin in ("null", "", "nonsense", "http://pages.example"):
        assert not same_origin(origin, host="desk.example", scheme="https", allowed=allowed)


@given(st.text())
def test_no_text_breaks_the_parser_and_what_it_reads_is_normal(text: str) -> None:
    place = read_origin(text)
    if place is not None:
        scheme, host, port = place
        assert read_origin(f"{scheme}://{host}:{port}") == place
        assert host.isascii()
        assert not set(host) & set("@/\\?# ,%")


@given(st.from_regex(r"[a-z@:/\\.\[\]0-9%#?, ]{0,40}", fullmatch=True))
def test_only_the_exact_authority_is_the_same(authority: str) -> None:
    origin = f"https://{authority}"
    if same_origin(origin, host="desk.example", scheme="https", allowed=()):
        assert authority in ("desk.example", "desk.example:443")


def test_places_have_their_port_filled_in() -> None:
    assert read_place("https", "desk.example") == ("https", "desk.example", 443)
    assert read_place("http", "[2001:DB8:0::1]") == ("http", "[2001:db8::1]", 80)
    assert read_place("ws", "desk.example") is None


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1:4000", True),
        ("127.9.9.9", True),
        ("localhost:4000", True),
        ("LOCALHOST", True),
        ("[::1]:4000", True),
        ("[::ffff:127.0.0.1]", True),
        ("0.0.0.0", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.1.2", False),
        ("", False),
    ],
)
def test_loopback_hosts(host: str, near: bool) -> None:
    assert loopback(host) is near


def test_loopback_addresses() -> None:
    assert loopback_address("127.0.0.1")
    assert loopback_address("::ffff:127.0.0.1")
    assert not loopback_address("localhost")
    assert not loopback_address("10.0.0.1")
