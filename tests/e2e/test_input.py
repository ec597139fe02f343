"""What a person types, copies and touches, read back from the desktop."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from scripts import viewer_browser

from tests.support.browser import Browser, BrowserContext, Page, expect, signed_in, wait_rung
from tests.support.cut import door_port, udp_cut
from tests.support.desktop import Desktop, display_of, picture
from tests.support.keyboards import CONTROL, SHIFT, Fingers, Hands
from tests.support.server import Server

pytestmark = [pytest.mark.machine, pytest.mark.browser]

FIELD = "data:text/html,<title>field</title><textarea autofocus style='width:98%;height:95vh'></textarea>"
PARAGRAPHS = {
    "de": "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich; Preis: 5 € (max@post.de) {a[0]|b} ~\\",
    "fr": "Voix ambigue ? Non : un coeur qui, au zéphyr, préfère les jattes de kiwis à 12 € {#@}",
    "ru": "Съешь же ещё этих мягких французских булок, да выпей чаю! Широкая электрификация южных "
    "губерний даст мощный толчок №1.",
    "ja": "いろはにほへと ちりぬるを: 12,800¥ [user@example.jp] ^-~_ C:\\temp {東京|a*b} = `x+y` \"&'カナ。",
    "us": "Sphinx of black quartz, judge my vow: 1 < 2 && \"x\" != 'y' {[~`^]} \\ / | é á É",
}


@pytest.fixture(scope="module")
def session(server: Server) -> Iterator[str]:
    made: str = server.create(start_url=FIELD)["id"]
    server.wait_for(made, "ready")
    return made


@pytest.fixture(scope="module")
def desktop(server: Server, session: str) -> Iterator[Desktop]:
    with display_of(server.machine(session)) as display:
        yield Desktop(display)


@pytest.fixture
def no_session_is_left() -> None:
    """This file's tests share one."""


