"""The host side of voicecard: find a card, sync it, keep and read its recordings."""

__version__ = "0.1.0"
