from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.keeper_config import config
from transom_keeper.cgroups import Groups
from transom_keeper.launch import ending, launch, look_at
from transom_keeper.log import BoundedFile, GuestOutput
from transom_keeper.machine import LaunchError
from transom_keeper.machine_id import MachineIdFile


def test_what_an_image_holds(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "opt").mkdir()
    (tmp_path / "etc/passwd").touch()
    (tmp_path / "etc/resolv.conf").symlink_to("/run/systemd/resolve/stub-resolv.conf")
    (tmp_path / "etc/hosts").symlink_to("passwd")
    facts = look_at(tmp_path, ["/etc/passwd", "/etc/resolv.conf", "/etc/hosts", "/etc/machine-id"])
    assert facts.files == {"/etc/passwd"}
    assert facts.opt_empty and not facts.has_guest_mount
    (tmp_path / "opt/transom").mkdir()
    facts = look_at(tmp_path, [])
    assert facts.has_guest_mount and not facts.opt_empty


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "status 0"), (3, "status 3"), (-9, "signal 9"), (137, "signal 9"), (255, "status 255")],
)
def test_the_words_for_an_end(code: int, words: str) -> None:
    assert words in ending(code)


BWRAPS = {
    "quits": "#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n",
    "lies": "#!/bin/sh\nexit 0\n",
}


@pytest.mark.parametrize(("kind", "reason"), [("quits", "No permissions"), ("lies", "ended before")])
async def test_a_sandbox_that_does_not_come_up_says_why(tmp_path: Path, kind: str, reason: str) -> None:
    bwrap = tmp_path / "bwrap"
    bwrap.write_text(BWRAPS[kind])
    bwrap.chmod(0o755)
    (tmp_path / "root/opt").mkdir(parents=True)
    output = GuestOutput(BoundedFile(tmp_path / "guest.log"))
    wanted = config(image_root=str(tmp_path / "root"), guest_source=str(tmp_path))
    with pytest.raises(LaunchError, match=reason):
        await launch(str(bwrap), wanted, "0" * 8, Groups(), output, MachineIdFile.make(tmp_path))


async def test_a_sandbox_that_is_not_there_says_why(tmp_path: Path) -> None:
    output = GuestOutput(BoundedFile(tmp_path / "guest.log"))
    (tmp_path / "root/opt").mkdir(parents=True)
    own = MachineIdFile.make(tmp_path)
    with pytest.raises(LaunchError, match="cannot be started"):
        await launch(
            "/nowhere/bwrap", config(image_root=str(tmp_path / "root")), "0" * 8, Groups(), output, own
        )
    with pytest.raises(LaunchError, match="nowhere"):
        await launch("/bin/true", config(), "0" * 8, Groups(), output, own)
