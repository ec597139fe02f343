from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from transom_guest.desktop.painted import FIRST_LINE, colours, has_painted, windows

WHITE, GREY, BLUE = b"\xff\xff\xff\x00", b"\x80\x80\x80\x00", b"\xff\x00\x00\x00"
VIEWABLE = 2


@dataclass
class Picture:
    """A window whose sample lines hold the given pixels."""

    pixels: bytes
    width: int = 1280
    height: int = 720
    asked: list[tuple[str, int]] = field(default_factory=list)

    def row(self, y: int) -> bytes:
        self.asked.append(("row", y))
        return self.pixels

    def column(self, x: int) -> bytes:
        self.asked.append(("column", x))
        return self.pixels


def test_one_or_two_colours_are_no_picture() -> None:
    assert not has_painted(Picture(WHITE * 1280))
    assert not has_painted(Picture(WHITE * 640 + GREY * 640))


def test_three_colours_are() -> None:
    picture = Picture(WHITE * 600 + GREY + BLUE)
    assert has_painted(picture)
    assert all(at < (720 if kind == "row" else 1280) for kind, at in picture.asked)


def test_padding_is_no_colour() -> None:
    assert colours([b"\x01\x02\x03\x00\x01\x02\x03\xff\x01\x02\x03\x7f"]) == {b"\x01\x02\x03"}


def test_small_windows_are_not_looked_at() -> None:
    picture = Picture(WHITE + GREY + BLUE, width=10, height=10)
    assert not has_painted(picture)
    assert picture.asked == []


@given(st.binary(max_size=64))
def test_colours_takes_any_bytes(line: bytes) -> None:
    assert len(colours([line])) <= len(line) // 3 + 1


class Window:
    def __init__(self, name: tuple[str, str] | None, *children: Window, viewable: bool = True) -> None:
        self.name, self.children, self.viewable = name, children, viewable

    def query_tree(self) -> Any:
        return SimpleNamespace(children=self.children)

    def get_wm_class(self) -> tuple[str, str] | None:
        return self.name

    def get_attributes(self) -> Any:
        return SimpleNamespace(map_state=VIEWABLE if self.viewable else 0)

    def get_geometry(self) -> Any:
        return SimpleNamespace(width=1280, height=720)


BROWSER = ("chromium", "Chromium")


def found(*tops: Window, of_class: str = "chromium") -> int:
    return len(list(windows(Window(None, *tops), of_class)))


def test_windows_are_found_bare_and_under_a_frame() -> None:
    assert found(Window(BROWSER)) == 1
    assert found(Window(None, Window(BROWSER))) == 1


def test_windows_of_others_are_not() -> None:
    assert found(Window(None), Window(("xterm", "XTerm"))) == 0
    assert found(Window(("xterm", "XTerm")), of_class="xterm") == 1


def test_a_terminals_first_line_is_looked_at() -> None:
    picture = Picture(WHITE * 600)
    assert not has_painted(picture)
    assert ("row", FIRST_LINE) in picture.asked
