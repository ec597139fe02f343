from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from transom_keeper.door_limits import DoorLimits
from transom_keeper.door_paths import Connect, Park, Source
from transom_keeper.door_table import CHECK, DROP, Command, DoorTable, Relay
from transom_wire.control import RegisterPeer
from transom_wire.stun import build_binding_request

INNER_PORTS = (40001, 40002, 40003, 40004, 40005, 40006)
ADA = RegisterPeer("ada", "guestA", "a" * 24, "viewA", 50001)
BOB = RegisterPeer("bob", "guestB", "b" * 24, "viewB", 50002)
HOME: Source = ("198.51.100.1", 1111)
WIFI: Source = ("198.51.100.1", 2222)
PHONE: Source = ("203.0.113.5", 3333)
SIX: Source = ("2001:db8::1", 4444, 0, 0)
MEDIA = b"\x80" + bytes(50)
DTLS = b"\x16" + bytes(50)
LIMITS = DoorLimits()


def table(**limits: Any) -> DoorTable:
    return DoorTable(INNER_PORTS, replace(LIMITS, **limits))


def check(pair: RegisterPeer, *, nominate: bool = False, **changes: Any) -> bytes:
    values = {
        "guest_ufrag": pair.guest_ufrag,
        "viewer_ufrag": pair.viewer_ufrag,
        "password": pair.guest_password,
        "use_candidate": nominate,
    }
    return build_binding_request(**{**values, **changes})


def admitted(door: DoorTable, pair: RegisterPeer, source: Source, now: float) -> int:
    """Let `source` prove itself; its inner socket."""
    datagram = check(pair)
    assert door.arrived(source, datagram, now) == CHECK
    relay = door.check(source, datagram, now)[-1]
    assert isinstance(relay, Relay)
    return relay.inner


def with_media(door: DoorTable, pair: RegisterPeer, source: Source, now: float) -> int:
    """The same, and the guest sends its picture there."""
    inner = admitted(door, pair, source, now)
    assert door.answered(inner, MEDIA, now) == source
    return inner


def test_a_check_that_proves_itself_opens_a_path() -> None:
    door = table()
    assert door.register(ADA, 0) == []
    assert door.check(HOME, check(ADA), 1) == [Connect(0, ADA.agent_port), Relay(0)]
    assert door.arrived(HOME, MEDIA, 2) == 0
    assert door.answered(0, MEDIA, 2) == HOME
    assert door.source_of("ada") == (HOME,)


@pytest.mark.parametrize("source", [HOME, SIX])
def test_both_families_pass(source: Source) -> None:
    door = table()
    door.register(ADA, 0)
    assert door.answered(admitted(door, ADA, source, 1), MEDIA, 1) == source


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "stranger"),
        (b"\x00", "stranger"),
        (MEDIA, "stranger"),
        (DTLS, "stranger"),
        (bytes(200), "stranger"),
        (b"\x01\x01" + check(ADA)[2:], "stranger"),
        (check(ADA)[:-1], "malformed"),
        (check(ADA)[:40], "malformed"),
        (check(ADA, viewer_ufrag="other"), "user"),
        (check(ADA, guest_ufrag="other"), "user"),
        (check(BOB), "user"),
        (check(ADA, guest_ufrag="viewA", viewer_ufrag="guestA"), "user"),
        (check(ADA, password="x" * 24), "integrity"),
    ],
)
def test_strangers_are_dropped_and_counted(datagram: bytes, reason: str) -> None:
    door = table()
    door.register(ADA, 0)
    assert door.arrived(HOME, datagram, 1) == CHECK
    assert door.check(HOME, datagram, 1) == []
    assert dict(door.dropped) == {reason: 1}
    assert door.sources == door.packets_in == 0


def test_nobody_passes_before_registration_or_after_release() -> None:
    door = table()
    assert door.check(HOME, check(ADA), 1) == []
    door.register(ADA, 2)
    admitted(door, ADA, HOME, 3)
    assert door.release("ada") == [Park(0)]
    assert door.release("ada") == []
    assert door.arrived(HOME, MEDIA, 4) == CHECK
    assert door.check(HOME, check(ADA), 4) == []
    assert door.answered(0, MEDIA, 4) is None
    assert door.dropped == {"user": 2, "unheld": 1}


def test_several_sources_of_one_viewer_have_a_path_each_up_to_the_limit() -> None:
    door = table(sources_per_peer=2)
    door.register(ADA, 0)
    assert [admitted(door, ADA, source, 0.5) for source in (HOME, WIFI)] == [0, 1]
    assert door.check(PHONE, check(ADA), 0.6) == []
    assert door.dropped == {"sources": 1}


