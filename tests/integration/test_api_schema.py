"""Every operation of the OpenAPI document, asked with what fits it and what does not: no 5xx, no odd answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from tests.support.api import serving
from transom.model.user import Role

EXAMPLES = 12
"""For each operation: enough to meet each field, few enough for every run."""
UNTOUCHED = "/api/(auth/sign-out|tokens/|users/[^/]+$)"
"""These would end what the run itself signs in with."""


class Thread:
    """The API in a thread of its own, for a test that is not asynchronous."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._up, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.url = self.token = ""

    def _run(self) -> None:
        import asyncio

        asyncio.run(self._serve())

    async def _serve(self) -> None:
        import asyncio

        async with serving(self._state, sessions_per_user=1000, sessions_max=1000) as api:
            self.url = api.url
            self.token = await api.token(await api.user("root", Role.ADMINISTRATOR))
            self._up.set()
            await asyncio.to_thread(self._end.wait)

    def __enter__(self) -> Thread:
        self._thread.start()
        assert self._up.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(20)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thread]:
    with Thread(tmp_path_factory.mktemp("schema")) as running:
        yield running


def test_no_request_breaks_the_server(api: Thread) -> None:
    bearer = {"Authorization": f"Bearer {api.token}"}
    schema = schemathesis.openapi.from_url(f"{api.url}/openapi.json")
    seen: dict[int, int] = {}

    def ask(case: schemathesis.Case) -> None:
        answer = case.call(headers=bearer, timeout=20)
        seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
        assert answer.status_code < 500 or answer.status_code == 503, f"{case.method} {case.path}"

    quietly = settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    for result in schema.exclude(path_regex=UNTOUCHED).get_all_operations():
        for mode in schemathesis.GenerationMode:
            strategy = result.ok().as_strategy(generation_mode=mode)
            # An operation without parameters cannot be asked wrongly.
            with suppress(Unsatisfiable):
                quietly(given(case=strategy)(ask))()
    assert seen.get(200)
    assert seen.get(422)
    assert httpx.get(f"{api.url}/healthz").status_code == 200
