"""Sign-ins as traces: an event goes in, the commands that come out are looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.signin import events as e
from transom_guest.signin.credential import Holding
from transom_guest.signin.events import Command, Event, Stage, Timer
from transom_guest.signin.flow import MAX_OPENED, SEND_AGAIN_LAST, Flow
from transom_wire.link import CredentialFile, SigninSpec

T = TypeVar("T")
SPEC = SigninSpec(
    provider="tool",
    argv=("tool", "login"),
    env={},
    companion=(),
    url_pattern=r"https://id\.example/\S+",
    code_pattern=r"^code ([A-Z-]+)$",
    done_pattern="Logged in",
    failed_pattern="Failed: .+",
    answers={r"Continue\?": "y\r", "Theme": "1"},
    files=(CredentialFile("auth.json"),),
    timeout_s=600,
)
URL, OTHER = "https://id.example/a?b=c", "https://id.example/loopback"
ONE = Holding({"auth.json": b"1"}, newest=10, expires_at=None, digest="1")
TWO = Holding({"auth.json": b"2"}, newest=20, expires_at=None, digest="2")
OLD = Holding({"auth.json": b"0"}, newest=5, expires_at=None, digest="0")


def say(*lines: str, partial: str = "") -> e.Output:
    return e.Output(lines, partial)


def begun(spec: SigninSpec = SPEC) -> Flow:
    flow = Flow(spec)
    flow.begin()
    return flow


def play(flow: Flow, *events: Event) -> list[Command]:
    """The commands of all events, in order."""
    return [command for event in events for command in flow.handle(event)]


def of(kind: type[T], commands: list[Command]) -> list[T]:
    return [command for command in commands if isinstance(command, kind)]


def stages(commands: list[Command]) -> list[Stage]:
    return [tell.stage for tell in of(e.Tell, commands)]


def done() -> Flow:
    flow = begun()
    play(flow, e.Opened(URL), e.Found(ONE, True), e.Stored(1, True))
    assert flow.stage is Stage.DONE
    return flow


def test_it_begins_with_the_tool_or_with_its_companion() -> None:
    commands = Flow(SPEC).begin()
    assert stages(commands) == [Stage.STARTING]
    assert e.SetTimer(Timer.TIMEOUT, 600) in commands
    assert commands[-1] == e.StartTool()
    flow = Flow(replace(SPEC, companion=("issuer",)))
    assert flow.begin()[-1] == e.StartCompanion()
    assert flow.handle(e.CompanionUp()) == [e.StartTool()]


def test_the_whole_way() -> None:
    flow = begun()
    assert play(flow, e.Opened(URL)) == [e.OpenBrowser(URL), e.Tell(Stage.WAITING, URL, None, "")]
    commands = play(flow, e.Found(ONE, True))
    assert e.Seal(1, ONE) in commands
    assert stages(commands) == [Stage.SAVING]
    commands = play(flow, e.Stored(1, True))
    assert stages(commands) == [Stage.DONE]
    assert e.Remember(1, "1", True) in commands
    assert of(e.EndTool, commands)


def test_a_printed_url_waits_for_the_one_the_tool_opens() -> None:
    flow = begun()
    commands = play(flow, say(f"visit {URL}"))
    assert not of(e.OpenBrowser, commands)
    assert of(e.SetTimer, commands)[0].timer is Timer.OPEN_PRINTED
    commands = play(flow, e.Opened(OTHER), e.Elapsed(Timer.OPEN_PRINTED))
    assert of(e.OpenBrowser, commands) == [e.OpenBrowser(OTHER)]
    assert of(e.Tell, commands)[-1].url == OTHER


def test_a_printed_url_is_opened_once_when_the_tool_opens_none() -> None:
    commands = play(begun(), say(URL), say(URL), e.Elapsed(Timer.OPEN_PRINTED), say(URL))
    assert of(e.OpenBrowser, commands) == [e.OpenBrowser(URL)]
    assert stages(commands) == [Stage.WAITING]


@pytest.mark.parametrize("lines", [(URL, "code AB-CD"), ("code AB-CD", URL)])
def test_a_device_code_is_told_with_its_url(lines: tuple[str, ...]) -> None:
    commands = play(begun(), say(*lines), e.Elapsed(Timer.OPEN_PRINTED))
    assert of(e.Tell, commands)[-1] == e.Tell(Stage.WAITING, URL, "AB-CD", "")
    assert len(of(e.OpenBrowser, commands)) == 1


def test_a_code_without_any_url_is_told_alone() -> None:
    commands = play(begun(replace(SPEC, url_pattern="")), say("code AB-CD"))
    assert of(e.Tell, commands) == [e.Tell(Stage.WAITING, None, "AB-CD", "")]


def test_a_question_is_answered_once_even_without_a_newline() -> None:
    commands = play(begun(), say(partial="Continue? [Y/n]:"), say("Continue? [Y/n]: y"), say("Theme"))
    assert of(e.Type, commands) == [e.Type("y\r"), e.Type("1")]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "-flag", "https://a b"])
def test_only_web_addresses_are_opened(url: str) -> None:
    assert play(begun(), e.Opened(url)) == []


def test_a_tool_cannot_bury_the_desktop_in_pages() -> None:
    commands = play(begun(), *[e.Opened(f"{URL}{number}") for number in range(50)])
    assert len(of(e.OpenBrowser, commands)) == MAX_OPENED


def test_a_failure_carries_what_the_tool_said_and_ends_everything() -> None:
    flow = begun()
    commands = play(flow, say("noise", "> Failed: no such user"))
    assert commands == [
        e.Tell(Stage.FAILED, None, None, "Failed: no such user"), e.EndTool(0), e.StopWatching()
    ]  # fmt: skip
    assert play(flow, say(URL), e.Opened(URL), e.Found(ONE, True), e.Elapsed(Timer.TIMEOUT)) == []


def test_a_failure_shows_no_token() -> None:
    token = "sk-Zx9dKq17fGh33aPPqLm0VwXyZ12"
    commands = play(begun(), say(f"Failed: {token} is wrong"))
    assert token not in repr(commands)


def test_a_tool_that_ends_is_looked_after_once_more() -> None:
    flow = begun()
    (timer,) = of(e.SetTimer, play(flow, e.Exited(1)))
    assert timer.timer is Timer.LAST_LOOK
    assert play(flow, e.Elapsed(Timer.LAST_LOOK)) == [e.LastLook()]
    commands = play(flow, e.NothingFound("auth.json is not there"))
    assert of(e.Tell, commands)[0].message == "auth.json is not there"
    assert flow.stage is Stage.FAILED


def test_what_was_there_before_counts_only_if_the_tool_succeeded() -> None:
    flow = begun()
    assert e.Seal(1, ONE) in play(flow, e.Exited(0), e.Found(ONE, False))
    flow = begun()
    play(flow, e.Exited(1), e.Found(ONE, False))
    assert flow.stage is Stage.FAILED


def test_a_tool_that_says_done_and_stays_is_looked_after_too() -> None:
    flow = begun()
    assert of(e.SetTimer, play(flow, say("Logged in")))[0].timer is Timer.LAST_LOOK
    assert e.Seal(1, ONE) in play(flow, e.Found(ONE, False))


def test_time_runs_out_only_while_the_user_has_the_word() -> None:
    flow = begun()
    commands = play(flow, e.Opened(URL), e.Elapsed(Timer.TIMEOUT))
    assert of(e.Tell, commands)[-1].message == "not finished within 10 minutes"
    flow = begun()
    assert play(flow, e.Opened(URL), e.Found(ONE, True))
    assert play(flow, e.Elapsed(Timer.TIMEOUT)) == []


def test_sealed_is_sent_again_ever_more_slowly_until_answered() -> None:
    flow = begun()
    pauses = of(e.SetTimer, play(flow, e.Found(ONE, True)))
    for _ in range(6):
        commands = play(flow, e.Elapsed(Timer.SEND_AGAIN))
        assert of(e.SendAgain, commands)
        pauses += of(e.SetTimer, commands)
    seconds = [pause.seconds for pause in pauses]
    assert seconds == sorted(seconds)
    assert seconds[-1] == SEND_AGAIN_LAST
    play(flow, e.Stored(1, True))
    assert play(flow, e.Elapsed(Timer.SEND_AGAIN)) == []


def test_a_refused_credential_fails_the_sign_in() -> None:
    flow = begun()
    commands = play(flow, e.Found(ONE, True), e.Stored(1, False, "another vault"))
    assert of(e.Tell, commands)[-1] == e.Tell(Stage.FAILED, None, None, "another vault")


def test_a_refresh_is_sealed_under_the_next_serial_and_says_nothing_new() -> None:
    flow = done()
    commands = play(flow, e.Found(TWO, True))
    assert e.Seal(2, TWO) in commands
    assert stages(commands) == []
    assert play(flow, e.Stored(2, True)) == [e.Remember(2, "2", True)]


def test_neither_the_same_nor_an_older_file_replaces_what_is_held() -> None:
    flow = done()
    assert play(flow, e.Found(ONE, True), e.Found(OLD, True)) == []


def test_an_answer_to_an_overtaken_serial_settles_nothing() -> None:
    flow = begun()
    play(flow, e.Found(ONE, True), e.Found(TWO, True))
    assert play(flow, e.Stored(1, True)) == []
    assert flow.stage is Stage.SAVING
    assert stages(play(flow, e.Stored(2, True))) == [Stage.DONE]


def test_a_refused_refresh_ends_the_watch_and_not_the_success() -> None:
    flow = done()
    assert play(flow, e.Found(TWO, True), e.Stored(2, False, "gone"))[-1] == e.StopWatching()
    assert flow.stage is Stage.DONE


def test_cancel_ends_it_and_says_so_as_often_as_asked() -> None:
    flow = begun()
    assert stages(play(flow, e.CancelAsked(), e.CancelAsked())) == [Stage.CANCELLED, Stage.CANCELLED]
    assert stages(play(done(), e.CancelAsked())) == [Stage.DONE]


def test_a_dead_companion_fails_it_unless_the_user_is_through() -> None:
    flow = begun()
    play(flow, e.Broken("the companion ended"))
    assert flow.stage is Stage.FAILED
    assert play(done(), e.Broken("the companion ended")) == []


def test_a_remembered_flow_runs_no_tool() -> None:
    for stage in (Stage.SAVING, Stage.DONE):
        flow = Flow(SPEC, serial=3, digest="1", stage=stage)
        assert stages(flow.begin()) == [stage]
        assert e.Seal(4, TWO) in play(flow, e.Found(TWO, True))
    assert play(Flow(SPEC, serial=3, digest="1", stage=Stage.DONE), e.Found(ONE, True)) == []


def test_a_new_link_hears_the_state_and_what_is_unanswered() -> None:
    flow = begun()
    assert stages(flow.tell()) == [Stage.STARTING]
    play(flow, e.Found(ONE, True))
    assert e.SendAgain() in flow.tell()


EVENTS = st.one_of(
    st.builds(e.CompanionUp),
    st.builds(e.Broken, st.just("broken")),
    st.builds(say, st.sampled_from([URL, "code AB-CD", "Logged in", "Failed: x", "Continue?", "noise"])),
    st.builds(e.Opened, st.sampled_from([URL, OTHER, "javascript:1"])),
    st.builds(e.Exited, st.integers(-9, 2)),
    st.builds(e.Found, st.sampled_from([OLD, ONE, TWO]), st.booleans()),
    st.builds(e.NothingFound, st.just("nothing")),
    st.builds(e.Stored, st.integers(1, 3), st.booleans()),
    st.builds(e.Elapsed, st.sampled_from(Timer)),
    st.builds(e.CancelAsked),
)


@given(st.lists(EVENTS, max_size=30))
def test_whatever_happens_the_promises_hold(events: list[Event]) -> None:
    flow = begun()
    accepted, serials, ended = False, [], False
    for event in events:
        commands = flow.handle(event)
        serials += [seal.serial for seal in of(e.Seal, commands)]
        accepted = accepted or (isinstance(event, e.Stored) and event.accepted)
        assert not (ended and of(e.Seal, commands)), "nothing is sealed after a failure or a cancel"
        assert Stage.DONE not in stages(commands) or accepted, "done is said only once it is stored"
        ended = flow.stage in (Stage.FAILED, Stage.CANCELLED)
    assert serials == sorted(set(serials))
