"""What may be opened first, and by whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.model.errors import Invalid, Refused
from transom.sessions.wish import BLANK, DATA_URL_LIMIT, URL_LIMIT, screen_size, start_url


def test_a_screen_is_even_and_within_its_area() -> None:
    assert screen_size(1281, 721) == (1280, 720)
    assert screen_size(4096, 2304) == (4096, 2304)
    for size in ((7680, 4320), (63, 720), (7682, 64)):
        with pytest.raises(Invalid, match="pixels"):
            screen_size(*size)


@pytest.mark.parametrize("text", ["https://example.org/", "http://127.0.0.1:8080/a?b=c#d", "https://[::1]/"])
def test_web_addresses_are_for_everybody(text: str) -> None:
    assert start_url(text, administrator=False) == text


@pytest.mark.parametrize("text", [None, ""])
def test_nothing_is_a_blank_page(text: str | None) -> None:
    assert start_url(text, administrator=False) == BLANK


@pytest.mark.parametrize(
    "text",
    [
        "file:///etc/passwd",
        "chrome://settings",
        "javascript:alert(1)",
        "view-source:https://example.org",
        "https://",
        "https://name:password@example.org/",
        "https://example.org/ --flag",
        "https://example.org/\n",
        "--remote-debugging-port=1",
        "https://[::1/",
        "https://example.org:99999/",
        "https://example.org/" + "a" * URL_LIMIT,
    ],
)
@pytest.mark.parametrize("administrator", [True, False])
def test_everything_else_is_for_nobody(text: str, administrator: bool) -> None:
    with pytest.raises(Invalid):
        start_url(text, administrator=administrator)


def test_data_urls_are_for_administrators_within_limits() -> None:
    page = "data:text/html,<p style='color:red'>hello</p>"
    assert start_url(page, administrator=True) == page
    with pytest.raises(Refused):
        start_url(page, administrator=False)
    for wrong in ("data:text/html,\n", "data:," + "a" * DATA_URL_LIMIT):
        with pytest.raises(Invalid):
            start_url(wrong, administrator=True)


@given(st.text(max_size=300) | st.from_regex(r"https?://[a-z0-9.:@/\[\]-]{0,40}", fullmatch=True))
def test_what_passes_is_an_address_of_the_web(text: str) -> None:
    try:
        passed = start_url(text, administrator=False)
    except (Invalid, Refused):
        return
    assert passed == BLANK or passed.startswith(("http://", "https://"))
    assert passed.isprintable()
    assert " " not in passed
