"""What goes wrong with images, in words for the person at the keyboard."""

from __future__ import annotations

from transom.model.errors import TransomError


class ImageError(TransomError):
    """An image cannot be built or used; `mend` is the command or act that helps."""

    status, code = 503, "image"

    def __init__(self, message: str, *, mend: str = "") -> None:
        super().__init__(message)
        self.mend = mend
