"""No secret reaches a log, whatever carries it."""

from __future__ import annotations

import json
import logging

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from transom.auth.limits import RateLimiter
from transom.observe.logs import HIDDEN, Broken, Seldom, clean, configure, redact

CANARY = "c4n4ry-Zq8wLm2pX7vT1sR5"


@pytest.mark.parametrize(
    "name",
    ["key", "token", "password", "api_token", "Authorization", "cookie", "sdp", "kek", "client_secret"],
)
def test_secret_fields_are_hidden_whole(name: str) -> None:
    assert redact(None, "info", {"event": "x", name: CANARY})[name] == HIDDEN
    assert redact(None, "info", {"event": "x", "more": {name: [CANARY]}})["more"] == {name: HIDDEN}


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {CANARY}",
        f"GET /?key={CANARY} failed",
        f"https://issuer/callback?code={CANARY}&state={CANARY}",
        f"postgresql://transom:{CANARY}@db/transom",
        f"token sk-{CANARY}",
        f"a=ice-pwd:{CANARY}",
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIi{CANARY}.{CANARY}",
    ],
)
def test_secrets_inside_a_text_are_cut_out(text: str) -> None:
    assert CANARY not in clean(text)
    assert HIDDEN in clean(text)
    assert CANARY not in str(redact(None, "info", {"event": text, "list": [text], "error": ValueError(text)}))


def test_what_is_no_secret_stays() -> None:
    line = {"event": "session", "session": "ses_1", "count": 3, "ok": True, "none": None}
    assert redact(None, "info", line) == line
    assert redact(None, "info", {"blob": b"12345"})["blob"] == "5 bytes"


@given(st.text())
def test_a_line_is_one_line_of_bounded_length(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) <= 4000 + len(HIDDEN)
    assert not any(char < " " and char not in "\n\t" for char in cleaned)


def test_json_lines_of_ours_and_of_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers, logging.getLogger().level
    try:
        configure(form="json", level="info")
        structlog.get_logger("transom.test").warning("ours", token=CANARY, session="ses_1")
        logging.getLogger("library").warning("theirs ?key=%s", CANARY)
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers, logging.getLogger().level = before[0], before[1]
    assert [line["event"].split()[0] for line in lines] == ["ours", "theirs"]
    assert lines[0]["session"] == "ses_1"
    assert CANARY not in json.dumps(lines)


def test_a_long_text_keeps_its_head_and_its_end() -> None:
    text = clean("begin " + "x" * 20_000 + " the cause")
    assert text.startswith("begin")
    assert text.endswith("the cause")
    assert len(text) < 7000


def test_a_session_cannot_fill_the_log() -> None:
    now, left_out = [0], []
    limiter = RateLimiter(count=2, seconds=10, clock=lambda: now[0])
    seldom = Seldom(limiter.allow, lambda: left_out.append(1))

    def written(session: str, event: str) -> dict[str, object] | None:
        try:
            return dict(seldom(None, "info", {"event": event, "session": session}))
        except structlog.DropEvent:
            return None

    assert [written("a", "guest service") is not None for _ in range(100)] == [True] * 2 + [False] * 98
    assert len(left_out) == 98
    assert written("b", "guest service") and written("a", "offer refused")
    now[0] += 10_000
    line = written("a", "guest service")
    assert line is not None and line["left_out"] == 98
    assert "left_out" not in (written("a", "guest service") or {})


def test_a_line_of_no_session_is_always_written() -> None:
    seldom = Seldom(lambda key: 1, lambda: None)
    assert seldom(None, "info", {"event": "host"}) == {"event": "host"}


def test_text_on_a_websocket_that_is_none_is_a_line_without_a_traceback_and_seldom() -> None:
    left_out: list[int] = []
    waits = iter((0, 5, 5))
    broken = Broken(Seldom(lambda _key: next(waits), lambda: left_out.append(1)))

    def record(name: str, error: Exception) -> logging.LogRecord:
        return logging.LogRecord(name, logging.ERROR, "", 1, "said", (), (type(error), error, None))

    ours, theirs = record("transom", ValueError()), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no")
    assert broken.filter(ours)
    assert ours.exc_info is not None
    lines = [record("uvicorn.error", theirs) for _ in range(3)]
    assert [broken.filter(line) for line in lines] == [True, False, False]
    assert (lines[0].exc_info, len(left_out)) == (None, 2)
    assert broken.filter(record("uvicorn.error", RuntimeError()))
