"""The board in software: the card's own firmware on the MicroPython unix interpreter, only the board replaced."""
