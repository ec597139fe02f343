"""Machines as Firecracker microVMs in jails, on hosts with KVM."""
