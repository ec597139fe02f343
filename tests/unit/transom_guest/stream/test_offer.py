import contextlib

import pytest
from aiortc import RTCPeerConnection
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.offer import (
    H264,
    PLAYOUT_DELAY,
    TWCC,
    OfferError,
    narrowed,
    read_offer,
    rtp_caps,
    with_credentials,
    with_fingerprint,
    with_profile,
)
from transom_wire.sdp import MAX_SDP

TRANSPORT = f"""a=ice-ufrag:Ab+/
a=ice-pwd:K5rJ8NwrnMCB3mVG0Jq8EX5r
a=fingerprint:sha-256 {":".join(["AB"] * 32)}
a=setup:actpass
"""
CHROMIUM = f"""v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104 105 106 107 108 109 127 125 39 40
c=IN IP4 0.0.0.0
{TRANSPORT}a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:toffset
a=extmap:4/recvonly {TWCC}
a=recvonly
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtpmap:102 H264/90000
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
a=rtpmap:104 H264/90000
a=fmtp:104 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f
a=rtpmap:108 H264/90000
a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:109 rtx/90000
a=fmtp:109 apt=108
a=rtpmap:127 H264/90000
a=fmtp:127 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
{TRANSPORT}a=mid:1
"""


def test_a_browsers_offer_gives_constrained_baseline_in_mode_1():
    assert read_offer(CHROMIUM) == H264(108, "42e01f", 4)


def test_baseline_serves_where_there_is_nothing_better():
    offer = CHROMIUM.replace("packetization-mode=1;profile-level-id=42e01f", "packetization-mode=1")
    assert read_offer(offer) == H264(102, "42001f", 4)


def test_the_order_of_the_offer_decides_among_equals():
    offer = CHROMIUM.replace("42001f", "42e01f").replace("97 102 ", "97 ").replace(" 39 40", " 102 40")
    assert read_offer(offer).payload_type == 108


def test_line_ends_and_upper_case_do_not_matter():
    assert read_offer(CHROMIUM.replace("\n", "\r\n").replace("42e01f", "42E01F")).profile_level_id == "42e01f"


def test_without_the_extension_there_is_no_feedback():
    assert read_offer(CHROMIUM.replace(TWCC, "urn:other")).twcc is None
    assert read_offer(CHROMIUM.replace("extmap:4/", "extmap:15/")).twcc is None


def test_the_playout_delay_is_read_and_asked_for():
    codec = read_offer(CHROMIUM)
    assert codec.playout_delay is None or 1 <= codec.playout_delay <= 14
    offered = read_offer(CHROMIUM.replace(TWCC, PLAYOUT_DELAY))
    assert (offered.twcc, offered.playout_delay) == (None, 4)
    assert f"extmap-4={PLAYOUT_DELAY}" in rtp_caps(offered)


def test_a_sendrecv_offer_is_answered():
    assert read_offer(CHROMIUM.replace("a=recvonly", "a=sendrecv")).payload_type == 108


async def test_a_real_aiortc_offer_is_read():
    peer = RTCPeerConnection()
    peer.addTransceiver("video", "recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    codec = read_offer(peer.localDescription.sdp)
    await peer.close()
    assert codec.profile_level_id == "42e01f"
    assert f"a=rtpmap:{codec.payload_type} H264/90000" in peer.localDescription.sdp


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "v=0\n",
        CHROMIUM.replace("v=0\n", ""),
        CHROMIUM.replace("m=video", "m=audio"),
        CHROMIUM.replace("a=recvonly", "a=inactive"),
        CHROMIUM.replace("a=recvonly", "a=sendonly"),
        CHROMIUM.replace("H264", "H265"),
        CHROMIUM.replace("packetization-mode=1", "packetization-mode=0"),
        CHROMIUM.replace("42e01f", "42e0").replace("42001f", "zzzzzz"),
        CHROMIUM.replace(" 102 ", " ").replace(" 108 ", " "),
        CHROMIUM.replace("102", "300").replace("108", "301"),
        CHROMIUM + "a=x\x00\n",
        CHROMIUM + "a=x:" + "y" * MAX_SDP,
        CHROMIUM + "a=x\n" * 2000,
        CHROMIUM.replace("a=group", "a=ice-pwd:K5rJ8NwrnMCB3mVG0Jq8EX5r\n" * 2 + "a=group"),
        CHROMIUM.replace("a=setup:actpass\n", ""),
    ],
)
def test_an_offer_that_cannot_be_answered_is_refused(offer):
    with pytest.raises(OfferError):
        read_offer(offer)


