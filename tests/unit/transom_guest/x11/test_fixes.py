from hypothesis import given
from hypothesis import strategies as st

from transom_guest.x11.fixes import MAX_CURSOR_SIDE, thinned


def test_a_pointer_that_browsers_show_stays_as_it_is():
    shape = thinned(2, 2, 1, 0, [0xFF00000001, 2, 3, 4])
    assert shape.argb == (1, 2, 3, 4)
    assert (shape.width, shape.height, shape.hot_x, shape.hot_y) == (2, 2, 1, 0)


class Numbered:
    """Pixels that say where they are."""

    def __getitem__(self, at: int) -> int:
        return at


@given(st.integers(1, 65535), st.integers(1, 65535), st.integers(0, 65535), st.integers(0, 65535))
def test_any_other_is_made_smaller(width: int, height: int, x: int, y: int):
    shape = thinned(width, height, min(x, width - 1), min(y, height - 1), Numbered())
    assert 0 < shape.width <= MAX_CURSOR_SIDE
    assert 0 < shape.height <= MAX_CURSOR_SIDE
    assert len(shape.argb) == shape.width * shape.height
    assert shape.hot_x < shape.width
    assert shape.hot_y < shape.height
