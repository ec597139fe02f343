"""Recordings of sessions, for debugging: when, where they are kept, and how they come out of a machine."""
