"""The stream server over the golden image, with aiortc as its viewer."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support import stream_text
from tests.support.image import GoldenImage
from tests.support.stream_fixtures import golden_image, join, lab, loopback_only, viewer, viewers
from tests.support.stream_lab import StreamLab, stream_lab
from tests.support.stream_viewer import Viewer, luma, name_of, pixel
from transom.stream.sdp import read_transport, strip_candidates, viewer_ufrag
from transom_guest.stream.pacing import QUICK
from transom_guest.stream.sight import KEEP_S
from transom_wire.link import PeerChange, PeerClose, PeerOffer, PeerTerms

__all__ = ["golden_image", "lab", "loopback_only", "viewer", "viewers"]
pytestmark = [pytest.mark.machine, pytest.mark.usefixtures("loopback_only")]

A, P, T, W = 0x61, 0x70, 0x74, 0x77
SHIFT_L, RETURN, EACUTE, AT = 0xFFE1, 0xFF0D, 0xE9, 0x40
GRIN = 0x01000000 + ord("😀")
PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
MOTION = """
python3 -c 'import time, sys
from pathlib import Path
from Xlib import X, display
import os
while not Path("/tmp/.X11-unix/X" + os.environ["DISPLAY"][1:]).exists(): time.sleep(0.05)
desk = display.Display()
window = desk.screen().root.create_window(500, 200, 300, 300, 0, desk.screen().root_depth, override_redirect=1)
window.map()
for turn in range(10 ** 6):
    window.change_attributes(background_pixel=0x10101 * (turn * 37 % 256))
    window.clear_area()
    desk.sync()
    if turn == 20: print("moves", flush=True)
    time.sleep(0.03)' &
