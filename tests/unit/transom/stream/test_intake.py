"""What a viewer sends by a WebSocket is taken at a rate, and without end by nobody."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom.stream.intake import (
    DRIVER_BYTES,
    DRIVER_BYTES_BURST,
    WATCHER_BYTES,
    WATCHER_BYTES_BURST,
    Intake,
)
from transom_wire.rate import BURST, DEBT, DRIVER_RATE, WATCHER_RATE


class Scene:
    """Time passes only as messages are waited for."""

    def __init__(self, *, drives: bool) -> None:
        self.now, self.late = 0.0, 0
        self.intake = Intake(drives=drives, late=self._late, clock=lambda: self.now)

    def _late(self) -> None:
        self.late += 1

    def say(self, size: int) -> bool:
        """False: there is an end to it."""
        wait = self.intake.take(size)
        self.now += wait or 0.0
        return wait is not None


def test_a_burst_is_taken_at_once_and_what_follows_at_the_rate() -> None:
    scene = Scene(drives=True)
    assert all(scene.say(8) for _ in range(BURST))
    assert (scene.now, scene.late) == (0, 0)
    assert all(scene.say(8) for _ in range(DEBT))
    assert abs(scene.now - DEBT / DRIVER_RATE) < 0.01
    assert scene.late == DEBT


def test_who_goes_on_is_ended_a_watcher_as_who_drives() -> None:
    for drives in (True, False):
        scene = Scene(drives=drives)
        taken = 0
        while scene.say(8):
            taken += 1
        assert taken < BURST + 2 * DEBT
        assert scene.late > DEBT


def test_the_largest_clipboard_passes_at_once_and_a_watcher_s_bytes_do_not() -> None:
    scene = Scene(drives=True)
    assert all(scene.say(16 * 1024) for _ in range(1024))
    assert scene.now == 0
    assert Scene(drives=False).intake.take(WATCHER_BYTES_BURST) == 0
    watcher = Scene(drives=False)
    assert all(watcher.say(1024) for _ in range(WATCHER_BYTES_BURST // 1024 + 32))
    assert 1.9 < watcher.now < 2.1


def test_a_page_that_asks_for_pictures_waits_for_nothing() -> None:
    scene = Scene(drives=False)
    for _ in range(20_000):
        assert scene.say(10)
        scene.now += 1 / 60
    assert scene.late == 0


def test_who_is_given_the_desktop_may_say_more_and_who_loses_it_less() -> None:
    scene = Scene(drives=False)
    scene.intake.hold_to(drives=True)
    assert all(scene.say(16 * 1024) for _ in range(1024))
    scene.intake.hold_to(drives=False)
    assert scene.say(WATCHER_BYTES_BURST)
    assert scene.say(WATCHER_BYTES)
    assert scene.now >= 1


@given(
    st.booleans(), st.lists(st.tuples(st.integers(1, 128 * 1024), st.floats(0, 2)), min_size=1, max_size=60)
)
def test_no_pattern_is_taken_faster_than_its_rates(drives: bool, said: list[tuple[int, float]]) -> None:
    scene, size = Scene(drives=drives), 0
    rate, burst = (DRIVER_BYTES, DRIVER_BYTES_BURST) if drives else (WATCHER_BYTES, WATCHER_BYTES_BURST)
    for count, (length, pause) in enumerate(said, 1):
        scene.now += pause
        assert scene.say(length)
        size += length
        assert size <= burst + rate * scene.now + 1
        assert count <= BURST + (DRIVER_RATE if drives else WATCHER_RATE) * scene.now + 1
