from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom_guest.events import (
    Begin,
    Broken,
    Claimed,
    Command,
    DesktopUp,
    Died,
    DisplayUp,
    Due,
    Event,
    GiveUp,
    Go,
    Log,
    Painted,
    Relinked,
    Say,
    Settled,
    Start,
    Started,
    StartLater,
)
from transom_guest.supervise import FIRST_DELAY, LAST_DELAY, LIVED, PATIENCE, Program, Supervisor
from transom_wire.link import Fatal, Progress, Ready, ServiceState

PROGRAMS = (
    Program("display", vital=True),
    Program("browser", needed=True),
    Program("desktop", needed=True),
    Program("webrtc", service=True),
)
CLONED = (
    Program("display", vital=True),
    Program("browser", needed=True, late=True),
    Program("desktop", needed=True),
    Program("webrtc", service=True, waits=True),
)
KEPT = (
    Program("display", vital=True),
    Program("browser", needed=True),
    Program("desktop", needed=True),
    Program("webrtc", service=True),
    Program("signin", service=True, waits=True),
)
NAMES = [program.name for program in PROGRAMS]


def supervisor() -> Supervisor:
    return Supervisor(PROGRAMS)


def said(commands: list[Command]) -> list[object]:
    return [command.message for command in commands if isinstance(command, Say)]


def test_a_boot_from_begin_to_ready() -> None:
    boot = supervisor()
    assert boot.on(Begin(), 0) == [Start("display")]
    assert boot.on(Started("display"), 0.01) == [Log("[SUPERVISOR] display started")]
    assert boot.on(DisplayUp(), 0.1) == [
        Say(Progress(stage="display")),
        Start("browser"),
        Start("desktop"),
        Start("webrtc"),
    ]
    assert said(boot.on(Started("browser"), 0.1)) == [Progress(stage="browser")]
    assert boot.on(Started("webrtc"), 0.1) == [
        Log("[SUPERVISOR] webrtc started"),
        Say(ServiceState(service="webrtc", state="started", restarts=0)),
    ]
    assert said(boot.on(DesktopUp(), 0.2)) == [Progress(stage="desktop")]
    assert said(boot.on(Painted(1280, 720), 0.5)) == [Ready(width=1280, height=720)]


def test_ready_waits_for_the_window_manager() -> None:
    boot = supervisor()
    assert said(boot.on(Painted(640, 480), 1)) == []
    assert said(boot.on(DesktopUp(), 2)) == [Progress(stage="desktop"), Ready(width=640, height=480)]


def test_a_service_dies_and_returns_alone() -> None:
    boot = supervisor()
    boot.on(Started("webrtc"), 0)
    assert boot.on(Died("webrtc", "exit 1"), 1) == [
        Log("[SUPERVISOR] webrtc died: exit 1"),
        Say(ServiceState(service="webrtc", state="died", restarts=0)),
        StartLater("webrtc", FIRST_DELAY),
    ]
    assert boot.on(Due("webrtc"), 1.1) == [Start("webrtc")]
    assert said(boot.on(Started("webrtc"), 1.1)) == [
        ServiceState(service="webrtc", state="started", restarts=1)
    ]


def test_the_display_takes_the_machine_with_it() -> None:
    boot = supervisor()
    boot.on(Started("display"), 0)
    commands = boot.on(Died("display", "signal SIGSEGV"), 100)
    assert commands[-2:] == [
        Say(Fatal(reason="display died: signal SIGSEGV")),
        GiveUp("display died: signal SIGSEGV"),
    ]
    assert boot.on(Died("webrtc", "exit 0"), 101) == []


def test_delays_double_and_start_over_after_a_long_life() -> None:
    boot = supervisor()
    delays = []
    now = 0.0
    for life in [1] * 9 + [LIVED, 1]:
        boot.on(Started("webrtc"), now)
        now += life
        delays += [
            command.delay for command in boot.on(Died("webrtc", "x"), now) if isinstance(command, StartLater)
        ]
    assert delays[:4] == [FIRST_DELAY, FIRST_DELAY * 2, FIRST_DELAY * 4, FIRST_DELAY * 8]
    assert delays[8] == LAST_DELAY
    assert delays[9:] == [FIRST_DELAY, FIRST_DELAY * 2]


