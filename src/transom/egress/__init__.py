"""Exits: pool, leases, health, and what a forwarder is told."""
