import ipaddress
import random

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from hypothesis import given
from hypothesis import strategies as st

from transom.stream.sdp import (
    MAX_SDP,
    SdpError,
    candidate_line,
    read_transport,
    strip_candidates,
    viewer_ufrag,
    with_candidate,
)

FINGERPRINT = "sha-256 " + ":".join(f"{n:02X}" for n in range(32))

CHROMIUM = f"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS
m=video 56102 UDP/TLS/RTP/SAVPF 102 103
c=IN IP4 203.0.113.9
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:842163049 1 udp 1677729535 203.0.113.9 56102 typ srflx raddr 0.0.0.0 rport 0 network-cost 999
a=candidate:1 1 udp 2122260223 3d1b9c0a-4f6e-4a8b-9a4e-0c5ee3a8a1d1.local 56102 typ host generation 0
a=ice-ufrag:Ab+/
a=ice-pwd:K5rJ8NwrnMCB3mVG0Jq8EX5r
a=ice-options:trickle
a=fingerprint:{FINGERPRINT}
a=setup:actpass
a=mid:0
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=recvonly
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:102 H264/90000
a=rtcp-fb:102 nack pli
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:Ab+/
a=ice-pwd:K5rJ8NwrnMCB3mVG0Jq8EX5r
a=fingerprint:{FINGERPRINT}
a=setup:actpass
a=mid:1
a=sctp-port:5000
a=max-message-size:262144
"""

FIREFOX = f"""v=0
o=mozilla...THIS_IS_SDPARTA-99.0 4071461553456911811 0 IN IP4 0.0.0.0
s=-
t=0 0
a=sendrecv
a=fingerprint:{FINGERPRINT}
a=group:BUNDLE v d
a=ice-options:trickle
a=msid-semantic:WMS *
m=video 9 UDP/TLS/RTP/SAVPF 126
c=IN IP4 0.0.0.0
a=recvonly
a=fmtp:126 profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1
a=ice-pwd:4c5f7f2d3a5d0d8f3e0a3f1c7b7b9a10
a=ice-ufrag:9f3c1a2b
a=mid:v
a=rtcp-mux
a=rtpmap:126 H264/90000
a=setup:actpass
m=application 0 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=bundle-only
a=sendrecv
a=mid:d
a=setup:actpass
a=ice-pwd:4c5f7f2d3a5d0d8f3e0a3f1c7b7b9a10
a=ice-ufrag:9f3c1a2b
a=sctp-port:5000
"""

GUEST = f"""v=0
o=- 4004344694 4004344694 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0 1
m=video 9 UDP/TLS/RTP/SAVPF 102
c=IN IP4 0.0.0.0
a=ice-ufrag:bzfbNhthZRBgZ56nUwaKtFdftvma8FOH
a=ice-pwd:5tIeXkJwQJuGMB0hkm15qt9sBGwmABvh
a=mid:0
a=rtcp-mux
a=setup:active
a=sendonly
a=fingerprint:{FINGERPRINT}
a=candidate:1 1 UDP 2015364095 127.0.0.1 50770 typ host
a=end-of-candidates
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:bzfbNhthZRBgZ56nUwaKtFdftvma8FOH
a=ice-pwd:5tIeXkJwQJuGMB0hkm15qt9sBGwmABvh
a=mid:1
a=setup:active
a=sctp-port:5000
a=fingerprint:{FINGERPRINT}
"""


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


async def aiortc_offer(kinds: list[str]) -> str:
    peer = RTCPeerConnection()
    for kind in kinds:
        peer.addTransceiver(kind, "recvonly")
    peer.createDataChannel("control")
    await peer.setLocalDescription(await peer.createOffer())
    sdp = peer.localDescription.sdp
    await peer.close()
    return sdp


@pytest.mark.parametrize("offer", [CHROMIUM, FIREFOX])
def test_a_browsers_offer_loses_its_candidates_and_keeps_the_rest(offer):
    stripped = strip_candidates(crlf(offer))
    assert "candidate" not in stripped
    kept = [line for line in offer.splitlines() if line.startswith(("a=ice", "a=finger", "a=fmtp", "a=mid"))]
    assert [line for line in stripped.split("\r\n") if line in kept] == kept
    assert strip_candidates(stripped) == stripped


def test_no_line_tells_the_guest_an_address_of_the_viewer():
    stripped = strip_candidates(crlf(CHROMIUM))
    assert "203.0.113.9" not in stripped
    assert ".local" not in stripped
    assert "m=video 9 UDP/TLS/RTP/SAVPF 102 103\r\n" in stripped


def test_a_section_that_is_bundle_only_or_rejected_keeps_its_port_of_zero():
    assert "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n" in strip_candidates(crlf(FIREFOX))


def test_viewer_ufrag_is_the_bundles():
    assert viewer_ufrag(crlf(CHROMIUM)) == "Ab+/"
    assert viewer_ufrag(crlf(FIREFOX)) == "9f3c1a2b"
    assert viewer_ufrag(FIREFOX) == "9f3c1a2b"


def test_viewer_ufrag_follows_the_bundles_order():
    other = CHROMIUM.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 1 0")
    head, video, data = other.partition("m=video")[0], *other.partition("m=video")[2].split("m=application")
    offer = f"{head}m=video{video}m=application{data.replace('Ab+/', 'tagged')}"
    assert viewer_ufrag(offer) == "tagged"


def test_viewer_ufrag_of_one_section_without_a_group():
    alone = CHROMIUM.partition("m=application")[0].replace("a=group:BUNDLE 0 1\n", "")
    assert viewer_ufrag(alone) == "Ab+/"


@pytest.mark.parametrize("kinds", [["video"], ["audio", "video"]])
async def test_a_real_aiortc_offer_is_read_and_stripped(kinds):
    sdp = await aiortc_offer(kinds)
    ufrag = viewer_ufrag(sdp)
    stripped = strip_candidates(sdp)
    assert f"a=ice-ufrag:{ufrag}\r\n" in stripped
    assert "candidate" not in stripped
    answerer = RTCPeerConnection()
    await answerer.setRemoteDescription(RTCSessionDescription(stripped, "offer"))
    await answerer.close()


async def test_aiortc_takes_an_answer_with_the_door_as_its_only_candidate():
    viewer, guest = RTCPeerConnection(), RTCPeerConnection()
    viewer.addTransceiver("video", "recvonly")
    viewer.createDataChannel("control")
    await viewer.setLocalDescription(await viewer.createOffer())
    await guest.setRemoteDescription(
        RTCSessionDescription(strip_candidates(viewer.localDescription.sdp), "offer")
    )
    await guest.setLocalDescription(await guest.createAnswer())
    answer = with_candidate(guest.localDescription.sdp, "198.51.100.7", 40001)
    await viewer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    transport = viewer.getTransceivers()[0].receiver.transport.transport
    found = [
        (candidate.host, candidate.port) for candidate in transport.iceGatherer._connection.remote_candidates
    ]
    assert set(found) == {("198.51.100.7", 40001)}
    await viewer.close()
    await guest.close()


def test_the_guests_transport_is_read():
    transport = read_transport(crlf(GUEST))
    assert transport.ufrag == "bzfbNhthZRBgZ56nUwaKtFdftvma8FOH"
    assert transport.password == "5tIeXkJwQJuGMB0hkm15qt9sBGwmABvh"
    assert (transport.port, transport.fingerprint) == (50770, FINGERPRINT)


def test_a_transports_password_is_not_in_its_repr():
    transport = read_transport(GUEST)
    assert transport.password not in repr(transport)


def test_the_agent_of_a_virtual_machine_listens_elsewhere() -> None:
    transport = read_transport(GUEST.replace("127.0.0.1", "192.168.100.10"))
    assert transport.port == read_transport(GUEST).port
    with pytest.raises(SdpError):
        read_transport(GUEST.replace("127.0.0.1", "192.168.100.11"))
    with pytest.raises(SdpError):
        read_transport(GUEST, ("192.168.100.10",))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("127.0.0.1 50770", "10.0.0.1 50770"),
        ("127.0.0.1 50770", "127.0.0.1 0"),
        ("127.0.0.1 50770", "127.0.0.1 70000"),
        ("127.0.0.1 50770", "::ffff:127.0.0.1 50770"),
        ("UDP 2015364095", "TCP 2015364095"),
        ("typ host", "typ srflx raddr 127.0.0.1 rport 1"),
        ("a=end-of-candidates", "a=candidate:2 1 UDP 1 127.0.0.1 50771 typ host"),
        ("a=candidate:1 1 UDP 2015364095 127.0.0.1 50770 typ host\n", ""),
        ("a=group:BUNDLE 0 1\n", ""),
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"),
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 0 1\na=group:BUNDLE 1 0"),
        ("a=mid:1", "a=mid:0"),
        ("a=mid:1", "a=mid:1\na=mid:2"),
        ("a=mid:1\na=setup:active", "a=mid:1\na=fingerprint:sha-256 " + ":".join(["00"] * 32)),
        ("a=ice-ufrag:bzfbNhthZRBgZ56nUwaKtFdftvma8FOH", "a=ice-ufrag:ab"),
        ("a=ice-pwd:5tIeXkJwQJuGMB0hkm15qt9sBGwmABvh", "a=ice-pwd:short"),
        ("a=ice-ufrag:bzfb", "a=ice-ufrag:aaaa\na=ice-ufrag:bzfb"),
        ("sha-256", "sha-1"),
        ("m=video 9", "m=video 90000"),
        ("m=video 9", "m=video"),
        ("v=0\n", ""),
        ("s=-", "a line of prose"),
        ("s=-", "s=\x00"),
        ("s=-", ""),
    ],
)
def test_a_lying_or_broken_answer_is_refused(old, new):
    assert old in GUEST
    with pytest.raises(SdpError):
        read_transport(GUEST.replace(old, new))


LURE = "1 1 udp 2130706431 203.0.113.9 53 typ host"


@pytest.mark.parametrize("name", ["CANDIDATE", "Candidate", "cAndidate"])
def test_a_candidate_in_another_case_reaches_no_viewer(name):
    lured = crlf(GUEST.replace("a=end-of-candidates", f"a={name}:{LURE}"))
    with pytest.raises(SdpError):
        read_transport(lured)
    assert "203.0.113.9" not in with_candidate(lured, "198.51.100.7", 40001)


@pytest.mark.parametrize("hidden", [" candidate", "\tcandidate", ":candidate", "", "x candidate"])
def test_an_attribute_whose_name_a_browser_would_have_to_look_for_is_refused(hidden):
    for call in (read_transport, strip_candidates):
        with pytest.raises(SdpError):
            call(GUEST.replace("a=end-of-candidates", f"a={hidden}:{LURE}" if hidden else "a="))


def test_an_answer_that_rejects_everything_is_refused():
    with pytest.raises(SdpError, match="rejected"):
        read_transport(GUEST.replace("m=video 9", "m=video 0").replace("m=application 9", "m=application 0"))


def test_sections_with_two_transports_are_refused():
    head, data = GUEST.split("m=application")
    with pytest.raises(SdpError, match="differ"):
        read_transport(f"{head}m=application{data.replace('bzfb', 'evil')}")


def test_the_viewer_gets_one_candidate_in_the_tagged_section():
    answer = with_candidate(crlf(GUEST), "198.51.100.7", 40001)
    lines = answer.split("\r\n")
    assert [line for line in lines if "candidate" in line] == [
        "a=candidate:1 1 udp 2130706431 198.51.100.7 40001 typ host",
        "a=end-of-candidates",
    ]
    at = lines.index("a=end-of-candidates")
    assert lines[at + 1].startswith("m=application")
    assert "127.0.0.1" not in answer


def test_candidate_line_takes_both_families():
    assert candidate_line("198.51.100.7", 1) == "candidate:1 1 udp 2130706431 198.51.100.7 1 typ host"
    assert " 2001:db8::1 65535 " in candidate_line("2001:db8:0::1", 65535)


@pytest.mark.parametrize(
    ("address", "port"), [("host.example", 1), ("198.51.100.7 1 typ host\r\na=x", 1), ("::1", 0)]
)
def test_candidate_line_refuses_what_is_no_address_or_port(address, port):
    with pytest.raises(SdpError):
        candidate_line(address, port)


def test_size_and_number_of_lines_and_sections_are_limited():
    for text in (
        GUEST + "a=x:" + "y" * MAX_SDP,
        GUEST + "a=x:" + "é" * (MAX_SDP // 2 - len(GUEST)) + "é" * len(GUEST),
        GUEST + "a=x:1\n" * 2000,
        GUEST + "a=x:" + "y" * 5000,
        GUEST + "m=audio 0 RTP/AVP 0\n" * 16,
    ):
        with pytest.raises(SdpError):
            read_transport(text)


def test_errors_do_not_quote_the_text():
    with pytest.raises(SdpError) as caught:
        read_transport("v=0\nSECRET\n")
    assert "SECRET" not in str(caught.value)


MUTATIONS = st.lists(
    st.tuples(st.sampled_from(["drop", "double", "cut", "swap"]), st.integers(0, 60)), max_size=6
)


@given(MUTATIONS, st.sampled_from([CHROMIUM, FIREFOX, GUEST]), st.integers(0, 2**32))
def test_mutilated_sdp_is_read_right_or_refused(mutations, sdp, seed):
    lines, chance = sdp.splitlines(), random.Random(seed)
    for kind, at in mutations:
        at %= max(len(lines), 1)
        if kind == "drop":
            del lines[at : at + 1]
        elif kind == "double":
            lines[at:at] = lines[at : at + 1]
        elif kind == "cut" and lines:
            lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
        elif lines:
            other = chance.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
    _all_calls("\n".join(lines))


@given(st.text(max_size=400))
def test_any_text_is_refused_or_stays_text(text):
    _all_calls(text)
    _all_calls("v=0\n" + text)


def _all_calls(text: str) -> None:
    for call in (strip_candidates, viewer_ufrag, read_transport):
        try:
            found = call(text)
        except SdpError:
            continue
        if call is strip_candidates:
            assert "\ra=candidate" not in found
            assert found.endswith("\r\n")
        elif call is viewer_ufrag:
            assert 4 <= len(found) <= 256
        else:
            assert 1 <= found.port <= 65535


@given(st.ip_addresses(), st.integers(1, 65535))
def test_every_address_makes_a_candidate_that_reads_back(address, port):
    fields = candidate_line(str(address), port).split()
    assert (ipaddress.ip_address(fields[4]), int(fields[5])) == (address, port)
