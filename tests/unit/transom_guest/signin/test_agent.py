"""The agent with tools made of shell: what the controller hears, whatever the tool does."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from tests.support.server import free_port
from tests.support.signin_lab import SigninLab
from tests.unit.transom_guest.signin.test_flow import SPEC
from transom_wire.link import CredentialFile, CredentialStored, SigninCancel, SigninSpec

SECRET = "tok-Zx9dKq17fGh33aPPqLm0VwXyZ12"
SAVE = (
    f"""umask 077; mkdir -p .tool; echo '{{"token": "{SECRET}"}}' > .tool/new; mv .tool/new .tool/auth.json"""
)


def tool(script: str, **changes: object) -> SigninSpec:
    """A provider whose tool is a shell script, run in its home."""
    made = replace(
        SPEC, argv=("/bin/sh", "-c", script), files=(CredentialFile(".tool/auth.json", must_have=("token",)),)
    )
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_a_tool_that_saves_is_done_and_its_secret_is_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with SigninLab() as lab:
        (lab.home / "answer").write_text(json.dumps({"token": SECRET}))
        lab.start(
            tool(
                "echo visit https://id.example/x; cat answer; $BROWSER https://id.example/y; "
                "cp answer .tool/new; chmod 600 .tool/new; mv .tool/new .tool/auth.json"
            )
        )
        await lab.until("done")
        assert json.loads(lab.opened(lab.sealed[0])[".tool/auth.json"]) == {"token": SECRET}
        assert lab.urls == ["https://id.example/y"]
        assert SECRET not in repr(lab.states)
        assert SECRET not in (lab.runtime / "signin.json").read_text()
    assert SECRET not in caplog.text


async def test_a_tool_may_ask_first() -> None:
    async with SigninLab() as lab:
        lab.start(tool(f"printf 'Continue? '; read a; [ $a = y ] && {SAVE}"))
        await lab.until("done")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo Failed: no luck; sleep 100", "Failed: no luck"),
        ("echo giving up; exit 1", "giving up"),
        ("exit 0", ".tool/auth.json is not there"),
        ("mkdir -p .tool; echo '{}' > .tool/auth.json", ".tool/auth.json is not a filled object"),
        ("mkdir -p .tool; ln -s /etc/hostname .tool/auth.json", ".tool/auth.json cannot be read"),
    ],
)
async def test_what_goes_wrong_is_said(script: str, message: str) -> None:
    async with SigninLab() as lab:
        flow = lab.start(tool(script))
        async with lab._came:
            while not [state for state in lab.states if state.stage == "failed"]:
                await lab._came.wait()
        assert message in lab.states[-1].message
        assert lab.states[-1].flow == flow
        assert not lab.sealed


@pytest.mark.parametrize(
    "changes",
    [
        {"argv": ("/nonexistent/tool",)},
        {"companion": ("/nonexistent/issuer",), "companion_port": free_port()},
        {"companion": ("/bin/false",), "companion_port": free_port()},
    ],
)
async def test_what_cannot_be_started_is_said(changes: dict[str, object]) -> None:
    async with SigninLab() as lab:
        lab.start(tool(SAVE, **changes))
        with pytest.raises(AssertionError, match=r"cannot start|does not answer"):
            await lab.until("done")


async def test_another_sign_in_takes_the_place_of_the_first() -> None:
    async with SigninLab() as lab:
        first = lab.start(tool("$BROWSER https://id.example/1; sleep 1000"))
        await lab.until("waiting")
        second = lab.start(tool(SAVE))
        assert (await lab.until("cancelled")).flow == first
        assert (await lab.until("done")).flow == second


async def test_the_same_start_again_only_repeats_the_state() -> None:
    async with SigninLab() as lab:
        spec = tool("echo run >> runs; $BROWSER https://id.example/1; sleep 1000")
        flow = lab.start(spec)
        await lab.until("waiting")
        lab.states.clear()
        lab.link.tell(lab.message(flow, spec))
        assert (await lab.until("waiting")).url == "https://id.example/1"
        assert (lab.home / "runs").read_text() == "run\n"


async def test_a_cancel_of_an_unknown_sign_in_is_answered() -> None:
    async with SigninLab() as lab:
        lab.link.tell(SigninCancel("flw_unknown"))
        lab.link.tell(CredentialStored("flw_unknown", 1, True))
        assert (await lab.until("cancelled")).flow == "flw_unknown"


async def test_a_killed_agent_runs_an_unfinished_tool_again() -> None:
    async with SigninLab() as lab:
        lab.start(
            tool(f"[ -e again ] && {{ {SAVE}; exit 0; }}; touch again; $BROWSER https://id.example; sleep 99")
        )
        await lab.until("waiting")
        await lab.kill()
        await lab.until("done")
        assert lab.sealed[0].serial == 1


async def test_a_killed_agent_that_had_sealed_needs_no_tool() -> None:
    async with SigninLab(answers=False) as lab:
        flow = lab.start(tool(f"echo run >> runs; {SAVE}"))
        await lab.serial(1)
        await lab.kill()
        message = await lab.serial(2)
        assert json.loads(lab.opened(message)[".tool/auth.json"]) == {"token": SECRET}
        lab.link.tell(CredentialStored(flow, 2, True))
        await lab.until("done")
        assert (lab.home / "runs").read_text() == "run\n"


async def test_a_flood_of_output_does_not_keep_the_credential_back() -> None:
    async with SigninLab() as lab:
        lab.start(tool(f"{SAVE}; yes | head -c 3000000; sleep 1000"))
        await lab.until("done")