@pytest.fixture(scope="module")
def context(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    with signed_in(browser, server) as made:
        made.grant_permissions(["clipboard-read", "clipboard-write"])
        yield made


def opened(context: BrowserContext, server: Server, session: str) -> Page:
    page = context.new_page()
    page.goto(f"{server.url}/session/{session}")
    wait_rung(page, "webrtc")
    expect(page.locator("#clipboard")).to_be_visible(timeout=15_000)
    return page


class Shared:
    """The page that several tests use one after the other: one viewer at a time has the desktop."""

    page: Page | None = None

    def close(self) -> None:
        if self.page is not None:
            self.page.close()
        self.page = None


@pytest.fixture(scope="module")
def shared() -> Shared:
    return Shared()


@pytest.fixture
def page(context: BrowserContext, server: Server, session: str, desktop: Desktop, shared: Shared) -> Page:
    """A page that other tests have used, the desktop's field empty and with the focus."""
    shared.page = shared.page or opened(context, server, session)
    return in_field(shared.page, desktop)


@pytest.fixture
def fresh(
    context: BrowserContext, server: Server, session: str, desktop: Desktop, shared: Shared
) -> Iterator[Page]:
    """A page that the test may lose."""
    shared.close()
    page = opened(context, server, session)
    yield in_field(page, desktop)
    page.close()


def in_field(page: Page, desktop: Desktop) -> Page:
    page.bring_to_front()
    page.locator("#screen").click(position={"x": 400, "y": 400})
    page.wait_for_timeout(200)
    desktop.clear_field()
    return page


def select_all(page: Page) -> None:
    page.keyboard.press("Control+a")


@pytest.mark.parametrize("layout", PARAGRAPHS)
def test_a_paragraph_of_each_layout_is_typed_and_read_back(page: Page, desktop: Desktop, layout: str) -> None:
    Hands(page, layout).type(PARAGRAPHS[layout])
    page.wait_for_timeout(300)
    select_all(page)
    desktop.wait(PARAGRAPHS[layout].encode())


def test_what_an_input_method_makes_is_committed(page: Page, desktop: Desktop) -> None:
    hands = Hands(page)
    hands.compose("k", "こ", "こn", "こん", "今", "今日")
    hands.type("!")
    hands.compose("は", "は良い天気ですね。東京は夜の七時、嘘みたいに輝く街")
    hands.commit("😀👍🏽é")
    hands.type(" ok\n")
    wanted = "今日!は良い天気ですね。東京は夜の七時、嘘みたいに輝く街😀👍🏽é ok\n"
    page.wait_for_timeout(300)
    select_all(page)
    desktop.wait(wanted.encode())


def test_characters_that_no_key_has_are_typed_as_keys_too(page: Page, desktop: Desktop) -> None:
    hands = Hands(page)
    text = "αβγδεζηθ ñÑ łŁ → ≤∞ ħ"
    for char in text:
        hands.tap("KeyA", char)
    page.wait_for_timeout(300)
    select_all(page)
    desktop.wait(text.encode())


@pytest.mark.usefixtures("page")
def test_the_desktops_browser_says_when_it_has_come_to_its_keys(desktop: Desktop) -> None:
    assert desktop.catches_up(seconds=20)


BUSY = "import os\nwhile os.getppid() == %d: sum(range(10**5))"
"""A processor's whole time, until who began it ends it, or ends."""


@contextmanager
def busy() -> Iterator[None]:
    """A host that has more to do than it can."""
    command = [sys.executable, "-c", BUSY % os.getpid()]
    beside = [subprocess.Popen(command) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for process in beside:
            process.kill()
            process.wait(timeout=10)


def test_signs_that_no_key_has_come_between_others_as_they_were_pressed_on_a_busy_host(
    page: Page, desktop: Desktop
) -> None:
    # more of them than there are spare keys; those that are pressed come after signs of the layout and before others
    signs = [chr(code) for code in range(0x4E00, 0x4E00 + 60)]
    groups = [signs[at : at + 5] for at in range(0, 25, 5)]
    text = "".join(f"Grüße 5 € {''.join(group)}жук {group[0]}; " for group in groups)
    hands = Hands(page)
    with busy():
        for sign in text:
            hands.tap("Space" if sign == " " else "KeyA", sign)
        hands.commit("".join(reversed(signs)) + "😀")
        page.wait_for_timeout(300)
        select_all(page)
        desktop.wait(f"{text}{''.join(reversed(signs))}😀".encode(), seconds=40)


def test_fast_fingers_overlap_and_a_key_keeps_the_sign_it_was_pressed_with(
    page: Page, desktop: Desktop
) -> None:
    hands = Hands(page)
    hands.down("ShiftLeft", "Shift", SHIFT)
    hands.down("KeyH", "H", SHIFT)
    hands.up("ShiftLeft", "Shift")
    hands.down("KeyA", "a")
    hands.up("KeyH", "h")
    hands.down("KeyN", "n")
    hands.up("KeyA", "a")
    hands.up("KeyN", "n")
    # the layout changes while Shift and a key are down
    hands.down("ShiftLeft", "Shift", SHIFT)
    hands.down("KeyF", "А", SHIFT)
    hands.up("KeyF", "F", SHIFT)
    hands.tap("KeyF", "F", SHIFT)
    hands.up("ShiftLeft", "Shift")
    hands.type("s")
    page.wait_for_timeout(300)
    select_all(page)
    desktop.wait("HanАFs".encode())


def test_shortcuts_work_with_a_layout_that_has_no_latin_letters(page: Page, desktop: Desktop) -> None:
    hands = Hands(page, "ru")
    hands.type("текст")
    hands.down("ControlLeft", "Control", CONTROL)
    hands.tap("KeyA", "ф", CONTROL)
    hands.tap("KeyX", "ч", CONTROL)
    hands.up("ControlLeft", "Control")
    desktop.wait("текст".encode(), "clipboard")


@pytest.mark.parametrize("end", ["release", "blur", "close"])
def test_a_held_key_repeats_and_stops(fresh: Page, desktop: Desktop, end: str) -> None:
    hands = Hands(fresh)
    hands.hold("KeyX", "x", 1.0)
    if end == "release":
        hands.up("KeyX", "x")
    elif end == "blur":
        fresh.evaluate("window.dispatchEvent(new Event('blur'))")
    else:
        fresh.close()
    time.sleep(0.5)
    first = desktop.all_of_field()
    assert 5 < len(first) < 100
    assert set(first) == {"x"}
    time.sleep(0.5)
    assert desktop.all_of_field() == first
    assert desktop.keys_down() == []


def test_a_held_key_stops_soon_after_the_network_is_lost(fresh: Page, desktop: Desktop) -> None:
    Hands(fresh).hold("KeyX", "x", 1.0)
    fresh.evaluate("RTCDataChannel.prototype.send = () => {}")
    time.sleep(4.5)
    first = desktop.all_of_field()
    time.sleep(0.5)
    assert 5 < len(first) < 300
    assert desktop.all_of_field() == first
    assert desktop.keys_down() == []


def test_a_key_that_is_let_go_late_is_typed_once(page: Page, desktop: Desktop) -> None:
    hands = Hands(page)
    hands.down("KeyX", "x")
    page.wait_for_timeout(1200)
    hands.up("KeyX", "x")
    page.wait_for_timeout(300)
    assert desktop.all_of_field() == "x"


PICTURE = """async () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [300, 200];
    const context = canvas.getContext("2d");
    for (let x = 0; x < 300; x++) { context.fillStyle = `hsl(${x * 7} 80% 50%)`; context.fillRect(x, 0, 1, 200); }
    const blob = await new Promise((made) => canvas.toBlob(made));
    await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
}"""
LOCAL = """async () => {
    const [item] = await navigator.clipboard.read();
    const type = item.types.find((type) => type === "image/png");
    return type ? [...new Uint8Array(await (await item.getType(type)).arrayBuffer())] : [];
}"""


def test_a_text_travels_both_ways_and_no_further(page: Page, desktop: Desktop) -> None:
    page.evaluate("navigator.clipboard.writeText('Grüße aus der Ferne 😀')")
    page.keyboard.type("<")
    page.keyboard.press("Control+v")
    page.keyboard.type(">")
    page.wait_for_timeout(500)
    desktop.wait("Grüße aus der Ferne 😀".encode(), "clipboard")
    assert desktop.all_of_field() == "<Grüße aus der Ferne 😀>"
    page.keyboard.press("Control+c")
    # at once: the copy has not come here yet, and is the newer one all the same
    page.keyboard.press("End")
    page.keyboard.press("Control+v")
    page.wait_for_timeout(500)
    assert desktop.all_of_field() == "<Grüße aus der Ferne 😀>" * 2
    expect(page.locator("#clipboard pre")).to_have_text("<Grüße aus der Ferne 😀>")
    # what came from the desktop is pasted as it is, and nothing was sent back and forth meanwhile
    assert page.evaluate("navigator.clipboard.readText()") == "<Grüße aus der Ferne 😀>"
    page.keyboard.press("End")
    page.keyboard.press("Control+v")
    page.wait_for_timeout(300)
    assert desktop.all_of_field() == "<Grüße aus der Ferne 😀>" * 3


def test_a_text_that_is_too_large_is_told_of(page: Page, desktop: Desktop) -> None:
    copy_elsewhere(page, "x" * 4 * 2**20)
    page.keyboard.press("Control+v")
    expect(page.locator("#clipboard [role=status]")).to_contain_text("The text was not pasted: it is larger")
    desktop.clear_field()


def test_a_picture_travels_both_ways(page: Page, desktop: Desktop) -> None:
    page.evaluate(PICTURE)
    page.keyboard.press("Control+v")
    end = time.monotonic() + 10
    while not desktop.selected("clipboard", "image/png").startswith(b"\x89PNG"):
        assert time.monotonic() < end, "no picture came"
        time.sleep(0.1)
    page.evaluate("navigator.clipboard.writeText('in between')")
    page.keyboard.press("End")
    with desktop.copied(picture(), "image/png"):
        expect(page.locator("#clipboard img")).to_be_visible()
        page.wait_for_function(f"({LOCAL})().then((found) => found.length > 100)")
    assert bytes(page.evaluate(LOCAL)).startswith(b"\x89PNG")


def test_what_the_desktop_copies_while_the_page_has_no_focus_stays_in_its_panel(
    page: Page, desktop: Desktop
) -> None:
    page.evaluate("navigator.clipboard.writeText('mine')")
    page.evaluate("document.hasFocus = () => false")
    with desktop.copied(b"rm -rf /"):
        expect(page.locator("#clipboard pre")).to_have_text("rm -rf /")
        assert page.evaluate("navigator.clipboard.readText()") == "mine"
    page.evaluate("delete document.hasFocus")
    page.locator("#clipboard").get_by_role("button", name="Copy").click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text === 'rm -rf /')")


def test_the_wheel_scrolls_zooms_by_a_pinch_and_a_locked_pointer_moves_by_steps(
    page: Page, desktop: Desktop
) -> None:
    with desktop.watching() as felt:
        box = page.locator("#screen").bounding_box()
        assert box
        x, y = box["x"] + 300, box["y"] + 300
        page.mouse.move(x, y)
        wheel = """([more, n]) => {
            const layer = document.querySelector('.layer.seen');
            for (let i = 0; i < n; i++) layer.dispatchEvent(new WheelEvent('wheel',
                {bubbles: true, cancelable: true, clientX: 600, clientY: 400, ...more}));
        }"""
        page.evaluate(wheel, [{"deltaY": 4}, 14])
        felt.wait("button 5")
        page.evaluate(wheel, [{"deltaX": -4}, 14])
        felt.wait("button 6")
        page.evaluate(wheel, [{"deltaY": -4, "ctrlKey": True}, 3])
        felt.wait("key 37", "button 4")
        page.get_by_role("button", name="Lock pointer").click()
        page.wait_for_function("document.pointerLockElement !== null")
        page.evaluate(
            "document.querySelector('.layer.seen').dispatchEvent(new PointerEvent('pointermove',"
            " {button: -1, movementX: 7, movementY: -5, pointerType: 'mouse'}))"
        )
        felt.wait("motion")
        page.evaluate("document.exitPointerLock()")
        page.wait_for_function("document.pointerLockElement === null")


def test_fingers_that_are_to_move_the_pointer(
    browser: Browser, server: Server, session: str, desktop: Desktop, shared: Shared
) -> None:
    shared.close()
    size = {"width": 390, "height": 720}
    options: dict[str, Any] = {"viewport": size, "has_touch": True, "is_mobile": True}
    with server.client() as client, viewer_browser.signed_in(browser, client, **options) as phone:
        page = opened(phone, server, session)
        expect(page.get_by_role("button", name="Keyboard")).to_be_visible()
        page.get_by_role("button", name="Fingers: touch").click()
        expect(page.get_by_role("button", name="Fingers: pointer")).to_be_visible()
        box = page.locator("#screen").bounding_box()
        assert box
        x, y = box["x"] + 150, box["y"] + 200
        fingers = Fingers(page)
        with desktop.watching() as felt:
            page.touchscreen.tap(x, y)
            felt.wait("button 1")
            fingers.down((x, y))
            page.wait_for_timeout(700)
            fingers.up()
            felt.wait("button 3")
            fingers.down((x, y))
            fingers.move((x, y - 60))
            fingers.move((x, y - 120))
            fingers.up()
            felt.wait("button 5")
            fingers.down((x - 20, y), (x + 20, y))
            fingers.move((x - 60, y), (x + 60, y))
            fingers.move((x - 90, y), (x + 90, y))
            fingers.up()
            felt.wait("key 37", "button 4")
        assert page.evaluate("document.activeElement.inputMode") == "none"
        page.get_by_role("button", name="Keyboard").click()
        assert page.evaluate("document.activeElement.inputMode") == "text"


TOLD = """() => {
    window.told = [];
    const pre = document.querySelector("#clipboard pre");
    const seen = new MutationObserver(() => window.told.push(pre.textContent));
    seen.observe(pre, { childList: true, characterData: true, subtree: true });
}"""
"""Keeps each text that the clipboard's panel shows."""


def local(page: Page, text: str) -> None:
    """Wait until the viewer's own clipboard holds this text."""
    end = time.monotonic() + 10
    while (held := page.evaluate("navigator.clipboard.readText()")) != text:
        assert time.monotonic() < end, f"the viewer's clipboard holds {held!r}, wanted {text!r}"
        page.wait_for_timeout(100)


def copy_elsewhere(page: Page, text: str) -> None:
    """What a person copies in another window of the viewer's computer."""
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    page.evaluate("text => navigator.clipboard.writeText(text)", text)


def test_without_udp_keys_and_clipboard_go_by_novnc_and_come_back_with_it(
    fresh: Page, desktop: Desktop, server: Server, session: str
) -> None:
    page, typed = fresh, f"Zwölf, 5 € {{|}}; Съешь же ещё! {PARAGRAPHS['fr']} ê é á 今日 😀"
    page.evaluate(TOLD)
    with udp_cut(door_port(server, session)):
        wait_rung(page, "vnc")
        expect(page.locator("#clipboard")).to_be_visible(timeout=15_000)
        page.wait_for_timeout(1000)
        # four layouts, dead keys, and what no key has
        Hands(page, "de").type("Zwölf, 5 € {|}; ")
        Hands(page, "ru").type("Съешь же ещё! ")
        Hands(page, "fr").type(PARAGRAPHS["fr"] + " ê ")
        Hands(page).type("é á ")
        Hands(page).commit("今日 😀")
        page.wait_for_timeout(300)
        select_all(page)
        desktop.wait(typed.encode())
        # down: the panel and the viewer's own clipboard have it
        page.keyboard.press("Control+c")
        expect(page.locator("#clipboard pre")).to_have_text(typed)
        local(page, typed)
        # up
        copy_elsewhere(page, "aus der Ferne")
        page.keyboard.press("Control+v")
        page.wait_for_timeout(500)
        desktop.field_holds("aus der Ferne")
        # at once after a copy on the desktop, which has not come here yet
        for key in ("Control+a", "Control+c", "End", "Control+v"):
            page.keyboard.press(key)
        page.wait_for_timeout(500)
        assert desktop.all_of_field() == 2 * "aus der Ferne"
        desktop.clear_field()
        Hands(page).hold("KeyX", "x", 1.0)
    wait_rung(page, "webrtc", seconds=40)
    page.wait_for_timeout(500)
    held = desktop.all_of_field()
    assert len(held) > 5 and set(held) == {"x"}, "it repeated"
    page.wait_for_timeout(500)
    assert desktop.all_of_field() == held
    assert desktop.keys_down() == [], "no key stays down when the rung changes"
    desktop.clear_field()
    copy_elsewhere(page, "wieder da")
    page.keyboard.press("Control+v")
    page.keyboard.type("!")
    page.wait_for_timeout(500)
    assert desktop.all_of_field() == "wieder da!"
    page.keyboard.press("Control+c")
    expect(page.locator("#clipboard pre")).to_have_text("wieder da!")
    told = page.evaluate("window.told")
    assert len(set(told)) == len(told) and told[-1] == "wieder da!", f"nothing is told twice: {told}"


SOCKETS = """() => {
    window.lines = [];
    window.WebSocket = new Proxy(WebSocket, { construct(made, [url, ...how]) {
        if (!/\\/(vnc|channel)\\?/.test(url)) return new made(url, ...how);
        const line = new made(window.barred ? 'ws://127.0.0.1:9/' : url, ...how), listen = line.addEventListener;
        line.addEventListener = (type, hear, ...more) =>
            listen.call(line, type, (event) => (type === 'message' && line.deaf) || hear(event), ...more);
        window.lines.push(line);
        return line;
    } });
}"""
"""noVNC's sockets in `lines`: one that is deaf hears nothing more; while `barred` no new one opens."""


def types_over_a_break(
    page: Page, hands: Hands, text: str, heal: Callable[[], object] = lambda: None
) -> None:
    """Both sockets of noVNC break: a part is acknowledged before, one arrives and nobody hears so, one is lost on its
    way, and one is typed when they are gone."""
    size = len(text) // 4
    first, unheard, lost = (text[size * part : size * (part + 1)] for part in range(3))
    hands.type(first)
    page.wait_for_timeout(800)
    page.evaluate("lines.forEach((line) => (line.deaf = true))")
    hands.type(unheard)
    page.wait_for_timeout(400)
    page.evaluate("lines.forEach((line) => (line.send = () => {}))")
    hands.type(lost)
    assert page.evaluate("window.transom.rung") == "vnc"
    heal()
    page.evaluate("lines.splice(0).forEach((line) => line.close())")
    hands.type(text[size * 3 :])


def test_each_layout_is_typed_by_novnc_and_what_is_typed_as_it_breaks_by_the_next_rung_once_and_in_order(
    fresh: Page, desktop: Desktop, server: Server, session: str
) -> None:
    page = fresh
    page.evaluate(SOCKETS)
    with ExitStack() as stack:
        stack.enter_context(udp_cut(door_port(server, session)))
        wait_rung(page, "vnc")
        expect(page.locator("#clipboard")).to_be_visible(timeout=15_000)
        for layout in ("fr", "ru", "ja"):
            Hands(page, layout).type(PARAGRAPHS[layout])
            # in its turn: each character that no key has waits for programs to have the map
            select_all(page)
            desktop.wait(PARAGRAPHS[layout].encode(), seconds=30)
            desktop.clear_field()
        # the next rung is another noVNC
        types_over_a_break(page, Hands(page, "de"), PARAGRAPHS["de"])
        page.wait_for_function("() => lines.length && window.transom.state === 'live'", timeout=15_000)
        page.wait_for_timeout(1500)
        assert desktop.all_of_field() == PARAGRAPHS["de"]
        desktop.clear_field()
        # the next rung is a peer
        page.evaluate("window.barred = true")
        types_over_a_break(page, Hands(page), PARAGRAPHS["us"], stack.close)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    wait_rung(page, "webrtc")
    page.wait_for_timeout(1500)
    assert desktop.all_of_field() == PARAGRAPHS["us"]
    assert desktop.keys_down() == []
    assert "may not have arrived" not in page.locator("#toast").inner_text()


@contextmanager
def ruled(server: Server, policy: str) -> Iterator[None]:
    """The server with another policy for clipboards while the block runs; its machines live on."""
    server.terminate()
    server.settings["TRANSOM_CLIPBOARD"] = policy
    server.start()
    try:
        yield
    finally:
        del server.settings["TRANSOM_CLIPBOARD"]


def test_each_policy_on_clipboards_holds_for_the_panel_and_for_copy_and_paste(
    context: BrowserContext, server: Server, session: str, desktop: Desktop, shared: Shared
) -> None:
    shared.close()
    for policy in ("off", "up", "down"):
        up, down = policy == "up", policy == "down"
        with ruled(server, policy):
            page = context.new_page()
            page.goto(f"{server.url}/session/{session}")
            wait_rung(page, "webrtc")
            in_field(page, desktop)
            copy_elsewhere(page, "mine")
            with desktop.copied(b"theirs"):
                if down:
                    expect(page.locator("#clipboard pre")).to_have_text("theirs")
                    local(page, "theirs")
                page.wait_for_timeout(1000)
                expect(page.locator("#clipboard")).to_be_visible(visible=up or down)
                expect(page.locator("#clipboard pre")).to_be_visible(visible=down)
                expect(page.locator("#share")).to_be_visible(visible=up)
                local(page, "theirs" if down else "mine")
                copy_elsewhere(page, "mine, later")
                page.keyboard.press("Control+v")
                page.wait_for_timeout(500)
                desktop.field_holds("mine, later" if up else "theirs")
            page.close()
    server.terminate()
    server.start()
