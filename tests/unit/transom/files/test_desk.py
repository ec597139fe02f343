"""So many files travel at once, and nobody takes all the places."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.fakes import FakeClock, a_session
from transom.files.desk import ALL_PLACES, SESSION_PLACES, USER_PLACES, FilesDesk
from transom.model.errors import TooMany
from transom.settings import Settings


def test_one_user_leaves_places_to_others_whatever_sessions_they_have(tmp_path: Path) -> None:
    desk = FilesDesk(cast("Any", None), Settings(), cast("Any", None), FakeClock(), tmp_path)
    session = a_session()
    with ExitStack() as held:
        for user in range(ALL_PLACES // USER_PLACES):
            for number in range(USER_PLACES):
                own = replace(session, id=f"ses_{user}_{number // SESSION_PLACES}", user=f"usr_{user}")
                held.enter_context(desk._place(own))
            one_more = replace(session, id=f"ses_{user}_more", user=f"usr_{user}")
            with pytest.raises(TooMany), desk._place(one_more):
                pass
        with pytest.raises(TooMany), desk._place(replace(session, id="ses_other", user="usr_other")):
            pass
    with desk._place(session), pytest.raises(TooMany), ExitStack() as held:
        for _ in range(SESSION_PLACES):
            held.enter_context(desk._place(session))
    assert not desk._taken
