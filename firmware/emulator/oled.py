"""The SSD1306 display: the driver's commands in, pixels out. Source: Solomon Systech SSD1306 data sheet, rev 1.1."""

COLUMNS, PAGES = 128, 8
_HORIZONTAL, _VERTICAL, _PAGE = 0, 1, 2
_SETTLED_US, _LONGEST_US = 40_000, 250_000  # a screen counts when it rests so long, or at the latest after so long

# Command byte: number of the bytes that follow it.
_ARGUMENTS = {
    0x20: 1,  # memory addressing mode
    0x21: 2,  # column range
    0x22: 2,  # page range
    0x81: 1,  # contrast
    0x8D: 1,  # charge pump
    0xA8: 1,  # multiplex ratio
    0xAD: 1,  # internal current reference
    0xD3: 1,  # display offset
    0xD5: 1,  # clock
    0xD9: 1,  # pre-charge
    0xDA: 1,  # COM pins
    0xDB: 1,  # VCOMH level
}
_WITHOUT_EFFECT = (0xAD, 0xD5, 0xD9, 0xDB, 0xE3)


class Display:
    """An SSD1306 with a glass of 128 by `height` pixels. `on_change(display, time_us)` is told of each new screen."""

    def __init__(self, world, height=64, on_change=None):
        self.height = height
        self.contrast = 0x7F
        self._world = world
        self._on_change = on_change
        self._ram = bytearray(COLUMNS * PAGES)
        self._pending = []  # a command whose arguments have not all come
        self._mode = _PAGE
        self._columns, self._pages = (0, COLUMNS - 1), (0, PAGES - 1)
        self._column = self._page = 0
        self._on = self._pump = self._inverse = self._all_on = False
        self._mirrored_columns = self._mirrored_rows = False
        self._start_line = self._offset = 0
        self._rows = 64
        self._com_pins = 0x12
        self._settling = None
        self._dirty_since_us = 0
        self._shown = bytes(COLUMNS * height // 8)

    def write(self, buf):
        """One I2C transfer: control bytes (0x80 one command, 0x00 commands, 0x40 data), each before what it announces.

        Raises ValueError for a byte that is no command or no control byte: what the chip would do is undefined."""
        at = 0
        while at < len(buf):
            control = buf[at]
            if control == 0x40:
                self._store(memoryview(buf)[at + 1 :])
                at = len(buf)
            elif control == 0x80 and at + 1 < len(buf):
                self._command(buf[at + 1])
                at += 2
            elif control == 0x00:
                for byte in memoryview(buf)[at + 1 :]:
                    self._command(byte)
                at = len(buf)
            else:
                raise ValueError("the display knows no control byte 0x%02x" % control)
        if buf:
            self._changed()

    def read(self, size):
        """The status byte: bit 6 is set while the display is off."""
        return bytes([0 if self._on else 0x40]) * size

    def pixels(self):
        """What is to be seen, as rows of 16 bytes, most significant bit first, 1 is light."""
        out = bytearray(COLUMNS // 8 * self.height)
        if not (self._on and self._pump):
            return bytes(out)
        lit = b"\xff" * len(self._ram) if self._all_on else self._ram
        flip = 0xFF if self._inverse and not self._all_on else 0
        for y in range(min(self.height, self._rows)):
            _draw_row(lit, self._ram_row(y), flip, self._mirrored_columns, out, y)
        return bytes(out)

    def pbm(self):
        """The screen as a portable bitmap (binary PBM, in which 1 is black: so the picture is inverted)."""
        header = b"P4\n%d %d\n" % (COLUMNS, self.height)
        return header + bytes([byte ^ 0xFF for byte in self.pixels()])

    def settle(self):
        """Report the screen now if it is another than the last one reported."""
        self._settling = None
        if self._on_change is None:
            return
        pixels = self.pixels()
        if pixels != self._shown:
            self._shown = pixels
            self._on_change(self, self._dirty_since_us)

    def _ram_row(self, y):
        """The RAM row that glass row `y` (from the top, as modules are mounted) shows."""
        com = y if self._mirrored_rows else self._rows - 1 - y
        if self._com_pins != (0x02 if self.height == 32 else 0x12):
            com = com // 2 + com % 2 * self._rows // 2  # wired for the other kind of glass: rows are interleaved
        return (com + self._offset + self._start_line) % 64

    def _changed(self):
        if not self._on_change:
            return
        now_us = self._world.now_us
        if self._settling:
            self._world.cancel(self._settling)
        else:
            self._dirty_since_us = now_us
        due_us = min(now_us + _SETTLED_US, self._dirty_since_us + _LONGEST_US)
        self._settling = self._world.at(max(due_us, now_us), self.settle)

    def _command(self, byte):
        self._pending.append(byte)
        command = self._pending[0]
        if len(self._pending) <= _ARGUMENTS.get(command, 0):
            return
        arguments, self._pending = self._pending[1:], []
        if arguments:
            self._set(command, arguments)
        else:
            self._switch(command)

    def _set(self, command, arguments):
        value = arguments[0]
        if command == 0x20:
            if value & 3 == 3:
                raise ValueError("the display knows no addressing mode 3")
            self._mode = value & 3
        elif command == 0x21:
            self._columns = _range(arguments, COLUMNS)
            self._column = self._columns[0]
        elif command == 0x22:
            self._pages = _range(arguments, PAGES)
            self._page = self._pages[0]
        elif command == 0x81:
            self.contrast = value
        elif command == 0x8D:
            self._pump = bool(value & 0x04)
        elif command == 0xA8:
            if value < 15 or value > 63:
                raise ValueError("the display knows no multiplex ratio %d" % value)
            self._rows = value + 1
        elif command == 0xD3:
            self._offset = value & 0x3F
        elif command == 0xDA:
            self._com_pins = value
        elif command not in _WITHOUT_EFFECT:
            raise ValueError("the display knows no command 0x%02x" % command)

    def _switch(self, command):
        if command < 0x10:
            self._column = self._column & 0xF0 | command
        elif command < 0x20:
            self._column = self._column & 0x0F | (command & 0x07) << 4
        elif 0x40 <= command < 0x80:
            self._start_line = command & 0x3F
        elif command & 0xFE == 0xA0:
            self._mirrored_columns = bool(command & 1)
        elif command & 0xFE == 0xA4:
            self._all_on = bool(command & 1)
        elif command & 0xFE == 0xA6:
            self._inverse = bool(command & 1)
        elif command & 0xFE == 0xAE:
            self._on = bool(command & 1)
        elif command & 0xF8 == 0xB0:
            self._page = command & 7
        elif command in (0xC0, 0xC8):
            self._mirrored_rows = command == 0xC8
        elif command not in _WITHOUT_EFFECT:
            raise ValueError("the display knows no command 0x%02x" % command)

    def _store(self, data):
        for byte in data:
            self._ram[self._page * COLUMNS + self._column] = byte
            self._advance()

    def _advance(self):
        if self._mode == _PAGE:
            self._column = (self._column + 1) % COLUMNS
        elif self._mode == _HORIZONTAL:
            self._column, carry = _next(self._column, self._columns)
            if carry:
                self._page = _next(self._page, self._pages)[0]
        else:
            self._page, carry = _next(self._page, self._pages)
            if carry:
                self._column = _next(self._column, self._columns)[0]


@micropython.viper
def _draw_row(ram: ptr8, row: int, flip: int, mirrored: bool, out: ptr8, y: int):
    """Draw row `row` of the memory as line `y`: a byte of memory is a column of eight rows."""
    page = 128 * (row >> 3)
    bit = row & 7
    for x in range(128):
        column = x if mirrored else 127 - x
        if ((int(ram[page + column]) ^ flip) >> bit) & 1:
            out[y * 16 + (x >> 3)] |= 0x80 >> (x & 7)


def _range(arguments, limit):
    first, last = arguments
    if not first <= last < limit:
        raise ValueError("the display knows no range %d to %d" % (first, last))
    return first, last


def _next(at, bounds):
    """The place after `at`, and whether that is the first one again."""
    return (bounds[0], True) if at == bounds[1] else (at + 1, False)
