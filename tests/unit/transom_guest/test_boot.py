"""The whole supervisor against a fake keeper, with shell scripts in place of display, browser and services."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.transom_guest.fake_keeper import BOOT_WELCOME, TOKEN, Conversation, FakeKeeper, fake_keeper
from transom_guest import wishes as wishes_module
from transom_guest.boot import boot, checked_welcome
from transom_guest.desktop import browser, display, programs, session, terminal
from transom_guest.identity import IdentityError
from transom_guest.link import LinkError, write_link_token
from transom_guest.machine import Machine
from transom_wire import WIRE_VERSION
from transom_wire.codec import encode
from transom_wire.framing import pack
from transom_wire.link import (
    Fatal,
    Identity,
    OpenStream,
    OpenUrl,
    Park,
    Progress,
    Ready,
    ServiceState,
    SetScreen,
    Welcome,
)

SLEEP = ["/bin/sh", "-c", "exec sleep 600"]
BOOTED = {
    Progress(stage="display"),
    Progress(stage="browser"),
    Progress(stage="desktop"),
    Ready(width=1280, height=720),
    ServiceState(service="webrtc", state="started", restarts=0),
    ServiceState(service="signin", state="started", restarts=0),
}


class World:
    """What the supervisor thinks is a machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.urls: asyncio.Queue[str] = asyncio.Queue()
        self.sizes: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        self.browser = SLEEP
        self.again: list[bool] = []
        self.shown = asyncio.Event()
        self.shown.set()
        self.service_flags: dict[str, tuple[bool, bool]] = {}

    async def pid(self, name: str) -> int:
        """The process that last started as `name`; waits for the first."""
        path = self.folder / f"{name}.pid"
        while not path.exists():
            await asyncio.sleep(0.01)
        return int(path.read_text())

    def program(self, name: str) -> list[str]:
        note = f"{self.folder}/{name}.pid"
        return ["/bin/sh", "-c", f"echo $$ > {note}.new; mv {note}.new {note}; exec sleep 600"]

    def service(self, name: str, *, warm: bool, waits: bool) -> list[str]:
        """On a warm machine one that settles, and writes down the word to go on."""
        self.service_flags[name] = (warm, waits)
        if not warm:
            return self.program(name)
        note = f"{self.folder}/{name}.go"
        return ["/bin/sh", "-c", f"echo settled >&0; read line; echo $line > {note}; exec sleep 600"]

    async def told(self, name: str) -> str:
        """What a waiting service was told."""
        path = self.folder / f"{name}.go"
        while not path.exists() or not path.read_text():
            await asyncio.sleep(0.01)
        return path.read_text()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Any:
    with tempfile.TemporaryDirectory() as name:
        world = World(Path(name))
        for variable, path in {
            "HOME": "home",
            "XDG_RUNTIME_DIR": "runtime",
            "TRANSOM_VNC_SOCKET": "run/vnc.sock",
            "TRANSOM_LINK_TOKEN_FILE": "run/link-token",
        }.items():
            monkeypatch.setenv(variable, str(world.folder / path))
        patch(world, monkeypatch)
        yield world


def patch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(*_: object) -> None:
        pass

    async def painted(self: Machine) -> bool:
        self._seen(["desktop"])
        await world.shown.wait()
        self._seen(["painted", "1280", "720"])
        return True

    async def opened(url: str, _environment: object) -> None:
        world.urls.put_nowait(url)

    async def sized(width: int, height: int) -> tuple[int, int]:
        world.sizes.put_nowait((width, height))
        return width, height

    def browse(*_: object, again: bool, emulated: bool, more: list[str]) -> list[str]:
        world.again.append(again)
        return world.browser

    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(display, "x_socket", lambda name: world.folder / "x11" / "X1")
    monkeypatch.setattr(display, "command", lambda *_: world.program("display"))
    monkeypatch.setattr(display, "wait_up", at_once)
    monkeypatch.setattr(display, "set_size", sized)
    monkeypatch.setattr(browser, "command", browse)
    monkeypatch.setattr(browser, "open_url", opened)
    monkeypatch.setattr(session, "command", lambda: SLEEP)
    monkeypatch.setattr(terminal, "command", lambda: world.program("terminal"))
    monkeypatch.setattr(Machine, "_paint_seen", painted)
    monkeypatch.setattr(programs, "service", world.service)
    world.browser = world.program("browser")


