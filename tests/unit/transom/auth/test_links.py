from __future__ import annotations

import asyncio
from typing import Any, cast

from tests.support.waiting import until
from transom.auth.links import LinkService
from transom.model.seat import Kind, SessionLink


class Store:
    async def revoke_link(self, session: str, link: str, at: int) -> bool:
        return True


async def test_everybody_who_waits_for_a_link_hears_its_end_and_nothing_is_kept_of_it() -> None:
    links = LinkService(cast("Any", Store()), lambda: 1_000)
    link = SessionLink("lnk_a", "ses_a", Kind.VIEW, "", 0, None)
    waiting = [asyncio.create_task(links.ended(link)) for _ in range(2)]
    await until(lambda: len(links._waiting.get("lnk_a", ())) == 2)
    await links.revoke("ses_a", "lnk_a")
    assert await asyncio.gather(*waiting) == ["this link was withdrawn"] * 2
    assert (
        await links.ended(SessionLink("lnk_b", "ses_a", Kind.VIEW, "", 0, 1_000)) == "this link has expired"
    )
    gone = asyncio.create_task(links.ended(link))
    await until(lambda: links._waiting)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert not links._waiting
