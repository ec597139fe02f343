"""What a warm machine is told when it becomes a session's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import START, a_session
from transom.sessions.claim import claim_of
from transom_wire.codec import decode, encode
from transom_wire.control import Claim
from transom_wire.exit import DIRECT


@given(st.integers(2, 20))
def test_no_two_claims_begin_alike_and_each_is_one_the_wire_takes(count: int) -> None:
    sessions = [a_session(start_url="https://example.org/") for _ in range(count)]
    claims = [claim_of(session, DIRECT, START + 9) for session in [*sessions, sessions[0]]]
    assert len({claim.seed for claim in claims}) == len({claim.machine_id for claim in claims}) == count + 1
    assert len({claim.hostname for claim in claims}) == count
    for claim in claims:
        assert decode(encode(claim), (Claim,)) == claim
