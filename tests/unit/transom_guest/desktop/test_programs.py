from __future__ import annotations

import pytest

from transom_guest import standby
from transom_guest.desktop import browser, programs, terminal, xorg
from transom_guest.environment import desktop_environment

ENVIRONMENT = desktop_environment("ses_a", 3128, {})


@pytest.mark.parametrize("shown", ["browser", "terminal"])
@pytest.mark.parametrize("clones", [False, True])
def test_every_machine_has_a_display_a_program_a_window_manager_and_two_services(
    shown: str, clones: bool
) -> None:
    found = programs.programs(shown, clones=clones)
    assert [each.name for each in found] == ["display", shown, "desktop", "webrtc", "signin"]
    assert [each.name for each in found if each.vital] == ["display"]
    assert [each.name for each in found if each.service] == ["webrtc", "signin"]


def test_what_draws_random_numbers_comes_after_the_claim_of_a_machine_that_is_cloned() -> None:
    late = {each.name for each in programs.programs("browser", clones=True) if each.late or each.waits}
    assert late == {"browser", "webrtc", "signin"}
    assert not any(each.late for each in programs.programs("browser", clones=False))


def test_each_program_has_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xorg, "has_xorg", lambda: True)

    def first(name: str) -> str:
        return programs.command(name, ENVIRONMENT, (800, 600), "https://a.example/", again=False)[0]

    assert [first(name) for name in ("display", "browser", "terminal", "desktop")] == [
        xorg.SERVER,
        browser.BINARY,
        "xterm",
        "openbox",
    ]
    emulated = {**ENVIRONMENT, "TRANSOM_EMULATED": "1"}
    argv = programs.command("browser", emulated, (800, 600), "https://a.example/", again=False)
    assert set(browser.EMULATED) < set(argv) and argv[-1] == "https://a.example/"


def test_services_wait_or_tell_on_a_warm_machine_only() -> None:
    assert programs.service("webrtc", warm=False, waits=False)[1:] == ["-m", "transom_guest.stream"]
    assert programs.service("webrtc", warm=True, waits=False)[-1] == standby.TELL
    assert programs.service("signin", warm=True, waits=True)[-1] == standby.WAIT


def test_a_terminal_fills_the_desktop() -> None:
    assert "-maximized" in terminal.command()
