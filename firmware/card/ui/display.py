"""The OLED: Adafruit's driver on MicroPython's I2C, sending only the pages that changed."""

import asyncio

from adafruit_ssd1306 import SSD1306_I2C


class Bus:
    """CircuitPython's I2C bus methods on a `machine.I2C`."""

    def __init__(self, i2c):
        self._i2c = i2c

    def try_lock(self):
        return True

    def unlock(self):
        pass

    def writeto(self, address, buffer, *, start=0, end=None):
        self._i2c.writeto(address, memoryview(buffer)[start : len(buffer) if end is None else end])

    def readfrom_into(self, address, buffer, *, start=0, end=None):
        self._i2c.readfrom_into(address, memoryview(buffer)[start : len(buffer) if end is None else end])


class Display(SSD1306_I2C):
    """Draw on it as a frame buffer, then `refresh`. Page addressing holds the bus for one page (3 ms) at a time."""

    def __init__(self, i2c, width, height):
        super().__init__(width, height, Bus(i2c), page_addressing=True)
        self._sent = bytearray(self.buffer)

    async def refresh(self):
        for page in range(self.pages):
            start = 1 + page * self.width
            view = memoryview(self.buffer)[start : start + self.width]
            sent = memoryview(self._sent)[start : start + self.width]
            if view != sent:
                sent[:] = view
                self._send_page(page, view)
                await asyncio.sleep_ms(0)

    def _send_page(self, page, pixels):
        self.write_cmd(0xB0 | page)
        self.write_cmd(0x00)
        self.write_cmd(0x10)
        self.pagebuffer[1:] = pixels
        with self.i2c_device:
            self.i2c_device.write(self.pagebuffer)
