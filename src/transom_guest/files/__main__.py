"""One request about files, on the socket that is standard input: `python3 -m transom_guest.files`."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from transom_guest.files.dialogue import STALLED_S, serve


def main() -> None:
    """Serve it and end; a controller that is gone, or stalls, ends it too."""
    # a limit of the file's size is an error to be told, not the end
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as connection:
        connection.settimeout(STALLED_S)
        serve(connection, Path(os.environ["HOME"]))


if __name__ == "__main__":
    main()
