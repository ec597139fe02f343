"""One display: keys by two roads, of which a VNC client's ends, and keys for a program that is slow to take them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.slow_program import slow_program
from tests.support.vnc_display import vnc_display
from tests.support.waiting import until
from transom_guest.input import reading
from transom_guest.input.actor import Actor
from transom_guest.input.layout import DEAF
from transom_guest.input.message import Key, Text
from transom_guest.x11.keymap import Keymap
from transom_guest.x11.pings import Pings
from transom_guest.x11.xlib import Display
from transom_guest.x11.xtest import FakeInput

pytestmark = pytest.mark.machine
SHIFT, CONTROL, G, C = 0xFFE1, 0xFFE3, 0x47, 0x63
CODES = {SHIFT: 50, CONTROL: 37, G: 42, C: 54}
"""Keycodes of every PC keyboard."""


@pytest.fixture
def place() -> Iterator[tuple[str, Path]]:
    with vnc_display() as made:
        yield made


@pytest.mark.parametrize(("modifier", "key"), [(SHIFT, G), (CONTROL, C)])
async def test_a_vnc_client_that_ends_takes_no_modifier_from_who_goes_on(
    place: tuple[str, Path], modifier: int, key: int
) -> None:
    display, path = place
    seen = FakeInput(Display(display))
    actor = Actor(Display(display), asyncio.get_running_loop().time)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"RFB 003.008\n\x01\x01" + struct.pack(">BBHI", 4, 1, 0, modifier))
        await until(lambda: CODES[modifier] in seen.keys_down())
        actor.take("page/1", Key(1, modifier, True))
    await until(lambda: not seen.keys_down())
    actor.take("page/1", Key(2, key, True))
    await until(lambda: seen.keys_down() == sorted((CODES[modifier], CODES[key])))
    actor.take("page/1", Key(3, key, False))
    actor.take("page/1", Key(4, modifier, False))
    await until(lambda: not seen.keys_down())


def leave_spares(display: str, count: int) -> None:
    """Give all keys a symbol but so many."""
    shown = Display(display)
    keymap = Keymap(shown)
    # one that has none, or one of those far away that an earlier stream server may have given it
    spare = [code for code, has in keymap.read().items() if len({*has}) == 1 and not 0 < has[0] < 0x01000000]
    keymap.bind(dict.fromkeys([code for code in spare if code not in DEAF][count:], (0x61, 0x41)))
    shown.close()


async def test_a_program_that_is_slow_to_come_to_its_keys_has_each_sign_as_it_was_typed(
    place: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # a slow host adds to it
    monkeypatch.setattr(reading, "PATIENCE", 30)
    display, _ = place
    leave_spares(display, 1)
    actor = Actor(Display(display), asyncio.get_running_loop().time)
    signs = "東京日"
    text = "".join(f"a{sign}z" for sign in signs + signs)
    with slow_program(display, lag=0.002, stall=0.4, each=9) as program:
        running = asyncio.create_task(actor.run())
        for number, sign in enumerate(text):
            keysym = ord(sign) if sign in "az" else 0x01000000 + ord(sign)
            actor.take("page/1", Key(2 * number + 1, keysym, True))
            actor.take("page/1", Key(2 * number + 2, keysym, False))
        actor.take("page/1", Text(2 * len(text) + 1, signs))
        with contextlib.suppress(AssertionError):
            await until(lambda: len(program.text) >= len(text + signs), seconds=40)
        assert program.text == text + signs
        running.cancel()
        await asyncio.wait([running])


async def test_an_answer_that_xlib_reads_while_it_sends_is_taken_in(
    place: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Pings.ask

    def read_with_it(pings: Pings, window: int) -> int:
        number = ask(pings, window)
        # as where the program answers between XFlush's write and its read
        time.sleep(0.05)
        pings._display.sync()
        return number

    monkeypatch.setattr(Pings, "ask", read_with_it)
    monkeypatch.setattr(reading, "PATIENCE", 30)
    display, _ = place
    actor = Actor(Display(display), asyncio.get_running_loop().time)
    with slow_program(display, lag=0, stall=0, each=9) as program:
        running = asyncio.create_task(actor.run())
        actor.take("page/1", Text(1, "東京"))
        with contextlib.suppress(AssertionError):
            await until(lambda: program.text == "東京")
        assert program.text == "東京"
        running.cancel()
        await asyncio.wait([running])
