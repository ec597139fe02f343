import base64
import json

from transom_guest.stream.cursors import HIDDEN, KEPT, Cursors
from transom_guest.stream.png import SIGNATURE
from transom_guest.x11.fixes import CursorImage


def shape(colour: int) -> CursorImage:
    return CursorImage(1, 1, 0, 0, (0xFF000000 | colour,))


def test_a_shape_travels_once_to_each_viewer():
    cursors, first, second = Cursors(), set(), set()
    cursors.show(CursorImage(2, 1, 1, 0, (0xFFFFFFFF, 0)))
    tag, serial, hot_x, hot_y, png = json.loads(cursors.message(first))
    assert (tag, serial, hot_x, hot_y) == ("cursor", 1, 1, 0)
    assert base64.b64decode(png).startswith(SIGNATURE)
    assert json.loads(cursors.message(first)) == ["cursor", 1, 1, 0, ""]
    assert json.loads(cursors.message(second))[4] == png


def test_the_same_shape_again_keeps_its_serial():
    cursors = Cursors()
    cursors.show(shape(1))
    cursors.show(shape(2))
    assert json.loads(cursors.message(set()))[1] == 2
    cursors.show(shape(1))
    assert json.loads(cursors.message(set()))[1] == 1


def test_no_shape_and_a_clear_one_are_hidden():
    cursors = Cursors()
    assert cursors.message(set()) == HIDDEN
    cursors.show(CursorImage(2, 2, 0, 0, (0x00FFFFFF,) * 4))
    assert cursors.message(set()) == HIDDEN
    cursors.show(shape(1))
    cursors.show(None)
    assert json.loads(cursors.message(set())) == ["cursor", 0, 0, 0, ""]


def test_a_forgotten_shape_gets_a_new_serial_and_travels_again():
    cursors, seen = Cursors(), set()
    for colour in range(KEPT + 1):
        cursors.show(shape(colour))
        cursors.message(seen)
    assert len(seen) <= KEPT + 1
    cursors.show(shape(0))
    _, serial, _, _, png = json.loads(cursors.message(seen))
    assert serial == KEPT + 2
    assert png
    assert len(seen) <= KEPT + 1