@given(st.text(max_size=300), st.integers(0, len(CHROMIUM)), st.integers(0, 40))
def test_a_mutilated_offer_is_read_or_refused(junk, at, cut):
    with contextlib.suppress(OfferError):
        codec = read_offer(CHROMIUM[:at] + junk + CHROMIUM[at + cut :])
        assert 0 <= codec.payload_type <= 127
        assert len(codec.profile_level_id) == 6


def test_the_profile_is_named_in_the_answer_where_it_was_left_out():
    codec = H264(108, "42e01f", None)
    answer = "v=0\r\na=fmtp:108 packetization-mode=1\r\na=fmtp:109 apt=108\r\n"
    named = with_profile(answer, codec)
    assert named == answer.replace("mode=1", "mode=1;profile-level-id=42e01f")
    assert with_profile(named, codec) == named


ANSWER = (
    "v=0\r\nm=video 9 X 102\r\na=ice-ufrag:shared\r\na=ice-pwd:sharedsharedsharedshared\r\n"
    "a=fingerprint:sha-256 00:11\r\nm=application 9 X y\r\na=ice-ufrag:shared\r\n"
    "a=ice-pwd:sharedsharedsharedshared\r\na=fingerprint:sha-256 00:11\r\na=end\r\n"
)


def test_every_section_gets_our_credentials_and_our_fingerprint() -> None:
    answer = with_fingerprint(with_credentials(ANSWER, "ours", "p" * 32), "sha-256 AA:BB")
    assert "shared" not in answer and "00:11" not in answer
    for line in ("a=ice-ufrag:ours\r\n", f"a=ice-pwd:{'p' * 32}\r\n", "a=fingerprint:sha-256 AA:BB\r\n"):
        assert answer.count(line) == 2
    assert len(answer.splitlines()) == len(ANSWER.splitlines())


def test_an_offer_is_narrowed_to_what_is_answered_and_to_what_repeats_it():
    sound = f"m=audio 9 UDP/TLS/RTP/SAVPF 111 0\n{TRANSPORT}a=mid:2\na=rtpmap:111 opus/48000/2\na=rtpmap:0 PCMU/8000\n"
    lines = narrowed(CHROMIUM + sound, 108, 111).split("\r\n")
    assert "m=video 9 UDP/TLS/RTP/SAVPF 108 109" in lines
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 111" in lines
    told = [line.split(" ")[0] for line in lines if line.startswith(("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"))]
    assert told == ["a=rtpmap:108", "a=fmtp:108", "a=rtpmap:109", "a=fmtp:109", "a=rtpmap:111"]
    rest = [
        line for line in CHROMIUM.splitlines() if not line.startswith(("a=rtpmap:", "a=fmtp:", "m=video"))
    ]
    assert [line for line in lines if line in rest][: len(rest)] == rest
    assert read_offer("\r\n".join(lines)) == read_offer(CHROMIUM)


def test_sound_that_is_not_answered_stays_as_it_was_offered():
    sound = "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=rtpmap:0 PCMU/8000\n"
    assert narrowed(CHROMIUM + sound, 108, None).endswith(sound.replace("\n", "\r\n"))


@given(st.text(max_size=300), st.integers(0, len(CHROMIUM)), st.integers(0, 40))
def test_whatever_offer_is_read_is_read_the_same_once_narrowed(junk, at, cut):
    offer = CHROMIUM[:at] + junk + CHROMIUM[at + cut :]
    with contextlib.suppress(OfferError):
        codec = read_offer(offer)
        assert read_offer(narrowed(offer, codec.payload_type, None)) == codec
