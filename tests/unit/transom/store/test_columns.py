"""Column types that make two databases behave alike."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from transom.store.columns import Json, Line

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
ANY_TEXT = st.text(st.characters() | st.characters(categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(ANY_TEXT)
def test_any_text_becomes_one_that_every_database_holds(text: str) -> None:
    stored = Line().process_bind_param(text, DIALECT)
    assert stored is not None
    assert "\0" not in stored
    stored.encode("utf-8")
    assert len(stored) <= len(text)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))))
def test_whole_text_is_left_alone(text: str) -> None:
    assert Line().process_bind_param(text, DIALECT) == text


def test_none_stays_none() -> None:
    assert Line().process_bind_param(None, DIALECT) is None
    assert Json().process_result_value(None, DIALECT) is None


@given(VALUES)
def test_structures_come_back_and_are_ascii(value: object) -> None:
    stored = Json().process_bind_param(value, DIALECT)
    assert stored.isascii()
    assert "\0" not in stored
    assert Json().process_result_value(stored, DIALECT) == json.loads(json.dumps(value))
