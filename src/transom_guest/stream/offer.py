"""What a viewer's offer asks of the guest's peer. Pure: an SDP in, the payload to send it out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from transom_wire.sdp import SdpError, check_transports, lines_of, sections_of

TWCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
CONSTRAINED_BASELINE = ("42e0", "42c0", "4200")
"""First halves of profile-level-id that we can serve, the best first: constrained baseline, then baseline."""
_RTPMAP = re.compile(r"a=rtpmap:(\d{1,3}) ([A-Za-z0-9.-]{1,32})/(\d{1,6})")
_FMTP = re.compile(r"a=fmtp:(\d{1,3}) (.{1,500})")
_EXTMAP = re.compile(r"a=extmap:(\d{1,2})(?:/[a-z]{1,8})? (\S{1,200})")
_OF_PAYLOAD = re.compile(r"a=(?:rtpmap|fmtp|rtcp-fb):(\d{1,3}) ")
_PROFILE = re.compile(r"[0-9a-fA-F]{6}")


class OfferError(ValueError):
    """The offer cannot be answered; the text says why and never quotes it."""


@dataclass(frozen=True, slots=True)
class H264:
    """How the viewer wants its video.

    `twcc` is the id of the transport-wide sequence number, `playout_delay` that of the delay a frame may wait: or None.
    """

    payload_type: int
    profile_level_id: str
    twcc: int | None
    playout_delay: int | None = None


def read_offer(sdp: str) -> H264:
    """Return the H.264 of the offer's first video section. Raises OfferError."""
    try:
        check_transports(sections_of(lines_of(sdp)))
    except SdpError as error:
        raise OfferError(f"the offer is not an SDP that can be answered: {error}") from error
    video = section(sdp.splitlines(), "video")
    if not video:
        raise OfferError("the offer has no video")
    if not any(line in ("a=recvonly", "a=sendrecv") for line in video):
        raise OfferError("the offer does not receive video")
    payload_type, profile = _choose(video)
    return H264(payload_type, profile, _extension(video, TWCC), _extension(video, PLAYOUT_DELAY))


def narrowed(offer: str, video: int, audio: int | None) -> str:
    """Return `offer`, which `read_offer` took, without the payload types that are not answered: webrtcbin makes
    something of each of the fifty that a browser offers. One that repeats packets of `video` stays."""
    wanted = {"video": {str(video), *_repeating(section(offer.splitlines(), "video"), video)}}
    if audio is not None:
        wanted["audio"] = {str(audio)}
    lines: list[str] = []
    kept: set[str] | None = None
    for line in offer.splitlines():
        if line.startswith("m="):
            words = line.split()
            kept = wanted.pop(words[0].removeprefix("m="), None)
            line = " ".join(words[:3] + [word for word in words[3:] if kept is None or word in kept])
        match = _OF_PAYLOAD.match(line)
        if kept is None or match is None or match[1] in kept:
            lines.append(line)
    return "".join(f"{line}\r\n" for line in lines)


def with_profile(answer: str, codec: H264) -> str:
    """Return `answer` with the profile the viewer offered named in it, where webrtcbin left it out."""
    head = f"a=fmtp:{codec.payload_type} "
    lines = answer.splitlines()
    for index, line in enumerate(lines):
        if line.startswith(head) and "profile-level-id=" not in line:
            lines[index] = f"{line};profile-level-id={codec.profile_level_id}"
    return "".join(f"{line}\r\n" for line in lines)


def section(lines: list[str], kind: str) -> list[str]:
    """The first section of an SDP that is `kind`, video or audio; empty when there is none."""
    found: list[str] = []
    inside = False
    for line in lines:
        line = line.rstrip()
        if line.startswith("m="):
            if inside:
                break
            inside = line.startswith(f"m={kind} ")
        if inside:
            found.append(line)
    return found


def _repeating(video: list[str], payload: int) -> set[str]:
    """The payload types of RFC 4588 that repeat packets of this one."""
    formats = [match for line in video if (match := _FMTP.fullmatch(line))]
    return {match[1] for match in formats if _parameters(match[2]).get("apt") == str(payload)}


def _choose(video: list[str]) -> tuple[int, str]:
    """The best payload with packetization mode 1, in the offer's own order among equals."""
    order = video[0].split()[3:]
    names = {m[1]: m[2].upper() for line in video if (m := _RTPMAP.fullmatch(line))}
    formats = {m[1]: _parameters(m[2]) for line in video if (m := _FMTP.fullmatch(line))}
    found: list[tuple[int, str]] = []
    for payload in order:
        wanted = formats.get(payload, {})
        profile = wanted.get("profile-level-id", "").lower()
        if (
            names.get(payload) == "H264"
            and wanted.get("packetization-mode") == "1"
            and _PROFILE.fullmatch(profile)
            and profile.startswith(CONSTRAINED_BASELINE)
            and int(payload) <= 127
            and payload == str(int(payload))
        ):
            found.append((int(payload), profile))
    if not found:
        raise OfferError("the viewer takes no constrained-baseline H.264")
    return min(found, key=lambda one: CONSTRAINED_BASELINE.index(one[1][:4]))


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in text.split(";"))
    return {name.lower(): value for name, equals, value in pairs if equals}


def _extension(video: list[str], uri: str) -> int | None:
    for line in video:
        match = _EXTMAP.fullmatch(line)
        if match and match[2] == uri and 1 <= int(match[1]) <= 14:
            return int(match[1])
    return None


def with_fingerprint(answer: str, fingerprint: str) -> str:
    """`answer` with the fingerprint of the certificate in use: webrtcbin counts the private key in, too."""
    return re.sub(r"(?m)^a=fingerprint:[^\r\n]*", f"a=fingerprint:{fingerprint}", answer)


def with_credentials(answer: str, ufrag: str, password: str) -> str:
    """`answer` with these ICE credentials in every section (RFC 8839, 5.4)."""
    answer = re.sub(r"(?m)^a=ice-ufrag:[^\r\n]*", f"a=ice-ufrag:{ufrag}", answer)
    return re.sub(r"(?m)^a=ice-pwd:[^\r\n]*", f"a=ice-pwd:{password}", answer)


def rtp_caps(codec: H264) -> str:
    """The caps of the RTP that `codec` asks for, as GStreamer writes them."""
    caps = (
        "application/x-rtp,media=video,encoding-name=H264,clock-rate=90000,packetization-mode=(string)1,"
        f"payload={codec.payload_type}"
    )
    if codec.twcc is not None:
        caps += f",extmap-{codec.twcc}={TWCC},rtcp-fb-transport-cc=(boolean)true"
    if codec.playout_delay is not None:
        caps += f",extmap-{codec.playout_delay}={PLAYOUT_DELAY}"
    return caps
