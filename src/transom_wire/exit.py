"""How a machine leaves for the internet: what its keeper's forwarder is told. Pure.

A route carries the upstream's password: it travels over the keeper's standard input and its unix socket
only, and stays in the keeper's memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from transom_wire.codec import Many, Range, Text

EXIT_FAULTS = ("down", "silent", "password", "certificate", "garbled", "quota")
"""Causes of a failed dial that are the upstream's own: nobody answers there; it accepts and says nothing; it
refuses our name or password; its TLS certificate is not its own; it does not speak its protocol; it wants money."""
SITE_FAULTS = ("barred", "no_way", "timeout")
"""Causes that may be the site's: the upstream does not let this site be reached; it has no way there; no answer
in time. A keeper counts each as `exit_failed_CAUSE` in Snapshot.counters and Usage, beside `exit_ok`,
`exit_dial_ms` (the sum of the dials in `exit_ok`), `exit_bytes_up`, `exit_bytes_down` and `exit_changes`: SetExit
messages that changed the way out. A Usage comes right before each, so that what lies between two is one exit's."""

ExitName = Annotated[str, Text(64, r"[A-Za-z0-9_.-]{1,64}")]
HostPattern = Annotated[str, Text(253, r"(?:\*\.)?[A-Za-z0-9_.:\[\]-]{1,251}|\*")]


@dataclass(frozen=True, slots=True)
class HostRule:
    """A destination: a name (`*.example.org` takes in all below and the name itself), an address, or `*`."""

    host: HostPattern
    port: Annotated[int, Range(1, 65535)] | None = None
    """None: every port."""


@dataclass(frozen=True, slots=True)
class ExitRoute:
    """One way out. `none` refuses everything and says `why`; `direct` is the host's own network;
    `upstream` is a proxy, by whose address the machine leaves; names are resolved there."""

    kind: Annotated[str, Text(16, "none|direct|upstream")]
    exit: ExitName | None = None
    """The leased exit's id; None for none and direct."""
    scheme: Annotated[str, Text(8, "http|https|socks5")] | None = None
    host: Annotated[str, Text(253, r"[A-Za-z0-9_.:-]{1,253}")] | None = None
    """Name or address of the proxy, an IPv6 address without brackets."""
    port: Annotated[int, Range(1, 65535)] | None = None
    username: Annotated[str, Text(255)] | None = field(default=None, repr=False)
    password: Annotated[str, Text(255)] | None = field(default=None, repr=False)
    allow: Annotated[tuple[HostRule, ...], Many(256)] = ()
    """Not empty: nothing else may be reached."""
    deny: Annotated[tuple[HostRule, ...], Many(256)] = ()
    """Never reached, whatever `allow` says."""
    why: Annotated[str, Text(300)] = ""
    """For none: the sentence that the user's browser shows."""


NO_ROUTE = ExitRoute(kind="none", why="This machine has no way out to the internet.")
DIRECT = ExitRoute(kind="direct")
