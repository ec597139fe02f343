"""What a caller is told when the helper does not do what it was asked."""

from __future__ import annotations


class Refusal(Exception):
    """Not done; `mend` is the command or act that helps. Becomes Denied."""

    def __init__(self, reason: str, mend: str = "") -> None:
        super().__init__(reason)
        self.reason, self.mend = reason, mend
