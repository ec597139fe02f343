"""What a machine's service leaves in the machine's log as it crashes: the stacks of its threads, by Python's own
faulthandler. Pure; the text is the guest's, and may be anything."""

from __future__ import annotations

from dataclasses import dataclass

from transom.observe.logs import clean

MARK, CURRENT, NEXT_LOG = "Fatal Python error:", "\nCurrent thread 0x", "\n== "
LIMIT = 8 * 1024
"""Characters of it that are kept."""
CAUSE_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Crash:
    """The last one a log tells of; of both texts the secrets and what is not printable are taken out."""

    cause: str
    stacks: str
    """The thread that crashed first, then those that came before it in the log. No line is empty."""


def last_crash(log: str) -> Crash | None:
    """The last crash in the ends of a machine's logs; None where they have none."""
    at = log.rfind(MARK)
    if at < 0:
        return None
    cause, _, rest = log[at:].partition("\n")
    told = ("\n" + rest).partition(NEXT_LOG)[0]
    current = max(told.find(CURRENT), 0)
    stacks = "\n".join([cause, told[current:], told[:current]])[:LIMIT]
    lines = [_printable(line) for line in stacks.splitlines() if line.strip()]
    return Crash(_printable(cause)[:CAUSE_LIMIT], "\n".join(lines))


def _printable(line: str) -> str:
    """Without the signs that turn the text around them, too."""
    return "".join(char if char.isprintable() else "�" for char in clean(line))