"""
"""A window that has another colour thirty times a second."""
CONSENT = 60.0
"""Seconds; ICE gives a silent viewer up after 30 (RFC 7675). A goodbye is quicker, but may be lost."""


async def test_a_viewer_sees_the_screen_and_a_key_changes_it(lab: StreamLab, viewer: Viewer) -> None:
    assert (viewer.frame.width, viewer.frame.height) == (1280, 720)
    await viewer.until(lambda: ["size", 1280, 720] in viewer.heard)
    await viewer.sees("black")
    viewer.say("k", A, 1)
    await viewer.sees("red")
    viewer.say("k", A, 0)
    await viewer.sees("black")
    await lab.feels("press 61", "release 61")
    assert lab.state("first", 1) == "connected"


async def test_the_answer_is_one_transport_on_loopback_that_the_controller_can_read(
    lab: StreamLab, viewer: Viewer
) -> None:
    answer = lab.answers["first", 1]
    transport = read_transport(answer)
    assert transport.port >= 1024
    assert viewer_ufrag(answer) == transport.ufrag
    assert "profile-level-id=42e01f" in answer


async def test_each_answer_names_the_stream_that_it_repeats_packets_of(
    lab: StreamLab, viewer: Viewer
) -> None:
    """A source that is just starting once left it out, in some fifty answers one: Chromium shows no such stream."""
    offer = strip_candidates(viewer.pc.localDescription.sdp)
    for epoch in range(1, 31):
        video = (await lab.answer("other", epoch, offer)).partition("m=video")[2].partition("m=")[0]
        named = set(re.findall(r"a=ssrc:(\d+) cname:", video))
        assert named == set(re.findall(r"\d+", video.partition("a=ssrc-group:FID")[2].partition("\r")[0]))
        assert len(named) == 2
    await lab.say(PeerClose(peer="other", epoch=30))


async def test_a_ping_is_answered_and_the_pointers_shape_is_told(lab: StreamLab, viewer: Viewer) -> None:
    viewer.control.send('["p", 7]')
    await viewer.until(lambda: ["p", 7] in viewer.heard)
    shapes = [message for message in viewer.heard if message[0] == "cursor"]
    assert shapes[0][4].startswith("iVBORw0KGgo")


async def test_a_black_desktop_is_told_from_a_lit_one(lab: StreamLab, viewer: Viewer) -> None:
    viewer.control.send('["l", 1]')
    await viewer.until(lambda: ["lit", 0] in viewer.heard)
    viewer.say("k", A, 1)
    await lab.feels("press 61")
    await asyncio.sleep(KEEP_S + 0.1)
    viewer.control.send('["l", 2]')
    await viewer.until(lambda: ["lit", 1] in viewer.heard)


async def test_the_pointer_moves_clicks_and_scrolls(lab: StreamLab, viewer: Viewer) -> None:
    viewer.say("m", 120, 80)
    await lab.feels("at 120 80")
    viewer.say("b", 121, 81, 1, 1)
    viewer.say("b", 121, 81, 1, 0)
    viewer.say("w", 121, 81, 0, 2)
    viewer.say("w", 121, 81, -1, 0)
    await lab.feels("at 121 81", "button 1", "drop 1", "button 5", "button 5", "button 6")


async def test_moves_travel_on_the_motion_channel(lab: StreamLab, viewer: Viewer) -> None:
    await viewer.until(lambda: viewer.motion.readyState == "open" or viewer.control.send('["p", 1]'))
    viewer.motion.send('["m", 1, 33, 44]')
    await lab.feels("at 33 44")


async def test_a_ping_is_answered_on_the_channel_it_came_by(lab: StreamLab, viewer: Viewer) -> None:
    await viewer.until(lambda: viewer.motion.readyState == "open" or viewer.control.send('["p", 1]'))
    viewer.heard.clear()
    viewer.motion.send('["p", "by motion"]')
    await viewer.until(lambda: ["p", "by motion"] in viewer.heard_motion)
    viewer.control.send('["p", 77]')
    await viewer.until(lambda: ["p", 77] in viewer.heard)
    assert ["p", "by motion"] not in viewer.heard


async def test_characters_come_as_their_keysyms_whatever_the_layout(lab: StreamLab, viewer: Viewer) -> None:
    viewer.tap(AT)
    viewer.tap(EACUTE)
    viewer.tap(GRIN)
    await lab.feels("press 40", "release 40", f"press {EACUTE:x}", f"press {GRIN:x}")


async def test_committed_text_is_typed_in_order_and_keys_wait_behind_it(
    lab: StreamLab, viewer: Viewer
) -> None:
    text = "Zürich → 東京 \N{GRINNING FACE}!"
    viewer.say("t", text)
    viewer.tap(RETURN)
    await lab.feels(f"release {RETURN:x}")
    assert typed(lab.felt) == text + "\n"


def typed(felt: list[str]) -> str:
    """The characters among what the client felt, modifiers left out."""
    symbols = [int(line.split()[1], 16) for line in felt if line.startswith("press ")]
    named = {RETURN: "\n"}
    return "".join(
        named.get(symbol) or chr(symbol if symbol < 0x1000 else symbol - 0x01000000)
        for symbol in symbols
        if symbol in named or not 0xFE00 <= symbol <= 0xFFFF
    )


async def test_a_shifted_key_held_by_the_viewer_is_not_shifted_twice(lab: StreamLab, viewer: Viewer) -> None:
    viewer.say("k", SHIFT_L, 1)
    viewer.tap(ord("A"))
    viewer.tap(ord("1"))
    viewer.say("k", SHIFT_L, 0)
    await lab.feels("press ffe1", "press 41", "release 41", "press 31", "release ffe1")
    assert typed(lab.felt) == "A1"


async def test_a_key_whose_release_comes_late_is_typed_once_and_repeats_as_often_as_its_viewer_says(
    lab: StreamLab, viewer: Viewer
) -> None:
    viewer.say("k", A, 1)
    await viewer.sees("red")
    # longer than any server waits before it repeats a key by itself
    await asyncio.sleep(1.2)
    assert lab.felt.count("press 61") == 1
    for _ in range(3):
        viewer.say("k", A, 1)
    viewer.say("k", A, 0)
    # a client of the old kind is told of a release and a press for each
    await lab.until(lambda: lab.felt.count("press 61") >= 4 and lab.felt[-1] == "release 61")
    viewer.tap(ord("b"))
    await lab.feels("press 62", "release 62")
    assert lab.felt.count("press 61") == 4


async def test_a_resize_is_followed_by_picture_and_message(lab: StreamLab, viewer: Viewer) -> None:
    viewer.say("s", 1001, 601)
    await viewer.until(lambda: (viewer.frame.width, viewer.frame.height) == (1000, 600))
    await viewer.until(lambda: ["size", 1000, 600] in viewer.heard)
    viewer.say("k", A, 1)
    await viewer.sees("red")


@pytest.mark.parametrize("message", [["r"], ["h", []]])
async def test_held_keys_are_released_on_the_viewers_word(
    lab: StreamLab, viewer: Viewer, message: list[object]
) -> None:
    viewer.say("k", A, 1)
    await viewer.sees("red")
    viewer.say(*message)  # type: ignore[arg-type]
    await lab.feels("press 61", "release 61")
    await viewer.sees("black")


async def test_held_keys_are_released_when_a_viewer_ends_and_when_it_falls_silent(
    lab: StreamLab, viewers: AsyncExitStack, viewer: Viewer
) -> None:
    other = await join(lab, viewers, "other")
    other.say("k", A, 1)
    await viewer.sees("red")
    await lab.say(PeerClose(peer="other", epoch=1))
    await lab.feels("press 61", "release 61")
    viewer.say("k", A, 1)
    await lab.feels("press 61", "release 61", "press 61", "release 61")


async def test_two_viewers_see_one_screen(lab: StreamLab, viewers: AsyncExitStack, viewer: Viewer) -> None:
    other = await join(lab, viewers, "other")
    viewer.say("k", A, 1)
    await asyncio.gather(viewer.sees("red"), other.sees("red"))
    viewer.say("k", A, 0)
    await asyncio.gather(viewer.sees("black"), other.sees("black"))


async def test_a_moving_desktop_costs_nothing_unseen_and_one_encoder_for_all_who_watch(
    golden_image: GoldenImage,
) -> None:
    async with stream_lab(golden_image.root(golden_image.digest), MOTION) as lab, AsyncExitStack() as stack:
        pid = lab.guest_pid()
        await lab.until(lambda: "moves" in lab.felt)
        unseen = await cores(pid)
        assert not captures(pid)
        await join(lab, stack, "first")
        watched = await cores(pid)
        assert captures(pid)
        alone = encoders(pid)
        other = await join(lab, stack, "other")
        await other.until(lambda: other.frames > 3)
        assert len(alone) == 1
        assert encoders(pid) == alone
        await stack.aclose()
        async with asyncio.timeout(CONSENT):
            while captures(pid):
                await asyncio.sleep(0.1)
        again = await cores(pid)
    print(f"cores: {unseen:.3f} unseen, {watched:.3f} watched, {again:.3f} after it")
    assert max(unseen, again) < watched / 5
    assert max(unseen, again) < 0.02


def captures(pid: int) -> bool:
    """The stream server has the screen's pixels: a segment of memory that it shares with the display."""
    return "/SYSV" in Path(f"/proc/{pid}/maps").read_text()


