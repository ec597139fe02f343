from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.desktop import display, xorg
from transom_guest.desktop.display import DisplayError
from transom_guest.desktop.modes import modeline
from transom_wire import screen

QUERY = """Screen 0: minimum 32 x 32, current 1280 x 720, maximum 32768 x 32768
VNC-0 connected 1280x720+0+0 0mm x 0mm
   1280x720      60.00*+
   1920x1200     59.88
"""


def test_xvnc_of_an_older_image_listens_on_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xorg, "has_xorg", lambda: False)
    argv = display.command({"DISPLAY": ":1", "TRANSOM_VNC_SOCKET": "/run/transom/vnc.sock"}, 1280, 720)
    line = " ".join(argv)
    assert argv[:2] == ["Xvnc", ":1"]
    for needed in (
        *("-rfbunixpath /run/transom/vnc.sock", "-rfbunixmode=0600 -rfbport=-1", "-nolisten tcp"),
        *("-SecurityTypes=None -AlwaysShared=1 -UseBlacklist=0 -AcceptSetDesktopSize=0",),
        *("-SendCutText=0 -AcceptCutText=0", "-FrameRate=60", "-geometry 1280x720"),
    ):
        assert needed in line


def test_xorg_listens_on_no_network_and_reads_no_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(xorg, "has_xorg", lambda: True)
    environment = {"DISPLAY": ":1", "TRANSOM_VNC_SOCKET": "/run/vnc.sock", "XDG_RUNTIME_DIR": str(tmp_path)}
    display.prepare(environment, (1280, 720))
    argv = display.command(environment, 1280, 720)
    assert argv[:4] == [xorg.SERVER, ":1", "-config", str(tmp_path / "xorg.conf")]
    assert "-nolisten tcp" in " ".join(argv)
    text = (tmp_path / "xorg.conf").read_text()
    for needed in (
        *('"rfbunixpath" "/run/vnc.sock"', f'"rfbunixmode" "{0o600}"', '"rfbport" "-1"'),
        *('"SecurityTypes" "None"', '"UseBlacklist" "0"', '"AcceptSetDesktopSize" "0"', '"SendPrimary" "0"'),
        *('Option "Ignore" "true"', f'"SocketPath" "{tmp_path}/touch.sock"', "Virtual 1280 720"),
        'Modeline "1280x720" 55.30 1280 1288 1296 1304 720 728 736 744',
    ):
        assert needed in text


def test_xorg_begins_with_what_its_driver_takes(tmp_path: Path) -> None:
    text = xorg.configuration({"XDG_RUNTIME_DIR": str(tmp_path)}, (64, 64), {})
    assert 'Modeline "256x128" 12.00 256' in text and "Virtual 256 128" in text
    assert 'Modeline "4096x2304" 290.00' in xorg.configuration({}, (4096, 2304), {})
    assert xorg.MEMORY_KB * 1024 > 4 * screen.MAX_AREA


async def test_a_display_without_an_output_is_an_error(xrandr: Path) -> None:
    (xrandr / "query").write_text("Screen 0: nothing\n")
    with pytest.raises(DisplayError, match="no output"):
        await display.set_size(800, 600)


@pytest.mark.parametrize(
    ("line", "chatter"),
    [
        (" ComparingUpdateTracker: 30.5 Mpixels in / 12 Mpixels out", True),
        (" ComparingUpdateTracker: (1:2.54 ratio)", True),
        (" EncodeManager:   Tight: 12 rects, 1.4 Mpixels", True),
        (" VNCSConnST:  closing : Clean disconnection", True),
        ("              a line that goes on", True),
        ("Wed Nov  5 10:01:02 2025", True),
        ("Underlying X server release 12101016", True),
        ("X.Org X Server 1.21.1.16", True),
        ("\t(WW) warning, (EE) error, (NI) not implemented, (??) unknown.", True),
        ('(==) Using system config directory "/usr/share/X11/xorg.conf.d"', True),
        (" vncext:      VNC extension running!", True),
        ("(EE) no screens found(EE) ", False),
        ("(EE) Server is already active for display 1", False),
        ("Fatal server error:", False),
        (" vncext:      failed to initialise: bind: Address already in use", False),
        ("Xvnc: error while loading shared libraries: libX11.so.6", False),
    ],
)
def test_what_xvnc_says_without_need(line: str, chatter: bool) -> None:
    assert display.is_chatter(line) is chatter


def test_a_size_beyond_the_limits_is_fitted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert display.fitted(1281, 721) == (1280, 720)
    assert not caplog.messages
    assert display.fitted(7680, 4320) == (4096, 2304)
    assert caplog.messages == ["a desktop of 7680x4320 is outside the limits: it takes 4096x2304"]


