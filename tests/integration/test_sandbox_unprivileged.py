"""The namespace driver without root and without a helper: a claim gives a sandbox of an ordinary user its identity."""

from __future__ import annotations

import asyncio
import json
import os
import sysconfig
from pathlib import Path

import pytest

from tests.support.helper_lab import CALLER, as_user
from tests.support.image import GoldenImage, golden_image
from tests.support.machine_lab import Lab, a_claim, stage_standin, state_folder
from transom.model.ids import new_id

__all__ = ["golden_image"]
pytestmark = pytest.mark.machine
ROOT = Path(__file__).resolve().parents[2]
WRITES = """
import json, os
def tried(act):
    try: act()
    except OSError: return False
    return True
path = "/etc/machine-id"
before = open(path).read()
acts = [lambda: open(path, "r+"), lambda: os.chmod(path, 0o666), lambda: os.unlink(path), lambda: os.truncate(path, 0)]
print(json.dumps([before.strip(), [tried(act) for act in acts], open(path).read() == before]))
"""


async def claimed(lab: Lab) -> tuple[str, list[object], list[str]]:
    """The claim's machine-id, what the machine says of its own, and what was left of it in the end."""
    spec = lab.spec(warm=True)
    claim = a_claim(new_id("ses"))
    async with lab.machine(spec) as machine:
        answer = await machine.claim(claim)
        assert answer.accepted, answer
        said = json.loads(await machine.inside(WRITES))
    left = lab.remains(spec.machine)
    await lab.close()
    return claim.machine_id, said, left


def test_a_claim_without_root_gives_a_machine_id_that_nothing_inside_can_write(
    golden_image: GoldenImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # whatever Python runs the tests, the host's own is one that everybody may run
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{sysconfig.get_path('purelib')}")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    state = state_folder()
    guest = stage_standin(state)
    for path in (state, *state.rglob("*")):
        os.chown(path, CALLER, CALLER)
    lab = Lab(state, golden_image, guest, python="/usr/bin/python3")
    wanted, (seen, writes, same), left = as_user(CALLER, lambda: asyncio.run(claimed(lab)))
    assert (seen, writes, same) == (wanted, [False] * 4, True)
    assert left == [] and not state.exists()