def test_a_full_pool_refuses() -> None:
    door = DoorTable(INNER_PORTS[:1])
    door.register(ADA, 0)
    door.register(BOB, 0)
    admitted(door, ADA, HOME, 0.5)
    assert door.check(PHONE, check(BOB), 0.6) == []
    assert door.dropped == {"full": 1}


def test_a_registration_grows_stale_for_new_sources_and_not_for_known_ones() -> None:
    door = table()
    door.register(ADA, 0)
    inner = admitted(door, ADA, HOME, 29.5)
    assert door.check(WIFI, check(ADA), 30.1) == []
    assert door.dropped == {"late": 1}
    assert door.check(HOME, check(ADA), 31) == [Relay(inner)]
    assert door.arrived(HOME, MEDIA, 500) == inner


def test_registering_again_renews() -> None:
    door = table()
    door.register(ADA, 0)
    assert door.check(HOME, check(ADA), 31) == []
    assert door.register(ADA, 32) == []
    assert admitted(door, ADA, HOME, 33) == 0


def test_a_new_viewer_ufrag_for_the_same_agent_keeps_the_paths() -> None:
    door = table()
    door.register(ADA, 0)
    inner = admitted(door, ADA, HOME, 1)
    again = replace(ADA, viewer_ufrag="viewA2")
    assert door.register(again, 2) == []
    assert door.arrived(HOME, MEDIA, 3) == inner
    assert door.check(HOME, check(again), 3) == [Relay(inner)]
    assert door.check(WIFI, check(ADA), 3) == []
    assert door.peers == ("ada",)


def test_another_agent_under_the_same_name_starts_anew() -> None:
    door = table()
    door.register(ADA, 0)
    admitted(door, ADA, HOME, 1)
    again = replace(ADA, agent_port=50009, guest_ufrag="guestA2")
    assert door.register(again, 2) == [Park(0)]
    assert door.check(HOME, check(ADA), 3) == []
    assert door.check(HOME, check(again), 3)[0] == Connect(1, 50009)


def test_a_new_source_takes_a_silent_picture_over_on_the_same_inner_socket() -> None:
    door = table()
    door.register(ADA, 0)
    inner = with_media(door, ADA, HOME, 1)
    assert door.check(PHONE, check(ADA), 2.1) == [Relay(inner)]
    assert door.answered(inner, MEDIA, 2.2) == PHONE
    assert door.source_of("ada") == (PHONE,)
    assert door.takeovers == 1
    assert door.arrived(HOME, MEDIA, 2.3) == CHECK


def test_a_picture_that_is_watched_is_not_taken_over() -> None:
    door = table()
    door.register(ADA, 0)
    inner = with_media(door, ADA, HOME, 1)
    assert door.arrived(HOME, MEDIA, 1.5) == inner
    assert admitted(door, ADA, PHONE, 2.4) != inner
    assert door.answered(inner, MEDIA, 2.5) == HOME
    assert door.takeovers == 0


def test_a_viewer_may_move_long_after_its_registration() -> None:
    door = table()
    door.register(ADA, 0)
    inner = with_media(door, ADA, HOME, 1)
    assert door.arrived(HOME, MEDIA, 600) == inner
    assert door.check(PHONE, check(ADA), 600.5) == []
    assert door.check(PHONE, check(ADA), 601.5) == [Relay(inner)]
    assert door.dropped == {"late": 1}


def test_the_path_with_the_picture_is_the_one_that_is_taken_over() -> None:
    door = table()
    door.register(ADA, 0)
    spare = admitted(door, ADA, WIFI, 0.5)
    inner = with_media(door, ADA, HOME, 1)
    assert spare != inner
    assert door.check(PHONE, check(ADA), 5) == [Relay(inner)]
    assert set(door.source_of("ada")) == {WIFI, PHONE}


def test_a_spare_that_still_checks_takes_a_dead_picture_over() -> None:
    door = table()
    door.register(ADA, 0)
    spare = admitted(door, ADA, WIFI, 0.5)
    inner = with_media(door, ADA, HOME, 1)
    assert door.check(WIFI, check(ADA), 3.9) == [Relay(spare)]
    assert door.check(WIFI, check(ADA), 4.1) == [Park(spare), Relay(inner)]
    assert door.answered(inner, MEDIA, 4.2) == WIFI
    assert door.source_of("ada") == (WIFI,)


def test_a_viewer_whose_first_check_came_too_early_to_take_over_does_so_with_its_next() -> None:
    door = table()
    door.register(ADA, 0)
    inner = with_media(door, ADA, HOME, 1)
    assert door.check(PHONE, check(ADA), 1.5) == [Connect(1, ADA.agent_port), Relay(1)]
    assert door.check(PHONE, check(ADA), 2.1) == [Park(1), Relay(inner)]
    assert door.answered(inner, MEDIA, 2.2) == PHONE


