"""What each request does, and what it checks first. Real sockets and rights are in tests/security/test_helper.py."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.helper_lab import CALLER, LIMITS, OWNER, STRANGER, TAG
from transom_helper.admission import Admission
from transom_helper.jail import Jails, Plan
from transom_helper.ledger import BUSY_SECONDS, Key, Ledger
from transom_helper.refusal import Refusal
from transom_helper.verbs import Verbs
from transom_keeper import cgroups
from transom_wire import WIRE_VERSION
from transom_wire.helper import (
    Found,
    Group,
    Jailed,
    MakeGroup,
    MakeNetwork,
    Network,
    Remove,
    Removed,
    StartJail,
    Survey,
)

MACHINE = "mch_verbs"


@pytest.fixture
def verbs(tmp_path: Path) -> Iterator[Verbs]:
    admission = Admission(frozenset({CALLER}), range(OWNER, OWNER + 1))
    made = Verbs(admission, Ledger(tmp_path), Jails(tmp_path, None, None), machines=2)
    yield made
    for key in made.ledger.machines():
        made(0, Remove(key.machine, key.tag), [])


def test_networks_up_to_the_caller_s_most(verbs: Verbs) -> None:
    request = MakeNetwork(MACHINE, CALLER, 1, True)
    held = [verbs(CALLER, request, []) for _ in range(2)]
    assert [each.message for each in held] == [Network(), Network()]
    with pytest.raises(Refusal, match="2 networks"):
        verbs(CALLER, request, [])
    for each in held:
        for descriptor in each.descriptors:
            os.close(descriptor)
    assert verbs.ledger.machines() == []


def test_a_group_is_known_from_before_it_is_there(verbs: Verbs) -> None:
    child = subprocess.Popen(["sleep", "60"], user=CALLER, group=CALLER, extra_groups=[])
    pidfd = os.pidfd_open(child.pid)
    answer = verbs(CALLER, MakeGroup(MACHINE, TAG, LIMITS), [pidfd]).message
    assert isinstance(answer, Group)
    assert verbs(CALLER, Survey(TAG), []).message == Found(
        (MACHINE,), version=WIRE_VERSION, jail="no firecracker is configured"
    )
    entry = verbs.ledger.get(Key(TAG, MACHINE), CALLER)
    assert entry is not None
    assert any(Path(group).is_dir() for group in entry.groups) or answer.warnings
    with pytest.raises(Refusal, match="another user's"):
        verbs(STRANGER, Remove(MACHINE, TAG), [])
    assert verbs(CALLER, Remove(MACHINE, TAG), []).message == Removed()
    assert verbs(CALLER, Remove(MACHINE, TAG), []).message == Removed()
    assert not any(Path(group).is_dir() for group in entry.groups)
    child.kill()
    child.wait()
    os.close(pidfd)


def test_a_request_with_other_descriptors_than_it_says(verbs: Verbs) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    for request in (MakeNetwork(MACHINE, CALLER, 1, True), Remove(MACHINE, TAG), Survey(TAG)):
        with pytest.raises(Refusal, match="descriptors"):
            verbs(CALLER, request, [null])
    with pytest.raises(Refusal, match="descriptors"):
        verbs(CALLER, MakeGroup(MACHINE, TAG, LIMITS), [])
    with pytest.raises(Refusal, match="no living process"):
        verbs(CALLER, MakeGroup(MACHINE, TAG, LIMITS), [null])
    os.close(null)
    assert verbs.ledger.machines() == []


def test_what_waits_for_another_request_has_been_looked_at(verbs: Verbs) -> None:
    """So that it holds as many descriptors as its verb takes, and no more, for as long as it waits."""
    null = os.open(os.devnull, os.O_RDONLY)
    jail = StartJail(MACHINE, TAG, OWNER, LIMITS, False)
    with verbs.ledger.hold(Key(TAG, MACHINE)):
        for request in (MakeGroup(MACHINE, TAG, LIMITS), Remove(MACHINE, TAG), jail):
            begun = time.monotonic()
            with pytest.raises(Refusal, match=r"descriptors|firecracker"):
                verbs(CALLER, request, [null] * 80)
            assert time.monotonic() - begun < BUSY_SECONDS / 2
    os.close(null)


def test_owners_are_looked_at_first(verbs: Verbs) -> None:
    for owner in (STRANGER, 1):
        with pytest.raises(Refusal, match="not one that machines run as"):
            verbs(CALLER, MakeNetwork(MACHINE, owner, 1, True), [])
        with pytest.raises(Refusal, match="not one that machines run as"):
            verbs(CALLER, StartJail(MACHINE, TAG, owner, LIMITS, False), [])


def test_without_firecracker_there_are_no_jails(verbs: Verbs) -> None:
    with pytest.raises(Refusal) as refused:
        verbs(CALLER, StartJail(MACHINE, TAG, OWNER, LIMITS, False), [])
    assert "--firecracker" in refused.value.mend
    assert verbs.ledger.machines() == []


class Started(Jails):
    """Jails that are a word: what came is taken as it is."""

    def plan(self, uid: int, request: StartJail, descriptors: list[int]) -> Plan:
        return Plan("jail-id", Path("/firecracker"), request, descriptors[0], -1, ())

    def start(self, plan: Plan, groups: cgroups.Groups) -> tuple[int, int]:
        assert groups.joins == []
        return os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_RDONLY)


def test_a_jail_without_limits_says_so(verbs: Verbs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper that can make no groups: in a container, or started by hand from a group that is full."""
    monkeypatch.setattr(cgroups, "own_bases", list)
    verbs.jails = Started(tmp_path, None, None)
    network = verbs(CALLER, MakeNetwork(MACHINE, OWNER, 1, False), [])
    jailed = verbs(CALLER, StartJail(MACHINE, TAG, OWNER, LIMITS, False), [network.descriptors[0]])
    assert isinstance(jailed.message, Jailed)
    assert [each.partition(":")[0] for each in jailed.message.warnings] == [
        f"no {name} limit" for name in ("memory", "cpu", "pids")
    ]
    for descriptor in (*network.descriptors, *jailed.descriptors):
        os.close(descriptor)


def test_a_survey_tells_the_limits_that_can_be_had(tmp_path: Path) -> None:
    admission = Admission(frozenset({CALLER}), range(0))
    made = Verbs(admission, Ledger(tmp_path), Jails(tmp_path, None, None), 2, ("memory",))
    answer = made(CALLER, Survey(TAG), []).message
    assert isinstance(answer, Found) and answer.controllers == ("memory",)
