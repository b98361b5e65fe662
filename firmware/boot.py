"""Returns at once: USB comes up between this file and main.py."""
