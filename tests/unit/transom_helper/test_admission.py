"""Who may ask, how much at once, and for whom."""

from __future__ import annotations

import pytest

from transom_helper.admission import (
    CONNECTIONS,
    CONNECTIONS_OF_ONE,
    DESCRIPTORS_OF_ONE,
    REQUESTS_BURST,
    Admission,
)
from transom_helper.refusal import Refusal

CALLER, OTHER, STRANGER = 1000, 1001, 1002


@pytest.fixture
def admission() -> Admission:
    return Admission(frozenset({CALLER, OTHER}), range(5000, 5010))


def test_root_and_the_allowed_only(admission: Admission) -> None:
    for uid, welcome in ((0, True), (CALLER, True), (STRANGER, False)):
        assert admission.enter(uid) is welcome
    assert admission.turned_away == {"users": 1}


def test_one_user_cannot_take_every_connection(admission: Admission) -> None:
    mine = [admission.enter(CALLER) for _ in range(CONNECTIONS_OF_ONE + 1)]
    assert mine == [True] * CONNECTIONS_OF_ONE + [False]
    assert admission.enter(OTHER)
    admission.leave(CALLER)
    assert admission.enter(CALLER)


def test_all_together_have_an_end() -> None:
    users = range(1000, 1000 + CONNECTIONS)
    admission = Admission(frozenset(users), range(0))
    assert all(admission.enter(uid) for uid in users)
    assert not admission.enter(0)
    admission.leave(users[0])
    assert admission.enter(0)


def test_requests_are_counted_by_user(admission: Admission) -> None:
    for _ in range(int(REQUESTS_BURST)):
        admission.request(CALLER, 1.0)
    with pytest.raises(Refusal, match="too many"):
        admission.request(CALLER, 1.0)
    admission.request(OTHER, 1.0)
    admission.request(CALLER, 2.0)


def test_descriptors_of_one_user_s_requests_are_counted_until_these_are_over(admission: Admission) -> None:
    with admission.descriptors(CALLER, DESCRIPTORS_OF_ONE - 1):
        with pytest.raises(Refusal, match="descriptors"), admission.descriptors(CALLER, 2):
            raise AssertionError("let in")
        with admission.descriptors(CALLER, 1), admission.descriptors(OTHER, 2):
            pass
    with admission.descriptors(CALLER, DESCRIPTORS_OF_ONE):
        pass
    assert admission.turned_away == {"descriptors": 1}


@pytest.mark.parametrize(
    ("uid", "owner", "allowed"),
    [
        (CALLER, CALLER, True),
        (CALLER, 5000, True),
        (CALLER, 5009, True),
        (CALLER, 5010, False),
        (CALLER, OTHER, False),
        (CALLER, 0, False),
        (0, 0, False),
        (0, 12345, True),
    ],
)
def test_whom_one_may_speak_for(admission: Admission, uid: int, owner: int, allowed: bool) -> None:
    if allowed:
        admission.owner(uid, owner)
        return
    with pytest.raises(Refusal) as refused:
        admission.owner(uid, owner)
    assert "--owner-uids" in refused.value.mend
