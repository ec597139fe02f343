"""Namespaces are a thread's own, and the thread ends with them."""

from __future__ import annotations

import os
import threading

import pytest

from transom_helper import namespaces


def own_network() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


def test_what_is_done_apart_leaves_nothing_behind() -> None:
    before, threads = own_network(), threading.active_count()

    def leave() -> int:
        namespaces.unshare(namespaces.CLONE_NEWNET)
        return own_network()

    assert namespaces.apart(leave) != before
    assert own_network() == before
    assert threading.active_count() == threads


def test_an_error_comes_through() -> None:
    def fail() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        namespaces.apart(fail)


def test_a_call_that_fails_says_which_and_why() -> None:
    with pytest.raises(OSError, match="setns: Bad file descriptor"):
        namespaces.apart(lambda: namespaces.enter(-1, namespaces.CLONE_NEWNET))


def test_same_file(tmp_path: object) -> None:
    with open("/proc/self/ns/net") as network:
        assert namespaces.same_file(network.fileno(), "/proc/self/ns/net")
        assert not namespaces.same_file(network.fileno(), "/proc/self/ns/mnt")
