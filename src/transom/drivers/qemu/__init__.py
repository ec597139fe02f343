"""Machines as QEMU microvms on the controller's own host."""
