from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.images.debian import SHARED, by_layer, closure, described, installed, layers
from transom.images.errors import ImageError


def stanza(name: str, depends: str = "", **more: str) -> str:
    fields = {"Package": name, "Status": "install ok installed", "Version": "1", "Depends": depends, **more}
    return "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in fields.items()) + "\n"


STATUS = "".join(
    (
        stanza("libc", Priority="optional"),
        stanza("dash", "libc", Essential="yes"),
        stanza("python", "libc (>= 2), python-minimal:any"),
        stanza("python-minimal"),
        stanza("browser", "x11 | wayland, fonts"),
        stanza("wayland", "libc"),
        stanza("dejavu", Provides="fonts, other (= 1)"),
        stanza("gst", "glib, wayland", Pre_Depends="codec"),
        stanza("codec"),
        stanza("glib", "libc"),
        stanza("git", "glib, browser-extra"),
        stanza("orphan"),
        stanza("removed", Status="deinstall ok config-files"),
    )
)
LAYERS = {"base": ["python"], "desktop": ["browser"], "gstreamer": ["gst"], "cli": ["git"], "vm": ["glib"]}


def test_what_is_installed() -> None:
    found = installed(STATUS)
    assert "removed" not in found
    assert found["browser"].needs == (("x11", "wayland"), ("fonts",))
    assert found["dejavu"].provides == ("fonts", "other")
    assert found["dash"].always
    assert not found["libc"].always


def test_a_closure_follows_alternatives_and_provides() -> None:
    assert closure(["browser"], installed(STATUS)) == {"browser", "wayland", "libc", "dejavu"}
    assert closure(["nowhere"], installed(STATUS)) == set()


def test_each_package_belongs_to_the_one_layer_that_needs_it() -> None:
    found = by_layer(LAYERS, installed(STATUS))
    assert found == {
        "base": {"python", "python-minimal", "libc", "dash"},
        "desktop": {"browser", "dejavu"},
        "gstreamer": {"gst", "codec"},
        "cli": {"git"},
        "vm": set(),
        SHARED: {"wayland", "glib", "orphan"},
    }
    assert sum(map(len, found.values())) == len(installed(STATUS))


def test_sizes_are_those_of_the_files_that_are_there(tmp_path: Path) -> None:
    info = tmp_path / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (info.parent / "status").write_text(STATUS)
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "usr/bin/browser").write_bytes(bytes(100))
    (info / "browser.list").write_text("/.\n/usr\n/usr/bin\n/bin/browser\n/usr/share/man/removed\n")
    (tmp_path / "usr/bin/font").write_bytes(bytes(30))
    (info / "dejavu:amd64.list").write_text("/usr/bin/font\n")
    found = layers(tmp_path, LAYERS)
    assert (found["desktop"].packages, found["desktop"].size) == (2, 130)
    assert found["base"].size == 0


def test_one_packages_own_fields() -> None:
    found = described("Package: linux\nVersion: 6.1-1\nHomepage: https://k.invalid\nDescription: a\n b\n")
    assert (found.name, found.version, found.homepage) == ("linux", "6.1-1", "https://k.invalid")
    for text in ("", "Version: 1", "Package: ../x\n"):
        with pytest.raises(ImageError):
            described(text)


@given(st.text(max_size=200))
def test_any_status_is_read(text: str) -> None:
    found = installed(text)
    closure(found, found)
    installed(stanza("a", text.replace("\n", " ")))
