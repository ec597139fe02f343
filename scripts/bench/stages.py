"""Where a key's milliseconds go: pure. The guest's part by the marks of its frames, the viewer's by its counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ORDER = ("act", "grab", "read", "convert", "encode", "packets", "network", "jitter_buffer", "decode")
"""Input to change, change to grab, reading the screen, colours, encoder, packets and sending, half a round trip,
jitter buffer, decoder. What `key to picture` takes beyond their sum is the browser: the key's way out of
it and the frame's from the decoder into the canvas, which end what the page measures by the mark..."""
DRAWN = "stage_page_ms"
"""...and after that the way to the screen, and looking at it every 4 ms."""


def parts_of_mark(mark: Sequence[float | str]) -> dict[str, float]:
    """The milliseconds of `["mark", seq, rtp, act, grab, send, read, convert, encode]`."""
    numbers = [float(each) for each in mark[3:]]
    act, grab, send = numbers[:3]
    found = {"act": act, "grab": grab, "send": send}
    if len(numbers) == 6:
        read, convert, encode = numbers[3:]
        packets = max(send - read - convert - encode, 0.0)
        found |= {"read": read, "convert": convert, "encode": encode, "packets": packets}
    return found


def parts_of_counts(
    before: Mapping[str, float | None], after: Mapping[str, float | None]
) -> dict[str, float]:
    """Milliseconds of a frame between two looks at the browser's counters; what it did not count is left out."""

    def rise(name: str) -> float:
        return float(after.get(name) or 0) - float(before.get(name) or 0)

    found = {}
    if rise("emitted") > 0:
        found["jitter_buffer"] = 1000 * rise("jitter") / rise("emitted")
    if rise("frames") > 0:
        found["decode"] = 1000 * rise("decode") / rise("frames")
    if after.get("rtt") is not None:
        found["network"] = 1000 * float(after["rtt"] or 0) / 2
    return found
