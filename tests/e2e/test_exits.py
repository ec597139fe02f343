"""Two users, two addresses, seen by a web server on the far side and in the streamed picture; exits that die,
are drained, and outlive the controller. The proxies are real, each with an address of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Browser, BrowserContext, Page, picture_colour, wait_rung
from tests.support.exit_lab import WEB, ExitLab, exit_lab
from tests.support.far_page import colour
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.machine, pytest.mark.browser]
FAR_PAGE = Path(__file__).resolve().parents[1] / "support" / "far_page.py"
PORT = 8090
PAGE = f"http://{WEB}:{PORT}"


@dataclass
class Far:
    lab: ExitLab
    log: Path

    def notes(self, what: str = "request") -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [note for line in lines if (note := json.loads(line))["what"] == what]

    def callers(self, target: str) -> list[str]:
        return [note["address"] for note in self.notes() if note["target"] == target]


@pytest.fixture(scope="module")
def far() -> Iterator[Far]:
    with exit_lab(["tinyproxy", "squid", "dante"]) as lab:
        log = lab.folder / "far-page.log"
        process = lab.far.node.start(
            sys.executable, str(FAR_PAGE), str(PORT), str(log), log=log.with_suffix(".err")
        )
        yield Far(lab, log)
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="module")
def server(far: Far) -> Iterator[Server]:
    settings = {
        "TRANSOM_EXIT_ECHO_URL": far.lab.far.url("/ip"),
        "TRANSOM_EXIT_CHECK_SECONDS": "2",
        "TRANSOM_TICK_SECONDS": "0.5",
    }
    with running_server(settings) as started:
        lines = "\n".join(proxy.url for proxy in far.lab.proxies)
        command = [sys.executable, "-m", "transom", "exit", "import", "-", "--state", str(started.state)]
        added = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60)
        assert added.stdout.strip() == "3 exits added, 0 were known", added.stderr
        yield started
        assert "Traceback" not in started.log(), started.log()[-6000:]
        for proxy in far.lab.proxies:
            assert proxy.password not in started.log()


class Person:
    """A user with a browser of their own."""

    def __init__(self, name: str, browser: Browser, server: Server) -> None:
        self.server = server
        with server.client() as root:
            self.id = root.post("/api/users", json={"name": name}).raise_for_status().json()["id"]
            key = root.post(f"/api/users/{self.id}/key").raise_for_status().json()["key"]
        self.context: BrowserContext = browser.new_context(viewport={"width": 1400, "height": 900})
        page = self.context.new_page()
        page.goto(f"{server.url}/?key={key}")
        page.wait_for_url("**/dashboard/remote-cli")
        page.close()

    def ask(self, method: str, path: str, **body: Any) -> Any:
        headers = {"Origin": self.server.url}
        answer = self.context.request.fetch(
            f"{self.server.url}{path}", method=method, headers=headers, data=body or None
        )
        assert answer.ok, answer.text()
        return answer.json() if answer.body() else None

    def own(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", "/api/exit")
        return found

    def open(self, url: str) -> Page:
        session = self.ask("POST", "/api/sessions", start_url=url)["id"]
        self.server.wait_for(session, "ready", seconds=90)
        page = self.context.new_page()
        page.goto(f"{self.server.url}/session/{session}")
        wait_rung(page, "webrtc", "webrtc-relay", "vnc", seconds=60)
        return page

    def end(self) -> None:
        for session in self.ask("GET", "/api/sessions"):
            if session["state"] not in ("ended", "failed"):
                self.ask("DELETE", f"/api/sessions/{session['id']}")
        self.context.close()


@pytest.fixture
def person(browser: Browser, server: Server) -> Iterator[Callable[[str], Person]]:
    made: list[Person] = []

    def make(name: str) -> Person:
        made.append(Person(name, browser, server))
        return made[-1]

    yield make
    for each in made:
        each.end()
        with server.client() as root:
            root.delete(f"/api/users/{each.id}").raise_for_status()


def until(what: str, true: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, what
        time.sleep(0.2)
    return found


def shows(page: Page, address: str) -> Callable[[], bool]:
    wanted = colour(address)

    def near() -> bool:
        seen = picture_colour(page, 0.5, 0.6)
        return all(abs(a - b) < 30 for a, b in zip(seen, wanted, strict=True))

    return near


def own_proxy(far: Far, user: Person) -> Any:
    address = until("an address", lambda: user.own()["address"])
    return next(proxy for proxy in far.lab.proxies if proxy.address == address)


def test_two_users_leave_by_two_addresses_as_seen_from_far_and_in_the_picture(
    far: Far, person: Callable[[str], Person]
) -> None:
    ada, bob = person("ada"), person("bob")
    pages = {each: each.open(f"{PAGE}/colour?{each.id}") for each in (ada, bob)}
    addresses = {}
    for each, page in pages.items():
        proxy = own_proxy(far, each)
        addresses[each] = proxy.address
        until("the far side is asked", lambda each=each: far.callers(f"/colour?{each.id}"))
        assert set(far.callers(f"/colour?{each.id}")) == {proxy.address}
        until("the picture has the caller's colour", shows(page, proxy.address))
        page.get_by_text(f"You leave by {proxy.address}").wait_for()
    assert addresses[ada] != addresses[bob]
    until("what was moved is shown", lambda: ada.own()["bytes_down"] > 0)
    with ada.server.client() as root:
        leases = {each["name"]: each["address"] for each in root.get("/api/exits/leases").json()}
    assert leases == {"ada": addresses[ada], "bob": addresses[bob]}


def test_a_dead_exit_is_said_and_a_drained_one_moves_its_user(
    far: Far, person: Callable[[str], Person]
) -> None:
    user = person("cy")
    page = user.open(f"{PAGE}/colour?{user.id}")
    proxy = own_proxy(far, user)
    until("the picture has the caller's colour", shows(page, proxy.address))
    proxy.stop()
    try:
        page.get_by_text("Your exit does not answer at the moment").wait_for(timeout=60_000)
        before = len(far.callers(f"/colour?{user.id}"))
        assert user.own()["exit"], "it is kept for its user"
        with user.server.client() as root:
            kinds = {alert["kind"] for alert in root.get("/api/alerts").json()}
            assert "exit_down" in kinds
            root.post(f"/api/exits/{user.own()['exit']}/drain").raise_for_status()
        page.get_by_text("You have another one now").wait_for(timeout=30_000)
        moved = own_proxy(far, user)
        assert moved.address != proxy.address
        page.locator("#screen").click(position={"x": 300, "y": 300})
        page.keyboard.press("F5")
        until("the picture has the new colour", shows(page, moved.address))
        assert set(far.callers(f"/colour?{user.id}")[before:]) == {moved.address}
    finally:
        proxy.start()
        with user.server.client() as root:
            for exit in root.get("/api/exits").json():
                root.post(f"/api/exits/{exit['id']}/resume").raise_for_status()


def test_a_download_goes_on_while_the_controller_is_killed_and_returns(
    far: Far, person: Callable[[str], Person], server: Server
) -> None:
    user = person("dan")
    page = user.open(f"{PAGE}/drip?{user.id}")

    def pieces() -> int:
        mine = [note for note in far.notes("drip") if note["target"] == f"/drip?{user.id}"]
        return max((note["number"] for note in mine), default=0)

    until("the download has begun", lambda: pieces() >= 10)
    address = own_proxy(far, user).address
    server.kill()
    killed_at = pieces()
    until("it goes on without a controller", lambda: pieces() >= killed_at + 20)
    server.start()
    started_at = pieces()
    until("the same lease is told", lambda: user.own()["address"] == address)
    until("it goes on with the next controller", lambda: pieces() >= started_at + 50)
    mine = [note for note in far.notes() if note["target"] == f"/drip?{user.id}"]
    assert len(mine) == 1, "one request, one connection"
    assert not [note for note in far.notes("cut") if note["target"] == f"/drip?{user.id}"]
    until("what was moved is counted once", lambda: user.own()["bytes_down"] > 0)
    assert user.own()["bytes_down"] < (pieces() + 100) * 1400
    page.close()
