"""Which files are a finished credential, and until when."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.signin.credential import Holding, Incomplete, expiry, hold, judge, read_mapping, values_at
from transom_wire.link import CredentialFile

SPEC = CredentialFile("a/auth.json", must_have=("tokens.access", "tokens.refresh"), expires="tokens.until")
WHOLE = {"tokens": {"access": "x", "refresh": "y", "until": 1_800_000_000}}


def body(value: object) -> bytes:
    return json.dumps(value).encode()


def jwt(claims: object) -> str:
    return "e30." + base64.urlsafe_b64encode(body(claims)).rstrip(b"=").decode() + ".sig"


def test_a_whole_file_and_its_expiry() -> None:
    assert judge(SPEC, body(WHOLE)) == 1_800_000_000_000


@pytest.mark.parametrize(
    "bad",
    [
        b"", b"  \n", b"{", b"[]", b"{}", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000,
        body({"tokens": {"access": "x"}}),
        body({"tokens": {"access": "x", "refresh": ""}}),
        body({"tokens": {"access": "x", "refresh": None}}),
        body({"tokens": "x"}),
    ],
)  # fmt: skip
def test_what_is_not_finished(bad: bytes) -> None:
    with pytest.raises(Incomplete) as caught:
        judge(SPEC, bad)
    assert "a/auth.json" in str(caught.value)


def test_refusals_and_reprs_show_no_content() -> None:
    with pytest.raises(Incomplete) as caught:
        judge(SPEC, body({"tokens": {"access": "very-secret"}}))
    holding = hold((SPEC,), {SPEC.path: (body(WHOLE | {"extra": "very-secret"}), 1)})
    assert "very-secret" not in f"{caught.value} {holding!r}"


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        (1_800_000_000, 1_800_000_000_000),
        (1_800_000_000.5, 1_800_000_000_500),
        (1_800_000_000_123, 1_800_000_000_123),
        ("1800000000", 1_800_000_000_000),
        ("2027-01-15T08:00:00Z", 1_800_000_000_000),
        ("2027-01-15T09:00:00+01:00", 1_800_000_000_000),
        ("2027-01-15T08:00:00", None),
        ("soon", None),
        (True, None),
        (-5, None),
        (10**30, None),
        (None, None),
        ({}, None),
    ],
)
def test_forms_of_an_expiry(value: object, instant: int | None) -> None:
    assert expiry({"until": value}, "until") == instant


def test_an_expiry_inside_a_token() -> None:
    assert expiry({"t": {"access": jwt({"exp": 1_800_000_000})}}, "jwt:t.access") == 1_800_000_000_000


@pytest.mark.parametrize("token", ["", "a.b", "a.!!!.c", "a.e30.c", 5, None, jwt([1]), jwt({"exp": "x"})])
def test_a_token_without_an_expiry(token: object) -> None:
    assert expiry({"t": token}, "jwt:t") is None


def test_optional_files_come_along_and_never_stand_in_the_way() -> None:
    more = CredentialFile("b.json", required=False, must_have=("k",))
    whole = {SPEC.path: (body(WHOLE), 5)}
    assert set(hold((SPEC, more), whole).files) == {SPEC.path}
    assert set(hold((SPEC, more), whole | {"b.json": (b"{", 9)}).files) == {SPEC.path}
    both = hold((SPEC, more), whole | {"b.json": (body({"k": 1}), 9)})
    assert set(both.files) == {SPEC.path, "b.json"}
    assert both.newest == 9


def test_a_missing_required_file() -> None:
    with pytest.raises(Incomplete):
        hold((SPEC, CredentialFile("b.json")), {SPEC.path: (body(WHOLE), 5)})


def test_the_digest_is_of_names_and_contents() -> None:
    def digest(text: bytes) -> str:
        return hold((CredentialFile("t", format="text"),), {"t": (text, 1)}).digest

    assert digest(b"one") == digest(b"one") != digest(b"two")


HOSTS = """\
# comment
github.com:
    users:
        ada:
            oauth_token: gho_abc
    git_protocol: https
    oauth_token: "gho_abc"
    user: ada
"""


def test_the_mapping_part_of_yaml() -> None:
    tree = read_mapping(HOSTS)
    assert tree["github.com"]["oauth_token"] == "gho_abc"
    assert tree["github.com"]["users"]["ada"] == {"oauth_token": "gho_abc"}
    assert list(values_at(tree, "*.user")) == ["ada"]
    spec = CredentialFile("hosts.yml", format="yaml", must_have=("*.oauth_token",))
    assert judge(spec, HOSTS.encode()) is None
    with pytest.raises(Incomplete):
        judge(spec, b"github.com:\n    user: ada\n")


@given(st.text(max_size=3000))
def test_any_text_reads_as_some_mapping(text: str) -> None:
    assert isinstance(read_mapping(text), dict)


@given(st.binary(max_size=500), st.sampled_from(["json", "yaml", "text"]))
def test_any_bytes_are_judged_without_a_crash(raw: bytes, form: str) -> None:
    spec = CredentialFile("f", format=form, must_have=("a.*.b",), expires="jwt:a.b")
    try:
        holding: Holding | None = hold((spec,), {"f": (raw, 1)})
    except Incomplete:
        holding = None
    assert holding is None or holding.files == {"f": raw}
