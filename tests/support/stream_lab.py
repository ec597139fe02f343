"""The display, an X client and the stream server in a sandbox over the golden image; the test plays the link."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from transom_wire import WIRE_VERSION
from transom_wire.codec import Message, decode, encode
from transom_wire.framing import FrameReader, pack
from transom_wire.link import (
    FROM_WEBRTC,
    Hello,
    PeerAnswer,
    PeerOffer,
    PeerState,
    PeerTerms,
    Ping,
    StreamReport,
    Welcome,
)

ROOT = Path(__file__).resolve().parents[2]
LOWEST_PORT = 1024
"""A display of the same number as the link's port, less this: X's abstract socket is the network
namespace's, which labs share with the host, so two labs on one display would type into each other."""
UNPRIVILEGED = "64321"
DEADLINE = 20.0
BEGIN = """
python3 -c 'import os; from transom_guest.desktop import display; size = (1280, 720)
display.prepare(os.environ, size)
argv = display.command(os.environ, *size)
os.execvp(argv[0], argv)' 2>/dev/null &
until [ -S /tmp/.X11-unix/X${DISPLAY#:} ]; do sleep 0.02; done
python3 /opt/transom/stream_client.py &
while :; do python3 -m transom_guest.stream; sleep 0.1; done
"""


class StreamLab:
    """What the guest said so far, and the words to speak to it."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, int], str] = {}
        self.states: list[PeerState] = []
        self.felt: list[str] = []
        self.reports: list[StreamReport] = []
        self.links = 0
        self._changed = asyncio.Condition()
        self._writer: asyncio.StreamWriter | None = None
        self.process: asyncio.subprocess.Process

    async def say(self, *messages: Message) -> None:
        assert self._writer is not None
        self._writer.write(b"".join(pack(encode(message)) for message in messages))
        await self._writer.drain()

    async def answer(self, peer: str, epoch: int, sdp: str, terms: PeerTerms = PeerTerms()) -> str:
        """The guest's answer to an offer."""
        await self.say(PeerOffer(peer=peer, epoch=epoch, sdp=sdp, terms=terms))
        await self.until(lambda: (peer, epoch) in self.answers or self.state(peer, epoch) == "failed")
        return self.answers[peer, epoch]

    def state(self, peer: str, epoch: int) -> str | None:
        """The last state of a peer that was heard of."""
        own = [state.state for state in self.states if (state.peer, state.epoch) == (peer, epoch)]
        return own[-1] if own else None

    async def until(self, holds: Callable[[], Any], seconds: float = DEADLINE) -> None:
        """Wait until `holds()`; what was heard meanwhile is in the error."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            raise AssertionError(f"never came; felt {self.felt[-20:]}, states {self.states[-5:]}") from None

    async def feels(self, *lines: str) -> None:
        """Wait until the X client has felt these lines, in this order."""

        def felt() -> bool:
            rest = iter(self.felt)
            return all(line in rest for line in lines)

        await self.until(felt)

    def hang_up(self) -> None:
        """Break the link."""
        assert self._writer is not None
        self._writer.transport.abort()

    def guest_pid(self, word: str = "transom_guest.stream") -> int:
        """The service's process id outside the sandbox."""
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                line = (entry / "cmdline").read_bytes().split(b"\0")
                session = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[3])
                if (
                    line[:2] == [b"python3", b"-m"]
                    and line[2] == word.encode()
                    and session == self.process.pid
                ):
                    return int(entry.name)
        raise AssertionError(f"{word} does not run")

    def descriptors(self) -> int:
        """How many file descriptors the service has open."""
        return len(os.listdir(f"/proc/{self.guest_pid()}/fd"))

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameReader()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                for frame in frames.feed(data):
                    await self._hear(decode(frame, (Hello, *FROM_WEBRTC)), writer)

    async def listen(self) -> None:
        """Take in what the X client says."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._changed:
                self.felt.append(line.decode().strip())
                self._changed.notify_all()

    async def _hear(self, message: Any, writer: asyncio.StreamWriter) -> None:
        async with self._changed:
            match message:
                case Hello(role="webrtc"):
                    self._writer = writer
                    self.links += 1
                    writer.write(pack(encode(Welcome(version=WIRE_VERSION))))
                case PeerAnswer(peer, epoch, sdp):
                    self.answers[peer, epoch] = sdp
                case PeerState():
                    self.states.append(message)
                case StreamReport():
                    self.reports.append(message)
                case Ping():
                    writer.write(pack(encode(Ping())))
            self._changed.notify_all()


@asynccontextmanager
async def stream_lab(root: Path, beside: str = "") -> AsyncIterator[StreamLab]:
    """A running lab over the image at `root`, linked, its X client ready; gone afterwards. `beside` is more shell
    that runs in it: what that prints is felt."""
    lab = StreamLab()
    server = await asyncio.start_server(lab.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    source = _source()
    listening: asyncio.Task[None] | None = None
    try:
        lab.process = await asyncio.create_subprocess_exec(
            *_sandbox(root, source, port),
            *("bash", "-c", beside + BEGIN),
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        listening = asyncio.create_task(lab.listen())
        await lab.until(lambda: lab.links and "ready" in lab.felt)
        yield lab
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(lab.process.pid, signal.SIGKILL)
        await lab.process.wait()
        if listening is not None:
            listening.cancel()
        server.close()
        shutil.rmtree(source)


def _source() -> Path:
    """A copy that an unprivileged user can reach, wherever the tree is."""
    folder = Path(tempfile.mkdtemp(prefix="transom-stream-", dir="/tmp"))
    folder.chmod(0o755)
    for package in ("transom_guest", "transom_wire"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "src" / package, folder / package, ignore=ignore)
    for name in ("stream_client.py", "stream_text.py"):
        shutil.copy(ROOT / "tests/support" / name, folder)
    (folder / "link-token").write_text("not-a-secret-of-anything\n")
    return folder


def _sandbox(root: Path, source: Path, port: int) -> list[str]:
    drop = ["setpriv", "--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED, "--clear-groups"]
    folders = [word for path in ("/tmp", "/run", "/home", "/opt", "/dev/shm") for word in ("--tmpfs", path)]
    env = {
        "PYTHONPATH": "/opt/transom",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DISPLAY": f":{port - LOWEST_PORT}",
        "HOME": "/home/user",
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "XDG_RUNTIME_DIR": "/run/user",
        "PULSE_SERVER": "unix:/run/user/pulse/native",
        "TRANSOM_VNC_SOCKET": "/tmp/vnc.sock",
        "TRANSOM_LINK": f"127.0.0.1:{port}",
        "TRANSOM_LINK_TOKEN_FILE": "/opt/transom/link-token",
    }
    return [
        *(drop if os.geteuid() == 0 else []),
        *("bwrap", "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--die-with-parent"),
        *("--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev", *folders),
        *(
            "--dir",
            "/home/user",
            "--dir",
            "/run/user",
            "--ro-bind",
            str(source),
            "/opt/transom",
            "--clearenv",
        ),
        *[word for name, value in env.items() for word in ("--setenv", name, value)],
    ]
