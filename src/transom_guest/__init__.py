"""What runs inside a machine: boot and supervision, the desktop, the stream, sign-ins.

Debian 13's Python with its standard library, GStreamer, python3-xlib and python3-cryptography; nothing
here is trusted by anyone outside.
"""
