"""What signalling reads of an SDP (RFC 8829) and changes in it: the transport's lines and nothing else. Pure.

A viewer's offer and a guest's answer carry one bundled transport. Candidates are taken out both ways:
the guest gets none, and the viewer gets one, the door. The text comes from strangers.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from transom_wire.sdp import (
    FINGERPRINT,
    MAX_SDP,
    PASSWORD,
    UFRAG,
    SdpError,
    check_transports,
    lines_of,
    rejected,
    sections_of,
)
from transom_wire.vm import GUEST

__all__ = ["MAX_SDP", "SdpError"]

GUEST_ADDRESSES = ("127.0.0.1", GUEST)
"""Where a guest's ICE agent listens, inside a sandbox or a virtual machine. Which it is, its keeper knows."""
HOST_PRIORITY = 2130706431
"""RFC 8445 5.1.2: a host candidate with the highest local preference, component 1."""

_PATTERNS = {"ice-ufrag": UFRAG, "ice-pwd": PASSWORD, "fingerprint": FINGERPRINT}
_MEDIA = re.compile(r"m=([a-z]{1,16}) (\d{1,5})(?:/\d{1,3})? (\S{1,40})((?: \S{1,64})*)")
_CANDIDATE = re.compile(
    r"a=candidate:[A-Za-z0-9+/]{1,32} 1 udp \d{1,10} (\S{1,64}) (\d{1,5}) typ host(?: \S{1,256})*",
    re.IGNORECASE,
)
_DROPPED = ("a=candidate", "a=end-of-candidates", "a=remote-candidates", "a=rtcp:")


@dataclass(frozen=True, slots=True)
class Transport:
    """The one transport of a guest's answer: ICE credentials, the agent's UDP port, `sha-256 AB:...`."""

    ufrag: str
    password: str
    port: int
    fingerprint: str

    def __repr__(self) -> str:
        return f"Transport(ufrag={self.ufrag!r}, port={self.port})"


@dataclass(frozen=True, slots=True)
class _Section:
    lines: tuple[str, ...]
    rejected: bool
    mid: str | None

    def all(self, name: str) -> list[str]:
        head = f"a={name}:"
        return [line[len(head) :] for line in self.lines if line.startswith(head)]


@dataclass(frozen=True, slots=True)
class _Description:
    session: _Section
    media: tuple[_Section, ...]


def strip_candidates(sdp: str) -> str:
    """Return `sdp` without candidates, and without the addresses that other lines repeat. Raises SdpError."""
    return _join(_neutral(line) for line in lines_of(sdp) if not line.lower().startswith(_DROPPED))


def viewer_ufrag(sdp: str) -> str:
    """The ICE user fragment of an offer's transport, every line of which is as it must be. Raises SdpError."""
    check_transports(sections_of(lines_of(sdp)))
    description = _parse(sdp)
    return _value(description, _tagged(description), "ice-ufrag")


def read_transport(sdp: str, addresses: tuple[str, ...] = GUEST_ADDRESSES) -> Transport:
    """Return the transport of a guest's answer, whose candidates are all of `addresses` and one port.

    Raises SdpError.
    """
    description = _parse(sdp)
    _tagged(description)
    living = [section for section in description.media if not section.rejected]
    transports = {tuple(_value(description, section, name) for name in _PATTERNS) for section in living}
    if len(transports) != 1:
        raise SdpError("its sections differ in their transport")
    ufrag, password, fingerprint = transports.pop()
    return Transport(ufrag, password, _port(description, addresses), fingerprint)


def candidate_line(address: str, port: int) -> str:
    """The door as a candidate, in the form of RTCIceCandidate.candidate. Raises SdpError."""
    try:
        host = ipaddress.ip_address(address)
    except ValueError as error:
        raise SdpError("not an IP address") from error
    if not 1 <= port <= 65535:
        raise SdpError("not a port")
    return f"candidate:1 1 udp {HOST_PRIORITY} {host} {port} typ host"


def with_candidate(sdp: str, address: str, port: int) -> str:
    """Return `sdp` with one candidate, the door, in the section that carries the transport. Raises SdpError."""
    line = candidate_line(address, port)
    description = _parse(strip_candidates(sdp))
    tagged = _tagged(description)
    lines = list(description.session.lines)
    for section in description.media:
        lines += section.lines
        if section is tagged:
            lines += [f"a={line}", "a=end-of-candidates"]
    return _join(lines)


def _parse(sdp: str) -> _Description:
    session, *media = (_section(lines) for lines in sections_of(lines_of(sdp)))
    return _Description(session, tuple(media))


def _section(lines: list[str]) -> _Section:
    refused = False
    if lines[0].startswith("m="):
        match = _MEDIA.fullmatch(lines[0])
        if match is None or int(match[2]) > 65535:
            raise SdpError("a media line that is not of SDP")
        refused = rejected(lines)
    mids = [line.removeprefix("a=mid:") for line in lines if line.startswith("a=mid:")]
    if len(mids) > 1:
        raise SdpError("two mids in one section")
    return _Section(tuple(lines), refused, mids[0] if mids else None)


def _tagged(description: _Description) -> _Section:
    """The section whose transport the whole bundle uses: the first of the group (RFC 9143)."""
    living = [section for section in description.media if not section.rejected]
    if not living:
        raise SdpError("every section is rejected")
    groups = [
        value.split()[1:] for value in description.session.all("group") if value.split()[:1] == ["BUNDLE"]
    ]
    if not groups and len(living) == 1:
        return living[0]
    if len(groups) != 1 or any(section.mid not in groups[0] for section in living):
        raise SdpError("its sections are not one bundle")
    by_mid = {section.mid: section for section in living}
    if len(by_mid) != len(living):
        raise SdpError("two sections with one mid")
    return next(by_mid[mid] for mid in groups[0] if mid in by_mid)


def _value(description: _Description, section: _Section, name: str) -> str:
    """The section's value, or the session's, which holds for every section that has none of its own."""
    values = section.all(name) or description.session.all(name)
    # a fingerprint may come in several hashes, of which one is read
    fitting = [value for value in values if _PATTERNS[name].fullmatch(value)]
    if len(fitting) != 1:
        raise SdpError(f"not exactly one usable {name}")
    return fitting[0]


def _port(description: _Description, addresses: tuple[str, ...]) -> int:
    ports: set[int] = set()
    for section in (description.session, *description.media):
        for line in section.lines:
            if line.lower().startswith("a=candidate"):
                match = _CANDIDATE.fullmatch(line)
                if match is None or match[1] not in addresses or not 1 <= int(match[2]) <= 65535:
                    raise SdpError("a candidate that is not the agent's")
                ports.add(int(match[2]))
    if len(ports) != 1:
        raise SdpError("not exactly one agent's port")
    return ports.pop()


def _neutral(line: str) -> str:
    """A media or connection line that tells no address: port 9 and 0.0.0.0, as before any candidate is known."""
    if line.startswith("c="):
        return "c=IN IP4 0.0.0.0"
    match = _MEDIA.fullmatch(line)
    if match is None or int(match[2]) == 0:
        return line
    return f"m={match[1]} 9 {match[3]}{match[4]}"


def _join(lines: Iterable[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
