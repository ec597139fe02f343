"""The ICE agent inside webrtcbin, which is libnice's: where it listens, and how fast it checks.

It is given no candidate of the viewer's: it answers the checks that come by the door, and sends one back for each.
"""

from __future__ import annotations

import os
from typing import Any

from transom_guest.environment import LOOPBACK
from transom_guest.stream.gst import keep_owner

PACING_MS = 5
"""Milliseconds between two checks, the least that RFC 8445 (14.2) allows. Each waits for this clock, also the one that
answers a viewer's, and DTLS waits for that; libnice's own 20 ms are for a dozen candidates."""


def prepare(webrtc: Any) -> list[Any]:
    """Before anything is gathered. What is returned must live as long as the peer."""
    ice = webrtc.get_property("ice-agent")
    keep_owner(ice)
    agent = ice.get_property("agent")
    # without it libnice waits 200 ms for a UPnP gateway
    agent.set_property("upnp", False)
    agent.set_property("ice-tcp", False)
    agent.set_property("stun-pacing-timer", PACING_MS)
    # the one address that the door's inner sockets reach; libnice ignores a loopback unless told
    ice.emit("add-local-ip-address", os.environ.get("TRANSOM_ADDRESS") or LOOPBACK)
    return [ice, agent]


def settle(webrtc: Any) -> None:
    """The viewer is connected, and no candidate of its will follow: else that clock ticks until the peer ends."""
    webrtc.emit("add-ice-candidate", 0, "")
