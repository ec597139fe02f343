"""Clipboards between a driving viewer and the desktop, by the viewer's terms (docs/reference/channels.md)."""
