"""The session page in a real Chromium, in front of a fake guest: picture, input, and up and down the ladder."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Route

from tests.support.browser import Page, picture_colour, wait_rung
from tests.unit.web.conftest import VNC_COLOUR, open_session, wait_until
from tests.unit.web.fake_controller import SESSION, FakeController
from transom.api.quality_bodies import Stats

pytestmark = pytest.mark.browser
SCREENS = "document.querySelectorAll('[id=screen]').length"


def near(seen: tuple[int, int, int], wanted: tuple[int, int, int]) -> bool:
    """Video moves a colour by a few steps."""
    return all(abs(a - b) < 30 for a, b in zip(seen, wanted, strict=True))


def live(page: Page, controller: FakeController, rung: str = "webrtc") -> None:
    """Open the page of a session that is ready, and wait for its picture."""
    controller.ready()
    open_session(page, controller)
    wait_rung(page, rung)


def wait_colour(page: Page, wanted: tuple[int, int, int]) -> None:
    wait_until(lambda: near(picture_colour(page, 0.3, 0.3), wanted), f"{wanted}")


def test_the_picture_is_live_without_a_click(page: Page, controller: FakeController) -> None:
    lines: list[str] = []
    page.on("console", lambda said: lines.append(said.text))
    live(page, controller)
    wait_colour(page, controller.guest.colour)
    assert "[WebRTC] Connection state: connecting" in lines
    assert "[WebRTC] Connection state: connected" in lines
    assert page.evaluate(SCREENS) == 1
    assert page.locator("#screen").is_visible()
    assert page.get_by_role("status").filter(has_text="Reconnecting").count() == 0
    wait_until(lambda: any(beat.get("first_frame") for beat in controller.heartbeats), "a heartbeat")
    beat = next(beat for beat in controller.heartbeats if beat.get("first_frame"))
    assert beat["rung"] == "webrtc"
    assert beat["epoch"] == 1


def test_stages_are_shown_while_the_machine_starts(page: Page, controller: FakeController) -> None:
    open_session(page, controller)
    page.get_by_role("heading", name="Preparing your desktop").wait_for()
    assert page.get_by_role("button", name="Open VM Desktop (WebRTC)").is_disabled()
    controller.change(state="booting", timeline={"accepted": 2, "machine": 340, "guest": 900})
    page.locator("#stages [data-state=current]").filter(has_text="Display up").wait_for()
    assert "340 ms" in page.locator("#stages").inner_text()
    assert page.evaluate("window.transom.state") == "waiting"
    controller.ready()
    wait_rung(page, "webrtc")
    assert page.locator("#cover").is_hidden()
    assert page.get_by_role("button", name="Open VM Desktop (WebRTC)").is_enabled()


def test_the_surface_says_how_it_goes(page: Page, controller: FakeController) -> None:
    live(page, controller)
    wait_until(lambda: page.evaluate("window.transom.stats()")["frames"] > 30, "thirty frames")
    stats = page.evaluate("window.transom.stats()")
    assert set(stats) == set(Stats.model_fields)
    Stats.model_validate(stats)
    assert (stats["remote"], stats["transport"], stats["freezes"]) == ("host", "udp", 0)
    assert stats["latency_ms"] is None
    assert 5 < stats["fps"] < 40
    assert stats["kbps"] > 0
    assert stats["rtt_ms"] >= 0
    assert stats["loss"] == 0
    assert page.evaluate("[window.transom.state, window.transom.rung, window.transom.epoch]") == [
        "live",
        "webrtc",
        1,
    ]


def test_a_black_picture_is_none(page: Page, controller: FakeController) -> None:
    """However long it takes here: for this page a picture that stays black never counts, and nothing else is tried."""
    guest = controller.guest
    guest.colour = (0, 0, 0)

    fetched = []

    def patient(route: Route) -> None:
        fetched.append(text := route.fetch().text())
        route.fulfill(
            body=re.sub(r"(blackMs|fallMs|prepareMs): \d+", r"\1: 1e9", text), content_type="text/javascript"
        )

    page.route("**/limits.js*", patient)
    controller.ready()
    with page.expect_console_message(lambda said: said.text == "[WebRTC] Connection state: connected"):
        open_session(page, controller)
    seen = guest.pictures
    wait_until(lambda: guest.pictures > seen + 30, "thirty pictures")
    assert fetched and page.evaluate("[window.transom.state, window.transom.rung]") == ["connecting", None]
    guest.colour = (40, 90, 200)
    wait_rung(page, "webrtc")


def test_input_reaches_the_guest(page: Page, controller: FakeController) -> None:
    guest = controller.guest
    live(page, controller)
    page.wait_for_function("() => document.querySelector('#side').clientWidth > 0")
    wait_until(lambda: guest.got("s"), "the size of the room")
    wait_until(lambda: guest.size == (1064, 844), "the desktop's new size")
    page.wait_for_function("() => document.getElementById('screen').width === 1064")
    box = page.locator("#screen").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 50, box["y"] + 40)
    page.mouse.move(box["x"] + 100, box["y"] + 80)
    wait_until(lambda: guest.got("m", lambda m: m[2:] == [100, 80]), "the move")
    page.mouse.down()
    page.mouse.up()
    page.mouse.click(box["x"] + 10, box["y"] + 12, button="right")
    wait_until(lambda: len(guest.got("b")) == 4, "the buttons")
    assert [m[2:] for m in guest.got("b")] == [
        [100, 80, 1, 1],
        [100, 80, 1, 0],
        [10, 12, 3, 1],
        [10, 12, 3, 0],
    ]
    page.mouse.wheel(0, 240)
    wait_until(lambda: guest.got("w", lambda m: m[4:] == [0, 1]), "the wheel")
    page.keyboard.press("Shift+A")
    page.keyboard.press("Enter")
    wait_until(lambda: len(guest.got("k")) == 6, "the keys")
    assert [m[2:] for m in guest.got("k")] == [
        [0xFFE1, 1],
        [0x41, 1],
        [0x41, 0],
        [0xFFE1, 0],
        [0xFF0D, 1],
        [0xFF0D, 0],
    ]
    page.keyboard.insert_text("日本語 😀")
    wait_until(lambda: guest.got("t", lambda m: m[2] == "日本語 😀"), "the text")
    numbers = sorted(m[1] for m in [*guest.control, *guest.motion] if m[0] != "p")
    assert len(set(numbers)) == len(numbers), "one counter for both channels"


def test_held_keys_are_repeated_and_let_go_on_leaving(page: Page, controller: FakeController) -> None:
    guest = controller.guest
    live(page, controller)
    page.locator("#screen").focus()
    page.keyboard.down("Control")
    wait_until(lambda: guest.got("h", lambda m: m[2] == [0xFFE3]), "the heartbeat of held keys")
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    wait_until(lambda: guest.got("r"), "the release")
    count = len(guest.got("h"))
    page.wait_for_timeout(1300)
    assert len(guest.got("h")) == count


def test_a_key_whose_release_went_elsewhere_keeps_no_sign_of_it(
    page: Page, controller: FakeController
) -> None:
    guest, screen = controller.guest, page.locator("#screen")
    live(page, controller)
    screen.focus()
    page.keyboard.down("g")
    page.locator("#use-vnc").focus()
    page.keyboard.up("g")
    screen.focus()
    page.keyboard.press("Shift+G")
    # an input method begins while a key is down
    page.keyboard.down("h")
    page.evaluate(
        "document.activeElement.dispatchEvent(new KeyboardEvent('keyup', "
        "{ code: 'KeyH', key: 'h', isComposing: true, bubbles: true, cancelable: true }))"
    )
    page.keyboard.press("Shift+H")
    wait_until(lambda: len(guest.got("k")) == 11, "the keys")
    g, h = [[0x67, 1]], [[0x68, 1], [0x68, 0]]
    upper = [[[0xFFE1, 1], [sign, 1], [sign, 0], [0xFFE1, 0]] for sign in (0x47, 0x48)]
    assert [m[2:] for m in guest.got("k")] == [*g, *upper[0], *h, *upper[1]]


def test_the_keyboard_comes_back_to_the_page(page: Page, controller: FakeController) -> None:
    live(page, controller)
    page.locator("#screen").click()
    page.keyboard.press("Control+Alt+Shift")
    page.wait_for_function("() => document.activeElement.id === 'use-vnc'")


def test_a_phones_keyboard_is_wanted_on_either_rung(page: Page, controller: FakeController) -> None:
    live(page, controller)
    # where a finger is what points the button is seen
    press = "document.getElementById('keyboard').click()"
    state = """() => {
        const button = document.getElementById('keyboard');
        const field = document.querySelector('.layer.seen .keys');
        return [field.inputMode, button.getAttribute('aria-pressed'), button.disabled];
    }"""
    page.evaluate(press)
    assert page.evaluate(state) == ["text", "true", False]
    page.evaluate("window.transom.use('vnc')")
    wait_rung(page, "vnc")
    assert page.evaluate(state) == ["text", "true", False]
    page.evaluate(press)
    assert page.evaluate(state) == ["none", "false", False]


def test_the_pointer_takes_the_guests_shape(page: Page, controller: FakeController) -> None:
    live(page, controller)
    page.wait_for_function("() => document.querySelector('.layer.seen').style.cursor.startsWith('url(')")
    controller.guest.say(["cursor", 0, 0, 0, ""])
    page.wait_for_function("() => document.querySelector('.layer.seen').style.cursor === 'none'")


def test_nonsense_from_the_guest_changes_nothing(page: Page, controller: FakeController) -> None:
    live(page, controller)
    for nonsense in (
        ["size", "a", -1],
        ["size"],
        ["cursor", {}, [], None, 5],
        ["unheard-of"],
        [],
        [[]],
        ["size", 1e9, 3],
    ):
        controller.guest.say(nonsense)
    page.wait_for_timeout(300)
    assert page.evaluate("window.transom.state") == "live"


def test_a_blocked_network_falls_to_novnc_and_climbs_back(page: Page, controller: FakeController) -> None:
    controller.guest.blocked = True
    controller.ready()
    began = time.monotonic()
    open_session(page, controller)
    wait_rung(page, "vnc", seconds=12)
    took = time.monotonic() - began
    print(f"no WebRTC -> noVNC picture after {took:.1f} s")
    assert 4 < took < 9
    wait_colour(page, VNC_COLOUR)
    assert page.evaluate(SCREENS) == 1
    assert page.locator("#badge").inner_text() == "noVNC"
    stats = page.evaluate("window.transom.stats()")
    assert stats["width"] == 800
    assert stats["rtt_ms"] is None
    wait_until(lambda: controller.screens, "the size of the room, by HTTP")
    assert controller.screens[0] == {"width": 1064, "height": 844}
    controller.guest.blocked = False
    page.evaluate("window.dispatchEvent(new Event('online'))")
    wait_rung(page, "webrtc", seconds=40)
    wait_colour(page, controller.guest.colour)
    assert page.evaluate("window.transom.epoch") > 1
    assert page.evaluate(SCREENS) == 1


def test_a_frozen_picture_falls_to_novnc_and_climbs_back(page: Page, controller: FakeController) -> None:
    live(page, controller)
    controller.guest.frozen = True
    began = time.monotonic()
    page.wait_for_function("() => window.transom.rung === 'vnc'", timeout=15_000)
    took = time.monotonic() - began
    print(f"frozen -> noVNC picture after {took:.1f} s")
    assert took < 9
    controller.guest.frozen = False
    wait_rung(page, "webrtc", seconds=40)


def test_the_buttons_switch_at_once_and_back(page: Page, controller: FakeController) -> None:
    live(page, controller)
    began = time.monotonic()
    page.get_by_role("button", name="Use noVNC").click()
    wait_rung(page, "vnc")
    print(f"to noVNC in {time.monotonic() - began:.2f} s")
    page.get_by_role("button", name="Use WebRTC").wait_for()
    wait_until(lambda: "bye 1" in controller.calls, "the goodbye to the peer")
    page.wait_for_timeout(2500)
    assert page.evaluate("window.transom.rung") == "vnc", "a choice stays"
    began = time.monotonic()
    page.get_by_role("button", name="Open VM Desktop (WebRTC)").click()
    wait_rung(page, "webrtc")
    print(f"back to WebRTC in {time.monotonic() - began:.2f} s")
    page.evaluate("window.transom.use('vnc')")
    wait_rung(page, "vnc")
    page.get_by_role("button", name="Use WebRTC").click()
    wait_rung(page, "webrtc")
    assert page.evaluate(SCREENS) == 1


def test_the_bar_keeps_its_buttons_in_the_window_and_the_name_of_each(
    page: Page, controller: FakeController
) -> None:
    live(page, controller)
    page.evaluate("for (const name of ['sound', 'microphone']) document.getElementById(name).hidden = false")
    page.evaluate("document.getElementById('recorded').replaceChildren('This session is recorded')")
    page.evaluate("document.getElementById('recorded').hidden = false")
    for width in (390, 700, 1241, 1280, 1440, 1600):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("#tools").evaluate("(tools) => tools.getBoundingClientRect().right") <= width + 1
        assert page.get_by_role("button", name="Open VM Desktop (WebRTC)", exact=True).is_visible()
        assert page.locator("#title").evaluate("(title) => title.scrollWidth <= title.clientWidth")
        assert page.locator("#tools").evaluate("(tools) => tools.offsetHeight") < 60
    page.set_viewport_size({"width": 390, "height": 800})
    page.get_by_role("button", name="End session").click()
    page.get_by_role("button", name="Keep it").click()


@pytest.mark.parametrize("width", [1043, 1238, 1280])
def test_a_rung_leaves_the_desktop_the_room_it_had(
    page: Page, controller: FakeController, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    live(page, controller)
    room = "document.getElementById('stage').clientHeight"
    page.evaluate("for (const name of ['sound', 'microphone']) document.getElementById(name).hidden = false")
    before = page.evaluate(room)
    page.evaluate("for (const name of ['sound', 'microphone']) document.getElementById(name).hidden = true")
    assert page.evaluate(room) == before
    page.locator("#use-vnc").click()
    wait_rung(page, "vnc")
    assert page.evaluate(room) == before


def test_there_is_a_picture_at_every_moment_of_a_switch(page: Page, controller: FakeController) -> None:
    live(page, controller)
    page.evaluate(
        """() => {
            window.gaps = [];
            const look = () => {
                const screen = document.getElementById('screen');
                const seen = screen && !screen.hidden && screen.getBoundingClientRect().width > 0;
                if (!seen || document.querySelectorAll('[id=screen]').length !== 1) window.gaps.push(performance.now());
                requestAnimationFrame(look);
            };
            look();
        }"""
    )
    for rung in ("vnc", "webrtc", "vnc", "webrtc"):
        page.evaluate("rung => window.transom.use(rung)", rung)
        wait_rung(page, rung)
    assert page.evaluate("window.gaps") == []


def test_a_stream_server_that_dies_is_reconnected(page: Page, controller: FakeController) -> None:
    live(page, controller)
    controller.guest.kill_peers()
    page.wait_for_function(
        "() => window.transom.epoch > 1 && window.transom.state === 'live'", timeout=20_000
    )
    wait_rung(page, "webrtc", seconds=40)


def test_a_controller_that_dies_is_not_noticed_in_the_picture(page: Page, controller: FakeController) -> None:
    live(page, controller)
    controller.stop()
    page.locator("#toast").filter(has_text="server is away").wait_for(timeout=15_000)
    frames = page.evaluate("window.transom.stats().then(stats => stats.frames)")
    page.wait_for_timeout(1500)
    assert page.evaluate("window.transom.stats().then(stats => stats.frames)") > frames
    controller.start()
    page.locator("#toast").wait_for(state="hidden", timeout=15_000)
    wait_until(lambda: controller.sockets == 2, "the page's new socket", 15)
    assert page.evaluate("[window.transom.state, window.transom.rung, window.transom.epoch]") == [
        "live",
        "webrtc",
        1,
    ]
    assert "not found" not in page.content().lower()


def test_a_live_picture_is_believed_more_than_a_404(page: Page, controller: FakeController) -> None:
    live(page, controller)
    controller.stop()
    controller.known = False
    controller.start()
    page.wait_for_timeout(4000)
    assert page.evaluate("window.transom.state") == "live"
    assert page.locator("#cover").is_hidden()
    controller.known = True
    wait_until(lambda: controller.sockets == 2, "the page's new socket", 20)


def test_an_unknown_session_is_said_to_be_one(page: Page, controller: FakeController) -> None:
    controller.known = False
    open_session(page, controller)
    page.get_by_role("heading", name="There is no such session").wait_for(timeout=10_000)


def test_without_websockets_everything_goes_by_polling(page: Page, controller: FakeController) -> None:
    controller.sockets_refused = True
    open_session(page, controller)
    page.get_by_role("heading", name="Preparing your desktop").wait_for()
    controller.ready()
    wait_rung(page, "webrtc")
    assert controller.sockets == 0
    wait_until(lambda: any(beat.get("first_frame") for beat in controller.heartbeats), "a heartbeat")


def test_the_end_is_told_with_its_reason(page: Page, controller: FakeController) -> None:
    live(page, controller)
    way_out = page.get_by_role("region", name="Way out")
    way_out.get_by_text("You leave by").wait_for()
    page.get_by_role("button", name="End session").click()
    page.get_by_role("dialog").get_by_role("button", name="End session").click()
    page.get_by_role("heading", name="Ending the session").wait_for()
    controller.change(state="ended", reason="stopped")
    page.get_by_role("heading", name="The session has ended").wait_for()
    assert page.get_by_role("toolbar").is_hidden(), "nothing can be done with a desktop that is gone"
    assert page.get_by_role("link", name="Back to the dashboard").is_visible()
    assert page.evaluate("[window.transom.state, window.transom.rung]") == ["over", None]
    assert page.evaluate(SCREENS) == 1
    assert way_out.count() == 0, "nobody leaves by it any more"


def test_the_sign_in_is_shown_as_text(page: Page, controller: FakeController) -> None:
    live(page, controller)
    signin = {
        "flow": "flw_a",
        "provider": "demo",
        "stage": "waiting",
        "url": "https://issuer.example/device?x=<img src=x onerror=alert(1)>",
        "user_code": "WDJB-MJHT",
        "message": "<b>Open the page</b>",
        "saved": None,
    }
    controller.change(signin=signin)
    page.get_by_text("WDJB-MJHT").first.wait_for()
    assert page.locator("#signin b, #signin img").count() == 0
    link = page.locator("#url")
    assert link.get_attribute("rel") == "noopener noreferrer"
    controller.change(signin=signin | {"url": "javascript:alert(1)"})
    page.wait_for_function("() => !document.getElementById('url').hasAttribute('href')")
    page.get_by_role("button", name="Type on desktop").click()
    wait_until(lambda: controller.guest.got("t", lambda m: m[2] == "WDJB-MJHT"), "the code")
    saved = {"names": ["credentials.json"], "expires_at": int(time.time() * 1000) + 86_400_000}
    controller.change(signin=signin | {"stage": "done", "user_code": None, "url": None, "saved": saved})
    page.get_by_text("credentials.json").wait_for()
    page.get_by_text("Valid until").wait_for()
    assert page.locator("#signin-code").is_hidden()


def test_twenty_reloads_all_show_a_picture(page: Page, controller: FakeController) -> None:
    live(page, controller)
    times = []
    for _ in range(20):
        page.goto(f"{controller.url}/session/{SESSION}", wait_until="commit")
        wait_rung(page, "webrtc")
        times.append(page.evaluate("performance.now()"))
    print("page load to picture, ms:", [round(took) for took in sorted(times)])
    assert sorted(times)[10] < 3000


def test_a_picture_that_is_not_pasted_is_told_of(page: Page, controller: FakeController) -> None:
    """The fake guest has no terms for a clipboard: nothing may be sent there."""
    blob = "new Blob([new Uint8Array(8)])"
    item = f"{{types: ['image/png'], getType: async () => {blob}}}"
    page.add_init_script(f"navigator.clipboard.read = async () => [{item}]")
    live(page, controller)
    page.get_by_role("button", name="Paste").click()
    page.locator("#toast").get_by_text(
        "The picture was not pasted: this desktop takes no pictures"
    ).wait_for()
