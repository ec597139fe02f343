"""A warm sandbox with a real desktop: parked, claimed, and what a claim costs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.support.image import GoldenImage, golden_image
from tests.support.machine_lab import Lab, Machine, now_ms, opened, state_folder
from transom.drivers.stage import stage
from transom_wire.control import Claim, ClaimAnswer
from transom_wire.exit import NO_ROUTE
from transom_wire.link import Progress, Ready

__all__ = ["golden_image"]
pytestmark = pytest.mark.machine

CLAIM_MS = 2000
"""Far above what a claim takes (docs/measurements.md): this machine may be busy with everything else."""


@pytest.fixture
async def lab(golden_image: GoldenImage) -> AsyncIterator[Lab]:
    state = state_folder()
    lab = Lab(state, golden_image, stage(state / "guest"))
    yield lab
    await lab.close()


def claim(session: str, **changes: object) -> Claim:
    found = Claim(
        session=session,
        width=640,
        height=480,
        start_url="about:blank",
        deadline=now_ms() + 250_000,
        machine_id="c" * 32,
        hostname="desk",
        seed=b"s" * 64,
        route=NO_ROUTE,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


async def parked(machine: Machine) -> None:
    if "parked" not in machine.channel.snapshot.stages:
        await machine.hear(lambda each: opened(each, Progress) == Progress("parked"))


async def answer_to(machine: Machine, wanted: Claim) -> ClaimAnswer:
    await machine.channel.send(wanted)
    answer = await machine.hear(lambda each: isinstance(each, ClaimAnswer) and each.session == wanted.session)
    assert isinstance(answer, ClaimAnswer)
    return answer


async def test_a_warm_machine_is_a_desktop_before_it_is_anybodys_and_ready_at_once_when_it_is(
    lab: Lab,
) -> None:
    async with lab.machine(replace(lab.spec(), session=None)) as machine:
        await parked(machine)
        seen = machine.channel.snapshot
        await machine.reattach()
        seen = machine.channel.snapshot
        assert seen.session is None and {"display", "desktop", "browser", "parked"} <= set(seen.stages)
        assert "ready" not in seen.stages and {"boot", "webrtc"} <= set(seen.roles)

        wanted = claim("ses_first")
        answer = await answer_to(machine, wanted)
        assert answer == ClaimAnswer("ses_first", True)
        await machine.hear(lambda each: opened(each, Ready) is not None)
        await machine.reattach()
        seen = machine.channel.snapshot
        assert seen.session == "ses_first" and seen.deadline == wanted.deadline
        took = int(seen.stages["ready"]) - int(seen.stages["claimed"])
        assert 0 <= took < CLAIM_MS

        # after a controller's restart, or an answer that was lost, the same claim is answered again
        assert await answer_to(machine, wanted) == ClaimAnswer("ses_first", True)
        assert (await answer_to(machine, claim("ses_second"))).accepted is False


async def test_a_claim_brings_its_size_and_its_page(lab: Lab) -> None:
    async with lab.machine(replace(lab.spec(), session=None)) as machine:
        await parked(machine)
        page = "data:text/html,<title>claimed</title><body>hello"
        answer = await answer_to(machine, claim("ses_a", width=800, height=600, start_url=page))
        assert answer.accepted
        ready = await machine.hear_guest(Ready)
        assert ready == Ready(800, 600)
        log = lab.folder / machine.id / "guest.log"
        assert "not opened" not in log.read_text()


async def test_a_controller_that_dies_in_the_middle_finds_the_claim_done(lab: Lab) -> None:
    async with lab.machine(replace(lab.spec(), session=None)) as machine:
        await parked(machine)
        await machine.channel.send(claim("ses_a"))
        await machine.channel.close()
        machine.channel = await lab.driver.attach(machine.id)
        assert await answer_to(machine, claim("ses_a")) == ClaimAnswer("ses_a", True)
        assert machine.channel.snapshot.session in (None, "ses_a")
        await machine.reattach()
        assert machine.channel.snapshot.session == "ses_a"


async def test_a_machine_made_for_a_session_cannot_be_claimed(lab: Lab) -> None:
    spec = lab.spec()
    async with lab.machine(spec) as machine:
        assert (await answer_to(machine, claim("ses_other"))).accepted is False
        assert spec.session is not None
        assert (await answer_to(machine, claim(spec.session))).accepted is False