def test_a_spare_moves_nothing_while_the_picture_is_heard_of_now_and_then() -> None:
    door = table()
    door.register(ADA, 0)
    spare, inner = admitted(door, ADA, WIFI, 0.5), with_media(door, ADA, HOME, 1)
    for tick in range(1, 100):
        now = 1 + tick * 2.4
        assert door.check(WIFI, check(ADA, nominate=True), now) == [Relay(spare)]
        assert door.check(HOME, check(ADA), now + 0.1) == [Relay(inner)]
    assert door.takeovers == 0


def test_when_no_place_is_left_a_silent_spare_gives_way() -> None:
    door = table(sources_per_peer=2)
    door.register(ADA, 0)
    spare = admitted(door, ADA, WIFI, 0.5)
    inner = with_media(door, ADA, HOME, 2)
    assert door.check(PHONE, check(ADA), 2.5) == [Relay(spare)]
    assert door.answered(inner, MEDIA, 2.6) == HOME


@pytest.mark.parametrize("later", [0.1, 5.0, 100.0])
def test_a_replayed_check_teaches_no_other_source(later: float) -> None:
    door = table()
    door.register(ADA, 0)
    seen = check(ADA)
    assert door.check(HOME, seen, 1)
    assert door.check(PHONE, seen, 1 + later) == []
    assert door.dropped == {"replayed": 1}


def test_a_check_of_a_known_source_is_remembered_as_well() -> None:
    door = table()
    door.register(ADA, 0)
    inner, seen = admitted(door, ADA, HOME, 1), check(ADA)
    assert door.check(HOME, seen, 2) == [Relay(inner)]
    assert door.check(HOME, seen, 2) == [Relay(inner)]
    assert door.check(PHONE, seen, 2) == []


def test_the_memory_of_replays_is_bounded() -> None:
    door = table(replays=3)
    door.register(ADA, 0)
    for _ in range(20):
        admitted(door, ADA, HOME, 1)
    assert len(door._seen) == 3


def test_a_known_source_with_another_peers_pair_changes_over() -> None:
    door = table()
    door.register(ADA, 0)
    door.register(BOB, 0)
    assert admitted(door, ADA, HOME, 1) == 0
    assert door.check(HOME, check(BOB), 2) == [Park(0), Connect(1, BOB.agent_port), Relay(1)]
    assert (door.source_of("ada"), door.source_of("bob")) == ((), (HOME,))


def test_it_changes_over_even_with_the_last_inner_socket() -> None:
    door = DoorTable(INNER_PORTS[:1])
    door.register(ADA, 0)
    door.register(BOB, 0)
    assert admitted(door, ADA, HOME, 1) == 0
    assert door.check(HOME, check(BOB), 2) == [Park(0), Connect(0, BOB.agent_port), Relay(0)]


def test_a_known_source_cannot_pass_a_check_that_proves_nothing() -> None:
    door = table()
    door.register(ADA, 0)
    inner = admitted(door, ADA, HOME, 1)
    for bad in (check(BOB), check(ADA, password="x" * 24), check(ADA)[:-1]):
        assert door.arrived(HOME, bad, 2) == CHECK
        assert door.check(HOME, bad, 2) == []
    response = b"\x01\x01" + check(ADA)[2:]
    assert door.arrived(HOME, response, 2) == inner


def test_silent_sources_are_forgotten_and_their_sockets_used_again() -> None:
    door = table()
    door.register(ADA, 0)
    admitted(door, ADA, HOME, 0)
    admitted(door, ADA, WIFI, 20)
    assert door.expire(60) == []
    assert door.expire(60.5) == [Park(0)]
    assert door.source_of("ada") == (WIFI,)
    assert door.peers == ("ada",)


def test_a_port_of_the_doors_own_is_refused() -> None:
    """Else a lying guest joins two viewers, or a viewer to itself."""
    door = table()
    assert door.register(replace(ADA, agent_port=INNER_PORTS[2]), 0) == []
    assert door.peers == ()
    assert door.dropped == {"own_port": 1}


def test_the_oldest_registration_gives_way() -> None:
    door = table(peers=2)
    door.register(ADA, 0)
    admitted(door, ADA, HOME, 1)
    door.register(BOB, 1)
    assert door.register(replace(BOB, peer="cyd", guest_ufrag="guestC"), 2) == [Park(0)]
    assert door.peers == ("bob", "cyd")


def test_packets_a_second_to_viewers_are_capped() -> None:
    door = table(packets_per_s=10)
    door.register(ADA, 0)
    inner = admitted(door, ADA, HOME, 5)
    assert [door.answered(inner, MEDIA, 5.9) for _ in range(15)] == [HOME] * 10 + [None] * 5
    assert door.dropped == {"rate": 5}
    assert door.answered(inner, MEDIA, 6.1) == HOME


