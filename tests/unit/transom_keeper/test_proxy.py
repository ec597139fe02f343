from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_keeper.proxy import (
    MAX_HEADERS,
    ProxyError,
    Target,
    downstream_response,
    error_page,
    target_of,
    upstream_request,
)


def request(method: str, target: str | bytes, *headers: tuple[str, str]) -> h11.Request:
    return h11.Request(method=method, target=target, headers=[("Host", "guest.example"), *headers])


def get(target: str = "http://site.example/", *headers: tuple[str, str]) -> h11.Request:
    return request("GET", target, *headers)


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("CONNECT", "site.example:443", Target("site.example", 443, None)),
        ("CONNECT", "SITE.example.:8443", Target("site.example", 8443, None)),
        ("CONNECT", "[2606:4700::1]:443", Target(IPv6Address("2606:4700::1"), 443, None)),
        ("CONNECT", "0x7f.1:443", Target(IPv4Address("127.0.0.1"), 443, None)),
        ("CONNECT", "2130706433:80", Target(IPv4Address("127.0.0.1"), 80, None)),
        ("CONNECT", "[::ffff:10.0.0.1]:22", Target(IPv4Address("10.0.0.1"), 22, None)),
        ("GET", "http://site.example", Target("site.example", 80, b"/")),
        ("GET", "HTTP://site.example/", Target("site.example", 80, b"/")),
        ("GET", "http://site.example:/", Target("site.example", 80, b"/")),
        ("GET", "http://site.example?q=1", Target("site.example", 80, b"/?q=1")),
        ("GET", "http://site.example/a/b?c=http://d/#frag", Target("site.example", 80, b"/a/b?c=http://d/")),
        ("GET", "http://site.example:8080/x", Target("site.example", 8080, b"/x")),
        ("POST", "http://[::1]:8080/x", Target(IPv6Address("::1"), 8080, b"/x")),
        ("OPTIONS", "http://site.example", Target("site.example", 80, b"*")),
        ("OPTIONS", "http://site.example/", Target("site.example", 80, b"/")),
    ],
)
def test_targets(method: str, target: str, expected: Target) -> None:
    assert target_of(request(method, target)) == expected


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("CONNECT", "site.example"),
        ("CONNECT", "site.example:"),
        ("CONNECT", "site.example:0"),
        ("CONNECT", "site.example:65536"),
        ("CONNECT", "site.example:443443"),
        ("CONNECT", "site.example:https"),
        ("CONNECT", ":443"),
        ("CONNECT", "user@site.example:443"),
        ("CONNECT", "http://site.example:443"),
        ("CONNECT", "2606:4700::1:443"),
        ("CONNECT", "[2606:4700::1"),
        ("CONNECT", "a/b:443"),
        ("CONNECT", "1.2.3.4.5:443"),
        ("CONNECT", "256.0.0.1:443"),
        ("GET", "/"),
        ("GET", "*"),
        ("GET", "site.example:80"),
        ("GET", "https://site.example/"),
        ("GET", "ftp://site.example/"),
        ("GET", "file:///etc/passwd"),
        ("GET", "http:///path"),
        ("GET", "http://user:secret@site.example/"),
        ("GET", "http://site.example@10.0.0.1/"),
        ("GET", "http://site.example\\@10.0.0.1/"),
        ("GET", "http://site.example/a\\b"),
        ("GET", "http://site%2eexample/"),
        ("GET", "http://site.example:80:80/"),
        ("GET", "http://b\xc3\xbccher.example/".encode("latin1")),
    ],
)
def test_what_a_proxy_does_not_take(method: str, target: str | bytes) -> None:
    try:
        asked = request(method, target)
    except h11.LocalProtocolError:
        return  # h11 does not even let it in
    with pytest.raises(ProxyError) as raised:
        target_of(asked)
    assert (raised.value.status, raised.value.cause) == (400, "request")
    assert "secret" not in raised.value.reason


def test_too_many_header_lines() -> None:
    with pytest.raises(ProxyError) as raised:
        target_of(get("http://site.example/", *[("X-Line", "1")] * MAX_HEADERS))
    assert raised.value.status == 431


