"""Dropping is for good, so each test does it in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

CODE = """
import json, os, resource
from transom_keeper import privileges
privileges.limit_resources()
privileges.drop({uid})
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
back = []
for act in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0])):
    try: act(); back.append(True)
    except PermissionError: back.append(False)
print(json.dumps([os.getresuid(), os.getresgid(), os.getgroups(), status["NoNewPrivs"].strip(),
    status["CapEff"].strip(), privileges._libc.prctl(3), resource.getrlimit(resource.RLIMIT_CORE),
    resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= 65536, back]))
"""


def dropped(uid: int | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CODE.format(uid=uid)], capture_output=True, text=True, timeout=60, check=False
    )


def test_what_is_given_up_does_not_come_back() -> None:
    uid = 1_900_000_007 if os.geteuid() == 0 else None
    done = dropped(uid)
    uids, gids, groups, no_new, caps, dumpable, core, files, back = json.loads(done.stdout)
    expected = uid if uid is not None else os.getuid()
    assert uids == [expected] * 3 and 0 not in gids
    assert uid is None or (gids == [uid] * 3 and groups == [])
    assert (no_new, int(caps, 16), dumpable, core, files) == ("1", 0, 0, [1, 1], True)
    assert back == [False] * 3


@pytest.mark.parametrize("uid", [0, None])
def test_root_is_never_who_a_machine_is(uid: int | None) -> None:
    done = dropped(uid)
    assert (done.returncode != 0) == (os.geteuid() == 0 or uid == 0)
