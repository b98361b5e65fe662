"""The I2C bus: nine bits a byte at the bus's frequency; OSError(19), as on the part, where nobody answers."""

from emulator import board

_ENODEV = 19
_FIRST_ADDRESS, _LAST_ADDRESS = 0x08, 0x77


class I2C:
    """machine.I2C. On other pins than the display's the bus is empty. `longest_us`: the longest that it was held at a time."""

    def __init__(self, id=0, *, scl, sda, freq=400_000, timeout=50_000):
        if id not in (0, 1):
            raise ValueError("I2C(%s) doesn't exist" % id)
        self.longest_us = 0
        self._freq = freq
        self._devices = {}
        if board.display and (sda.id, scl.id) == board.I2C_PINS:
            self._devices[board.DISPLAY_ADDRESS] = board.display

    def scan(self):
        return [address for address in range(_FIRST_ADDRESS, _LAST_ADDRESS + 1) if self._answers(address)]

    def writeto(self, address, buf, stop=True):
        """Returns the number of bytes that were acknowledged."""
        device = self._device(address)
        self._clock(len(buf))
        device.write(buf)
        return len(buf)

    def writevto(self, address, vector, stop=True):
        return self.writeto(address, b"".join([bytes(part) for part in vector]), stop)

    def readfrom(self, address, size, stop=True):
        device = self._device(address)
        self._clock(size)
        return device.read(size)

    def readfrom_into(self, address, buf, stop=True):
        buf[:] = self.readfrom(address, len(buf), stop)

    def _device(self, address):
        if not self._answers(address):
            raise OSError(_ENODEV)
        return self._devices[address]

    def _answers(self, address):
        self._clock(1)
        return address in self._devices

    def _clock(self, size):
        us = 9_000_000 * size // self._freq
        self.longest_us = max(self.longest_us, us)
        board.world.spend(us)
