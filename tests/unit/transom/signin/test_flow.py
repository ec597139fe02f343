"""What a guest may say of a sign-in, and what it may not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.model.credential import Credential
from transom.model.session import Signin, SigninStage
from transom.signin.flow import MAX_MESSAGE, advance, committed, delayed, plain, web_url
from transom_wire.link import SigninState
from transom_wire.sealing import Sealed

S = SigninStage
SIGNIN = Signin("flw_1", "demo", S.STARTING)
CREDENTIAL = Credential(
    "crd_1", "usr_1", "demo", "ses_1", 1, 0, 99, ("a.json",), "key", Sealed(b"", b"", b""), "flw_1", 1
)


@pytest.mark.parametrize("stage", ["starting", "waiting", "saving", "failed", "cancelled"])
def test_a_guest_moves_a_flow_that_is_under_way(stage: str) -> None:
    said = SigninState("flw_1", stage, "https://id.example/x", "AB-CD", "hello")
    moved = advance(SIGNIN, said)
    assert moved == Signin("flw_1", "demo", S(stage), "https://id.example/x", "AB-CD", "hello")
    assert advance(moved, said) is None


@pytest.mark.parametrize("stage", [S.DONE, S.FAILED, S.CANCELLED])
@pytest.mark.parametrize("said", ["starting", "waiting", "saving", "done", "failed", "cancelled"])
def test_what_is_over_stays_over(stage: SigninStage, said: str) -> None:
    assert advance(replace(SIGNIN, stage=stage), SigninState("flw_1", said)) is None


def test_done_is_not_the_guests_word() -> None:
    assert advance(SIGNIN, SigninState("flw_1", "done")) is None


def test_the_vaults_word_is() -> None:
    done = committed(replace(SIGNIN, message="trying"), CREDENTIAL)
    assert (done.stage, done.saved_names, done.saved_expires_at) == (S.DONE, ("a.json",), 99)
    assert done.message == ""
    assert delayed(done, "later").stage is S.DONE
    assert delayed(SIGNIN, "later").stage is S.SAVING


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "file:///x", "https://a b", 'https://a"onclick=', "", None,
            "https://a\u202eb", "//a", "https://" + "a" * 9000],
)  # fmt: skip
def test_only_a_safe_web_address_reaches_the_page(url: str | None) -> None:
    assert web_url(url) is None


def test_a_strange_code_is_dropped() -> None:
    moved = advance(SIGNIN, SigninState("flw_1", "waiting", None, "<b>AB</b>", ""))
    assert moved is not None
    assert moved.user_code is None


@given(st.text(max_size=500))
def test_any_message_is_plain(text: str) -> None:
    assert plain(text).isprintable()
    assert len(plain(text)) <= MAX_MESSAGE
