"""The helper's command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from transom_helper.options import OWNERS, parse


def test_what_nobody_sets_is_safe() -> None:
    options = parse([])
    assert options.allowed == frozenset()
    assert options.socket == Path("/run/transom/helper.sock")
    assert (options.firecracker, options.jailer, options.owners) == (None, None, OWNERS)


def test_users_by_number_and_by_name() -> None:
    options = parse(["--allow-uid", "1000", "--allow-uid", "nobody", "--owner-uids", "2000-2003"])
    assert options.allowed == {1000, 65534}
    assert list(options.owners) == [2000, 2001, 2002, 2003]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--allow-uid", "0"],
        ["--allow-uid", "-1"],
        ["--allow-uid", "root"],
        ["--allow-uid", "there-is-none-such"],
        ["--allow-uid", str(2**32 - 1)],
        ["--owner-uids", "0-10"],
        ["--owner-uids", "2000-1000"],
        ["--owner-uids", "2000"],
        ["--socket", "relative"],
        ["--machines", "0"],
        ["--machines", "many"],
        ["--firecracker", "/usr/bin/firecracker"],
        ["--firecracker", "/usr/bin/qemu", "--jailer", "/usr/bin/jailer"],
        ["--sock", "/abbreviated"],
    ],
)
def test_what_makes_no_sense_is_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(wrong)
    assert ended.value.code == 2