def test_who_floods_takes_no_room_of_another_viewer_s_nor_of_the_picture() -> None:
    door = table(packets_per_s=100, viewer_packets_per_s=10)
    door.register(ADA, 0)
    door.register(BOB, 0)
    ada, bob = admitted(door, ADA, HOME, 5), admitted(door, BOB, PHONE, 5)
    flood = [door.arrived(PHONE, MEDIA, 5) for _ in range(1000)]
    assert flood.count(bob) < 20
    assert door.dropped["viewer_rate"] == flood.count(DROP)
    assert door.check(PHONE, check(BOB, transaction=b"flood-others"), 5) == []
    assert [door.arrived(HOME, MEDIA, 5) for _ in range(10)] == [ada] * 10
    assert [door.answered(ada, MEDIA, 5) for _ in range(100)] == [HOME] * 100
    assert door.arrived(PHONE, MEDIA, 5.2) == bob


def test_another_source_of_the_same_viewer_is_not_another_viewer() -> None:
    door = table(viewer_packets_per_s=10)
    door.register(ADA, 0)
    first, second = admitted(door, ADA, HOME, 5), admitted(door, ADA, PHONE, 5)
    passed = [door.arrived(where, MEDIA, 5) for _ in range(100) for where in (HOME, PHONE)]
    assert passed.count(first) + passed.count(second) < 20


def test_bytes_a_second_are_capped() -> None:
    door = table(bytes_per_s=1000, viewer_bytes_per_s=500)
    door.register(ADA, 0)
    inner = admitted(door, ADA, HOME, 5)
    assert [door.arrived(HOME, bytes([128]) * 400, 5.1) for _ in range(3)] == [inner, inner, DROP]
    assert [door.answered(inner, bytes([128]) * 400, 5.1) for _ in range(3)] == [HOME, HOME, None]


def test_strangers_spend_nothing_of_the_cap() -> None:
    door = table(viewer_packets_per_s=1)
    door.register(ADA, 0)
    for _ in range(100):
        door.check(PHONE, MEDIA, 1)
        door.check(PHONE, check(ADA, password="x" * 24), 1)
    assert admitted(door, ADA, HOME, 1) == 0


def test_traffic_is_counted() -> None:
    door = table()
    door.register(ADA, 0)
    inner = admitted(door, ADA, HOME, 1)
    size = door.bytes_in
    door.arrived(HOME, MEDIA, 1)
    door.answered(inner, DTLS, 1)
    assert (door.packets_in, door.bytes_in - size) == (2, len(MEDIA))
    assert (door.packets_out, door.bytes_out) == (1, len(DTLS))


class AnyHistory(RuleBasedStateMachine):
    """Whatever comes in whatever order: one source to one inner socket, and nothing of a released peer left."""

    peers = st.sampled_from([ADA, BOB])
    sources = st.sampled_from([HOME, WIFI, PHONE, SIX])

    def __init__(self) -> None:
        super().__init__()
        self.door = DoorTable(INNER_PORTS[:3], replace(LIMITS, sources_per_peer=2))
        self.now = 0.0
        self.connected: dict[int, int] = {}

    def do(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Connect(inner, port):
                    assert inner not in self.connected
                    self.connected[inner] = port
                case Park(inner):
                    del self.connected[inner]
                case Relay(inner):
                    assert inner in self.connected

    @rule(pair=peers)
    def register(self, pair: RegisterPeer) -> None:
        self.do(self.door.register(pair, self.now))

    @rule(pair=peers)
    def release(self, pair: RegisterPeer) -> None:
        self.do(self.door.release(pair.peer))
        assert self.door.source_of(pair.peer) == ()

    @rule(pair=peers, source=sources, nominate=st.booleans())
    def show(self, pair: RegisterPeer, source: Source, nominate: bool) -> None:
        commands = self.door.check(source, check(pair, nominate=nominate), self.now)
        self.do(commands)
        if commands:
            assert source in self.door.source_of(pair.peer)
            assert self.connected[commands[-1].inner] == pair.agent_port

    @rule(source=sources)
    def speak(self, source: Source) -> None:
        assert self.door.arrived(source, MEDIA, self.now) in {CHECK, *self.connected}

    @rule(inner=st.integers(0, 2))
    def answer(self, inner: int) -> None:
        assert (self.door.answered(inner, MEDIA, self.now) is not None) == (inner in self.connected)

    @rule(seconds=st.sampled_from([0.1, 1.5, 4, 31, 61]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def expire(self) -> None:
        self.do(self.door.expire(self.now))

    @invariant()
    def every_source_has_one_socket(self) -> None:
        known = [source for pair in (ADA, BOB) for source in self.door.source_of(pair.peer)]
        assert len(known) == len(set(known)) == self.door.sources == len(self.connected)
        assert all(len(self.door.source_of(pair.peer)) <= 2 for pair in (ADA, BOB))


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
