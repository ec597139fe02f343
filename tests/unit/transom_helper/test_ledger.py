"""What was made for whom survives the helper."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from transom_helper import ledger as module
from transom_helper.ledger import Entry, Key, Ledger
from transom_helper.refusal import Refusal

TAG, OTHER_TAG = "0123abcd", "ffffffff"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def test_an_entry_outlives_the_helper(ledger: Ledger, tmp_path: Path) -> None:
    key = Key(TAG, "mch_a")
    ledger.open(key, 1000, 5, ("/a", "/b"))
    ledger.open(key, 1000, 5, ("/b", "/c"))
    later = Ledger(tmp_path)
    assert later.get(key, 1000) == Entry(1000, ("/a", "/b", "/c"))
    jailed = Entry(1000, ("/a",), "jail-id", "firecracker-v1.14.4-x86_64")
    later.put(key, jailed)
    assert later.open(key, 1000, 1) == later.open(key, 1000, 1, ("/a",)) == jailed
    assert later.open(key, 1000, 1, jail="other-id", program="fc") == Entry(1000, ("/a",), "other-id", "fc")
    later.forget(key)
    later.forget(key)
    assert later.get(key, 1000) is None


def test_another_user_s_machine_is_not_touched(ledger: Ledger) -> None:
    key = Key(TAG, "mch_a")
    ledger.open(key, 1000, 5)
    with pytest.raises(Refusal, match="another user's"):
        ledger.get(key, 1001)
    with pytest.raises(Refusal, match="another user's"):
        ledger.open(key, 1001, 5)
    assert ledger.get(key, 0) == Entry(1000)


def test_everybody_sees_their_own(ledger: Ledger) -> None:
    ledger.open(Key(TAG, "mch_a"), 1000, 5)
    ledger.open(Key(TAG, "mch_b"), 1001, 5)
    ledger.open(Key(OTHER_TAG, "mch_c"), 1000, 5)
    assert ledger.visible(TAG, 1000) == ["mch_a"]
    assert ledger.visible(TAG, 0) == ["mch_a", "mch_b"]
    assert ledger.visible(OTHER_TAG, 1001) == []


def test_one_user_has_so_many(ledger: Ledger) -> None:
    for name in ("mch_a", "mch_b"):
        ledger.open(Key(TAG, name), 1000, 2)
    ledger.open(Key(TAG, "mch_a"), 1000, 2)
    with pytest.raises(Refusal, match="2 machines"):
        ledger.open(Key(TAG, "mch_c"), 1000, 2)
    ledger.open(Key(TAG, "mch_c"), 1001, 2)


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"uid": 1000}', "\x00" * 100])
def test_a_broken_entry_is_told_and_is_in_nobody_else_s_way(
    ledger: Ledger, tmp_path: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An empty one is what a loss of power leaves of a file that was not on disk yet."""
    (tmp_path / module.FOLDER / f"{TAG}.mch_a").write_text(broken)
    for uid in (0, 1000):
        with pytest.raises(Refusal) as refused:
            ledger.get(Key(TAG, "mch_a"), uid)
        assert refused.value.mend.startswith("rm ")
    for uid in (1000, 1001):
        ledger.open(Key(TAG, f"mch_{uid}"), uid, 1)
        assert ledger.visible(TAG, uid) == [f"mch_{uid}"]
    assert ledger.visible(TAG, 0) == ["mch_1000", "mch_1001", "mch_a"]
    assert [each.message for each in caplog.records] == [
        f"the helper's entry {TAG}.mch_a cannot be read (mend: rm {tmp_path / module.FOLDER / TAG}.mch_a)"
    ]


def test_an_entry_is_on_disk_before_it_has_its_name(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, os.replace

    def told_sync(descriptor: int) -> None:
        done.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        sync(descriptor)

    def told_replace(old: Path, new: Path) -> None:
        done.append(f"to {new}")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", told_sync)
    monkeypatch.setattr(os, "replace", told_replace)
    ledger.open(Key(TAG, "mch_a"), 1000, 5, ("/a",), "jail-id", "firecracker")
    folder = tmp_path / module.FOLDER
    assert done == [f"{folder}/.{TAG}.mch_a", f"to {folder}/{TAG}.mch_a", str(folder)]


def test_one_machine_is_held_by_one_at_a_time(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    key = Key(TAG, "mch_a")
    failed: list[str] = []

    def other() -> None:
        try:
            with ledger.hold(key):
                pass
        except Refusal as refusal:
            failed.append(refusal.reason)

    with ledger.hold(key):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert "under way" in failed[0]
    other()
    assert len(failed) == 1


def test_a_slow_machine_is_in_no_other_s_way(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many others there are: nobody waits for a stranger's, nor is told so."""
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    with ExitStack() as held:
        for number in range(300):
            held.enter_context(ledger.hold(Key(TAG, f"mch_{number}")))
        assert len(ledger._locks) == 300
    assert not ledger._locks and not ledger._wanted


def test_an_entry_of_an_earlier_release_names_no_program(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / module.FOLDER / f"{TAG}.mch_a").write_text('{"uid": 1000, "groups": ["/a"], "jail": "an-id"}')
    assert ledger.get(Key(TAG, "mch_a"), 1000) == Entry(1000, ("/a",), "an-id")


def test_other_files_are_no_machines(ledger: Ledger, tmp_path: Path) -> None:
    for name in ("README", f".{TAG}.mch_a", "xyz.mch_a", f"{TAG}.mch a"):
        (tmp_path / module.FOLDER / name).touch()
    assert ledger.machines() == []


def test_what_a_killed_helper_had_half_written_goes(ledger: Ledger, tmp_path: Path) -> None:
    ledger.open(Key(TAG, "mch_a"), 1000, 5)
    (tmp_path / module.FOLDER / f".{TAG}.mch_b").write_text('{"uid"')
    Ledger(tmp_path)
    assert [each.name for each in (tmp_path / module.FOLDER).iterdir()] == [f"{TAG}.mch_a"]
