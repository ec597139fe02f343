"""So many at once, and nobody takes all the places."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.support.fakes import a_session
from transom.files.places import LISTINGS, TRANSFERS, Most, Places
from transom.model.errors import TooMany


@pytest.mark.parametrize("most", [TRANSFERS, LISTINGS])
def test_one_user_leaves_places_to_others_whatever_sessions_they_have(most: Most) -> None:
    places, session = Places(most, "wait"), a_session()
    with ExitStack() as held:
        for user in range(most.all // most.user):
            for number in range(most.user):
                own = replace(session, id=f"ses_{user}_{number // most.session}", user=f"usr_{user}")
                held.enter_context(places.held(own))
            one_more = replace(session, id=f"ses_{user}_more", user=f"usr_{user}")
            with pytest.raises(TooMany) as refused, places.held(one_more):
                pass
            assert (refused.value.message, refused.value.retry_after) == ("wait", 1)
        with pytest.raises(TooMany), places.held(replace(session, id="ses_other", user="usr_other")):
            pass
    with places.held(session), pytest.raises(TooMany), ExitStack() as held:
        for _ in range(most.session):
            held.enter_context(places.held(session))
    assert not places._taken
