"""The lab itself: what tests of exits build on has to be true."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.exit_lab import LOST, ExitLab, Proxy, exit_lab

pytestmark = pytest.mark.alone


def curl(lab: ExitLab, proxy: Proxy, url: str, seconds: int = 20) -> str:
    trust = ["--cacert", str(lab.ca), "--proxy-cacert", str(lab.ca)]
    words = ["curl", "-sSf", "--max-time", str(seconds), *trust]
    by = proxy.url.replace("socks5:", "socks5h:")
    return subprocess.run([*words, "-x", by, url], check=True, capture_output=True, text=True).stdout.strip()


def links() -> str:
    return subprocess.run(["ip", "-br", "link"], check=True, capture_output=True, text=True).stdout


def test_each_exit_has_an_address_of_its_own_and_nothing_is_left() -> None:
    kinds = ["tinyproxy", "squid", "squid-tls", "dante", "dante"]
    with exit_lab(kinds, host_reaches_far=True) as lab:
        seen = [curl(lab, proxy, lab.far.url("/ip", tls=True)) for proxy in lab.proxies]
        assert seen == [proxy.address for proxy in lab.proxies]
        assert len({*seen, lab.host_address}) == len(kinds) + 1
        assert [fact["address"] for fact in lab.far.seen()] == seen
        by6 = curl(lab, lab.proxy("dante"), "http://web6.lab.example/ip")
        assert by6 == lab.proxy("dante").address6
        folder, named = lab.folder, [proxy.link for proxy in lab.proxies]
        assert all(link in links() for link in named)
    assert not folder.exists()
    assert not any(link in links() for link in named)


def test_an_exit_can_die_hang_and_vanish() -> None:
    with exit_lab(["tinyproxy"]) as lab:
        proxy = lab.proxies[0]
        url = lab.far.url("/ip")
        for harm, mend in (
            (proxy.stop, proxy.start),
            (proxy.freeze, lambda: proxy.freeze(False)),
            (proxy.unplug, lambda: proxy.unplug(False)),
        ):
            harm()
            with pytest.raises(subprocess.CalledProcessError):
                curl(lab, proxy, url, seconds=1)
            mend()
            assert curl(lab, proxy, url) == proxy.address


def test_a_capture_sees_what_passes_and_names_resolve_at_the_exit_only() -> None:
    with exit_lab(["dante"]) as lab:
        with lab.capture() as packets:
            curl(lab, lab.proxies[0], lab.far.url("/ip"))
            with pytest.raises(subprocess.CalledProcessError):
                curl(lab, lab.proxies[0], f"http://{LOST}/")
        assert packets.lines(f"tcp and host {lab.proxies[0].address}")
        assert not packets.lines("udp")
        assert "lab.example" not in Path("/etc/hosts").read_text()
