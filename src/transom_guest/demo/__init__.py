"""A provider that needs no account: a small issuer and a small tool, both of which stay inside the machine.

The issuer speaks OAuth 2 as real ones do (RFC 6749, 7636, 8252), and the device flow of the codex tool.
"""
