"""GStreamer, made ready once, with the names used here. Import it only in the machine."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable

import gi

for _name in ("Gst", "GstApp", "GstSdp", "GstVideo", "GstWebRTC"):
    gi.require_version(_name, "1.0")

from gi.repository import GLib, GObject, Gst, GstApp, GstSdp, GstVideo, GstWebRTC  # noqa: E402

Gst.init(None)

__all__ = [
    "GLib",
    "GObject",
    "Gst",
    "GstApp",
    "GstError",
    "GstSdp",
    "GstVideo",
    "GstWebRTC",
    "make",
    "unwatch_bus",
    "watch_bus",
]


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


def keep_owner(found: GObject.Object) -> None:
    """Give back the reference that PyGObject took from the owner of `found`, which it had as floating.

    webrtcbin hands out its ICE object so; both would unref the one reference, and the process crash.
    """
    if found.__grefcount__ == 1:
        library = ctypes.CDLL("libgobject-2.0.so.0")
        library.g_object_ref.restype, library.g_object_ref.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
        library.g_object_ref(hash(found))


def watch_bus(pipeline: Gst.Pipeline, on_error: Callable[[str, str], None]) -> None:
    """Call `on_error(element's name, what)` in the event loop for each error; without a GLib main loop.

    A sync handler that drops a message must unref it, which Python cannot: messages pass, and are
    popped in the event loop, or each would keep its element for ever.
    """
    loop, bus = asyncio.get_running_loop(), pipeline.get_bus()

    def arrived(_bus: Gst.Bus, _message: Gst.Message) -> Gst.BusSyncReply:
        if not loop.is_closed():
            loop.call_soon_threadsafe(drain)
        return Gst.BusSyncReply.PASS

    def drain() -> None:
        while (message := bus.pop()) is not None:
            if message.type == Gst.MessageType.ERROR:
                on_error(message.src.get_name(), message.parse_error()[0].message)

    bus.set_sync_handler(arrived)


def unwatch_bus(pipeline: Gst.Pipeline) -> None:
    """Undo `watch_bus`, and let go of what has not been popped."""
    bus = pipeline.get_bus()
    bus.set_sync_handler(None)
    bus.set_flushing(True)
