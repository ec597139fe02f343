"""Which image new sessions use, which ones before it, and which were rolled back from.

`current` holds one digest, `history` the earlier ones, oldest first, `rolled-back` those that no build makes
current again by itself. `history` is written before `current`: a crash in between loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from transom.images import files
from transom.images.errors import ImageError
from transom.images.manifest import DIGEST

KEPT = 50
"""Earlier choices that are remembered."""
LOCK_DEADLINE = 10.0


class Choice:
    """The choice in one folder of images. Reads the disk at each call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def current(self) -> str | None:
        """The digest new sessions use, or None when there is none yet."""
        found = self._digests("current")
        return found[0] if len(found) == 1 else None

    def history(self) -> list[str]:
        """Digests that were current earlier, oldest first."""
        return self._digests("history")

    def rolled_back(self) -> list[str]:
        """Digests that were rolled back from and not chosen again since."""
        return self._digests("rolled-back")

    def use(self, digest: str, usable: Callable[[str], bool] = lambda _: True) -> None:
        """Let new sessions use `digest`, if it is `usable` still. Raises ImageError when somebody else is choosing."""
        with self._alone():
            if not usable(digest):
                raise ImageError(f"image {digest[:19]} is gone", mend="transom image list")
            before = self.current()
            if before is not None and before != digest:
                self._put("history", [*self.history(), before])
            self._put("rolled-back", [each for each in self.rolled_back() if each != digest])
            self._put("current", [digest])

    def rollback(self, usable: Callable[[str], bool]) -> str:
        """Go back to the latest earlier image that is `usable`, and return it. Raises ImageError."""
        with self._alone():
            now, earlier = self.current(), self.history()
            while earlier and (earlier[-1] == now or not usable(earlier[-1])):
                earlier.pop()
            if not earlier:
                raise ImageError("there is no earlier image to go back to", mend="transom image list")
            chosen = earlier.pop()
            if now is not None:
                self._put("rolled-back", [*self.rolled_back(), now])
            self._put("current", [chosen])
            self._put("history", earlier)
            return chosen

    def unchanged(self) -> AbstractContextManager[None]:
        """Nobody chooses while the block runs. Raises ImageError when somebody is choosing."""
        return self._alone()

    def _alone(self) -> AbstractContextManager[None]:
        busy = "another command is choosing an image"
        return files.locked(self._folder / "choice.lock", deadline=LOCK_DEADLINE, busy=busy, mend="try again")

    def _digests(self, name: str) -> list[str]:
        try:
            lines = (self._folder / name).read_text().split()
        except (OSError, UnicodeDecodeError):
            return []
        return [line for line in lines if DIGEST.fullmatch(line)]

    def _put(self, name: str, digests: list[str]) -> None:
        files.write(self._folder / name, "".join(f"{digest}\n" for digest in digests[-KEPT:]).encode())
