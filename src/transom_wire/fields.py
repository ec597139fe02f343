"""The kinds of values that messages are made of, each with its limit."""

from __future__ import annotations

from typing import Annotated

from transom_wire.codec import Range, Text
from transom_wire.screen import MAX_SIDE, MIN_SIDE

Token = Annotated[str, Text(128, r"[A-Za-z0-9_-]{16,128}")]
Name = Annotated[str, Text(64, r"[a-z0-9][a-z0-9_.-]*")]
Id = Annotated[str, Text(64, r"[A-Za-z0-9_-]{1,64}")]
Sdp = Annotated[str, Text(64 * 1024)]
Line = Annotated[str, Text(500)]
Url = Annotated[str, Text(8192)]
Side = Annotated[int, Range(MIN_SIDE, MAX_SIDE)]
Epoch = Annotated[int, Range(1, 2**31)]
Milliseconds = Annotated[int, Range(0, 2**53)]
Port = Annotated[int, Range(1, 65535)]
Address = Annotated[str, Text(45, r"[0-9a-fA-F:.]+")]
Path = Annotated[str, Text(1000, r"/[^\x00]*")]
MachineId = Annotated[str, Text(32, r"[0-9a-f]{32}")]
"""What /etc/machine-id holds (machine-id(5))."""
PagePattern = Annotated[
    str, Text(200, r"!?(?:\*|(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?:/[a-z0-9._~-]+)*")
]
"""Which pages are meant, by URL: a host, `*.` and one, or `*`; then, or not, segments of a path. One that begins with
`!` says which are not, whatever others say."""
Hostname = Annotated[str, Text(63, r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")]