def encoders(pid: int) -> dict[str, int]:
    """Threads of each: x264's have the name of the thread that feeds it, where other sources have one."""
    names = Counter(file.read_text().strip() for file in Path(f"/proc/{pid}/task").glob("*/comm"))
    return {name: threads for name, threads in names.items() if name.startswith("appsrc") and threads > 1}


async def cores(pid: int, seconds: float = 1.5) -> float:
    """Processors that it uses, all its threads together."""

    def spent() -> int:
        words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(words[11]) + int(words[12])

    began, before = time.monotonic(), spent()
    await asyncio.sleep(seconds)
    return (spent() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - began)


async def test_a_new_epoch_replaces_the_peer_and_an_old_one_is_dropped(
    lab: StreamLab, viewers: AsyncExitStack, viewer: Viewer
) -> None:
    again = await join(lab, viewers, "first", epoch=2)
    assert lab.state("first", 1) == "closed"
    del lab.answers["first", 1]
    await lab.say(
        PeerOffer(peer="first", epoch=1, sdp=again.pc.localDescription.sdp), PeerClose(peer="first", epoch=1)
    )
    again.say("k", A, 1)
    await again.sees("red")
    assert ("first", 1) not in lab.answers
    assert lab.state("first", 2) == "connected"


async def test_a_viewer_that_says_goodbye_is_ended(lab: StreamLab, viewer: Viewer) -> None:
    viewer.say("k", A, 1)
    await lab.feels("press 61")
    await viewer.close()
    await lab.until(lambda: lab.state("first", 1) in ("closed", "failed"), CONSENT)
    await lab.until(lambda: lab.felt[-1] == "release 61")


