"""The unit vm-browser-agent: `python3 -m transom_guest.vm.agent`, the one part of the guest that is root.

Reads the config drive, starts the boot as the machine's user and ends with it, and the machine with both.
In between it carries the boot's words to the console and does root's part of one identity.
"""

from __future__ import annotations

import os
import re
import select
import sys

from transom_guest.vm import identity
from transom_guest.vm.config import DRIVE_BYTES, ConfigError, MachineConfig, decode

DRIVE = "/dev/transom-config"
"""Where the initramfs leaves the drive."""
CONSOLES = ("/dev/console", "/dev/kmsg", "/dev/null")
"""Where words go: the first that can be opened. A machine without a serial line has no console."""
UID = 1000
HOME, RUNTIME, PRIVATE, CODE = "/home/user", "/run/user/1000", "/run/transom", "/opt/transom"
LINK_PORT, FORWARDER_PORT = 4001, 3128
ROOT_FDS = "TRANSOM_ROOT_FDS"
"""Names the boot's ends of its channel to us: `3,4`, requests and answers."""
BOOT = ("/usr/bin/python3", "-P", "-m", "transom_guest.boot")
CHUNK = 4096
OUTPUT_LIMIT = 4 * 2**20
"""Bytes of the boot's words that reach the console in a machine's life: a serial line is slow, and not ours."""
_CONTROL = re.compile(rb"[^\n\t\x20-\x7e\x80-\xff]")


def environment(config: MachineConfig) -> dict[str, str]:
    """What the boot begins with. SESSION_ID comes with the link's Welcome."""
    proxy = f"http://{config.gateway}:{FORWARDER_PORT}"
    found = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": HOME,
        "USER": "user",
        "LOGNAME": "user",
        "LANG": "C.UTF-8",
        "DISPLAY": ":1",
        "SESSION_ID": "",
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "NO_PROXY": "localhost,127.0.0.1,::1",
        "XDG_RUNTIME_DIR": RUNTIME,
        "TRANSOM_LINK": f"{config.gateway}:{LINK_PORT}",
        "TRANSOM_ADDRESS": config.address,
        "PYTHONPATH": CODE,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        ROOT_FDS: "3,4",
    }
    return found | ({"TRANSOM_EMULATED": "1"} if config.emulated else {})


def read_drive(path: str) -> MachineConfig:
    """The configuration; from then on nobody reads the drive again. Raises OSError, ConfigError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(descriptor, DRIVE_BYTES)
    finally:
        os.close(descriptor)
    os.unlink(path)
    return decode(content)


def make_folders() -> None:
    """What the user's programs expect and nobody else made. Raises OSError."""
    for path in (HOME, RUNTIME, PRIVATE):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o700)
        os.chown(path, UID, UID)
    os.makedirs("/tmp/.X11-unix", exist_ok=True)  # noqa: S108 - X11's own fixed place
    os.chmod("/tmp/.X11-unix", 0o1777)  # noqa: S103, S108


def start(config: MachineConfig) -> tuple[int, int, int, int]:
    """Start the boot. Returns its pid, what it prints, and our ends of its channel: requests, answers."""
    words, says = os.pipe()
    token, tells = os.pipe()
    asked, asks = os.pipe()
    answers, answer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become_boot(config, token, says, asks, answers)
    for descriptor in (says, token, asks, answers):
        os.close(descriptor)
    os.write(tells, config.boot_token.encode() + b"\n")
    os.close(tells)
    return pid, words, asked, answer


def _become_boot(config: MachineConfig, token: int, says: int, asks: int, answers: int) -> None:
    """The child's part; never returns."""
    try:
        os.setsid()
        high = [os.dup2(each, 100 + place) for place, each in enumerate((token, says, says, asks, answers))]
        for place, each in enumerate(high):
            os.dup2(each, place)
        os.closerange(5, 2**16)
        os.setgroups([])
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
        os.umask(0o022)
        os.chdir(HOME)
        os.execve(BOOT[0], BOOT, environment(config))  # noqa: S606 - no shell is wanted
    finally:
        os._exit(127)


class Attendant:
    """Waits on a running boot: its words, its one request, its end."""

    def __init__(self, console: int, words: int, asked: int, answer: int) -> None:
        self._console, self._words, self._asked, self._answer = console, words, asked, answer
        self._left = OUTPUT_LIMIT
        self._line = b""

    def attend(self, ended: int) -> None:
        """Until the descriptor `ended` is readable, and the last words are carried out."""
        watch = select.poll()
        for descriptor in (self._words, self._asked, ended):
            watch.register(descriptor, select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in watch.poll()]
            if ended in ready:  # whoever else holds the other end of its words does not hold us
                self._carry_last()
                return
            if self._words in ready and not self._carry():
                watch.unregister(self._words)
            if self._asked in ready and not self._hear():
                watch.unregister(self._asked)

    def _carry(self) -> bool:
        data = os.read(self._words, CHUNK)
        cleaned = _CONTROL.sub(b"?", data[: self._left])
        self._left -= len(cleaned)
        say(self._console, cleaned)
        return bool(data)

    def _carry_last(self) -> None:
        os.set_blocking(self._words, False)
        try:
            while self._left > 0 and self._carry():
                pass
        except BlockingIOError:
            return

    def _hear(self) -> bool:
        """False when the channel is over."""
        data = os.read(self._asked, CHUNK)
        self._line += data
        if data and not self._line.endswith(b"\n") and len(self._line) <= identity.LINE_LIMIT:
            return True
        os.close(self._asked)
        if data:
            say(self._answer, self._answered(self._line))
        os.close(self._answer)
        return False

    def _answered(self, line: bytes) -> bytes:
        try:
            identity.take(identity.decode(line))
        except (ConfigError, OSError) as error:
            say(self._console, f"[SUPERVISOR] no identity: {error}\n".encode())
            return f"{error}\n".encode()[:200]
        return identity.TAKEN


def say(where: int, data: bytes) -> None:
    """Write, to the console or the boot; who does not take it is not worth an end."""
    try:
        os.write(where, data)
    except OSError:
        return


def open_console() -> int:
    """The first of CONSOLES that opens. Raises OSError."""
    for path in CONSOLES:
        try:
            return os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
    raise OSError("no console, and no /dev/null")


def main() -> int:
    """Serve one machine's life; returns the exit status. The unit ends the machine with us."""
    console = open_console()
    say(console, b"[SUPERVISOR] vm-browser-agent started\n")
    try:
        config = read_drive(DRIVE)
        make_folders()
        pid, words, asked, answer = start(config)
        say(console, b"[SUPERVISOR] boot started\n")
        Attendant(console, words, asked, answer).attend(os.pidfd_open(pid))
        _, status = os.waitpid(pid, 0)
    except (OSError, ConfigError) as error:
        say(console, f"[SUPERVISOR] the machine cannot begin: {error}\n".encode())
        return 1
    say(console, f"[SUPERVISOR] boot ended with {os.waitstatus_to_exitcode(status)}\n".encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
