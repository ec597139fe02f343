from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from tests.support.keeper_config import config
from transom_keeper.machine_id import NAME, SHOWN_AT
from transom_keeper.sandbox import (
    ARGV0,
    ImageError,
    ImageFacts,
    arguments,
    argv0,
    environment,
    fresh_boot_id,
    identity_files,
    tag_of,
)

FACTS = ImageFacts(files=frozenset([*identity_files("a"), SHOWN_AT]), has_guest_mount=True, opt_empty=True)


def told(facts: ImageFacts = FACTS) -> list[str]:
    return arguments(config(), facts, {"/etc/passwd": 7}, init_fd=3, seccomp_fd=4, info_fd=5)


def pairs(args: list[str], option: str) -> list[str]:
    return [value for name, value in pairwise(args) if name == option]


def test_namespaces_are_all_unshared_and_nested_ones_stay_possible() -> None:
    args = told()
    for wanted in ("--unshare-all", "--die-with-parent", "--new-session", "--clearenv"):
        assert wanted in args
    for never in ("--share-net", "--disable-userns", "--dev-bind", "--cap-add"):
        assert never not in args
    assert pairs(args, "--uid") == pairs(args, "--gid") == ["1000"]
    assert pairs(args, "--seccomp") == ["4"]


def test_only_the_image_and_the_guest_s_code_come_from_the_host_and_read_only() -> None:
    args = told()
    sources = pairs(args, "--ro-bind")
    own = f"{config().folder}/{NAME}"
    assert sources == [config().image_root, own, config().guest_source]
    assert args[args.index(own) + 1] == SHOWN_AT
    assert not any(each.startswith("--bind") for each in args)


def test_an_image_that_has_no_machine_id_gets_none() -> None:
    bare = ImageFacts(files=frozenset(), has_guest_mount=True, opt_empty=True)
    assert SHOWN_AT not in told(bare)


def test_what_can_be_written_is_bounded_memory() -> None:
    args = told()
    for path in ("/tmp", "/run", "/home", "/dev/shm", "/var/tmp"):
        at = args.index(path)
        assert args[at - 1] == "--tmpfs" and args[at - 3] == "--size"
        assert int(args[at - 2]) == config().limits.memory_bytes // 2
    assert pairs(args, "--remount-ro") == ["/dev"]


def test_an_image_without_the_mount_point_gets_one_only_where_nothing_is_hidden() -> None:
    bare = ImageFacts(files=frozenset(), has_guest_mount=False, opt_empty=True)
    args = told(bare)
    assert args[args.index("/opt") - 1] == "--tmpfs" and "/opt" in pairs(args, "--remount-ro")
    with pytest.raises(ImageError, match="/opt"):
        told(ImageFacts(files=frozenset(), has_guest_mount=False, opt_empty=False))


def test_the_environment_has_the_names_the_guest_lives_by() -> None:
    names = environment("ses_x", 9)
    assert names["SESSION_ID"] == "ses_x"
    assert names["DISPLAY"] == ":1"
    assert names["HTTP_PROXY"] == names["HTTPS_PROXY"] == names["https_proxy"] == "http://127.0.0.1:3128"
    assert names["NO_PROXY"] == "localhost,127.0.0.1,::1"
    assert names["TRANSOM_LINK"] == "127.0.0.1:4001"
    assert names["TRANSOM_INIT_FD"] == "9"
    assert not any("TOKEN" in name and not name.endswith("_FILE") for name in names)


def test_identity_is_the_machine_s_own() -> None:
    files = identity_files("mch-a")
    assert SHOWN_AT not in files, "a claim writes it anew"
    one, other = fresh_boot_id(), fresh_boot_id()
    assert one != other and f"{UUID(one.strip())}\n" == one and UUID(one.strip()).version == 4
    assert "user:x:1000:1000" in files["/etc/passwd"]
    assert files["/etc/resolv.conf"] == ""


def test_a_sandbox_is_known_by_its_name() -> None:
    name = argv0("mch_abc", tag_of(Path("/var/lib/transom/machines/mch_abc")))
    match = ARGV0.fullmatch(name)
    assert match and match["machine"] == "mch_abc"
    assert match["tag"] == tag_of(Path("/var/lib/transom/machines/other"))
    assert match["tag"] != tag_of(Path("/home/u/machines/mch_abc"))
