"""Files as a person moves them: dropped on the picture, chosen in the panel, taken from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.browser import BrowserContext, wait_rung
from tests.support.server import Server

pytestmark = [pytest.mark.machine, pytest.mark.browser]
DROP = """([name, size]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(size).fill(7)], name));
    const stage = document.getElementById('stage');
    for (const type of ['dragover', 'drop']) {
        stage.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    }
}"""


def test_a_drop_and_the_panel(viewer: BrowserContext, server: Server, tmp_path: Path) -> None:
    session = server.create()["id"]
    page = viewer.new_page()
    page.goto(f"{server.url}/session/{session}")
    wait_rung(page, "webrtc", "vnc", seconds=60)
    page.get_by_role("heading", name="Files").wait_for()
    folder = f"/api/sessions/{session}/files"

    page.evaluate(DROP, ["dropped.bin", 3_000_000])
    page.get_by_role("button", name="Download dropped.bin").wait_for(timeout=20_000)
    chosen = tmp_path / "chosen.txt"
    chosen.write_text("from the panel")
    for _ in range(2):
        page.locator("#files input[type=file]").set_input_files(chosen)
        page.get_by_role("button", name="Remove chosen").last.wait_for(timeout=20_000)
    page.get_by_role("button", name="Remove chosen (2).txt").wait_for(timeout=20_000)
    with server.client() as client:
        assert client.get(f"{folder}/dropped.bin").content == b"\x07" * 3_000_000
        assert client.get(f"{folder}/chosen.txt").text == "from the panel"
        client.put(f"{folder}/made on the desktop.txt", content=b"down")

    page.locator("summary").filter(has_text="Files").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    with page.expect_download(timeout=20_000) as saved:
        page.get_by_role("button", name="Download made on the desktop.txt").click()
    assert saved.value.suggested_filename == "made on the desktop.txt"
    assert Path(saved.value.path()).read_bytes() == b"down"

    button = page.get_by_role("button", name="Remove dropped.bin")
    button.focus()
    page.keyboard.press("Enter")
    button.wait_for(state="detached", timeout=20_000)
    page.evaluate(DROP, [".profile", 10])
    page.get_by_role("button", name="Remove _profile").wait_for(timeout=20_000)


def test_forty_small_files_at_once_all_arrive(viewer: BrowserContext, server: Server, tmp_path: Path) -> None:
    session = server.create()["id"]
    page = viewer.new_page()
    page.goto(f"{server.url}/session/{session}")
    wait_rung(page, "webrtc", "vnc", seconds=60)
    page.get_by_role("heading", name="Files").wait_for()
    files = [tmp_path / f"small {number:02d}.bin" for number in range(40)]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]) * 600)
    page.locator("#files input[type=file]").set_input_files(files)
    for file in files:
        page.get_by_role("button", name=f"Remove {file.name}").wait_for(timeout=180_000)
    assert page.locator("#files li.failed").count() == 0
    folder = f"/api/sessions/{session}/files"
    with server.client() as client:
        listed = client.get(folder).json()["files"]
        assert [(each["name"], each["size"]) for each in listed] == [(file.name, 600) for file in files]
        assert client.get(f"{folder}/{files[39].name}").content == bytes([39]) * 600
