"""How much of one viewer's messages waits between GStreamer's threads and the event loop."""

from __future__ import annotations

import threading
from typing import TypeVar

Message = TypeVar("Message", str, bytes, str | bytes)


class Waiting:
    """Counts messages, and their bytes or characters. Any thread."""

    def __init__(self, messages: int, size: int) -> None:
        self._most_messages, self._most_size = messages, size
        self._messages = self._size = 0
        self._lock = threading.Lock()

    def admit(self, message: Message | None) -> Message | None:
        """One more waits: itself where there is room for it, else None in its place."""
        with self._lock:
            self._messages += 1
            if message is None or self._messages > self._most_messages:
                return None
            if self._size + len(message) > self._most_size:
                return None
            self._size += len(message)
            return message

    def release(self, admitted: str | bytes | None) -> None:
        """What `admit` gave has its turn."""
        with self._lock:
            self._messages -= 1
            self._size -= len(admitted) if admitted is not None else 0
