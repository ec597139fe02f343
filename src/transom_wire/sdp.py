"""An offer's text (RFC 8866), and which ICE and DTLS lines it may have where (RFC 8839, RFC 8842). Pure.

The text comes from strangers, and webrtcbin asserts on some of what may be wrong with it: where a session says a
password twice, the process of every viewer's picture ends. Both controller and guest read it by these rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_SDP = 64 * 1024
"""Bytes of UTF-8."""
MAX_LINES = 2000
MAX_LINE = 4096
"""Characters."""
MAX_SECTIONS = 16
MAX_FINGERPRINTS = 8
"""Of one section: one in each hash, and aiortc sends three."""
UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
FINGERPRINT = re.compile(r"sha-256 [0-9A-F]{2}(?::[0-9A-F]{2}){31}", re.IGNORECASE)
_OTHER_FINGERPRINT = re.compile(
    r"(?!sha-256 )[a-z0-9-]{2,16} [0-9A-F]{2}(?::[0-9A-F]{2}){0,127}", re.IGNORECASE
)
_SETUP = re.compile(r"actpass|active|passive")
_LINE = re.compile(
    r"(?:[b-z]=|a=[A-Za-z0-9!#$%&'*+.^_`{|}~-]+(?::|$))[^\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]*"
)
"""An attribute's name follows at once: Firefox skips blanks and colons before it. Nothing in it ends a line, to
whomever."""
_ONCE = {"ice-ufrag": UFRAG, "ice-pwd": PASSWORD, "setup": _SETUP}
_NAMES = (*_ONCE, "fingerprint")


class SdpError(ValueError):
    """The text is no SDP that can be used; the message says why and never quotes it."""


def lines_of(sdp: str) -> list[str]:
    """The lines, each of a form that every reader takes for one line. Raises SdpError."""
    if len(sdp) > MAX_SDP or len(sdp.encode("utf-8", "surrogatepass")) > MAX_SDP:
        raise SdpError("longer than 64 KiB")
    lines = sdp.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if len(lines) > MAX_LINES:
        raise SdpError("too many lines")
    if lines[0] != "v=0":
        raise SdpError("does not begin with v=0")
    for line in lines:
        if len(line) > MAX_LINE or not _LINE.fullmatch(line):
            raise SdpError("a line that is not of SDP")
    return lines


def sections_of(lines: Sequence[str]) -> list[list[str]]:
    """The session's own lines, and then each section's, its `m=` first. Raises SdpError."""
    groups: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            groups.append([])
        groups[-1].append(line)
    if not 1 < len(groups) <= MAX_SECTIONS + 1:
        raise SdpError("no media, or too many sections")
    return groups


def rejected(section: Sequence[str]) -> bool:
    """A section that is not wanted: port 0, and not only because another's transport carries it."""
    return section[0].split(" ")[1:2] == ["0"] and "a=bundle-only" not in section


def check_transports(groups: Sequence[Sequence[str]]) -> None:
    """Hold an offer to one transport a section: its own, or the session's. Raises SdpError.

    At each level a line comes once, of a fingerprint once in each hash; ufrag and password come together."""
    session, *media = (_said(group) for group in groups)
    for group, own in zip(groups[1:], media, strict=True):
        if rejected(group):
            continue
        for name in _NAMES:
            if not own[name] and not session[name]:
                raise SdpError(f"a section without {name}")


def _said(group: Sequence[str]) -> dict[str, list[str]]:
    """What one level says of its transport. Raises SdpError."""
    said: dict[str, list[str]] = {name: [] for name in _NAMES}
    for line in group:
        name, colon, value = line.removeprefix("a=").partition(":")
        if not line.startswith("a=") or name.lower() not in said:
            continue
        if name not in said or not colon:
            raise SdpError("a line of its transport that is not of SDP")
        said[name].append(value)
    for name, pattern in _ONCE.items():
        if len(said[name]) > 1 or not all(pattern.fullmatch(value) for value in said[name]):
            raise SdpError(f"not exactly one usable {name}")
    if len(said["ice-ufrag"]) != len(said["ice-pwd"]):
        raise SdpError("ice-ufrag and ice-pwd are not together")
    _check_fingerprints(said["fingerprint"])
    return said


def _check_fingerprints(values: list[str]) -> None:
    hashes = [value.partition(" ")[0].lower() for value in values]
    fit = all(FINGERPRINT.fullmatch(value) or _OTHER_FINGERPRINT.fullmatch(value) for value in values)
    if len(hashes) > MAX_FINGERPRINTS or len(hashes) != len(set(hashes)) or not fit:
        raise SdpError("fingerprints that are not one of each hash")
    if hashes and "sha-256" not in hashes:
        raise SdpError("not exactly one usable fingerprint")
