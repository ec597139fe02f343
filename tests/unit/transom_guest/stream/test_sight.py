"""A black desktop and a lit one, told apart by their pixels."""

from __future__ import annotations

import pytest

from transom_guest.stream.sight import ENOUGH, EVERY, LIT, any_lit

WIDTH, HEIGHT = 320, 200
STRIDE = WIDTH * 4


def screen(colour: tuple[int, int, int], pixels: int, row: int = 0, rest: int = 0) -> memoryview:
    """`pixels` of one colour from the start of `row` on, all else as dark as `rest`; the fourth byte is anything."""
    data = bytearray(bytes((rest, rest, rest, 255)) * (WIDTH * HEIGHT))
    at = row * STRIDE
    data[at : at + pixels * 4] = bytes((*colour, 0)) * pixels
    return memoryview(data)


@pytest.mark.parametrize("part", range(3))
def test_each_colour_counts(part: int) -> None:
    colour = [0, 0, 0]
    colour[part] = LIT + 1
    assert any_lit(screen((colour[0], colour[1], colour[2]), ENOUGH), STRIDE)


def test_what_an_encoder_may_lose_is_black() -> None:
    assert not any_lit(screen((255, 255, 255), 0), STRIDE)
    assert not any_lit(screen((255, 255, 255), ENOUGH - 1), STRIDE)
    assert not any_lit(screen((0, 0, 0), 0, rest=LIT), STRIDE)


def test_a_line_of_text_is_seen_wherever_it_is() -> None:
    for row in range(HEIGHT - EVERY):
        data = screen((255, 255, 255), WIDTH * EVERY, row=row)
        assert any_lit(data, STRIDE), row
