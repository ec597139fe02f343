"""A network is whole, or nothing of it is left. What passes it is in tests/integration/test_helper_network.py."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from transom_helper import network
from transom_helper.refusal import Refusal


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(("open_tap", "doors"), [(True, 12), (False, 1), (True, 64)])
def test_descriptors_in_their_order(open_tap: bool, doors: int) -> None:
    made = network.make(64_001, doors, open_tap=open_tap)
    namespace, *sockets = made.descriptors
    tap = sockets.pop() if open_tap else None
    assert namespace == made.namespace
    assert os.readlink(f"/proc/self/fd/{namespace}").startswith("net:[")
    names = []
    for each in sockets:
        with socket.socket(fileno=os.dup(each)) as one:
            names.append((one.type, *one.getsockname()))
    assert names[0] == (socket.SOCK_STREAM, "192.168.100.1", 4001)
    assert names[1] == (socket.SOCK_STREAM, "192.168.100.1", 3128)
    assert names[2:] == [(socket.SOCK_DGRAM, "192.168.100.1", 4100 + each) for each in range(doors)]
    assert (tap is not None) == open_tap
    assert not any(os.get_inheritable(each) for each in made.descriptors)
    for each in made.descriptors:
        os.close(each)


@pytest.mark.parametrize("script", ["exit 1", "echo 'a rule is not known' >&2; exit 1", "exec sleep 60"])
def test_without_its_rules_there_is_no_network(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nft = tmp_path / "nft"
    nft.write_text(f"#!/bin/sh\n{script}\n")
    nft.chmod(0o755)
    monkeypatch.setattr(network, "_PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(network, "NFT_SECONDS", 0.3)
    before = descriptors(), threading.active_count()
    with pytest.raises(Refusal):
        network.make(64_001, 12, open_tap=True)
    assert (descriptors(), threading.active_count()) == before  # nobody is left to hold it


def test_without_nft_the_mend_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_PATH", str(tmp_path))
    with pytest.raises(Refusal) as refused:
        network.make(64_001, 12, open_tap=True)
    assert refused.value.mend == "apt-get install nftables"
