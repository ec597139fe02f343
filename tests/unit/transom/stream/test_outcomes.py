from __future__ import annotations

from collections.abc import Iterator

import pytest

from transom.stream.outcomes import GONE, Outcomes
from transom.stream.peers import Peer, Refusal, Stage

SESSION = "ses_" + "a" * 20
Heard = list[tuple[str, int, str | Refusal]]


def peer() -> Peer:
    return Peer("p", 3, "v=0", "ufrag", offered_at=0, deadline=1)


class Bench:
    """Outcomes with one listener."""

    def __init__(self) -> None:
        self.counted: list[str] = []
        self.heard: Heard = []
        self.outcomes = Outcomes(self.counted.append)

    def listen(self, name: str, epoch: int, outcome: str | Refusal) -> None:
        self.heard.append((name, epoch, outcome))


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    with made.outcomes.listen(SESSION, made.listen):
        yield made


def test_an_answer_settles_its_try_and_is_told(bench: Bench) -> None:
    tried = peer()
    bench.outcomes.publish(SESSION, tried, "answer")
    assert (tried.stage, tried.answer, tried.settled.is_set()) == (Stage.ANSWERED, "answer", True)
    assert bench.heard == [("p", 3, "answer")]
    assert bench.counted == []


def test_a_refusal_settles_its_try_and_is_told_and_counted(bench: Bench) -> None:
    tried = peer()
    bench.outcomes.refuse(SESSION, tried, "no_answer", "too late")
    assert (tried.stage, tried.settled.is_set()) == (Stage.REFUSED, True)
    assert bench.heard == [("p", 3, Refusal("no_answer", "too late"))]
    assert bench.counted == ["refused"]


def test_who_is_dismissed_is_told_why_and_finds_the_place_gone(bench: Bench) -> None:
    tried = peer()
    bench.outcomes.dismiss(SESSION, tried, "the link has expired")
    assert (tried.stage, tried.settled.is_set()) == (Stage.OVER, True)
    assert tried.refusal == Refusal(GONE, "the link has expired")
    assert bench.heard == [("p", 3, Refusal("dismissed", "the link has expired"))]


def test_an_outcome_is_told_again_as_it_was_told(bench: Bench) -> None:
    for settle in (
        lambda tried: bench.outcomes.publish(SESSION, tried, "answer"),
        lambda tried: bench.outcomes.refuse(SESSION, tried, "no_answer", "too late"),
        lambda tried: bench.outcomes.dismiss(SESSION, tried, "the link has expired"),
    ):
        tried = peer()
        settle(tried)
        bench.outcomes.again(SESSION, tried)
        assert bench.heard[-1] == bench.heard[-2]


def test_a_try_under_way_has_no_outcome_to_tell_and_one_that_ended_is_lost(bench: Bench) -> None:
    tried = peer()
    bench.outcomes.again(SESSION, tried)
    assert bench.heard == []
    tried.stage = Stage.OVER
    bench.outcomes.again(SESSION, tried)
    assert bench.heard == [("p", 3, Refusal("peer_lost", "the connection ended"))]


def test_another_session_hears_nothing(bench: Bench) -> None:
    bench.outcomes.publish("ses_" + "b" * 20, peer(), "answer")
    assert bench.heard == []
