import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.clipboard.exchange import KEPT, Act, Exchange, Own, Say, Send, Settled
from transom_guest.clipboard.item import TEXT, Item
from transom_wire.link import PeerTerms

BOTH = PeerTerms(clipboard="both", clipboard_bytes=100)
HELLO = Item(TEXT, b"hello")


def with_viewers(**terms: PeerTerms) -> Exchange:
    exchange = Exchange()
    for viewer, its in terms.items():
        exchange.admit(viewer, its)
        exchange.opened(viewer, 0)
    return exchange


def sends(exchange: Exchange, viewer: str, item: Item, id: int = 1, copies: int = 0) -> list[Act]:
    acts = exchange.text(viewer, json.dumps(["put", id, item.type, len(item.data), copies]), 0)
    return acts + exchange.chunk(viewer, item.data, 0)


def test_a_drivers_item_becomes_the_desktops_and_never_comes_back() -> None:
    exchange = with_viewers(a=BOTH)
    assert sends(exchange, "a", HELLO) == [Own("a", HELLO, '["got", 1]')]
    assert exchange.copied(HELLO, 0, 0) == []
    other = Item(TEXT, b"other")
    assert exchange.copied(other, 0, 0) == [Send("a", other, 0)]
    assert exchange.copied(other, 0, 0) == []
    assert exchange.copied(HELLO, 0, 0) == [Send("a", HELLO, 0)]
    assert (exchange.counts.taken, exchange.counts.sent) == (1, 2)


@pytest.mark.parametrize(
    ("terms", "up", "down"),
    [
        (PeerTerms(clipboard="off", clipboard_bytes=100), 0, 0),
        (PeerTerms(clipboard="up", clipboard_bytes=100), 1, 0),
        (PeerTerms(clipboard="down", clipboard_bytes=100), 0, 1),
        (BOTH, 1, 1),
        (PeerTerms(drives=False, clipboard="both", clipboard_bytes=100), 0, 0),
        (PeerTerms(clipboard="both", clipboard_bytes=0), 0, 0),
    ],
)
def test_the_terms_say_which_way(terms: PeerTerms, up: int, down: int) -> None:
    exchange, closed = Exchange(), Exchange()
    for one in (exchange, closed):
        one.admit("a", terms)
    assert closed.copied(HELLO, 0, 0) == []
    assert exchange.opened("a", 0) == [Say("a", json.dumps(["may", up, down, 100 if up or down else 0, 0]))]
    assert bool(exchange.wanted()) == bool(down)
    assert exchange.copied(HELLO, 0, 0) == ([Send("a", HELLO, 0)] if down else [])
    answer = sends(exchange, "a", HELLO)[0]
    assert isinstance(answer, Own if up else Say)


def test_a_viewer_that_loses_the_desktop_loses_its_clipboard_with_it() -> None:
    exchange = with_viewers(a=BOTH)
    exchange.text("a", '["put", 1, "text/plain", 5, 0]', 0)
    assert exchange.waiting()
    assert exchange.admit("a", PeerTerms(drives=False)) == [Say("a", '["may", 0, 0, 0, 0]')]
    assert not exchange.waiting()
    assert exchange.chunk("a", b"hello", 0) == []
    assert exchange.copied(HELLO, 0, 0) == []


def test_who_may_send_learns_that_the_desktops_is_newer() -> None:
    exchange = with_viewers(a=BOTH, b=PeerTerms(clipboard="down", clipboard_bytes=9), c=PeerTerms())
    exchange.taken()
    exchange.taken()
    assert exchange.owned() == [Say("a", '["copied", 2]')]
    assert exchange.admit("a", BOTH) == [Say("a", '["may", 1, 1, 100, 2]')]


def test_an_item_from_before_the_desktops_last_copy_is_not_taken() -> None:
    exchange = with_viewers(a=BOTH)
    exchange.taken()
    assert sends(exchange, "a", HELLO) == [Say("a", '["no", 1, "older"]')]
    assert sends(exchange, "a", HELLO, 2, copies=1) == [Own("a", HELLO, '["got", 2]')]
    # something is copied while the item is on its way
    exchange.text("a", '["put", 3, "text/plain", 5, 1]', 0)
    assert not exchange.ends("a", 4)
    assert exchange.ends("a", 5)
    exchange.taken()
    assert exchange.chunk("a", b"hello", 0) == [Say("a", '["no", 3, "older"]')]
    assert not exchange.ends("b", 5)


@given(st.lists(st.sampled_from(["copy", "hear", "put", "chunk"]), max_size=40))
def test_the_newest_copy_has_the_clipboard_in_whatever_order_things_arrive(steps: list[str]) -> None:
    exchange = with_viewers(a=BOTH)
    made, knows, holder, sent = 0, 0, 0, 0
    for id, step in enumerate(steps):
        match step:
            case "copy":
                exchange.taken()
                made = holder = made + 1
            case "hear":
                knows = made
            case "put":
                exchange.text("a", json.dumps(["put", id, TEXT, 5, knows]), 0)
                sent = knows
            case "chunk":
                if any(isinstance(act, Own) for act in exchange.chunk("a", b"hello", 0)):
                    assert sent == made
                    holder = -1
    assert holder in (-1, made)


