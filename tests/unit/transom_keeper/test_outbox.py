from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_keeper.outbox import Outbox, OutboxFull
from transom_wire.codec import encode
from transom_wire.link import (
    CredentialSealed,
    GuestMessage,
    PeerAnswer,
    PeerState,
    Progress,
    Ready,
    SigninState,
)


def sealed(serial: int, flow: str = "flw_a", size: int = 10) -> CredentialSealed:
    return CredentialSealed(flow, serial, "key", ("auth.json",), None, b"w", b"n", b"c" * size)


def put(outbox: Outbox, message: GuestMessage, role: str = "boot") -> int:
    return outbox.add(role, 1, encode(message), message).number


def test_numbers_rise_and_waiting_keeps_their_order() -> None:
    outbox = Outbox()
    assert [put(outbox, Progress(stage)) for stage in ("display", "desktop")] == [1, 2]
    assert [each.number for each in outbox.waiting()] == [1, 2]


def test_acknowledged_messages_are_forgotten_up_to_their_number() -> None:
    outbox = Outbox()
    for stage in ("display", "desktop", "browser"):
        put(outbox, Progress(stage))
    outbox.acknowledge(2)
    assert [each.number for each in outbox.waiting()] == [3]
    outbox.acknowledge(2)
    outbox.acknowledge(99)
    assert outbox.waiting() == ()


def test_a_later_state_replaces_the_earlier_of_the_same_thing_only() -> None:
    outbox = Outbox()
    put(outbox, SigninState("flw_a", "starting"))
    put(outbox, SigninState("flw_b", "starting"))
    put(outbox, SigninState("flw_a", "done"))
    put(outbox, PeerState("per_a", 1, "connected"))
    put(outbox, PeerState("per_a", 2, "new"))
    put(outbox, PeerAnswer("per_a", 1, "v=0"))
    assert [each.number for each in outbox.waiting()] == [2, 3, 4, 5, 6]


def test_the_oldest_states_give_way_and_are_counted() -> None:
    outbox = Outbox(messages=3)
    for epoch in range(1, 6):
        put(outbox, PeerState("per_a", epoch, "new"))
    assert [each.number for each in outbox.waiting()] == [3, 4, 5]
    assert outbox.dropped == 2


def test_a_sealed_credential_never_gives_way() -> None:
    outbox = Outbox(messages=3, size=2000)
    put(outbox, sealed(1), "signin")
    for epoch in range(1, 50):
        put(outbox, PeerAnswer("per_a", epoch, "x" * 500))
    assert outbox.waiting()[0].number == 1
    assert outbox.precious
    outbox.acknowledge(1)
    assert not outbox.precious


def test_more_sealed_credentials_than_fit_are_refused_aloud() -> None:
    outbox = Outbox(sealed=2)
    put(outbox, sealed(1), "signin")
    put(outbox, sealed(2), "signin")
    with pytest.raises(OutboxFull):
        put(outbox, sealed(3), "signin")
    assert put(outbox, sealed(2), "signin") == 3, "the same one again is no new one"
    outbox.acknowledge(3)
    assert put(outbox, sealed(3), "signin") == 4


messages = st.one_of(
    st.builds(Progress, st.sampled_from(["display", "desktop"])),
    st.builds(Ready, st.just(640), st.just(480)),
    st.builds(PeerState, st.sampled_from(["a", "b"]), st.integers(1, 5), st.just("new")),
    st.builds(PeerAnswer, st.just("a"), st.integers(1, 9), st.text(max_size=300)),
    st.builds(sealed, st.integers(1, 5), st.sampled_from(["f", "g"]), st.integers(0, 300)),
)


@given(st.lists(st.one_of(messages, st.integers(0, 60)), max_size=80))
def test_whatever_comes_the_box_is_bounded_and_loses_no_credential(steps: list[object]) -> None:
    outbox, owed = Outbox(messages=8, size=4000, sealed=4), dict[tuple[str, int], int]()
    for step in steps:
        if isinstance(step, int):
            outbox.acknowledge(step)
            owed = {key: number for key, number in owed.items() if number > step}
            continue
        try:
            number = put(outbox, step, "signin")  # type: ignore[arg-type]
        except OutboxFull:
            assert len(owed) == 4
            continue
        if isinstance(step, CredentialSealed):
            owed[step.flow, step.serial] = number
        waiting = outbox.waiting()
        numbers = [each.number for each in waiting]
        assert numbers == sorted(set(numbers))
        assert len(waiting) <= 8
        assert set(owed.values()) <= set(numbers)
        assert sum(len(each.body) for each in waiting) <= 4000
        assert outbox.precious == bool(owed)
