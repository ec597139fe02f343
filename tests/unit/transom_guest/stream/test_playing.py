"""Whether anything on the desktop plays."""

from __future__ import annotations

from transom_guest.stream.playing import changes_players, plays


def test_only_players_count() -> None:
    assert changes_players("Event 'new' on sink-input #3\n")
    assert not changes_players("Event 'new' on source-output #3\n")
    assert not changes_players("Event 'change' on client #1\n")


def test_a_viewers_microphone_is_no_player_of_the_desktop() -> None:
    assert plays("4\t0\t7\tprotocol-native.c\ts16le 2ch 48000Hz\n")
    assert not plays("4\t1\t7\tprotocol-native.c\ts16le 1ch 48000Hz\n")
    assert not plays("")
    assert not plays("nonsense\n")