@asynccontextmanager
async def booting(
    monkeypatch: pytest.MonkeyPatch, welcome: Welcome = BOOT_WELCOME
) -> AsyncIterator[tuple[FakeKeeper, asyncio.Task[str]]]:
    async with fake_keeper(monkeypatch, welcome) as keeper, asyncio.timeout(30):
        task = asyncio.create_task(boot(TOKEN))
        try:
            yield keeper, task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def hear_until_booted(call: Conversation) -> list[object]:
    heard: list[object] = []
    while not set(heard) >= BOOTED:
        heard.append(await call.hear())
    return heard


async def test_a_boot_says_every_stage_and_ready_last(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with booting(monkeypatch) as (keeper, _):
        call = await keeper.call()
        assert (call.hello.role, call.hello.token) == ("boot", TOKEN)
        heard = await hear_until_booted(call)
        assert heard[0] == Progress(stage="display")
        assert set(heard) == BOOTED
        token = world.folder / "run" / "link-token"
        assert token.read_text() == BOOT_WELCOME.link_token
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert world.again == [False]


async def test_what_dies_returns_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with booting(monkeypatch) as (keeper, _):
        call = await keeper.call()
        await hear_until_booted(call)
        others = [await world.pid(name) for name in ("display", "browser", "signin")]
        os.kill(await world.pid("webrtc"), 9)
        assert await call.hear() == ServiceState(service="webrtc", state="died", restarts=0)
        assert await call.hear() == ServiceState(service="webrtc", state="started", restarts=1)
        assert [await world.pid(name) for name in ("display", "browser", "signin")] == others


async def test_the_browser_returns_with_its_tabs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with booting(monkeypatch) as (keeper, _):
        call = await keeper.call()
        await hear_until_booted(call)
        first = await world.pid("browser")
        os.kill(first, 11)
        while await world.pid("browser") == first:
            await asyncio.sleep(0.01)
        assert world.again == [False, True]


async def test_the_displays_death_is_fatal_and_nothing_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with booting(monkeypatch) as (keeper, task):
        call = await keeper.call()
        await hear_until_booted(call)
        left = [await world.pid(name) for name in ("browser", "webrtc", "signin")]
        os.kill(await world.pid("display"), 9)
        assert await call.hear() == Fatal(reason="display died: signal SIGKILL")
        assert "SIGKILL" in await task
        assert not any(Path(f"/proc/{pid}").exists() for pid in left)


async def test_the_links_end_is_the_machines(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with booting(monkeypatch) as (keeper, task):
        call = await keeper.call()
        await hear_until_booted(call)
        call.hang_up()
        assert "link is over" in await task
        assert not Path(f"/proc/{await world.pid('display')}").exists()


async def test_wishes_are_carried_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with booting(monkeypatch) as (keeper, _):
        call = await keeper.call()
        await hear_until_booted(call)
        await call.say(OpenUrl(url="https://a.example/"), SetScreen(width=800, height=600))
        assert await world.urls.get() == "https://a.example/"
        assert await world.sizes.get() == (800, 600)


async def test_a_stream_reaches_the_display_server(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"RFB 003.008\n")
        await reader.read()
        writer.close()

    async with booting(monkeypatch) as (keeper, _):
        call = await keeper.call()
        await hear_until_booted(call)
        server = await asyncio.start_unix_server(serve, world.folder / "run" / "vnc.sock")
        await call.say(OpenStream(stream="s1", kind="vnc"))
        stream = await keeper.call()
        assert (stream.hello.role, stream.hello.stream) == ("stream", "s1")
        assert stream.hello.token == BOOT_WELCOME.link_token
        assert await stream.reader.readexactly(12) == b"RFB 003.008\n"
        stream.hang_up()
        server.close()


async def test_too_many_wishes_are_dropped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    release = asyncio.Event()
    started = 0

    async def slow(width: int, height: int) -> tuple[int, int]:
        nonlocal started
        started += 1
        await release.wait()
        return width, height

    monkeypatch.setattr(display, "set_size", slow)
    async with booting(monkeypatch) as (keeper, _):
        call = await keeper.call()
        await hear_until_booted(call)
        await call.say(*[SetScreen(width=800, height=600)] * 200)
        os.kill(await world.pid("signin"), 9)
        await call.hear()
        assert 0 < started <= wishes_module.WISHES
        release.set()


async def test_a_browser_that_cannot_start_ends_the_machine(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(self: Machine) -> bool:
        await asyncio.sleep(600)
        return False

    world.browser = ["/bin/sh", "-c", "echo no usable sandbox; exit 1"]
    monkeypatch.setattr(Machine, "_paint_seen", never)
    monkeypatch.setattr("transom_guest.supervise.LAST_DELAY", 0.02)
    async with booting(monkeypatch) as (keeper, task):
        call = await keeper.call()
        assert await task == "browser died: exit 1; no usable sandbox"
        while not isinstance(message := await call.hear(), Fatal):
            pass
        assert message.reason == "browser died: exit 1; no usable sandbox"


async def test_a_folder_that_cannot_be_made_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    os.environ["HOME"] = "/proc/nowhere"
    async with booting(monkeypatch) as (keeper, task):
        call = await keeper.call()
        message = await call.hear()
        assert isinstance(message, Fatal)
        assert "boot failed" in message.reason
        with pytest.raises(OSError):
            await task


def test_a_welcome_without_settings_is_refused() -> None:
    assert checked_welcome(BOOT_WELCOME) is BOOT_WELCOME
    with pytest.raises(LinkError):
        checked_welcome(Welcome(version=WIRE_VERSION))


def test_a_warm_machine_has_no_session_and_no_other_lacks_one() -> None:
    assert checked_welcome(WARM_WELCOME) is WARM_WELCOME
    for wrong in (replace(BOOT_WELCOME, warm=True), replace(WARM_WELCOME, warm=False)):
        with pytest.raises(LinkError):
            checked_welcome(wrong)


def test_the_token_file_is_the_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run" / "token"
    monkeypatch.setenv("TRANSOM_LINK_TOKEN_FILE", str(path))
    write_link_token("one")
    write_link_token("two")
    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["token"]


WARM_WELCOME = replace(BOOT_WELCOME, session=None, warm=True)
IDENTITY = Identity(
    session="ses_late",
    width=800,
    height=600,
    start_url="https://a.example/",
    machine_id="b" * 32,
    hostname="desk",
    seed=b"s" * 64,
    now=1_700_000_000_000,
)


class Taker:
    """A machine that takes identities, and may be one that is cloned."""

    def __init__(self, *, clones: bool, fails: bool = False) -> None:
        self.clones, self.fails = clones, fails
        self.taken: list[Identity] = []

    async def take(self, identity: Identity) -> None:
        if self.fails:
            raise IdentityError("no entropy")
        self.taken.append(identity)


@asynccontextmanager
async def parked(
    monkeypatch: pytest.MonkeyPatch, taker: Taker, welcome: Welcome = WARM_WELCOME
) -> AsyncIterator[tuple[FakeKeeper, Conversation, asyncio.Task[str]]]:
    monkeypatch.setattr("transom_guest.boot.taker", lambda _: taker)
    async with booting(monkeypatch, welcome) as (keeper, task):
        call = await keeper.call()
        heard: list[object] = []
        while Progress(stage="parked") not in heard:
            heard.append(await call.hear())
        assert not any(isinstance(each, Ready) for each in heard)
        yield keeper, call, task


async def hear_until(call: Conversation, last: object) -> list[object]:
    heard: list[object] = []
    while last not in heard:
        heard.append(await call.hear())
    return heard


async def test_a_sandbox_waits_with_its_browser_and_a_claim_opens_the_page_in_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    taker = Taker(clones=False)
    async with parked(monkeypatch, taker) as (_, call, _task):
        first = await world.pid("browser")
        assert world.service_flags == {"webrtc": (True, False), "signin": (True, True)}
        await call.say(IDENTITY)
        heard = await hear_until(call, Ready(width=800, height=600))
        assert heard[-2:] == [Progress(stage="claimed"), Ready(width=800, height=600)]
        assert taker.taken == [IDENTITY]
        assert await world.urls.get() == "https://a.example/"
        assert await world.sizes.get() == (800, 600)
        assert await world.told("signin") == '{"SESSION_ID": "ses_late"}\n'
        assert os.environ["SESSION_ID"] == "ses_late"
        assert await world.pid("browser") == first
        assert "ses_late" in (world.folder / "runtime" / "transom-session").read_text()


async def test_a_machine_that_may_be_cloned_starts_its_program_with_the_claim(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.shown.clear()
    welcome = replace(WARM_WELCOME, program="terminal")
    async with parked(monkeypatch, Taker(clones=True), welcome) as (_, call, _task):
        assert world.service_flags == {"webrtc": (True, True), "signin": (True, True)}
        assert not (world.folder / "terminal.pid").exists()
        await call.say(replace(IDENTITY, width=1280, height=720))
        heard = await hear_until(call, Progress(stage="claimed"))
        assert ServiceState(service="webrtc", state="started", restarts=0) in heard
        await world.pid("terminal")
        world.shown.set()
        await hear_until(call, Ready(width=1280, height=720))
        assert await world.told("webrtc") == '{"SESSION_ID": "ses_late"}\n'
        assert world.urls.empty() and world.sizes.empty()


async def test_a_second_identity_and_a_late_park_are_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    taker = Taker(clones=False)
    async with parked(monkeypatch, taker) as (_, call, task):
        await call.say(IDENTITY, replace(IDENTITY, session="ses_other"), Park())
        await hear_until(call, Ready(width=800, height=600))
        await call.say(replace(IDENTITY, session="ses_other"), Park(), SetScreen(width=640, height=480))
        assert await world.sizes.get() == (800, 600)
        assert await world.sizes.get() == (640, 480)
        assert taker.taken == [IDENTITY] and not task.done()


async def test_a_machine_that_cannot_take_its_identity_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with parked(monkeypatch, Taker(clones=True, fails=True)) as (_, call, task):
        await call.say(IDENTITY)
        assert await call.hear() == Fatal(reason="no identity: no entropy")
        assert await task == "no identity: no entropy"


async def test_a_parked_machine_lets_go_and_finds_another_keeper(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    taker = Taker(clones=True)
    async with parked(monkeypatch, taker) as (keeper, call, _task):
        keeper.welcome = pack(encode(replace(WARM_WELCOME, link_token="n" * 24)))
        await call.say(Park())
        again = await keeper.call()
        assert (again.hello.role, again.hello.token) == ("boot", TOKEN)
        heard = await hear_until(again, Progress(stage="parked"))
        assert [each.stage for each in heard] == ["display", "desktop", "parked"]  # type: ignore[attr-defined]
        assert (world.folder / "run" / "link-token").read_text() == "n" * 24
        await again.say(IDENTITY)
        await hear_until(again, Ready(width=800, height=600))


async def test_a_keeper_that_wants_no_warm_machine_gets_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with parked(monkeypatch, Taker(clones=True)) as (keeper, call, task):
        keeper.welcome = pack(encode(BOOT_WELCOME))
        await call.say(Park())
        await keeper.call()
        with pytest.raises(LinkError, match="no warm machine"):
            await task
