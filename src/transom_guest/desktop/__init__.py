"""The desktop inside a machine: display, window manager, browser."""
