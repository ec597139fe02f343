"""How often somebody may come by a link, and when again after a flood."""

from __future__ import annotations

import pytest

from transom.api.arrivals import MOST_VIEWERS, OFFERS, OFFERS_AT_ADDRESS, STREAMS, Arrivals
from transom.model.errors import TooMany
from transom.model.seat import Kind, Person
from transom.stream.returns import FIRST_S, TIMES

SESSION, HOME, FAR = "ses_1", "192.0.2.1", "198.51.100.7"
OWNER = Person("usr_1", "Ada", Kind.OWNER)


def guest(link: str = "lnk_1", browser: str = "b") -> Person:
    return Person(f"{link}.{browser}", "Bob", Kind.VIEW, link)


class Hand:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_link_offers_so_often_from_wherever_and_under_whatever_name() -> None:
    arrivals = Arrivals()
    for number in range(OFFERS):
        arrivals.offer(SESSION, f"p{number}", guest(browser=str(number)), f"192.0.2.{number}")
    with pytest.raises(TooMany) as refused:
        arrivals.offer(SESSION, "p", guest(), FAR)
    assert refused.value.retry_after == 1
    arrivals.offer(SESSION, "p", guest("lnk_2"), FAR)
    for _ in range(2 * STREAMS):
        arrivals.offer(SESSION, "o", OWNER, HOME)


def test_an_address_offers_so_often_by_whatever_links() -> None:
    arrivals = Arrivals()
    for number in range(OFFERS_AT_ADDRESS):
        arrivals.offer(SESSION, "p", guest(f"lnk_{number}"), HOME)
    with pytest.raises(TooMany):
        arrivals.offer(SESSION, "p", guest("lnk_new"), HOME)
    arrivals.offer(SESSION, "p", guest("lnk_new"), FAR)
    arrivals.stream(SESSION, "p", guest("lnk_new"), HOME)


def test_whose_viewer_flooded_waits_on_every_road_and_longer_each_time() -> None:
    clock = Hand()
    arrivals, waits = Arrivals(clock), list[int]()
    for number in range(3):
        arrivals.offer(SESSION, f"p{number}", guest(), HOME)
        arrivals.flooded(SESSION, f"p{number}")
        for again in (arrivals.offer, arrivals.stream):
            with pytest.raises(TooMany) as refused:
                again(SESSION, "another name", guest(browser="another"), HOME)
        assert refused.value.retry_after is not None
        waits.append(refused.value.retry_after)
        arrivals.offer(SESSION, "friend", guest(), FAR)
        clock.now += waits[-1]
    assert waits == [FIRST_S * TIMES**count for count in range(3)]
    arrivals.offer(SESSION, "p", guest(), HOME)


def test_a_flood_of_a_viewer_whom_nobody_knows_is_nobody_s_and_memory_is_bounded() -> None:
    clock = Hand()
    arrivals = Arrivals(clock)
    arrivals.flooded(SESSION, "nobody")
    for number in range(MOST_VIEWERS + 1):
        clock.now += 1
        arrivals.stream(SESSION, f"p{number}", guest(f"lnk_{number}"), str(number))
    arrivals.flooded(SESSION, "p0")
    arrivals.stream(SESSION, "p", guest("lnk_0"), "0")
    arrivals.flooded(SESSION, "p9")
    with pytest.raises(TooMany):
        arrivals.stream(SESSION, "p", guest("lnk_9"), "9")