async def test_a_viewer_that_vanishes_loses_its_keys_long_before_it_is_ended(
    lab: StreamLab, viewer: Viewer
) -> None:
    viewer.say("k", A, 1)
    await lab.feels("press 61")
    viewer.vanish()
    await lab.until(lambda: lab.state("first", 1) == "failed", CONSENT)
    await lab.until(lambda: lab.felt[-1] == "release 61")
    # a key held until the peer ended would have repeated some 700 times
    assert lab.felt.count("press 61") < 350


async def test_an_offer_that_cannot_be_answered_fails_alone(lab: StreamLab, viewer: Viewer) -> None:
    for name, sdp in (("junk", "v=0\r\n"), ("vp8", viewer.pc.localDescription.sdp.replace("H264", "H263"))):
        with pytest.raises(KeyError):
            await lab.answer(name, 1, sdp)
        assert lab.state(name, 1) == "failed"
    viewer.say("k", A, 1)
    await viewer.sees("red")


async def test_garbage_closes_the_peer_that_sends_it_and_no_other(
    lab: StreamLab, viewers: AsyncExitStack, viewer: Viewer
) -> None:
    other = await join(lab, viewers, "other")
    for _ in range(100):
        other.control.send("[nonsense")
    await lab.until(lambda: lab.state("other", 1) == "failed")
    viewer.say("k", A, 1)
    await viewer.sees("red")


async def test_a_clipboard_of_four_gigabytes_is_refused_and_the_viewer_goes_on(
    lab: StreamLab, viewer: Viewer
) -> None:
    terms = PeerTerms(clipboard="up", clipboard_bytes=100_000)
    await lab.say(PeerChange(peer="first", terms=terms))
    await viewer.until(lambda: '["may", 1, 0, 100000, 0]' in viewer.clipped)
    viewer.clipboard.send('["put", 1, "text/plain", 4294967296, 0]')
    await viewer.until(lambda: '["no", 1, "size"]' in viewer.clipped)
    viewer.clipboard.send('["put", 2, "text/plain", 40000, 0]')
    for _ in range(4):
        viewer.clipboard.send(b"x" * 10_000)
    await viewer.until(lambda: '["got", 2]' in viewer.clipped)
    viewer.clipboard.send("nonsense")
    viewer.say("k", A, 1)
    await viewer.sees("red")


async def test_a_peer_lives_on_while_the_link_is_redialled(lab: StreamLab, viewer: Viewer) -> None:
    links = lab.links
    lab.hang_up()
    viewer.say("k", A, 1)
    await viewer.sees("red")
    await lab.until(lambda: lab.links > links)
    assert lab.state("first", 1) == "connected"


async def test_a_killed_server_comes_back_and_takes_the_next_epoch(
    lab: StreamLab, viewers: AsyncExitStack, viewer: Viewer
) -> None:
    links = lab.links
    os.kill(lab.guest_pid(), signal.SIGKILL)
    await lab.until(lambda: lab.links > links)
    again = await join(lab, viewers, "first", epoch=2)
    again.say("k", A, 1)
    await again.sees("red")


async def test_fifty_connects_in_a_row_leave_the_descriptors_flat(
    lab: StreamLab, viewers: AsyncExitStack
) -> None:
    counts: list[int] = []
    for epoch in range(1, 51):
        async with AsyncExitStack() as one:
            await join(lab, one, "again", epoch)
            await lab.say(PeerClose(peer="again", epoch=epoch))
        await lab.until(lambda epoch=epoch: lab.state("again", epoch) in ("closed", "failed"))
        counts.append(lab.descriptors())
    assert max(counts[40:]) <= max(counts[5:15]) + 3, counts


