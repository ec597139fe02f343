import socket
import struct
import threading
from types import SimpleNamespace

import pytest

from transom_guest.x11 import touchscreen
from transom_guest.x11.touchscreen import BEGIN, END, EVENT, FULL, HELLO, MOUSE, TOUCH, event
from transom_guest.x11.xlib import XError


def test_an_event_is_laid_out_as_the_driver_reads_it():
    packed = event(BEGIN, 7, 0.5, 1.0)
    assert len(packed) == EVENT.size == 1056
    assert struct.unpack_from("=IIIII", packed) == (1056, 6, 7, 18, 0)
    assert packed[20:28] == bytes([3, *[0] * 7])
    assert struct.unpack_from("=2d", packed, 32) == (FULL / 2, FULL)
    assert event(END, 7, placed=False)[20:28] == bytes(8)


@pytest.fixture
def made(monkeypatch, tmp_path):
    """A touch screen whose display writes down which devices are on, and a driver that listens."""
    enabled = []
    display = SimpleNamespace(sync=lambda: None, flush=lambda: None)
    monkeypatch.setattr(touchscreen, "devices", lambda _display: {TOUCH: 7, MOUSE: 6})
    monkeypatch.setattr(
        touchscreen.TouchScreen, "_enable", lambda _self, device, on: enabled.append((device, on))
    )
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "touch"))
    listening.listen()
    listening.settimeout(5)
    monkeypatch.setattr(touchscreen, "DEADLINE", 0.2)
    screen = touchscreen.of(display, tmp_path / "touch", lambda: (200, 100))
    yield screen, enabled, listening
    screen.turn(False)
    listening.close()


def answering(listening, screen):
    found = []

    def accept():
        driver, _ = listening.accept()
        driver.settimeout(5)
        driver.sendall(HELLO)
        found.append(driver)

    thread = threading.Thread(target=accept)
    thread.start()
    screen.turn(True)
    thread.join(5)
    return found[0]


def test_it_is_off_at_first_and_a_mouse_is_there_when_it_is_off(made):
    screen, enabled, listening = made
    assert enabled == [(7, False), (6, True)]
    del enabled[:]
    answering(listening, screen).close()
    assert enabled == [(7, False), (6, False), (7, True)]


def test_fingers_are_told_in_shares_of_the_screen(made):
    screen, _, listening = made
    driver = answering(listening, screen)
    screen.down(1, 100, 25)
    screen.move(1, 200, 100)
    screen.up(1)
    told = driver.recv(len(HELLO) + 3 * EVENT.size, socket.MSG_WAITALL)
    assert told == HELLO + event(BEGIN, 1, 0.5, 0.25) + event(19, 1, 1.0, 1.0) + event(END, 1, placed=False)
    driver.close()


def test_a_driver_that_takes_nothing_or_says_nothing_leaves_fingers_without_effect(made, caplog):
    screen, enabled, listening = made
    driver = answering(listening, screen)
    driver.close()
    for _ in range(3):  # nobody accepts: it is turned off and on, and off when it says no version
        screen.down(1, 5, 5)
    assert "takes nothing" in caplog.text and "does not answer" in caplog.text
    assert enabled[-1] == (7, False)


def test_a_display_without_one_has_none(monkeypatch, tmp_path):
    monkeypatch.setattr(touchscreen, "devices", lambda _display: {"TigerVNC pointer": 6})
    assert touchscreen.of(SimpleNamespace(), tmp_path, lambda: (1, 1)) is None
    with pytest.raises(XError):
        touchscreen.TouchScreen(SimpleNamespace(), tmp_path, lambda: (1, 1))
