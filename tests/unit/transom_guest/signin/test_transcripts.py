"""The shipped tables against what the real tools wrote to a terminal (values of dead sign-ins replaced).

Recorded with codex 0.169.0, Claude Code 2.1.330 and Gemini CLI 0.61.0; the last two, and codex without a
local issuer, could not reach their servers, so that each shows its start and its failure.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from transom.signin.catalog import read_provider
from transom_guest.signin import events as e
from transom_guest.signin.events import Command, Stage, Timer
from transom_guest.signin.flow import Flow
from transom_guest.signin.terminal import TerminalText

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
TABLES = (ROOT / "providers", ROOT / "tests/support/providers")


def replay(provider: str, transcript: str, *, step: int) -> tuple[Flow, list[Command]]:
    """Feed a transcript to the provider's flow, `step` bytes at a time."""
    (table,) = [folder / f"{provider}.toml" for folder in TABLES if (folder / f"{provider}.toml").is_file()]
    flow, text = Flow(read_provider(table).spec), TerminalText()
    commands = flow.begin()
    raw = (HERE / "transcripts" / f"{transcript}.txt").read_bytes()
    for at in range(0, len(raw), step):
        lines = text.feed(raw[at : at + step])
        commands += flow.handle(e.Output(tuple(lines), text.partial))
    return flow, commands


def messages(commands: list[Command]) -> list[str]:
    return [command.message for command in commands if isinstance(command, e.Tell) and command.message]


@pytest.mark.parametrize("step", [1, 7, 4096])
@pytest.mark.parametrize(
    ("provider", "transcript", "message"),
    [
        ("codex", "codex-login-refused", "Error logging in: Sign-in failed: access_denied"),
        ("codex", "codex-login-exchange-failed", "Error logging in: Token exchange failed: error sending "
         "request for url (https://auth.openai.com/oauth/token)"),
        ("claude", "claude-login-refused", "Couldn't log in: No authorization code received"),
        ("claude", "claude-login-exchange-failed",
         "Couldn't log in: getaddrinfo ENOTFOUND platform.claude.com"),
        ("gemini", "gemini-login-refused", "Google OAuth error: access_denied. No additional details provided"),
        ("gemini", "gemini-login-exchange-failed", "Failed to exchange authorization code for tokens: request "
         "to https://oauth2.googleapis.com/token failed, reason: getaddrinfo ENOTFOUND oauth2.googleapis.com"),
    ],
)  # fmt: skip
def test_a_failure_is_seen_and_told_in_the_tools_words(
    provider: str, transcript: str, message: str, step: int
) -> None:
    flow, commands = replay(provider, transcript, step=step)
    assert flow.stage is Stage.FAILED
    assert messages(commands) == [message]


@pytest.mark.parametrize("step", [1, 4096])
def test_codex_shows_a_device_code(step: int) -> None:
    flow, _ = replay("codex-local", "codex-device", step=step)
    told = flow.tell()[0]
    assert isinstance(told, e.Tell)
    assert (told.url, told.user_code) == ("http://127.0.0.1:8091/codex/device", "ZHCQ-KJFC")


def test_codex_prints_one_whole_url() -> None:
    flow, text = Flow(read_provider(ROOT / "providers/codex.toml").spec), TerminalText()
    raw = (HERE / "transcripts/codex-login-refused.txt").read_bytes().partition(b"OAuth callback")[0]
    flow.begin()
    flow.handle(e.Output(tuple(text.feed(raw))))
    (opened, told) = flow.handle(e.Elapsed(Timer.OPEN_PRINTED))
    assert isinstance(opened, e.OpenBrowser)
    assert opened.url.startswith("https://auth.openai.com/oauth/authorize?response_type=code&")
    assert opened.url.endswith("originator=codex_cli_rs")
    assert isinstance(told, e.Tell)
    assert told.stage is Stage.WAITING


def test_gemini_is_answered_once() -> None:
    _, commands = replay("gemini", "gemini-login-refused", step=1)
    assert [command for command in commands if isinstance(command, e.Type)] == [e.Type("y\r")]


def test_a_drawn_screen_still_gives_its_url() -> None:
    """Claude Code's full screen moves the cursor instead of writing spaces; the link's target is whole."""
    _, commands = replay("claude", "claude-setup-token", step=16)
    assert any(
        isinstance(command, e.SetTimer) and command.timer is Timer.OPEN_PRINTED for command in commands
    )


def test_a_menu_of_another_version_is_no_answer_and_no_url() -> None:
    flow, commands = replay("gemini", "gemini-menu", step=512)
    assert flow.stage is Stage.STARTING
    assert not [command for command in commands if isinstance(command, e.Type | e.OpenBrowser)]
