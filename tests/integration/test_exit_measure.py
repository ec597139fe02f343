"""An exit's own address, asked through real proxies, from a far side that the host cannot reach by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.exit_lab import ExitLab, Proxy, exit_lab
from transom.egress.measure import NotMeasured, direct, through
from transom.model.exit import Upstream

pytestmark = pytest.mark.alone

KINDS = ["tinyproxy", "squid", "squid-tls", "dante"]


@pytest.fixture(scope="module")
def lab() -> Iterator[ExitLab]:
    with exit_lab(KINDS) as made:
        yield made


@pytest.fixture(autouse=True)
def trust(lab: ExitLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(lab.ca))


def upstream(proxy: Proxy) -> Upstream:
    return Upstream(proxy.scheme, proxy.host, proxy.port, proxy.username, proxy.password)


@pytest.mark.parametrize("number", range(len(KINDS)), ids=KINDS)
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_each_kind_of_exit_tells_its_own_address(lab: ExitLab, number: int, tls: bool) -> None:
    proxy = lab.proxies[number]
    found = await through(upstream(proxy), lab.far.url("/ip", tls=tls))
    assert found.address == proxy.address
    assert 0 < found.latency_ms < 10_000
    assert lab.far.seen()[-1]["address"] == proxy.address, "the far side saw what was said"


async def test_two_exits_two_addresses(lab: ExitLab) -> None:
    found = await asyncio.gather(*(through(upstream(each), lab.far.url("/ip")) for each in lab.proxies))
    assert len({each.address for each in found}) == len(KINDS)


@pytest.mark.parametrize("number", range(len(KINDS)), ids=KINDS)
async def test_a_wrong_password_is_the_exit_s_word_and_is_not_quoted(lab: ExitLab, number: int) -> None:
    wrong = replace(upstream(lab.proxies[number]), password="wrong-secret")
    with pytest.raises(NotMeasured) as refused:
        await through(wrong, lab.far.url("/ip", tls=True))
    assert "secret" not in str(refused.value)
    assert wrong.username is not None
    assert wrong.username not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/redirect", "redirect"),
        ("/status/500", "500"),
        ("/bytes/100000", "too much"),
        ("/bytes/7", "address"),
    ],
)
async def test_what_is_no_answer_is_none(lab: ExitLab, path: str, why: str) -> None:
    with pytest.raises(NotMeasured, match=why):
        await through(upstream(lab.proxies[0]), lab.far.url(path))


async def test_a_dead_exit_is_to_blame_and_a_host_without_a_way_says_so(lab: ExitLab) -> None:
    lab.proxies[0].stop()
    try:
        with pytest.raises(NotMeasured) as failed:
            await through(upstream(lab.proxies[0]), lab.far.url("/ip"))
        assert failed.value.own
    finally:
        lab.proxies[0].start()
    with pytest.raises(NotMeasured) as lost:
        await direct(lab.far.url("/ip"))
    assert not lost.value.own


async def test_without_an_echo_service_the_port_is_tried(lab: ExitLab) -> None:
    found = await through(upstream(lab.proxies[0]), None)
    assert found.address is None
    with pytest.raises(NotMeasured):
        await through(replace(upstream(lab.proxies[0]), port=1), None)
