from __future__ import annotations

import pytest

from transom.stream.preflight import CODEC, UDP, WEBSOCKET, Look, judge, offer
from transom.stream.sdp import strip_candidates, viewer_ufrag


def looks(**works: bool) -> list[Look]:
    return [Look(name.replace("_", "-"), well, "") for name, well in works.items()]


@pytest.mark.parametrize(
    ("found", "standing", "words"),
    [
        (looks(h264=True, udp=True, websocket=True, novnc=True), "ok", "all well"),
        (looks(h264=True, udp=True, websocket=False), "weak", "no noVNC"),
        (looks(h264=True, udp=False, turn_tcp=True, websocket=True, novnc=True), "weak", "a relay works"),
        (looks(h264=True, udp=False, websocket=True, novnc=True), "weak", "no TURN relay is set up"),
        (looks(h264=True, udp=True, websocket=True, novnc=False), "weak", "tried in vain"),
        (looks(h264=True, udp=False, websocket=True, novnc=False), "problem", "noVNC was tried in vain"),
        (looks(h264=True, udp=False, websocket=True, novnc=True), "weak", "noVNC works"),
        (looks(h264=True, udp=False, turn_tcp=False, websocket=False), "problem", "no relay gets through"),
        (looks(h264=False, websocket=True), "problem", "no H.264 answer"),
    ],
)
def test_the_verdict_names_what_matters_first(found: list[Look], standing: str, words: str) -> None:
    verdict = judge(found)
    assert verdict.standing == standing
    assert words in verdict.text


def test_a_wrong_secret_is_named() -> None:
    found = [*looks(h264=True, udp=False, websocket=True), Look("turn-tcp", False, "401", "credentials")]
    assert "secret differs" in judge(found).text
    assert {CODEC, UDP, WEBSOCKET} == {each.what for each in found} - {"turn-tcp"}


def test_a_look_that_the_server_did_not_take_is_in_its_own_words() -> None:
    verdict = judge([Look(CODEC, False, "too many looks at once", "offer"), *looks(websocket=True)])
    assert (verdict.standing, verdict.text) == (
        "problem",
        "the server took no look at the machine: too many looks at once",
    )


def test_a_machine_that_is_ready_and_answers_no_offer_is_not_called_over() -> None:
    silent = Look(CODEC, False, "", "silent")
    verdict = judge([silent, *looks(websocket=True, novnc=True)])
    assert verdict.standing == "weak"
    assert "stream server does not answer" in verdict.text
    assert "comes by noVNC" in verdict.text
    for found in (looks(websocket=False, novnc=False), looks(websocket=True, novnc=False)):
        verdict = judge([silent, *found])
        assert verdict.standing == "problem"
        assert "no noVNC" in verdict.text


def test_a_machine_without_an_answer_has_the_state_of_its_session_said() -> None:
    verdict = judge([Look(CODEC, False, "no answer: the session is starting"), *looks(websocket=True)])
    assert (verdict.standing, "the session is starting" in verdict.text) == ("problem", True)


def test_a_relay_that_may_not_send_to_the_door_is_named_and_one_that_works_with_its_addresses() -> None:
    found = [*looks(h264=True, udp=False, websocket=True), Look("turn-tcp", False, "403", "door")]
    assert "may not send to the machine's door" in judge(found).text
    works = Look("turn-udp", True, "192.0.2.1:3478 -> 192.0.2.1:50000 -> 192.0.2.2:7, answered in 3 ms")
    assert works.detail in judge([*found, works]).text


def test_its_offer_is_one_that_the_broker_takes() -> None:
    assert viewer_ufrag(strip_candidates(offer("abcd1234", "p" * 32))) == "abcd1234"
