"""The window manager: openbox with the image's own rc.xml and menu.xml."""

from __future__ import annotations

RC = "/etc/transom/openbox/rc.xml"


def command() -> list[str]:
    """openbox's argv; it looks for the menu beside its rc file by the name written there."""
    return ["openbox", "--config-file", RC, "--sm-disable"]
