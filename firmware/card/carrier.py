"""Which way the link goes: over a USB interface of the card's own where the firmware has that, else over the REPL's."""

from card import board


def open_carrier(name):
    """The carrier for the card of that name; "" as long as it has none."""
    device = board.usb_device()
    if device:
        from card.link.usb import Usb

        return Usb(device, name or "unnamed")
    from card.link.stdio import Stdio

    return Stdio(*board.stdio())
