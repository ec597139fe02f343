"""QEMU's own control protocol, as much of it as the stand-in needs. Blocking, with a deadline."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

SECONDS = 120.0


class Qmp:
    """A connection that QEMU was started with."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.settimeout(SECONDS)
        self._lines = connection.makefile("rb")
        self._lines.readline()
        self.ask("qmp_capabilities")

    def ask(self, command: str, *, descriptor: int | None = None, **arguments: Any) -> Any:
        """Send one command, return what it returns. Raises OSError."""
        line = json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n"
        if descriptor is None:
            self._connection.sendall(line)
        else:
            socket.send_fds(self._connection, [line], [descriptor])
        while True:
            said = self._lines.readline()
            if not said:
                raise ConnectionResetError("the emulator ended")
            answer = json.loads(said)
            if "error" in answer:
                raise OSError(f"{command}: {answer['error'].get('desc')}")
            if "return" in answer:
                return answer["return"]

    def migrated(self) -> None:
        """Wait for the end of a migration. Raises OSError when it failed."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            status = self.ask("query-migrate").get("status")
            if status == "completed":
                return
            if status in ("failed", "cancelled"):
                raise OSError(f"the migration {status}")
            time.sleep(0.02)
        raise TimeoutError("the migration does not end")

    def close(self) -> None:
        """Let go."""
        self._lines.close()
        self._connection.close()
