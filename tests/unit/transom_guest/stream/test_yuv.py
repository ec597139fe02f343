from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.yuv import layout

SIDES = st.integers(8, 2000).map(lambda half: half * 2)


@given(SIDES, SIDES)
def test_planes_follow_each_other_and_hold_their_rows(width: int, height: int) -> None:
    form = layout(width, height)
    assert form.strides[0] >= width
    assert form.strides[1] == form.strides[2] >= width // 2
    assert not any(stride % 4 for stride in form.strides)
    ends = [
        offset + stride * rows
        for offset, stride, rows in zip(
            form.offsets, form.strides, (height, height // 2, height // 2), strict=True
        )
    ]
    assert [*form.offsets[1:], form.size] == ends


def test_planes_of_rows_further_down() -> None:
    form = layout(1280, 720)
    assert form.size == 1280 * 720 * 3 // 2
    assert form.planes(1000, 100) == [
        (1000 + 100 * 1280, 1280),
        (1000 + 1280 * 720 + 50 * 640, 640),
        (1000 + 1280 * 900 + 50 * 640, 640),
    ]
