"""What one session's recorder was told, what it says of itself, and what a timeline has of both. Pure."""

from __future__ import annotations

from transom.recording.wish import OFF, ON, PAUSED
from transom_wire.record import HIDDEN, Record, RecordState


class Accord:
    """One session's, on one stream after another."""

    def __init__(self) -> None:
        self.told: Record | None = None
        """On this stream."""
        self.said: RecordState | None = None
        """On this stream, or the last until another is opened."""
        self.page = "clear"
        """What it says of the pages that its browser shows."""
        self.full = False
        """Nothing can be kept: it is not told anything."""
        self._owed = False
        """A pause began that it has not said yes to: one goes before pictures are wanted again."""

    @property
    def begun(self) -> bool:
        """Pictures may be taken, in the run that was told last."""
        return self.told is not None and self.told.state == ON and self._agreed

    @property
    def quiet(self) -> bool:
        """It says that it takes none, as it was told."""
        return self.told is not None and self.told.state != ON and self._agreed

    @property
    def _agreed(self) -> bool:
        told, said = self.told, self.said
        if told is None or said is None:
            return False
        return (said.state, said.run) == (told.state, told.run)

    @property
    def why(self) -> str:
        """Why it takes no picture though it should: `shown`, a page to sign in at, or `silent`, it does not know, or
        `starting`, its browser is, or `recorder`, that has not said yes, or `full`, nothing could be kept.
        Empty: it does."""
        if self.full:
            return "full"
        if self.page in HIDDEN:
            return self.page
        return "" if self.begun else "recorder"

    def wish(self, wanted: str) -> str:
        """What it is told where that much is wanted."""
        return PAUSED if self._owed and wanted == ON else wanted

    def pauses(self) -> None:
        """A pause begins."""
        self._owed = self._owed or not self.quiet

    def hears(self, said: RecordState) -> bool:
        """Its word; True when that was the pause it owed."""
        self.said = said
        paid = self._owed and said.state == PAUSED
        self._owed = self._owed and not paid
        return paid

    def lost(self) -> None:
        """Its stream is over."""
        self.told, self.page = None, "clear"

    def news(self, noted: str) -> tuple[str, str] | None:
        """What a timeline that has `noted` last is to say now, and why; None for nothing. What has not begun does not
        pause for a browser's start."""
        told = self.told.state if self.told is not None else OFF
        if told == ON and (not self.begun or (self.page == "starting" and noted != ON)):
            return None
        why = self.why if told == ON else ""
        now = PAUSED if why else told
        return None if now == noted else (now, why)