def test_a_browser_that_never_starts_is_given_up_but_not_one_that_once_painted() -> None:
    boot = supervisor()
    for _ in range(PATIENCE - 1):
        assert not any(isinstance(each, GiveUp) for each in boot.on(Died("browser", "exit 127"), 1))
    assert isinstance(boot.on(Died("browser", "exit 127"), 1)[-1], GiveUp)

    boot = supervisor()
    boot.on(DesktopUp(), 0)
    boot.on(Painted(1, 1), 0)
    for _ in range(PATIENCE * 3):
        assert isinstance(boot.on(Died("browser", "exit 0"), 1)[-1], StartLater)


def test_a_long_reason_fits_the_wire() -> None:
    boot = supervisor()
    (fatal,) = said(boot.on(Died("display", "x" * 5000), 0))
    assert isinstance(fatal, Fatal)
    assert len(fatal.reason) == 500


def stages(commands: list[Command]) -> list[str]:
    return [message.stage for message in said(commands) if isinstance(message, Progress)]


def test_a_machine_that_may_be_cloned_parks_without_its_program() -> None:
    boot = Supervisor(CLONED, warm=True)
    boot.on(Begin(), 0)
    commands = boot.on(DisplayUp(), 0.1)
    assert commands[1:] == [Start("desktop"), Start("webrtc", waits=True)]
    assert boot.on(Started("webrtc"), 0.2) == [Log("[SUPERVISOR] webrtc waits")]
    assert stages(boot.on(DesktopUp(), 0.3)) == ["desktop"]
    assert stages(boot.on(Settled("webrtc"), 0.4)) == ["parked"]
    commands = boot.on(Claimed(800, 600), 9)
    assert commands == [
        Go("webrtc"),
        Log("[SUPERVISOR] webrtc started"),
        Say(ServiceState(service="webrtc", state="started", restarts=0)),
        Start("browser"),
        Say(Progress(stage="claimed")),
    ]
    assert stages(boot.on(Started("browser"), 9)) == ["browser"]
    assert said(boot.on(Painted(800, 600), 10)) == [Ready(width=800, height=600)]


def test_a_machine_that_is_used_once_parks_with_a_painted_program_and_is_ready_at_its_claim() -> None:
    boot = Supervisor(KEPT, warm=True)
    for event in (Begin(), DisplayUp(), *(Started(program.name) for program in KEPT), DesktopUp()):
        boot.on(event, 0)
    boot.on(Settled("webrtc"), 1)
    assert said(boot.on(Settled("signin"), 1)) == []
    assert stages(boot.on(Painted(1280, 720), 2)) == ["parked"]
    commands = boot.on(Claimed(800, 600), 3)
    assert Go("signin") in commands and Go("webrtc") not in commands
    assert said(commands)[-2:] == [Progress(stage="claimed"), Ready(width=800, height=600)]


def test_a_service_that_dies_is_no_longer_settled() -> None:
    boot = Supervisor(CLONED, warm=True)
    for event in (Begin(), DisplayUp(), Started("webrtc"), Settled("webrtc"), Died("webrtc", "x")):
        boot.on(event, 0)
    assert stages(boot.on(DesktopUp(), 1)) == ["desktop"]
    boot.on(Due("webrtc"), 2)
    boot.on(Started("webrtc"), 2)
    assert stages(boot.on(Settled("webrtc"), 3)) == ["parked"]


def test_a_service_may_settle_before_its_start_is_known() -> None:
    boot = Supervisor(CLONED, warm=True)
    for event in (Begin(), DisplayUp(), Settled("webrtc"), Started("webrtc")):
        boot.on(event, 0)
    assert "parked" in stages(boot.on(DesktopUp(), 1))


