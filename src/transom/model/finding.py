"""What was found out about the host or this installation, and the mend that comes with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"
    """Nothing is wrong: it matters for a driver that is not in use, or is worth knowing."""
    WARNING = "warning"
    """It works, and is weaker or nearer its end than it should be."""
    PROBLEM = "problem"
    """Sessions will not work until it is mended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report."""

    subject: str
    standing: Standing
    what: str
    mend: str = ""
    group: str = "server"
    """server, host, or a driver's name."""
