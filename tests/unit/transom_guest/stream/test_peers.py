import pytest

from transom_guest.stream.peers import MAX_PEERS, Accept, Full, Stale, judge

FULL = {f"v{n}": 1 for n in range(MAX_PEERS)}


@pytest.mark.parametrize(
    ("epochs", "peer", "epoch", "verdict"),
    [
        ({}, "v", 1, Accept(replaces=False)),
        ({"v": 1}, "w", 1, Accept(replaces=False)),
        ({"v": 1}, "v", 2, Accept(replaces=True)),
        ({"v": 2}, "v", 2, Stale()),
        ({"v": 2}, "v", 1, Stale()),
        (FULL, "new", 1, Full()),
        (FULL, "v0", 2, Accept(replaces=True)),
    ],
)
def test_an_offer_is_accepted_replaces_or_is_refused(epochs, peer, epoch, verdict):
    assert judge(epochs, peer, epoch) == verdict
