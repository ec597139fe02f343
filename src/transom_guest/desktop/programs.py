"""Every program of a machine: what needs what, and how each is started."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from transom_guest import standby
from transom_guest.desktop import browser, density, display, session, sound, terminal
from transom_guest.signin_pages import install
from transom_guest.supervise import Program

SERVICES = {"webrtc": "transom_guest.stream", "signin": "transom_guest.signin"}
BESIDE = {"sound": (sound.has_sound, sound.command), "density": (density.has_density, density.command)}
"""Programs that a desktop is better with, each left out where this machine has it not."""
QUIET = ("display", "browser", "terminal", "desktop", *BESIDE)
"""Their words are kept for the note of their death only."""


def programs(shown: str, *, clones: bool, beside: Sequence[str] = ()) -> tuple[Program, ...]:
    """What runs on a machine whose desktop begins with `shown`, browser or terminal.

    A warm machine that may be cloned starts the program only with its claim, and its services wait; one that
    may not has all running but the sign-in agent, which hands its environment to what it starts.
    """
    return (
        Program("display", vital=True),
        *(Program(name) for name in beside),
        Program(shown, needed=True, late=clones),
        Program("desktop", needed=True),
        Program("webrtc", service=True, waits=clones),
        Program("signin", service=True, waits=True),
    )


def beside(environment: Mapping[str, str]) -> list[str]:
    """Which of BESIDE this machine has."""
    return [name for name, (has, _) in BESIDE.items() if has(environment)]


def command(
    name: str, environment: Mapping[str, str], size: tuple[int, int], url: str, again: bool
) -> list[str]:
    """The argv of a program that is no service; `again` after a death."""
    match name:
        case "display":
            return display.command(environment, *size)
        case "browser":
            emulated = "TRANSOM_EMULATED" in environment
            return browser.command(url, *size, again=again, emulated=emulated, more=install.flag(environment))
        case "terminal":
            return terminal.command()
        case "sound" | "density":
            return BESIDE[name][1](environment)
        case _:
            return session.command()


def service(name: str, *, warm: bool, waits: bool) -> list[str]:
    """The argv of a service: on a warm machine it waits, or says when it serves."""
    extra = [standby.WAIT] if waits else [standby.TELL] if warm else []
    return [sys.executable, "-m", SERVICES[name], *extra]
