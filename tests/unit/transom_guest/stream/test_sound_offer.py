"""What an offer asks of the desktop's sound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.sound_offer import Opus, read_sound

AUDIO = """v=0
m=video 9 UDP/TLS/RTP/SAVPF 96
a=recvonly
m=audio 9 UDP/TLS/RTP/SAVPF 63 111 0
a=mid:1
a=sendrecv
a=rtpmap:63 red/48000/2
a=rtpmap:111 opus/48000/2
a=rtpmap:0 PCMU/8000
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
"""


def test_a_browsers_offer_gives_opus_and_whether_it_may_speak() -> None:
    assert read_sound(AUDIO) == Opus(111, speaks=True)
    assert read_sound(AUDIO.replace("sendrecv", "recvonly")) == Opus(111, speaks=False)


@pytest.mark.parametrize(
    "changed",
    [
        AUDIO.replace("m=audio 9", "m=audio 0"),
        AUDIO.replace("a=sendrecv", "a=inactive"),
        AUDIO.replace("a=sendrecv", "a=sendonly"),
        AUDIO.replace("opus", "vorbis"),
        AUDIO.replace("63 111 0", "63 0"),
        AUDIO.replace("111", "128"),
        AUDIO.replace("m=audio", "m=text"),
        "",
    ],
)
def test_what_takes_no_sound_of_ours_gets_none(changed: str) -> None:
    assert read_sound(changed) is None


@given(st.text(alphabet=st.sampled_from("ma=udiortpopus:/48021 \r\n9")))
def test_any_text_is_an_answer_or_none(text: str) -> None:
    found = read_sound(text)
    assert found is None or 35 <= found.payload_type <= 127
