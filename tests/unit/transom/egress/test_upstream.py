from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.egress.upstream import (
    EXPANDED_LIMIT,
    LIST_LIMIT,
    expand,
    has_password,
    masked,
    read,
    read_list,
)
from transom.model.errors import Invalid
from transom.model.exit import Upstream


def one(text: str) -> Upstream:
    found = read(text)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://u:p@proxy.example:3128", Upstream("http", "proxy.example", 3128, "u", "p")),
        ("http://proxy.example", Upstream("http", "proxy.example", 8080)),
        ("https://u@proxy.example", Upstream("https", "proxy.example", 443, "u")),
        ("socks5://u:p@198.51.100.4:1080", Upstream("socks5", "198.51.100.4", 1080, "u", "p")),
        ("socks5h://proxy.example", Upstream("socks5", "proxy.example", 1080)),
        ("HTTP://Proxy.Example.:80/", Upstream("http", "proxy.example", 80)),
        ("http://[2001:DB8::1]:8080", Upstream("http", "2001:db8::1", 8080)),
        ("http://u%40x:p%3Aq@proxy.example:80", Upstream("http", "proxy.example", 80, "u@x", "p:q")),
        ("http://u:p@ss:w/ord@proxy.example:80", Upstream("http", "proxy.example", 80, "u", "p@ss:w/ord")),
        ("proxy.example:8000:user:pa:ss%41", Upstream("http", "proxy.example", 8000, "user", "pa:ss%41")),
        ("u:p@proxy.example:8000", Upstream("http", "proxy.example", 8000, "u", "p")),
        ("proxy.example:8000", Upstream("http", "proxy.example", 8000)),
    ],
)
def test_every_spelling_that_sellers_use(text: str, expected: Upstream) -> None:
    found = one(text)
    assert found == expected
    assert found.password == expected.password


@pytest.mark.parametrize(
    "text",
    [
        "ftp://proxy.example",
        "http://",
        "http://:80",
        "http://proxy.example:0",
        "http://proxy.example:65536",
        "http://proxy.example:8x",
        "http://pro xy.example",
        "http://proxy_.exa mple",
        "http://[::1",
        "http://[nonsense]:80",
        "http://999.1.1.1:80",
        "http://0x7f.1:80",
        "http://:secret@proxy.example",
        "http://u:" + "p" * 256 + "@proxy.example",
        "http://u%ff:p@proxy.example",
        "http://prøxy.example",
        "http://u:p%00@proxy.example",
        "http://proxy.example:{5..1}",
        "http://proxy.example:{1..99999}",
        "http://u-{1..3}:p@proxy.example:{1..4}",
        "http://proxy.example/\x07",
    ],
)
def test_what_is_no_upstream_is_refused_without_a_quote(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(text)
    assert "secret" not in refused.value.message
    assert "proxy" not in refused.value.message


def test_a_range_of_ports_is_as_many_exits() -> None:
    found = read("http://user:pass@host.example:{10001..10050}")
    assert [each.port for each in found] == list(range(10001, 10051))
    assert {each.password for each in found} == {"pass"}


def test_a_range_of_user_names_is_too_and_leading_zeros_stay() -> None:
    assert [each.username for each in read("http://user-session-{08..11}:p@h.example:80")] == [
        "user-session-08",
        "user-session-09",
        "user-session-10",
        "user-session-11",
    ]


def test_two_ranges_count_together() -> None:
    assert [(each.username, each.port) for each in read("http://u{1..3}:p@h.example:{101..103}")] == [
        ("u1", 101),
        ("u2", 102),
        ("u3", 103),
    ]


def test_a_list_names_the_line_that_is_wrong_and_nothing_of_it() -> None:
    with pytest.raises(Invalid, match="line 3: the scheme") as refused:
        read_list("# mine\nhttp://a.example\nftp://u:secret@b.example\n")
    assert "secret" not in refused.value.message


def test_a_list_with_a_byte_order_mark_blank_lines_and_the_same_twice() -> None:
    found = read_list("\ufeffhttp://a.example:80\r\n\r\n  http://A.example:80/  \nb.example:81:u:p\n")
    assert [each.host for each in found] == ["a.example", "b.example"]


def test_what_follows_a_number_sign_behind_a_space_is_a_remark() -> None:
    """The list of docs/how-to/add-exits.md, word by word."""
    how_to = Path(__file__).parents[4] / "docs" / "how-to" / "add-exits.md"
    shown = how_to.read_text().split("transom exit import list.txt", 1)[1].split("```")[2]
    assert "#" in shown
    found = read_list(shown)
    assert len(found) == 103
    assert {each.username for each in found if each.port == 10001} == {"user"}
    assert read_list("#all of it\n  # this too\n") == []
    (kept,) = read_list("http://u:p#ss@h.example:80\t# the password has one")
    assert kept.password == "p#ss"


def test_lists_are_bounded() -> None:
    many = "\n".join(f"http://h{n}.example:{{1..1000}}" for n in range(1 + LIST_LIMIT // EXPANDED_LIMIT))
    with pytest.raises(Invalid, match="more than"):
        read_list(many)
    with pytest.raises(Invalid, match="line 11: more than"):
        read_list("http://h.example:{1..1000}\n" * 5000)


def test_a_password_is_in_no_repr() -> None:
    assert "secret" not in repr(one("http://u:secret@h.example"))


@pytest.mark.parametrize(
    "text", ["http://u:p@h.example", "u:p@h.example:80", "h.example:80:u:p", "ftp://:x@y"]
)
def test_a_line_with_a_password_is_known(text: str) -> None:
    assert has_password(text)


@pytest.mark.parametrize(
    "text", ["http://u@h.example:80", "http://h.example:{1..9}", "h.example:80", "nonsense"]
)
def test_a_line_without_one_is_too(text: str) -> None:
    assert not has_password(text)


def test_of_a_user_name_the_beginning_is_shown() -> None:
    assert masked("customer-123-sessid-99") == "cu…"
    assert masked(None) is None


@given(st.text(max_size=300))
def test_whatever_the_text_it_is_upstreams_or_invalid(text: str) -> None:
    try:
        found = read(text)
    except Invalid as error:
        assert len(error.message) < 120
        return
    assert 1 <= len(found) <= EXPANDED_LIMIT
    for each in found:
        assert each.scheme in ("http", "https", "socks5")
        assert 1 <= each.port <= 65535
        assert each.host and "/" not in each.host and "@" not in each.host


@given(st.integers(0, 10**6), st.integers(0, 200))
def test_ranges_have_the_length_they_say(low: int, more: int) -> None:
    texts = list(expand(f"a{{{low}..{low + more}}}b"))
    assert len(texts) == more + 1
    assert texts[0] == f"a{low}b"
    assert texts[-1] == f"a{low + more}b"


@given(
    st.sampled_from(["http", "https", "socks5"]),
    st.from_regex(r"[a-z][a-z0-9-]{0,20}\.[a-z]{2,6}", fullmatch=True),
    st.integers(1, 65535),
    st.text("abcXYZ019:@/%-_ ü", min_size=1, max_size=40),
    st.text("abcXYZ019:@/%-_ ü", min_size=1, max_size=40),
)
def test_what_is_quoted_comes_back(scheme: str, host: str, port: int, user: str, password: str) -> None:
    from urllib.parse import quote

    found = one(f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{host}:{port}")
    assert (found.scheme, found.host, found.port) == (scheme, host, port)
    assert (found.username, found.password) == (user, password)
