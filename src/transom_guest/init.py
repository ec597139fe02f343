"""The machine's first process: binds its three ways out, hands them to the keeper, becomes the boot.

Runs as a plain script with nothing but the standard library's core, before anything of the user's. The
keeper holds the sockets from then on; this process keeps no copy.
"""

from __future__ import annotations

import os
import socket

LINK_PORT = 4001
FORWARDER_PORT = 3128
DOOR_SOCKETS = 12
LOOPBACK = "127.0.0.1"
BACKLOG = 64
KEEPER_SECONDS = 10.0
"""How long the keeper may take to look at the sockets and answer with the boot token."""
TOKEN_BYTES = 256
BOOT = ("python3", "-P", "-m", "transom_guest.boot")


def listen(port: int) -> socket.socket:
    """A TCP listener on the machine's loopback."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    listener.listen(BACKLOG)
    return listener


def datagram() -> socket.socket:
    """A UDP socket on a free port of the machine's loopback."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind((LOOPBACK, 0))
    return bound


def hand_over(keeper: socket.socket) -> bytes:
    """Send the machine's sockets out, close them here, return the boot token. Raises OSError."""
    keeper.settimeout(KEEPER_SECONDS)
    sockets = [listen(LINK_PORT), listen(FORWARDER_PORT), *(datagram() for _ in range(DOOR_SOCKETS))]
    socket.send_fds(keeper, [b"sockets"], [each.fileno() for each in sockets])
    for each in sockets:
        each.close()
    token = keeper.recv(TOKEN_BYTES)
    if not token:
        raise OSError("the keeper refused the machine's sockets")
    return token


def put_on_stdin(token: bytes) -> None:
    """Make `token` the one line that whoever is executed next reads from its standard input."""
    reader, writer = os.pipe()
    os.write(writer, token + b"\n")
    os.close(writer)
    os.dup2(reader, 0)
    os.close(reader)


def main() -> None:
    """Hand over, then execute the boot; never returns."""
    with socket.socket(fileno=int(os.environ.pop("TRANSOM_INIT_FD"))) as keeper:
        token = hand_over(keeper)
    put_on_stdin(token)
    os.execv("/usr/bin/python3", BOOT)  # noqa: S606 (no shell is wanted)


if __name__ == "__main__":
    main()
