"""What is found in a tool's lines, and what of them people are shown."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.signin.words import MAX_MESSAGE, Pattern, clean_message, is_web_url


def test_a_group_is_what_is_taken() -> None:
    assert Pattern(r"code: ([A-Z-]+)").find("your code: AB-CD.") == "AB-CD"
    assert Pattern(r"https://\S+").find("open https://a/b now") == "https://a/b"
    assert Pattern("nothing").find("here") is None


@pytest.mark.parametrize("broken", ["", "(", "[", "a{99999999999}"])
def test_an_empty_or_broken_pattern_finds_nothing(broken: str) -> None:
    assert Pattern(broken).find("anything ( [") is None


@pytest.mark.parametrize("url", ["https://a.example/x?y=1&z=%20#f", "http://127.0.0.1:8091/codex/device"])
def test_web_urls(url: str) -> None:
    assert is_web_url(url)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "https://", "https://a b", "https://a\nb", "-x",
            'https://a"b', "https://" + "a" * 9000]
)  # fmt: skip
def test_what_is_no_web_url(url: str) -> None:
    assert not is_web_url(url)


@pytest.mark.parametrize(
    "line",
    [
        "Error logging in: Sign-in failed: access_denied",
        "Couldn't log in: getaddrinfo ENOTFOUND platform.claude.com",
        "FatalAuthenticationError: no luck",
        "error sending request for url (https://auth.openai.com/oauth/token)",
        "see /home/user/.config/transom-demo/credentials.json",
        "LWPG-MZMQ",
    ],
)
def test_words_of_people_stay(line: str) -> None:
    assert clean_message(line) == line


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-oat01-Zx9dKq_17fGh-33aPPqLm0VwXyZ12",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
        "ya29.a0AfH6SMBx-1_2kk3jjjj4hh5gg",
        "0f8e2c1a-7b6d-4e5f-9a8b-1c2d3e4f5a6b",
        "AbCdEfGhIjKlMnOpQrStUvWxYz",
    ],
)
def test_tokens_do_not(secret: str) -> None:
    shown = clean_message(f"saved {secret} for you")
    assert secret not in shown
    assert shown == "saved … for you"


def test_the_query_of_a_url_does_not() -> None:
    assert (
        clean_message("go to https://a.example/cb?code=abc&state=x now") == "go to https://a.example/cb?… now"
    )


@given(st.integers(24, 64))
def test_no_fresh_token_is_ever_shown(size: int) -> None:
    token = secrets.token_urlsafe(size)
    shown = clean_message(f"token={token}")
    assert token not in shown
    assert not any(token[at : at + 20] in shown for at in range(len(token) - 20))


@given(st.text(max_size=6000))
def test_any_line_becomes_short_and_printable(line: str) -> None:
    shown = clean_message(line)
    assert len(shown) <= MAX_MESSAGE
    assert shown.isprintable()
