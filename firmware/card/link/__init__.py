"""The serial link: carrier and server."""
