import json

import pytest

from transom_guest.clipboard.exchange import Act, Exchange, Own, Say, Send, Settled
from transom_guest.clipboard.item import TEXT, Item
from transom_wire.link import PeerTerms

BOTH = PeerTerms(clipboard="both", clipboard_bytes=100)
HELLO = Item(TEXT, b"hello")


def with_viewers(**terms: PeerTerms) -> Exchange:
    exchange = Exchange()
    for viewer, its in terms.items():
        exchange.admit(viewer, its)
        exchange.opened(viewer)
    return exchange


def sends(exchange: Exchange, viewer: str, item: Item, id: int = 1) -> list[Act]:
    acts = exchange.text(viewer, json.dumps(["put", id, item.type, len(item.data)]), 0)
    return acts + exchange.chunk(viewer, item.data, 0)


def test_a_drivers_item_becomes_the_desktops_and_never_comes_back() -> None:
    exchange = with_viewers(a=BOTH)
    assert sends(exchange, "a", HELLO) == [Own("a", HELLO, '["got", 1]')]
    assert exchange.copied(HELLO) == []
    other = Item(TEXT, b"other")
    assert exchange.copied(other) == [Send("a", other)]
    assert exchange.copied(other) == []
    assert exchange.copied(HELLO) == [Send("a", HELLO)]
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
    exchange = Exchange()
    exchange.admit("a", terms)
    assert exchange.copied(HELLO) == []
    assert exchange.opened("a") == [Say("a", json.dumps(["may", up, down, 100 if up or down else 0]))]
    assert bool(exchange.wanted()) == bool(down)
    assert exchange.copied(HELLO) == ([Send("a", HELLO)] if down else [])
    answer = sends(exchange, "a", HELLO)[0]
    assert isinstance(answer, Own if up else Say)


def test_a_viewer_that_loses_the_desktop_loses_its_clipboard_with_it() -> None:
    exchange = with_viewers(a=BOTH)
    exchange.text("a", '["put", 1, "text/plain", 5]', 0)
    assert exchange.waiting()
    assert exchange.admit("a", PeerTerms(drives=False)) == [Say("a", '["may", 0, 0, 0]')]
    assert not exchange.waiting()
    assert exchange.chunk("a", b"hello", 0) == []
    assert exchange.copied(HELLO) == []


def test_who_may_send_learns_that_the_desktops_is_newer() -> None:
    exchange = with_viewers(a=BOTH, b=PeerTerms(clipboard="down", clipboard_bytes=9), c=PeerTerms())
    assert exchange.owned() == [Say("a", '["copied"]')]


def test_each_viewer_has_its_own_limit() -> None:
    small = PeerTerms(clipboard="both", clipboard_bytes=4)
    exchange = with_viewers(a=small, b=BOTH)
    assert exchange.wanted() == 100
    assert exchange.copied(HELLO) == [Send("b", HELLO)]
    assert sends(exchange, "a", HELLO) == [Say("a", '["no", 1, "size"]')]
    assert exchange.counts.refused == 1


def test_answers_settle_a_transfer_and_strangers_say_nothing() -> None:
    exchange = with_viewers(a=BOTH)
    assert exchange.text("a", '["got", 7]', 0) == [Settled("a", 7)]
    assert exchange.text("a", '["no", 8, "size"]', 0) == [Settled("a", 8)]
    exchange.leave("a")
    assert exchange.text("a", '["put", 1, "text/plain", 5]', 0) == []
    assert exchange.chunk("a", b"hello", 0) == []
    assert exchange.opened("a") == []


def test_a_transfer_that_never_ends_is_refused() -> None:
    exchange = with_viewers(a=BOTH)
    exchange.text("a", '["put", 3, "text/plain", 5]', 0)
    assert exchange.late(1) == []
    assert exchange.late(1000) == [Say("a", '["no", 3, "slow"]')]
