"""GStreamer, made ready once, with the names used here. Import it only in the machine."""

from __future__ import annotations

import gi

for _name in ("Gst", "GstApp", "GstSdp", "GstVideo", "GstWebRTC"):
    gi.require_version(_name, "1.0")

from gi.repository import GLib, GObject, Gst, GstApp, GstSdp, GstVideo, GstWebRTC  # noqa: E402

Gst.init(None)

__all__ = ["GLib", "GObject", "Gst", "GstApp", "GstError", "GstSdp", "GstVideo", "GstWebRTC", "make"]


class GstError(RuntimeError):
    """GStreamer lacks an element or refuses to run; the text says which."""


def make(factory: str, **properties: object) -> Gst.Element:
    """Return a new element. Raises GstError when the image lacks it."""
    element = Gst.ElementFactory.make(factory)
    if element is None:
        raise GstError(f"GStreamer lacks {factory}")
    for name, value in properties.items():
        element.set_property(name.replace("_", "-"), value)
    return element
