"""The root helper: the one process with rights, a few typed verbs over a unix socket.

It believes nobody: a caller is known by SO_PEERCRED, a file by its descriptor, everything else is an id, a
number or an enum. What it makes is either held by descriptors alone and ends with the last of them (networks),
or written down before it is made (groups, jails), so that a later helper can remove it.
"""
