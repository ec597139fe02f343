"""The guest's first program of its own: `python3 -m transom_guest.boot`, boot token on standard input.

Dials the link, starts display, program, window manager and the two services, says what was reached, and does
what the controller asks. It ends when the link does: a machine without a keeper has no purpose.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

from transom_guest.desktop import display
from transom_guest.desktop.shell import write_startup
from transom_guest.environment import desktop_environment
from transom_guest.files.folder import FOLDER
from transom_guest.identity import taker
from transom_guest.link import Link, LinkError, write_link_token
from transom_guest.machine import Machine
from transom_wire.link import Fatal, Welcome

TOKEN_LIMIT = 200
log = logging.getLogger("transom.boot")


def checked_welcome(welcome: Welcome) -> Welcome:
    """The Welcome for role boot, with everything in it; a warm machine has no session. Raises LinkError."""
    wanted = (welcome.link_token, welcome.width, welcome.height, welcome.forwarder_port)
    if any(item is None for item in wanted) or (welcome.session is None) != welcome.warm:
        raise LinkError("the keeper's Welcome lacks a setting of the machine")
    return welcome


def make_folders(environment: dict[str, str]) -> None:
    """The folders that display and session expect and that init may not have made."""
    display.x_socket(environment["DISPLAY"]).parent.mkdir(mode=0o1777, parents=True, exist_ok=True)
    for folder in (environment["XDG_RUNTIME_DIR"], str(Path(environment["TRANSOM_VNC_SOCKET"]).parent)):
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    home = Path(environment["HOME"])
    home.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (home / FOLDER).mkdir(mode=0o700)
    write_startup(home)


async def boot(token: str) -> str:
    """Boot with the one-use `token` and supervise; return why the machine is over. Raises LinkError."""
    takes = taker(os.environ)
    link = await Link.dial("boot", token)
    try:
        welcome = checked_welcome(link.welcome)
        environment = desktop_environment(welcome.session or "", welcome.forwarder_port or 0, os.environ)
        os.environ.update(environment)  # xrandr and what the link client reads
        make_folders(environment)
        write_link_token(welcome.link_token or "")
        task = asyncio.current_task()
        assert task
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        machine = Machine(link, token, environment, takes)
        try:
            return await machine.run()
        finally:
            await machine.close()
    except OSError as error:
        with contextlib.suppress(OSError):
            await link.send(Fatal(reason=f"boot failed: {error}"[:500]))
        raise
    finally:
        await link.close()


def main() -> None:
    """Read the token, boot, and end with status 1: a machine that could go on would still run."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    token = sys.stdin.readline(TOKEN_LIMIT).strip()
    try:
        reason = asyncio.run(boot(token))
    except asyncio.CancelledError:
        reason = "stopped"
    except (OSError, ValueError) as error:
        reason = str(error)
    log.error("the machine is over: %s", reason)
    sys.exit(1)


if __name__ == "__main__":
    main()
