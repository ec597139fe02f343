import ctypes as c

import pytest

from transom_guest.x11 import xlib
from transom_guest.x11.xlib import Display, XError, XErrorEvent, library


class FakeLibrary:
    """Stands for libX11 without a server."""

    def __init__(self) -> None:
        self.events: list[int] = []
        self.display = 0

    def XOpenDisplay(self, _name):
        return self.display

    def XDefaultScreen(self, _display):
        return 0

    def XDefaultRootWindow(self, _display):
        return 42

    def XPending(self, _display):
        return len(self.events)

    def XNextEvent(self, _display, event):
        event._obj.type = self.events.pop(0)

    def XCloseDisplay(self, _display):
        self.display = 0

    def XGetGeometry(self, *arguments):
        width, height = arguments[5], arguments[6]
        c.cast(width, c.POINTER(c.c_uint))[0] = 1281
        c.cast(height, c.POINTER(c.c_uint))[0] = 720
        return 1


@pytest.fixture
def fake(monkeypatch) -> FakeLibrary:
    made = FakeLibrary()
    made.display = 4096
    monkeypatch.setattr(xlib, "xlib", lambda: made)
    return made


def test_a_library_the_image_lacks_is_an_xerror():
    with pytest.raises(XError, match="missing"):
        library("libX-no-such-thing.so.9")


def test_no_server_is_an_xerror(fake):
    fake.display = 0
    with pytest.raises(XError, match="connect"):
        Display()


def test_all_events_that_have_come_are_returned(fake):
    display = Display()
    fake.events = [22, 34]
    assert [event.type for event in display.events()] == [22, 34]
    assert display.events() == []


def test_the_size_is_the_root_windows(fake):
    assert Display().size() == (1281, 720)


def test_an_error_is_counted_on_its_display_and_ends_nothing(fake):
    display = Display()
    before = display.errors()
    event = XErrorEvent(error_code=8, request_code=130)
    assert xlib._count_error(display.pointer, c.pointer(event)) == 0
    assert display.errors() == before + 1
    display.close()
    fake.display = 4096
    assert Display().errors() == 0


def test_closing_twice_is_harmless(fake):
    display = Display()
    display.close()
    display.close()