async def test_a_mark_names_the_first_frame_that_shows_an_input(lab: StreamLab, viewer: Viewer) -> None:
    await viewer.sees("black")
    shown: list[int] = []
    for colour, down in (("red", 1), ("black", 0)):
        viewer.newest.clear()
        viewer.say("k", A, down)
        await viewer.sees(colour)
        shown.append(next(each.pts for each in viewer.newest if name_of(pixel(each, 50, 50)) == colour))
        await viewer.until(lambda: len(marks(viewer)) == len(shown))
        await asyncio.sleep(0.6)  # two marks a second at most
    (first, rtp, *steps), (second, later, *_) = marks(viewer)
    assert len(steps) == 6
    assert (first, second) == (1, 2)
    # aiortc counts from its first frame
    assert abs((later - rtp) % 2**32 - (shown[1] - shown[0])) < 0.25 * 90_000
    assert all(0 <= step < 5000 for step in steps)


def marks(viewer: Viewer) -> list[list[float]]:
    """The marks heard so far, without their tag."""
    return [message[1:] for message in viewer.heard if message[0] == "mark"]


async def test_text_that_stands_still_is_sharp(lab: StreamLab, viewer: Viewer) -> None:
    page = stream_text.luma(stream_text.strokes())

    def sharp() -> bool:
        now = luma(viewer.frame, stream_text.WIDTH, stream_text.HEIGHT)
        return stream_text.likeness(page, now) >= 0.99

    viewer.tap(T)
    async with asyncio.timeout(5):
        await viewer.until(sharp)


async def test_a_whole_new_page_and_a_word_on_it_are_sharp_after_300_ms(
    lab: StreamLab, viewer: Viewer
) -> None:
    wide, high = stream_text.WHOLE
    turned = 80
    for _ in range(turned):  # its link is taken for 1 Mbit/s until more has come through
        viewer.tap(P)
        await asyncio.sleep(0.1)
    await still(viewer)
    page = stream_text.luma(stream_text.page(turned + 1), wide, high)
    viewer.tap(P)
    assert stream_text.likeness(page, luma(await after_300_ms(viewer), wide, high)) >= 0.99
    for _ in range(5):
        viewer.tap(W)
        await asyncio.sleep(0.1)
    drawn = [*stream_text.page(turned + 1), *stream_text.word(5)]
    await still(viewer)
    line = slice(190, 230)
    written = luma(viewer.frame, wide, high)[line]
    assert stream_text.likeness(stream_text.luma(drawn, wide, high)[line], written) >= 0.99


async def still(viewer: Viewer) -> None:
    """Wait until no frame has come for longer than a picture is refined in."""
    seen = -1
    while seen != viewer.frames:
        seen = viewer.frames
        await asyncio.sleep(0.4)


async def after_300_ms(viewer: Viewer) -> Any:
    """The frame that is on the screen 300 ms after the first that differs from the one of now, by the times of grab;
    but at least the last of the quick refinements, which a busy host may be late with."""
    before = viewer.frame
    viewer.newest.clear()
    await viewer.until(lambda: any(differs(each, before) for each in viewer.newest))
    await still(viewer)
    new = [each for each in viewer.newest if differs(each, before)]
    return [each for at, each in enumerate(new) if at <= QUICK or each.pts <= new[0].pts + 0.3 * 90_000][-1]


def differs(one: Any, other: Any) -> bool:
    """Whether two av.VideoFrames show different pages."""
    first, second = (bytes(frame.planes[0])[::997] for frame in (one, other))
    return sum(abs(a - b) for a, b in zip(first, second, strict=True)) > 10 * len(first)


async def test_the_answer_takes_the_playout_delay_that_was_offered(lab: StreamLab, viewer: Viewer) -> None:
    assert PLAYOUT_DELAY not in lab.answers["first", 1]
    extmap = f"a=extmap:9 {PLAYOUT_DELAY}\r\n"
    offer = viewer.pc.localDescription.sdp.replace("a=rtcp-mux\r\n", extmap + "a=rtcp-mux\r\n", 1)
    assert extmap.strip() in await lab.answer("other", 1, offer)
