from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support import sdps
from tests.support.fakes import a_session
from transom.api import signalling
from transom.api.arrivals import OFFERS
from transom.api.bodies import Offer
from transom.api.limits import Limits
from transom.model.errors import TooMany
from transom.model.seat import Kind, Person

FAR = "198.51.100.7"


async def test_a_link_s_holder_has_one_limit_of_offers_whatever_browsers_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def nothing(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr(signalling, "came", nothing)
    parts = cast("Any", SimpleNamespace(limits=Limits(), broker=SimpleNamespace(offer=nothing)))
    offer, session = Offer(peer="p", epoch=1, sdp=sdps.offer()), a_session()
    with pytest.raises(TooMany):
        for number in range(OFFERS + 1):
            person = Person(f"lnk_a.{number}", "Guest", Kind.VIEW, "lnk_a")
            await signalling.offered(parts, session, person, offer, f"192.0.2.{number}")
    await signalling.offered(parts, session, Person("lnk_b.1", "Guest", Kind.VIEW, "lnk_b"), offer, FAR)
    await signalling.offered(parts, session, Person("usr_a", "ada", Kind.OWNER), offer, FAR)
