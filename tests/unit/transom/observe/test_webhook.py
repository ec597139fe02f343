from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import httpx
import pytest

from transom.model.alert import Alert, AlertKind
from transom.model.errors import Invalid
from transom.observe.webhook import QUEUE, Target, Webhook, body_of, read_secret, signature, verify

SECRET = b"0123456789abcdef"
NOW_MS = 1_767_225_600_000
DOCS = Path(__file__).resolve().parents[4] / "docs/reference/alerts.md"


def an_alert(number: int = 1) -> Alert:
    return Alert(AlertKind.EXIT_DOWN, "de-1 does not work", NOW_MS, "ext_a", number=number)


class Receiver:
    """Answers with `statuses` in turn, then 200; checks what a receiver must."""

    def __init__(self, *statuses: int | Exception) -> None:
        self.statuses = list(statuses)
        self.taken: list[dict[str, object]] = []
        self.tries = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.tries += 1
        said = self.statuses.pop(0) if self.statuses else 200
        if isinstance(said, Exception):
            raise said
        head = request.headers
        timestamp, given = head["X-Transom-Timestamp"], head["X-Transom-Signature"]
        assert verify(SECRET, timestamp, request.content, given, now_s=NOW_MS // 1000)
        if said < 300:
            self.taken.append(json.loads(request.content))
        return httpx.Response(said, content=b"x" * 100_000)


async def deliver(
    receiver: Receiver, *alerts: Alert, until: int, backoff: tuple[float, ...] = (0.0, 0.0)
) -> Webhook:
    target = Target("http://hook.example/", SECRET)
    hook = Webhook(target, lambda: NOW_MS, backoff_s=backoff, transport=httpx.MockTransport(receiver))
    for alert in alerts:
        hook.put(alert)
    task = asyncio.create_task(hook.keep())
    async with asyncio.timeout(10):
        while len(receiver.taken) + hook.dropped < until:
            await asyncio.sleep(0.005)
    task.cancel()
    return hook


async def test_an_alert_arrives_signed_and_whole() -> None:
    receiver = Receiver()
    await deliver(receiver, an_alert(7), until=1)
    (body,) = receiver.taken
    assert body == {
        "id": f"alert-7-{NOW_MS}",
        "kind": "exit_down",
        "level": "warning",
        "text": "de-1 does not work",
        "at": NOW_MS,
        "exit": "ext_a",
        "user": None,
    }


@pytest.mark.parametrize("trouble", [500, 404, 302, httpx.ConnectError("no"), httpx.ReadTimeout("slow")])
async def test_trouble_is_tried_again_and_the_order_stays(trouble: int | Exception) -> None:
    receiver = Receiver(trouble, trouble)
    hook = await deliver(receiver, an_alert(1), an_alert(2), until=2)
    assert [body["id"] for body in receiver.taken] == [f"alert-1-{NOW_MS}", f"alert-2-{NOW_MS}"]
    assert (receiver.tries, hook.dropped) == (4, 0)


async def test_what_nobody_takes_is_given_up_and_the_next_goes_out() -> None:
    receiver = Receiver(500, 500, 500)
    hook = await deliver(receiver, an_alert(1), an_alert(2), until=2)
    assert hook.dropped == 1
    assert [body["id"] for body in receiver.taken] == [f"alert-2-{NOW_MS}"]


def test_the_queue_is_bounded_and_drops_the_oldest() -> None:
    hook = Webhook(Target("http://hook.example/", SECRET), lambda: NOW_MS)
    for number in range(QUEUE + 5):
        hook.put(an_alert(number))
    assert hook.dropped == 5


def test_a_signature_is_of_this_key_this_time_and_this_body() -> None:
    body, now_s = body_of(an_alert()), NOW_MS // 1000
    given = signature(SECRET, str(now_s), body)
    assert verify(SECRET, str(now_s), body, given, now_s=now_s)
    assert not verify(SECRET + b"!", str(now_s), body, given, now_s=now_s)
    assert not verify(SECRET, str(now_s), body + b" ", given, now_s=now_s)
    assert not verify(SECRET, str(now_s + 1), body, given, now_s=now_s)
    assert not verify(SECRET, str(now_s), body, given, now_s=now_s + 301)
    assert not verify(SECRET, "soon", body, given, now_s=now_s)


def test_the_documented_check_says_the_same() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S)
    names: dict[str, object] = {}
    exec(code, names)
    import time

    timestamp, body = str(int(time.time())), body_of(an_alert())
    genuine = names["genuine"]
    assert callable(genuine)
    assert genuine(SECRET, timestamp, body, signature(SECRET, timestamp, body))
    assert not genuine(SECRET, timestamp, body, signature(b"another secret!!", timestamp, body))
    old = str(int(time.time()) - 400)
    assert not genuine(SECRET, old, body, signature(SECRET, old, body))


def test_secrets_come_from_a_private_file_and_are_in_no_repr(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(SECRET + b"\n")
    file.chmod(0o600)
    assert read_secret(file) == SECRET
    assert "0123" not in repr(Target("http://x", SECRET))
    file.chmod(0o604)
    with pytest.raises(Invalid, match="chmod"):
        read_secret(file)
    file.chmod(0o600)
    file.write_bytes(b"short")
    with pytest.raises(Invalid, match="shorter"):
        read_secret(file)
    with pytest.raises(Invalid, match="cannot be read"):
        read_secret(tmp_path / "missing")
