"""Which transports an offer may name, and how."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_wire.sdp import (
    FINGERPRINT,
    PASSWORD,
    SdpError,
    check_transports,
    lines_of,
    rejected,
    sections_of,
)

UFRAG, PWD = "a=ice-ufrag:Ab+/", "a=ice-pwd:K5rJ8NwrnMCB3mVG0Jq8EX5r"
SHA256 = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)
SHA1 = "a=fingerprint:sha-1 " + ":".join(["AB"] * 20)
SETUP = "a=setup:actpass"
WHOLE = [UFRAG, PWD, SHA256, SETUP]


def checked(session: list[str], *media: list[str]) -> None:
    check_transports([["v=0", *session], *(["m=video 9 UDP/TLS/RTP/SAVPF 96", *lines] for lines in media)])


def test_a_transport_is_the_section_s_own_or_the_session_s() -> None:
    checked([], WHOLE, WHOLE)
    checked(WHOLE, [], [])
    checked([SHA256], [UFRAG, PWD, SETUP], [UFRAG, PWD, SETUP])
    checked([], [UFRAG, PWD, SHA1, SHA256, SETUP])


@pytest.mark.parametrize("line", WHOLE)
def test_each_of_its_lines_comes_and_comes_once(line: str) -> None:
    rest = [other for other in WHOLE if other != line]
    for session, media in (
        ([], rest),
        ([line, line], rest),
        ([], [*rest, line, line]),
        ([line, line], WHOLE),
    ):
        with pytest.raises(SdpError):
            checked(session, media)


@pytest.mark.parametrize("line", WHOLE)
@pytest.mark.parametrize(
    "bad", ["{name}", "{name}:", "{name}:?", "{name}: {value}", "{name}:{value} ", "{upper}:{value}"]
)
def test_each_of_its_lines_has_a_value_as_it_must_be(line: str, bad: str) -> None:
    name, _, value = line.removeprefix("a=").partition(":")
    other = "a=" + bad.format(name=name, upper=name.upper(), value=value)
    for session in ([other], [other, *WHOLE]):
        with pytest.raises(SdpError):
            checked(session, WHOLE)
    with pytest.raises(SdpError):
        checked([], [other if each == line else each for each in WHOLE])


def test_ufrag_and_password_are_of_one_level() -> None:
    """webrtcbin takes both of one level, or asserts."""
    for session, media in (
        ([PWD], [UFRAG, SHA256, SETUP]),
        ([UFRAG], [PWD, SHA256, SETUP]),
        ([UFRAG], WHOLE),
    ):
        with pytest.raises(SdpError):
            checked(session, media)


def test_a_section_that_is_not_wanted_needs_no_transport_but_says_it_once_too() -> None:
    refused = ["m=audio 0 UDP/TLS/RTP/SAVPF 111"]
    assert rejected(refused) and not rejected([*refused, "a=bundle-only"])
    check_transports([["v=0"], ["m=video 9 UDP/TLS/RTP/SAVPF 96", *WHOLE], refused])
    with pytest.raises(SdpError):
        check_transports([["v=0"], ["m=video 9 UDP/TLS/RTP/SAVPF 96", *WHOLE], [*refused, *WHOLE, PWD]])
    with pytest.raises(SdpError):
        check_transports([["v=0"], ["m=video 9 UDP/TLS/RTP/SAVPF 96", *WHOLE], [*refused, "a=bundle-only"]])


@pytest.mark.parametrize(
    "end", ["\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\x00"]
)
def test_nothing_ends_a_line_for_one_reader_and_not_for_another(end: str) -> None:
    with pytest.raises(SdpError):
        lines_of(f"v=0\r\ns=-{end}{PWD}\r\n")


LINES = st.lists(
    st.sampled_from(
        [*WHOLE, SHA1, UFRAG + "x", PWD + "x", "a=setup:passive", "a=ice-pwd", "a=mid:0", "a=bundle-only"]
    )
    | st.sampled_from(["m=video 9 X 96", "m=audio 0 X 96", "m="])
    | st.text(max_size=20),
    max_size=16,
)


@given(LINES)
def test_what_passes_has_one_pair_of_credentials_for_each_section(lines: list[str]) -> None:
    """By the way that webrtcbin looks for them: both in the section, else each in the session, and none twice."""
    with contextlib.suppress(SdpError):
        text = "\n".join(["v=0", *lines])
        session, *media = groups = sections_of(lines_of(text))
        check_transports(groups)
        assert text.splitlines() == [line for group in groups for line in group]
        for section in media:
            for name, pattern in (("ice-pwd", PASSWORD), ("fingerprint", FINGERPRINT)):
                own = [line for line in section if line.lower().startswith(f"a={name}")]
                shared = [line for line in session if line.lower().startswith(f"a={name}")]
                found = own or shared
                assert len(found) >= (not rejected(section))
                assert name == "fingerprint" or (len(own) <= 1 and len(shared) <= 1)
                assert not found or any(pattern.fullmatch(line.partition(":")[2]) for line in found)
