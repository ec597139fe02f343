from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_wire.screen import MAX_AREA, MAX_SIDE, MIN_SIDE, allowed, fit

PAGE = Path(__file__).parents[3] / "web" / "static" / "js" / "scale.js"
sides = st.integers(MIN_SIDE, MAX_SIDE)


@pytest.mark.parametrize(
    ("wanted", "given_size"),
    [
        ((1280, 720), (1280, 720)),
        ((1281, 721), (1280, 720)),
        ((4096, 2304), (4096, 2304)),
        ((4097, 2305), (4096, 2304)),
        ((7680, 4320), (4096, 2304)),
        ((7680, 7680), (3072, 3072)),
        ((1, 10**9), (64, 7680)),
    ],
)
def test_what_a_wish_becomes(wanted: tuple[int, int], given_size: tuple[int, int]) -> None:
    assert fit(*wanted) == given_size


@given(st.integers(-(2**40), 2**40), st.integers(-(2**40), 2**40))
def test_what_fits_is_even_and_allowed_and_stays(width: int, height: int) -> None:
    size = fit(width, height)
    assert allowed(*size)
    assert all(side % 2 == 0 for side in size)
    assert fit(*size) == size


@given(sides, sides)
def test_an_allowed_size_is_only_rounded_and_another_keeps_its_shape(width: int, height: int) -> None:
    wide, high = fit(width, height)
    if allowed(width, height):
        assert (wide, high) == (width & ~1, height & ~1)
    else:
        assert wide * high > MAX_AREA * 0.99
        assert wide / high == pytest.approx(width / height, rel=0.01)


@pytest.mark.parametrize("size", [(62, 720), (63, 63), (7682, 64), (4098, 2304), (7680, 4320), (-1280, -720)])
def test_what_is_not_allowed(size: tuple[int, int]) -> None:
    assert not allowed(*size)


def test_the_page_knows_the_same_limits() -> None:
    text = PAGE.read_text()
    assert f"const MOST = {MAX_SIDE};" in text
    assert "const MOST_AREA = 4096 * 2304;" in text
    assert MAX_AREA == 4096 * 2304