@given(st.sampled_from([b"GET", b"CONNECT"]), st.from_regex(rb"[\x21-\x7e]{1,60}", fullmatch=True))
def test_any_target_is_one_or_a_refusal(method: bytes, target: bytes) -> None:
    try:
        got = target_of(h11.Request(method=method, target=target, headers=[("Host", "x")]))
    except ProxyError as error:
        assert error.status == 400
        return
    assert 0 < got.port < 65536
    assert b"@" not in got.authority and b"/" not in got.authority


def sent(asked: h11.Request) -> dict[bytes, list[bytes]]:
    """What the site gets, by header name."""
    got: dict[bytes, list[bytes]] = {}
    for name, value in upstream_request(asked, target_of(asked)).headers:
        got.setdefault(name, []).append(value)
    return got


def test_the_site_sees_an_ordinary_request() -> None:
    asked = request("POST", "http://Site.example:8080/a?b", ("Cookie", "c=1"), ("Content-Length", "3"))
    passed = upstream_request(asked, target_of(asked))
    assert (passed.method, passed.target) == (b"POST", b"/a?b")
    assert sent(asked) == {
        b"host": [b"site.example:8080"],
        b"cookie": [b"c=1"],
        b"content-length": [b"3"],
        b"connection": [b"close"],
    }


def test_the_host_is_the_one_that_is_dialled() -> None:
    assert sent(get("http://0x7f.1/"))[b"host"] == [b"127.0.0.1"]
    assert sent(get("http://[2606:4700:0::1]:81/"))[b"host"] == [b"[2606:4700::1]:81"]
    assert sent(get("http://site.example:80/"))[b"host"] == [b"site.example"]


@pytest.mark.parametrize(
    "name",
    [
        "Proxy-Authorization",
        "Proxy-Connection",
        "proxy-anything",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
    ],
)
def test_what_is_for_this_hop_ends_here(name: str) -> None:
    asked = get("http://site.example/", (name, "100-continue"), ("Accept", "*/*"))
    assert name.lower().encode() not in sent(asked)
    assert sent(asked)[b"accept"] == [b"*/*"]
    answer = h11.Response(status_code=200, headers=[(name, "x"), ("Age", "1")])
    assert [pair[0] for pair in downstream_response(answer).headers] == [b"age"]


def test_what_connection_names_ends_here_but_not_the_framing() -> None:
    asked = get(
        "http://site.example/",
        ("Connection", "X-Internal, close"),
        ("Connection", "Host,content-length"),
        ("X-Internal", "1"),
        ("Content-Length", "5"),
    )
    got = sent(asked)
    assert b"x-internal" not in got
    assert (got[b"content-length"], got[b"host"]) == ([b"5"], [b"site.example"])


def test_a_chunked_body_stays_chunked_and_has_no_other_length() -> None:
    got = sent(
        request("POST", "http://site.example/", ("Transfer-Encoding", "chunked"), ("Content-Length", "5"))
    )
    assert got[b"transfer-encoding"] == [b"chunked"]
    assert b"content-length" not in got


def test_a_response_passes() -> None:
    headers = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Length", "7")]
    got = downstream_response(h11.Response(status_code=404, headers=headers, reason=b"Gone fishing"))
    assert (got.status_code, got.reason) == (404, b"Gone fishing")
    assert list(got.headers) == [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"content-length", b"7")]


def test_a_chunked_response_has_no_other_length() -> None:
    headers = [("Transfer-Encoding", "chunked"), ("Content-Length", "7")]
    assert list(downstream_response(h11.Response(status_code=200, headers=headers)).headers) == []


def test_a_guest_is_never_asked_for_a_proxy_password() -> None:
    asked = h11.Response(status_code=407, headers=[("Proxy-Authenticate", "Basic")])
    with pytest.raises(ProxyError) as raised:
        downstream_response(asked)
    assert (raised.value.status, raised.value.cause) == (502, "proxy_auth")


@pytest.mark.parametrize("status", [400, 403, 431, 502, 504, 599])
def test_error_pages_are_plain_text_that_names_the_cause(status: int) -> None:
    page, body = error_page(ProxyError(status, "cause", "The <b>reason</b>."))
    headers = dict(page.headers)
    assert page.status_code == status
    assert body == b"transom: The <b>reason</b>.\n"
    assert headers[b"content-type"] == b"text/plain; charset=utf-8"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert (headers[b"content-length"], headers[b"connection"]) == (str(len(body)).encode(), b"close")