def test_a_claim_that_overtakes_a_start_still_tells_it_to_go_on() -> None:
    boot = Supervisor(CLONED, warm=True)
    boot.on(Begin(), 0)
    boot.on(DisplayUp(), 0)
    assert Go("webrtc") not in boot.on(Claimed(800, 600), 1)
    assert boot.on(Started("webrtc"), 1)[0] == Go("webrtc")
    boot.on(Died("webrtc", "x"), 2)
    assert boot.on(Due("webrtc"), 3) == [Start("webrtc")]
    assert Go("webrtc") not in boot.on(Started("webrtc"), 3)


def test_a_second_claim_does_nothing() -> None:
    boot = Supervisor(CLONED, warm=True)
    boot.on(Begin(), 0)
    boot.on(Claimed(800, 600), 1)
    assert boot.on(Claimed(640, 480), 2) == []
    assert supervisor().on(Claimed(640, 480), 2) == []


def test_another_keeper_hears_all_stages_in_their_order() -> None:
    boot = Supervisor(CLONED, warm=True)
    for event in (Begin(), DisplayUp(), Started("webrtc"), Settled("webrtc"), DesktopUp()):
        boot.on(event, 0)
    assert stages(boot.on(Relinked(), 100)) == ["display", "desktop", "parked"]


def test_a_broken_machine_is_given_up() -> None:
    assert supervisor().on(Broken("no seed"), 0) == [Say(Fatal(reason="no seed")), GiveUp("no seed")]


names = st.sampled_from(NAMES)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Begin),
    st.builds(DisplayUp),
    st.builds(DesktopUp),
    st.builds(Painted, st.integers(64, 7680), st.integers(64, 7680)),
    st.builds(Started, names),
    st.builds(Died, names, st.text(max_size=20)),
    st.builds(Due, names),
    st.builds(Settled, names),
    st.builds(Claimed, st.integers(64, 7680), st.integers(64, 7680)),
    st.builds(Broken, st.text(max_size=20)),
)


@given(st.lists(st.tuples(events, st.floats(0, 100)), max_size=60), st.booleans())
def test_whatever_happens(trace: list[tuple[Event, float]], warm: bool) -> None:
    boot, now, all_said = Supervisor(CLONED if warm else PROGRAMS, warm=warm), 0.0, []
    over = False
    for event, passed in trace:
        now += passed
        commands = boot.on(event, now)
        assert not (over and commands)
        over = over or any(isinstance(command, GiveUp) for command in commands)
        all_said += said(commands)
        for command in commands:
            if isinstance(command, StartLater):
                assert FIRST_DELAY <= command.delay <= LAST_DELAY
        if isinstance(event, Died) and not over:
            assert sum(isinstance(command, StartLater) for command in commands) <= 1
    for kind in (Ready, Fatal):
        assert sum(isinstance(message, kind) for message in all_said) <= 1
    reached = [message.stage for message in all_said if isinstance(message, Progress)]
    assert len(reached) == len(set(reached))
    if warm and any(isinstance(message, Ready) for message in all_said):
        assert "claimed" in reached
    assert over == any(isinstance(message, Fatal) for message in all_said)


@given(st.data())
def test_a_faithful_world_never_runs_a_program_twice(data: st.DataObject) -> None:
    """Events as the real world makes them: every Start is answered, every StartLater falls due once."""
    boot, running, now = supervisor(), set(), 0.0
    pending: list[Event] = [Begin()]
    for _ in range(data.draw(st.integers(0, 80))):
        choices = [*pending, *(Died(name, "x") for name in sorted(running))]
        if not choices:
            break
        event = data.draw(st.sampled_from(choices))
        if event in pending:
            pending.remove(event)
        if isinstance(event, Died):
            running.discard(event.name)
        now += data.draw(st.floats(0, 40))
        for command in boot.on(event, now):
            match command:
                case Start(name, _):
                    assert name not in running
                    running.add(name)
                    pending.append(Started(name))
                    if name == "display":
                        pending.append(DisplayUp())
                case StartLater(name):
                    pending.append(Due(name))
                case GiveUp():
                    return
