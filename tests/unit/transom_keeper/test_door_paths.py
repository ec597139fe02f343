from __future__ import annotations

from transom_keeper.door_limits import Allowance
from transom_keeper.door_paths import Connect, DoorPaths, DoorPeer, Park, Source
from transom_wire.control import RegisterPeer

HOME: Source = ("198.51.100.1", 1111)
PHONE: Source = ("203.0.113.5", 3333)


def peer(name: str, port: int) -> DoorPeer:
    pair = RegisterPeer(name, f"guest-{name}", "p" * 24, f"view-{name}", port)
    return DoorPeer(pair, 0, Allowance(100, 10_000, 0, 1))


def test_a_path_takes_an_inner_socket_and_gives_it_back() -> None:
    paths, ada = DoorPaths(1), peer("ada", 50_001)
    assert paths.open(HOME, ada, 1) == [Connect(0, 50_001)]
    (path,) = ada.paths
    assert not paths.free
    assert paths.by_source[HOME] is paths.by_inner[0] is path
    assert paths.close(path) == Park(0)
    assert paths.free
    assert (paths.by_source, paths.by_inner, ada.paths) == ({}, [None], [])


def test_a_source_that_leaves_for_another_peer_leaves_its_path() -> None:
    paths, ada, bob = DoorPaths(2), peer("ada", 50_001), peer("bob", 50_002)
    paths.open(HOME, ada, 1)
    assert paths.open(HOME, bob, 2) == [Park(0), Connect(1, 50_002)]
    assert (ada.paths, paths.by_source[HOME].peer) == ([], bob)


def test_a_path_that_is_taken_over_stays_the_same_inside() -> None:
    paths, ada = DoorPaths(2), peer("ada", 50_001)
    paths.open(HOME, ada, 1)
    (path,) = ada.paths
    assert paths.take_over(path, HOME, 2) == []
    assert paths.takeovers == 0
    assert paths.take_over(path, PHONE, 3) == []
    assert (path.source, path.since, path.inner, paths.takeovers) == (PHONE, 3, 0, 1)
    assert HOME not in paths.by_source


def test_who_takes_a_path_over_leaves_the_one_it_had() -> None:
    paths, ada = DoorPaths(2), peer("ada", 50_001)
    paths.open(HOME, ada, 1)
    paths.open(PHONE, ada, 2)
    assert paths.take_over(ada.paths[0], PHONE, 3) == [Park(1)]
    assert [path.source for path in ada.paths] == [PHONE]


def test_the_carrier_is_the_path_that_carried_media_last() -> None:
    paths, ada = DoorPaths(2), peer("ada", 50_001)
    paths.open(HOME, ada, 1)
    paths.open(PHONE, ada, 1)
    assert ada.carrier is None
    for path, when in zip(ada.paths, (5, 4), strict=True):
        path.media = when
    assert ada.carrier is ada.paths[0]


def test_silence_is_longer_than_its_limit() -> None:
    paths, ada = DoorPaths(1), peer("ada", 50_001)
    paths.open(HOME, ada, 1)
    assert [ada.paths[0].silent(now, 2) for now in (3, 3.1)] == [False, True]
