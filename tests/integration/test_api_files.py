"""Files over HTTP to the guest's own program: names, limits, the scan, a full disk, who may, what is written down."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api import Api, serving
from tests.support.guest_files import GuestFiles
from transom.api import files as route
from transom.files import pace
from transom_wire.files import MOST_FILES

MIB = 2**20


@dataclass
class Bench:
    api: Api
    client: httpx.AsyncClient
    session: str
    guest: GuestFiles

    def url(self, name: str = "") -> str:
        return f"/api/sessions/{self.session}/files" + (f"/{name}" if name else "")

    async def put(self, name: str, content: Any) -> httpx.Response:
        return await self.client.put(self.url(name), content=content)

    async def trail(self) -> list[tuple[str, str, dict[str, str]]]:
        lines = (await self.client.get("/api/audit")).json()
        found = [(line["action"], line["outcome"], line["detail"]) for line in lines]
        return [line for line in reversed(found) if line[0].startswith("file_")]


@asynccontextmanager
async def bench_of(folder: Path, *, file_bytes: int | None = None, **settings: Any) -> AsyncIterator[Bench]:
    home = folder / "home"
    home.mkdir()
    guest = GuestFiles(home, file_bytes)
    async with serving(folder / "state", **settings) as api:
        api.driver.stream = guest.open
        client = await api.client(await api.user("ada"))
        yield Bench(api, client, await api.ready_session(client), guest)
        await client.aclose()
    await guest.ended()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_of(tmp_path, files_mib=1, files_most=3) as made:
        yield made


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_up_down_list_remove_and_a_line_for_each(bench: Bench) -> None:
    content = os.urandom(300_000)
    assert (await bench.put("übung 1.bin", content)).json() == {"name": "übung 1.bin", "size": 300_000}
    listed = (await bench.client.get(bench.url())).json()
    assert [(each["name"], each["size"]) for each in listed["files"]] == [("übung 1.bin", 300_000)]
    assert (listed["policy"], listed["most_bytes"], listed["more"]) == ("both", MIB, False)
    got = await bench.client.get(bench.url("übung 1.bin"))
    assert got.content == content
    assert got.headers["content-length"] == "300000"
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%BCbung%201.bin"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]
    assert (await bench.client.delete(bench.url("übung 1.bin"))).status_code == 204
    assert bench.guest.names() == []
    detail = {"name": "übung 1.bin", "bytes": "300000"}
    assert await bench.trail() == [
        ("file_up", "ok", detail),
        ("file_down", "ok", detail),
        ("file_remove", "ok", detail),
    ]
    assert {kind for _, kind in bench.api.driver.streams} == {"files"}


async def test_a_body_without_a_length_and_an_empty_one(bench: Bench) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 1000

    assert (await bench.put("a", parts())).json()["size"] == 5000
    assert (await bench.put("empty", b"")).status_code == 201
    assert (await bench.client.get(bench.url("empty"))).content == b""


@pytest.mark.parametrize(
    "name", [".bashrc", "%2e%2e", "a%00b", "a%0ab", "a%5cb", "x" * 201, "%E2%80%AEa", "u%CC%88%00"]
)
async def test_names_that_no_file_has(bench: Bench, name: str) -> None:
    for method in ("PUT", "GET", "DELETE"):
        answer = await bench.client.request(method, bench.url(name), content=b"x")
        assert code(answer) == (422, "name"), answer.text
    assert not bench.guest.folder.exists()


async def test_a_name_that_is_taken_apart_is_that_of_the_same_letters_as_they_are_typed(bench: Bench) -> None:
    apart, typed = "u%CC%88.txt", "\u00fc.txt"
    assert (await bench.put(apart, b"1")).json() == {"name": typed, "size": 1}
    assert (await bench.put("%C3%BC.txt", b"22")).json() == {"name": typed, "size": 2}
    assert bench.guest.names() == [typed]
    assert (await bench.client.get(bench.url(apart))).content == b"22"
    assert (await bench.client.delete(bench.url(apart))).status_code == 204
    assert bench.guest.names() == []


async def test_an_emoji_that_is_newer_than_our_tables_is_in_a_name(bench: Bench) -> None:
    name = "\U0001fabf\U0001fae9.txt"
    assert (await bench.put(name, b"1")).json() == {"name": name, "size": 1}
    assert [each["name"] for each in (await bench.client.get(bench.url())).json()["files"]] == [name]
    assert (await bench.client.get(bench.url(name))).content == b"1"


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "a%2fb"])
async def test_a_path_is_no_name(bench: Bench, name: str) -> None:
    assert (await bench.client.get(bench.url(name))).status_code == 404
    assert (await bench.put(name, b"x")).status_code == 404
    assert not bench.guest.folder.exists()


async def test_limits(bench: Bench) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield bytes(64 * 1024)

    assert code(await bench.put("large", bytes(MIB + 1))) == (413, "too_large")
    assert code(await bench.put("large", endless())) == (413, "too_large")
    for name in "abc":
        assert (await bench.put(name, b"1")).status_code == 201
    assert code(await bench.put("d", b"1")) == (409, "too_many_files")
    assert (await bench.put("a", b"22")).status_code == 201
    assert bench.guest.names() == ["a", "b", "c"]
    (bench.guest.folder / "grown").write_bytes(bytes(MIB + 1))
    assert code(await bench.client.get(bench.url("grown"))) == (413, "too_large")
    assert code(await bench.client.get(bench.url("missing"))) == (404, "not_found")


async def test_a_new_file_replaces_none_also_beyond_the_list(tmp_path: Path) -> None:
    new = {"If-None-Match": "*"}
    async with bench_of(tmp_path) as bench:
        assert (await bench.client.put(bench.url("zz"), content=b"precious", headers=new)).status_code == 201
        for number in range(MOST_FILES):
            (bench.guest.folder / f"a{number:04d}").write_bytes(b"")
        listed = (await bench.client.get(bench.url())).json()
        assert listed["more"] and "zz" not in [each["name"] for each in listed["files"]]
        assert code(await bench.client.put(bench.url("zz"), content=b"x", headers=new)) == (412, "exists")
        assert (bench.guest.folder / "zz").read_bytes() == b"precious"
        assert (await bench.trail())[-1][1] == "exists"
        tag = {"If-None-Match": '"x"'}
        assert code(await bench.client.put(bench.url("zz"), content=b"x", headers=tag))[0] == 422
        assert (await bench.put("zz", b"asked")).status_code == 201
        assert (bench.guest.folder / "zz").read_bytes() == b"asked"


async def test_of_two_that_come_at_once_by_one_new_name_one_is_there(bench: Bench) -> None:
    go = asyncio.Event()

    async def waits(text: bytes) -> AsyncIterator[bytes]:
        yield text
        await go.wait()

    def put(text: bytes) -> Any:
        return bench.client.put(bench.url("a"), content=waits(text), headers={"If-None-Match": "*"})

    both = [asyncio.create_task(put(text)) for text in (b"one", b"two")]
    async with asyncio.timeout(20):
        while len(bench.guest.coming()) < 2:
            await asyncio.sleep(0.01)
    go.set()
    answers = await asyncio.gather(*both)
    assert sorted(each.status_code for each in answers) == [201, 412]
    first = next(text for each, text in zip(answers, (b"one", b"two"), strict=True) if each.is_success)
    assert (bench.guest.folder / "a").read_bytes() == first
    assert bench.guest.names() == ["a"]


async def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    async with bench_of(tmp_path, file_bytes=100_000) as bench:
        assert code(await bench.put("a", bytes(900_000))) == (507, "full")
        assert bench.guest.names() == []
        assert (await bench.trail())[-1][1] == "full"


async def test_a_viewer_that_stalls_or_goes_leaves_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "STALL_S", 0.5)
    monkeypatch.setattr(route, "DRAIN_S", 0.1)

    async def stalls() -> AsyncIterator[bytes]:
        yield bytes(1000)
        await asyncio.sleep(3)
        yield b"x"

    async def dribbles() -> AsyncIterator[bytes]:
        for pause in (0.4, 2.0, 0.0):
            yield b"x"
            await asyncio.sleep(pause)

    answer = await bench.put("a", stalls())
    assert code(answer) == (408, "too_slow")
    monkeypatch.setattr(pace, "WINDOW_S", 0.3)
    assert code(await bench.put("c", dribbles())) == (408, "too_slow")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await bench.put("b", stalls())
    await bench.guest.ended()
    assert bench.guest.names() == []


async def test_a_download_that_nobody_takes_is_cut(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "STALL_S", 0.5)
    bench.guest.folder.mkdir()
    (bench.guest.folder / "a").write_bytes(bytes(MIB))
    bench.api.parts.settings.__dict__["files_mib"] = 64
    (bench.guest.folder / "big").write_bytes(bytes(64 * MIB))
    async with bench.client.stream("GET", bench.url("big")) as answer:
        assert answer.status_code == 200
        await bench.guest.ended()
    assert (await bench.trail())[-1][1] == "cut"


async def test_only_so_many_at_once(bench: Bench) -> None:
    go = asyncio.Event()

    async def waits() -> AsyncIterator[bytes]:
        yield b"x"
        await go.wait()

    going = [asyncio.create_task(bench.put(f"{n}", waits())) for n in range(4)]
    async with asyncio.timeout(20):
        while len(bench.guest.coming()) < 4:
            await asyncio.sleep(0.01)
    refused = await bench.put("more", b"x")
    assert code(refused) == (429, "too_many")
    assert int(refused.headers["retry-after"]) >= 1
    assert (await bench.client.get(bench.url())).json()["files"] == [], "a look at them waits for no transfer"
    go.set()
    await asyncio.gather(*going)
    for name in ("0", "1", "2", "3"):
        assert (await bench.client.delete(bench.url(name))).status_code == 204
    assert (await bench.put("more", b"x")).status_code == 201


SCAN = """#!/bin/sh
case "$(stat -c %a "$1")" in 600) ;; *) exit 3 ;; esac
if grep -q BAD "$1"; then echo 'Eicar-Test <b>found</b>'; exit 1; fi
if grep -q ODD "$1"; then exit 2; fi
exit 0
"""


@pytest.mark.parametrize("way", ["up", "down"])
async def test_the_scan_stands_before_both_ways(tmp_path: Path, way: str) -> None:
    scan = tmp_path / "scan"
    scan.write_text(SCAN)
    scan.chmod(0o755)
    async with bench_of(tmp_path, files_scan=str(scan)) as bench:
        bench.guest.folder.mkdir()
        for text, status, word in (
            (b"good", 0, ""),
            (b"BAD", 403, "scan_refused"),
            (b"ODD", 503, "scan_unavailable"),
        ):
            if way == "down":
                (bench.guest.folder / "a").write_bytes(text)
                answer = await bench.client.get(bench.url("a"))
            else:
                answer = await bench.put("a", text)
            if status:
                assert code(answer) == (status, word)
                assert text not in answer.content
            else:
                assert answer.is_success
        assert (bench.guest.folder / "a").read_bytes() == (b"good" if way == "up" else b"ODD")
        assert os.listdir(bench.api.settings.state / "spool") == []
        assert [outcome for _, outcome, _ in await bench.trail()] == [
            "ok",
            "scan_refused",
            "scan_unavailable",
        ]


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize(
    ("exits", "status", "word"), [(1, 403, "scan_refused"), (0, 503, "scan_unavailable")]
)
async def test_a_scan_that_takes_the_file_away(
    tmp_path: Path, way: str, exits: int, status: int, word: str
) -> None:
    """`clamscan --remove` and `--move` do."""
    scan = tmp_path / "scan"
    scan.write_text(f'#!/bin/sh\nrm -f "$1"\necho Eicar FOUND\nexit {exits}\n')
    scan.chmod(0o755)
    async with bench_of(tmp_path, files_scan=str(scan)) as bench:
        bench.guest.folder.mkdir()
        if way == "down":
            (bench.guest.folder / "a").write_bytes(b"x")
            answer = await bench.client.get(bench.url("a"))
        else:
            answer = await bench.put("a", b"x")
        assert code(answer) == (status, word)
        assert [outcome for _, outcome, _ in await bench.trail()] == [word]
        assert bench.guest.names() == (["a"] if way == "down" else [])


@pytest.mark.parametrize(("policy", "up", "down"), [("off", 403, 403), ("up", 201, 403), ("down", 403, 404)])
async def test_the_operator_says_which_way(tmp_path: Path, policy: str, up: int, down: int) -> None:
    async with bench_of(tmp_path, files=policy) as bench:
        assert (await bench.client.get(bench.url())).json()["policy"] == policy
        assert (await bench.put("a", b"x")).status_code == up
        assert (await bench.client.get(bench.url("a"))).status_code == down


async def test_a_session_that_is_over_and_a_machine_that_is_away(bench: Bench) -> None:
    bench.api.driver.stream = None
    assert (await bench.put("a", b"x")).status_code == 503
    ended = await bench.api.ended_session(bench.client)
    assert (await bench.client.put(f"/api/sessions/{ended}/files/a", content=b"x")).status_code == 410
    assert (await bench.client.get(f"/api/sessions/{ended}/files")).status_code == 410


async def test_a_large_file_both_ways(tmp_path: Path) -> None:
    async with bench_of(tmp_path, files_mib=64) as bench:
        digest = hashlib.sha256()

        async def content() -> AsyncIterator[bytes]:
            for n in range(512):
                data = bytes([n % 256]) * 65536
                digest.update(data)
                yield data

        assert (await bench.put("big", content())).json()["size"] == 32 * MIB
        back = hashlib.sha256()
        async with bench.client.stream("GET", bench.url("big")) as answer:
            async for data in answer.aiter_bytes():
                back.update(data)
        assert back.digest() == digest.digest()


async def test_a_name_that_is_not_utf_8_is_refused_and_nothing_is_written(bench: Bench) -> None:
    for spelling in ("%ff", "%fe", "%c3", "a%80b", "%ed%a0%80", "%ef%bf%bd%ff"):
        assert code(await bench.put(spelling, b"1")) == (422, "name"), spelling
        assert code(await bench.client.get(bench.url(spelling))) == (422, "name")
        assert code(await bench.client.delete(bench.url(spelling))) == (422, "name")
    assert (await bench.client.get(bench.url())).json()["files"] == []
    assert (await bench.put("%ef%bf%bd", b"1")).json() == {"name": "\ufffd", "size": 1}, "a sign as others"