def test_each_viewer_has_its_own_limit() -> None:
    small = PeerTerms(clipboard="both", clipboard_bytes=4)
    exchange = with_viewers(a=small, b=BOTH)
    assert exchange.wanted() == 100
    assert exchange.copied(HELLO, 0, 0) == [Send("b", HELLO, 0)]
    assert sends(exchange, "a", HELLO) == [Say("a", '["no", 1, "size"]')]
    assert exchange.counts.refused == 1


def test_what_a_viewer_should_not_have_sent_is_counted_and_what_came_late_is_not() -> None:
    """Too large, empty, none, and not allowed, each viewer's for itself."""
    exchange = with_viewers(a=BOTH, b=BOTH)
    for number, put in enumerate(("101, 0", "0, 0", "5, 0"), start=1):
        exchange.text("a", f'["put", {number}, "{TEXT}", {put}]', 0)
    exchange.chunk("a", b"too much", 0)
    assert (exchange.refused("a"), exchange.refused("b")) == (3, 0)
    exchange.admit("a", PeerTerms(drives=False, clipboard="both", clipboard_bytes=100))
    exchange.text("a", f'["put", 4, "{TEXT}", 5, 0]', 0)
    assert exchange.refused("a") == 4
    exchange.text("b", f'["put", 1, "{TEXT}", 5, 0]', 0)
    exchange.late(1000)
    exchange.taken()
    exchange.text("b", f'["put", 2, "{TEXT}", 5, 0]', 0)
    assert (exchange.refused("b"), exchange.counts.refused) == (0, 6)
    exchange.leave("a")
    assert exchange.refused("a") == 0


def test_answers_settle_a_transfer_and_strangers_say_nothing() -> None:
    exchange = with_viewers(a=BOTH)
    assert exchange.text("a", '["got", 7]', 0) == [Settled("a", 7)]
    assert exchange.text("a", '["no", 8, "size"]', 0) == [Settled("a", 8)]
    exchange.leave("a")
    assert exchange.text("a", '["put", 1, "text/plain", 5, 0]', 0) == []
    assert exchange.chunk("a", b"hello", 0) == []
    assert exchange.opened("a", 0) == []


def test_a_transfer_that_never_ends_is_refused() -> None:
    exchange = with_viewers(a=BOTH)
    exchange.text("a", '["put", 3, "text/plain", 5, 0]', 0)
    assert exchange.late(1) == []
    assert exchange.late(1000) == [Say("a", '["no", 3, "slow"]')]


def test_a_copy_that_a_broken_way_lost_comes_by_the_next_one_and_to_nobody_else() -> None:
    exchange = Exchange()
    for viewer in ("a/1", "b/1"):
        exchange.admit(viewer, BOTH if viewer == "a/1" else PeerTerms(drives=False))
        exchange.opened(viewer, 0)
    exchange.taken()
    assert exchange.copied(HELLO, 1, 10) == [Send("a/1", HELLO, 1)]
    for viewer in ("a/clip-1", "b/2"):
        exchange.admit(viewer, BOTH)
    assert exchange.opened("a/clip-1", 12)[1:] == [Send("a/clip-1", HELLO, 1)]
    assert exchange.opened("b/2", 12)[1:] == []
    exchange.admit("a/2", BOTH)
    assert exchange.waiting()
    assert exchange.late(10 + KEPT) == []
    assert not exchange.waiting()
    assert exchange.opened("a/2", 12)[1:] == []


def test_a_copy_that_is_not_the_last_any_more_is_given_to_nobody_later() -> None:
    exchange = with_viewers(a=BOTH)
    exchange.taken()
    exchange.taken()
    assert exchange.copied(HELLO, 1, 0) == [Send("a", HELLO, 1)]
    assert exchange.opened("a", 1)[1:] == []
    exchange.copied(Item(TEXT, b"last"), 2, 0)
    exchange.taken()
    assert exchange.opened("a", 1)[1:] == []


def test_what_a_viewer_sent_by_one_way_comes_back_by_no_other() -> None:
    exchange = Exchange()
    for viewer in ("a/1", "a/channel-1"):
        exchange.admit(viewer, BOTH)
        exchange.opened(viewer, 0)
    sends(exchange, "a/channel-1", HELLO)
    exchange.taken()
    assert exchange.copied(HELLO, 1, 0) == []
    exchange.admit("a/2", BOTH)
    assert exchange.opened("a/2", 1)[1:] == []
    other = Item(TEXT, b"other")
    exchange.taken()
    assert [act.viewer for act in exchange.copied(other, 2, 2)] == ["a/1", "a/channel-1", "a/2"]
    exchange.taken()
    assert len(exchange.copied(HELLO, 3, 3)) == 3
