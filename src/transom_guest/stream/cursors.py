"""Which pointer shapes each viewer has seen: a shape travels once, afterwards its serial does. Pure."""

from __future__ import annotations

import base64
import json
from collections import OrderedDict

from transom_guest.stream.png import encode_png
from transom_guest.x11.fixes import CursorImage

KEPT = 64
"""Shapes remembered; viewers keep as many. An older one is sent anew."""
HIDDEN = json.dumps(["cursor", 0, 0, 0, ""])


class Cursors:
    """The shapes of one desktop; `now` is the message for a shape a viewer has not seen."""

    def __init__(self) -> None:
        self._serials: OrderedDict[CursorImage, int] = OrderedDict()
        self._pictures: dict[int, str] = {}
        self._last = 0
        self._current: tuple[int, int, int] = (0, 0, 0)

    def show(self, image: CursorImage | None) -> None:
        """The pointer has this shape now; None: it is hidden."""
        if image is None or not any(pixel >> 24 for pixel in image.argb):
            self._current = (0, 0, 0)
            return
        serial = self._serials.get(image)
        if serial is None:
            serial = self._remember(image)
        self._serials.move_to_end(image)
        self._current = (serial, image.hot_x, image.hot_y)

    def message(self, seen: set[int]) -> str:
        """The message that shows the present shape to a viewer that has `seen` these serials; adds to them."""
        serial, hot_x, hot_y = self._current
        if serial == 0:
            return HIDDEN
        seen.intersection_update(self._pictures)
        picture = "" if serial in seen else self._pictures[serial]
        seen.add(serial)
        return json.dumps(["cursor", serial, hot_x, hot_y, picture])

    def _remember(self, image: CursorImage) -> int:
        if len(self._serials) >= KEPT:
            _, old = self._serials.popitem(last=False)
            del self._pictures[old]
        self._last += 1
        self._serials[image] = self._last
        png = encode_png(image.width, image.height, image.argb)
        self._pictures[self._last] = base64.b64encode(png).decode()
        return self._last
