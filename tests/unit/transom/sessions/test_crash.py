from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom.sessions.crash import CAUSE_LIMIT, LIMIT, MARK, last_crash

LOG = """== keeper.log ==
all is well
== guest.log ==
Fatal Python error: Aborted
Current thread 0x01 (most recent call first):
File "old.py", line 1 in old
[SUPERVISOR] webrtc died: signal SIGABRT
Fatal Python error: Segmentation fault

Thread 0x02 (most recent call first):
File "waits.py", line 2 in wait

Current thread 0x03 (most recent call first):
File "peer.py", line 3 in close
[SUPERVISOR] webrtc died: signal SIGSEGV
== vmm.log ==
nothing"""


def test_the_last_crash_is_told_with_the_thread_that_crashed_first() -> None:
    crash = last_crash(LOG)
    assert crash is not None
    assert crash.cause == "Fatal Python error: Segmentation fault"
    assert crash.stacks.splitlines() == [
        "Fatal Python error: Segmentation fault",
        "Current thread 0x03 (most recent call first):",
        'File "peer.py", line 3 in close',
        "[SUPERVISOR] webrtc died: signal SIGSEGV",
        "Thread 0x02 (most recent call first):",
        'File "waits.py", line 2 in wait',
    ]


def test_what_only_died_has_no_stacks() -> None:
    assert last_crash("== guest.log ==\n[SUPERVISOR] webrtc died: signal SIGKILL") is None


@given(st.text(max_size=200), st.text(max_size=400))
def test_whatever_a_machine_wrote_it_is_bounded_and_printable(before: str, after: str) -> None:
    crash = last_crash(f"{before}{MARK}{after * 60}")
    assert crash is not None
    assert len(crash.cause) <= CAUSE_LIMIT
    assert len(crash.stacks) <= LIMIT
    assert all(line.strip() and line.isprintable() for line in crash.stacks.split("\n"))


def test_secrets_do_not_stay_in_it() -> None:
    crash = last_crash(f"{MARK} Bearer abcdefghijklm\nfile ?token=hunter2hunter2")
    assert crash is not None
    assert "abcdefgh" not in crash.cause + crash.stacks
    assert "hunter2" not in crash.stacks
