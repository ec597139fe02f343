import asyncio

from transom_guest.stream.outbox import MAX_WAITING, Outbox
from transom_wire.link import PeerState


def state(epoch: int) -> PeerState:
    return PeerState(peer="p", epoch=epoch, state="new")


async def test_messages_come_out_in_order():
    outbox = Outbox()
    outbox.put(state(1))
    outbox.put(state(2))
    assert [await outbox.take(), await outbox.take()] == [state(1), state(2)]


async def test_take_waits_for_a_message():
    outbox = Outbox()
    taking = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    assert not taking.done()
    outbox.put(state(3))
    assert await taking == state(3)


async def test_the_oldest_is_lost_first():
    outbox = Outbox()
    for epoch in range(1, MAX_WAITING + 11):
        outbox.put(state(epoch))
    assert await outbox.take() == state(11)


async def test_what_was_put_is_sent_once_the_next_is_asked_for():
    outbox = Outbox()
    outbox.put(state(1))
    sending = asyncio.create_task(outbox.sent(10))
    assert await outbox.take() == state(1)
    await asyncio.sleep(0)
    assert not sending.done(), "it is only just being sent"
    taking = asyncio.create_task(outbox.take())
    await sending
    outbox.put(state(2))
    assert await taking == state(2)


async def test_without_a_link_nobody_waits_long():
    outbox = Outbox()
    outbox.put(state(1))
    await asyncio.wait_for(outbox.sent(0.01), 5)
    assert await outbox.take() == state(1)
