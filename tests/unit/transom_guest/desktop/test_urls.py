from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.desktop.urls import LIMIT, UrlRefused, checked_url


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/path?q=1#f",
        "http://127.0.0.1:1455/auth/callback",
        "http://[::1]:8080/",
        "HTTPS://A.EXAMPLE",
        "data:text/html,<h1>hello</h1>",
        "about:blank",
    ],
)
def test_what_may_be_opened(url: str) -> None:
    assert checked_url(url) == url


def test_spaces_in_data_urls_are_encoded() -> None:
    assert checked_url("data:text/html,<p class=a>b c</p>") == "data:text/html,<p%20class=a>b%20c</p>"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "--load-extension=/tmp/x",
        "-https://a.example",
        " https://a.example",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "chrome://settings",
        "view-source:https://a.example",
        "https://",
        "https:///path",
        "http://[::1",
        "http://a.example:99999999/",
        "https://a.example/\n--proxy-server=x",
        "https://a.example/ b",
        "data:text/html,\x00",
        "https://a.example/" + "a" * LIMIT,
    ],
)
def test_what_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused) as caught:
        checked_url(url)
    assert "example" not in str(caught.value)


@given(
    st.one_of(
        st.text(), st.builds("{}{}".format, st.sampled_from(["http://", "data:", "-", "\n"]), st.text())
    )
)
def test_what_passes_can_stand_on_a_command_line(url: str) -> None:
    try:
        passed = checked_url(url)
    except UrlRefused:
        return
    assert passed.lower().startswith(("http://", "https://", "data:", "about:blank"))
    assert not any(char <= " " or char == "\x7f" for char in passed)
