"""The words for a request that is not as it should be."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from transom.api.bodies import NewSession
from transom.api.errors import NAME_LIMIT, _fault, install
from transom.observe.metrics import Metrics


class Parts:
    metrics = Metrics()


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI()
    app.state.parts = Parts()
    install(app)

    @app.post("/")
    async def post(body: NewSession) -> dict[str, Any]:
        return body.model_dump()

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{bad", "body: not JSON"),
        ("", "body: Field required"),
        ("null", "body: Input should be"),
        ('"text"', "body: Input should be"),
        ('{"width": "1280"}', "width: Input should be a valid integer"),
        ('{"surprise": 1}', "unknown field: surprise"),
        ('{"a\\u001b[31m\\u202eb": 1}', "unknown field: a?[31m?b"),
        ('{"\\ud800": 1}', "body: Input should be"),
        ('{"": 1}', "unknown field: "),
    ],
)
async def test_the_words_say_where_and_what(client: httpx.AsyncClient, content: str, message: str) -> None:
    answer = await client.post("/", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith(message)


async def test_several_faults_are_told_together(client: httpx.AsyncClient) -> None:
    answer = await client.post("/", json={"width": 1, "surprise": 1})
    message = answer.json()["error"]["message"]
    assert sorted(part.split(":")[0] for part in message.split("; ")) == ["unknown field", "width"]


@given(st.lists(st.text() | st.integers(), max_size=5))
def test_a_name_is_short_and_printable(loc: list[str | int]) -> None:
    words = _fault({"type": "extra_forbidden", "loc": ("body", *loc), "msg": "no"})
    assert words.isprintable()
    assert len(words) <= len("unknown field: ") + NAME_LIMIT