@given(st.integers(32, 3840), st.integers(32, 3840))
def test_a_modeline_has_the_size_in_every_place(width: int, height: int) -> None:
    clock, *numbers = modeline(width * 2, height * 2)
    assert numbers == [str(width * 2)] * 4 + [str(height * 2)] * 4
    assert float(clock) > 0


@pytest.fixture
def xrandr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stand-in that writes down what it is asked, and fails while a file named like its verb exists."""
    script = tmp_path / "xrandr"
    script.write_text(
        f'#!/bin/sh\nif [ "$1" = --query ]; then cat {tmp_path}/query; exit; fi\n'
        f'echo "$@" >> {tmp_path}/asked\n[ ! -e {tmp_path}/fail$1 ] || {{ echo bad >&2; exit 1; }}\n'
    )
    script.chmod(0o755)
    (tmp_path / "query").write_text(QUERY)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    yield tmp_path


async def test_a_new_size_gets_a_mode(xrandr: Path) -> None:
    assert await display.set_size(1001, 601) == (1000, 600)
    asked = (xrandr / "asked").read_text().splitlines()
    assert asked[0].startswith("--newmode transom-1000x600 36.00 1000 1000 1000 1000 600")
    assert asked[1:] == ["--addmode VNC-0 transom-1000x600", "--output VNC-0 --mode transom-1000x600"]


@pytest.mark.parametrize("fails", ["--delmode", "--rmmode", "--newmode"])
async def test_the_mode_of_a_size_before_goes_and_none_of_the_displays_own(xrandr: Path, fails: str) -> None:
    (xrandr / "query").write_text(
        QUERY + "   transom-800x500   60.00* \n  transom-700x500 (0x235) 36.000MHz\n        h: width  700\n"
    )
    (xrandr / f"fail{fails}").touch()
    await display.set_size(900, 600)
    asked = (xrandr / "asked").read_text().splitlines()
    assert asked[2:] == [
        "--output VNC-0 --mode transom-900x600",
        "--delmode VNC-0 transom-800x500",
        "--rmmode transom-800x500",
        "--delmode VNC-0 transom-700x500",
        "--rmmode transom-700x500",
    ]
    (xrandr / "asked").unlink()
    await display.set_size(800, 500)
    assert (xrandr / "asked").read_text().splitlines()[0] == "--output VNC-0 --mode transom-800x500"


async def test_an_area_beyond_the_limit_is_never_asked_for(xrandr: Path) -> None:
    assert await display.set_size(7680, 4320) == (4096, 2304)
    assert (xrandr / "asked").read_text().endswith("--output VNC-0 --mode transom-4096x2304\n")


async def test_a_known_size_is_only_switched_to(xrandr: Path) -> None:
    await display.set_size(1920, 1200)
    assert (xrandr / "asked").read_text() == "--output VNC-0 --mode 1920x1200\n"


async def test_a_mode_that_only_the_server_knows_is_added(xrandr: Path) -> None:
    (xrandr / "fail--newmode").touch()
    await display.set_size(800, 600)
    assert (xrandr / "asked").read_text().splitlines()[-1] == "--output VNC-0 --mode transom-800x600"


async def test_a_refused_size_is_an_error(xrandr: Path) -> None:
    (xrandr / "fail--output").touch()
    with pytest.raises(DisplayError, match="bad"):
        await display.set_size(1280, 720)


async def test_sizes_take_turns(xrandr: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await asyncio.gather(*(display.set_size(100 + 2 * number, 100) for number in range(5)))
    asked = [line.split()[0] for line in (xrandr / "asked").read_text().splitlines()]
    assert asked == ["--newmode", "--addmode", "--output"] * 5
    monkeypatch.setattr(display, "LOCK_DEADLINE", 0.05)
    async with display._turn():
        with pytest.raises(DisplayError, match="takes too long"):
            await display.set_size(640, 480)


async def test_an_xrandr_that_hangs_is_ended(xrandr: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (xrandr / "xrandr").write_text("#!/bin/sh\nexec sleep 600\n")
    monkeypatch.setattr(display, "XRANDR_DEADLINE", 0.05)
    with pytest.raises(DisplayError, match="did not answer"):
        await display.set_size(640, 480)


async def test_wait_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X7"
        monkeypatch.setattr(display, "x_socket", lambda name: path)
        task = asyncio.create_task(display.wait_up(":7"))
        await asyncio.sleep(0)
        server = await asyncio.start_unix_server(lambda reader, writer: writer.close(), path)
        async with asyncio.timeout(10):
            await task
        server.close()
        monkeypatch.setattr(display, "UP_DEADLINE", 0.05)
        path.unlink(missing_ok=True)
        with pytest.raises(DisplayError):
            await display.wait_up(":7")


def test_x_socket() -> None:
    assert str(display.x_socket(":1")) == "/tmp/.X11-unix/X1"
