"""The messages that controller, keeper and guest speak. Pure: no I/O, no asyncio."""

WIRE_VERSION = 3
"""Rises with every incompatible change; both ends say theirs in the first frame."""
