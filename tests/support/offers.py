"""Offers as somebody would send them who means ill."""

from __future__ import annotations

import random
from collections.abc import Iterator

VALUES = (
    *("", "0", "-1", "65535", "4294967296", "99999999999999999999", "éé", "%s%n", "x" * 3000, "a=b;c"),
    *("sha-1 00", "passive", "active", "holdconn", "webrtc-datachannel 0", "audio", "100", "1 2 3"),
)
LINES = tuple(
    "a=" + each
    for each in (
        *(
            "sctp-port:0",
            "sctp-port:99999999999",
            "max-message-size:0",
            "max-message-size:18446744073709551616",
        ),
        *("setup:passive", "setup:holdconn", "setup:xx", "extmap:15 x", "extmap:1 urn:x", "extmap:1 urn:x"),
        *("rtcp-fb:* nack pli", "rtcp-fb:999 x", "ssrc:99999999999 cname:x", "ssrc-group:FID 1 2 3 4 5"),
        *("rid:1 send", "simulcast:send 1;2;3", "rtpmap:96 H264/0", "rtpmap:300 X/1", "fmtp:96 apt=96"),
        *(
            "rtpmap:97 rtx/90000",
            "fmtp:97 apt=97",
            "rtpmap:98 red/90000",
            "rtpmap:99 ulpfec/90000",
            "msid:- -",
        ),
        *(
            "inactive",
            "sendonly",
            "sendrecv",
            "recvonly",
            "bundle-only",
            "ice-lite",
            "ice-options:trickle ice2",
        ),
        *("rtcp-mux", "rtcp-rsize", "fingerprint:sha-256 zz", "fingerprint:", "tls-id:1", "framerate:0"),
        *(
            "imageattr:96 send * recv *",
            "group:BUNDLE 0 1 2 9",
            "group:LS 0",
            "mid:0",
            "rtcp-fb:96 transport-cc",
        ),
        *("ptime:0", "maxptime:-1", "crypto:1 AES x", "content:slides", "msid-semantic: WMS *"),
        *("ice-pwd:", "ice-ufrag:", "ice-pwd", "ice-ufrag", "ice-pwd:" + "p" * 24, "ice-ufrag:user"),
    )
)


def twice_in_the_session(sdp: str) -> Iterator[str]:
    """`sdp` with a transport's line twice for the session and never in a section, or once of a pair."""
    lines = sdp.split("\r\n")
    first = next(number for number, line in enumerate(lines) if line.startswith("m="))
    for name in ("a=ice-pwd:", "a=ice-ufrag:"):
        line = next(line for line in lines if line.startswith(name))
        rest = [other for other in lines[first:] if not other.startswith(name)]
        for said in ([line, line], [line, name.removesuffix(":")], [line]):
            yield "\r\n".join([*lines[:first], *said, *rest])


def mutated(sdp: str, chance: random.Random) -> str:
    """`sdp` with up to ten changes."""
    lines = sdp.split("\r\n")[:-1]
    for _ in range(chance.choice((1, 1, 2, 4, 10))):
        _change(lines, chance)
    return "\r\n".join(lines) + "\r\n"


def _change(lines: list[str], chance: random.Random) -> None:
    at, other = chance.randrange(1, len(lines)), chance.randrange(1, len(lines))
    line = lines[at]
    match chance.randrange(8):
        case 0:
            lines.insert(at, chance.choice(LINES))
        case 1 if len(lines) > 2:
            del lines[at]
        case 2:
            lines.insert(at, lines[other])
        case 3:
            lines[at] = line.partition(":")[0] + ":" + chance.choice(VALUES)
        case 4:
            words = line.split(" ")
            words[chance.randrange(len(words))] = chance.choice(VALUES) or "x"
            lines[at] = " ".join(words)
        case 5:
            lines += _section(lines, chance)
        case 6:
            lines[at], lines[other] = lines[other], line
        case _:
            lines[at] = line.replace("96", str(chance.randrange(140)))


def _section(lines: list[str], chance: random.Random) -> list[str]:
    """One of the sections once more, by another name."""
    begins = [number for number, line in enumerate(lines) if line.startswith("m=")]
    if not begins:
        return []
    begin = chance.choice(begins)
    end = min((number for number in begins if number > begin), default=len(lines))
    mid = f"a=mid:{chance.randrange(12)}"
    return [mid if line.startswith("a=mid:") else line for line in lines[begin:end]]
