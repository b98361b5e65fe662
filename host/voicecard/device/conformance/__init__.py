"""The protocol's rules as PROTOCOL.md has them, run against any card."""
