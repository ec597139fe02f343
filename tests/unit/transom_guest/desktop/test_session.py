from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from transom_guest.desktop import session

OVERLAY = Path(__file__).parents[4] / "image" / "overlay"
RC = "{http://openbox.org/3.4/rc}"


def test_openbox_gets_the_files_the_image_carries() -> None:
    argv = session.command()
    assert argv[:2] == ["openbox", "--config-file"]
    rc = ElementTree.parse(OVERLAY / argv[2].lstrip("/")).getroot()
    menu = rc.findtext(f"{RC}menu/{RC}file")
    assert menu
    ElementTree.parse(OVERLAY / menu.lstrip("/"))


def test_the_browser_fills_the_desktop() -> None:
    rc = ElementTree.parse(OVERLAY / session.RC.lstrip("/")).getroot()
    (rule,) = rc.iter(f"{RC}application")
    assert rule.get("class") == "Chromium*"
    assert rule.findtext(f"{RC}maximized") == "yes"
