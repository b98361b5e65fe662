"""machine.USBDevice as MicroPython's esp32 port has it since 1.25; the port behind it is in usb_port.py.

What the real one raises is raised here. What it would let pass, or punish with a crash, is noted in `board.usb.faults`."""

from emulator import board, heap

IN = 0x80
_ENDPOINTS = 16  # that TinyUSB has room for
_EINVAL = 22


class BuiltinNone:
    """No function that is compiled in."""

    itf_max, ep_max, str_max = 0, 0, 1
    desc_dev = b"\x12\x01\x00\x02\xef\x02\x01\x40\x3a\x30\x01\x40\x00\x01\x01\x02\x03\x01"
    desc_cfg = b""


class BuiltinDefault:
    """The REPL's CDC-ACM function of the official S3 image."""

    itf_max, ep_max, str_max = 2, 3, 5
    desc_dev = BuiltinNone.desc_dev
    desc_cfg = (
        b"\x09\x02\x4b\x00\x02\x01\x00\x80\x7d"
        b"\x08\x0b\x00\x02\x02\x02\x00\x00"
        b"\x09\x04\x00\x00\x01\x02\x02\x00\x04"
        b"\x05\x24\x00\x20\x01\x05\x24\x01\x00\x01\x04\x24\x02\x06\x05\x24\x06\x00\x01"
        b"\x07\x05\x81\x03\x08\x00\x10"
        b"\x09\x04\x01\x00\x02\x0a\x00\x00\x00"
        b"\x07\x05\x02\x02\x40\x00\x00\x07\x05\x82\x02\x40\x00\x00"
    )


class USBDevice:
    """machine.USBDevice: there is one, whoever asks."""

    BUILTIN_NONE, BUILTIN_DEFAULT, BUILTIN_CDC = BuiltinNone, BuiltinDefault, BuiltinDefault
    XFER_SUCCESS, XFER_FAILED, XFER_STALLED = 0, 1, 2

    def __new__(cls):
        if board.usb.device is None:
            board.usb.device = super(USBDevice, cls).__new__(cls)
            board.usb.device._begin()
        return board.usb.device

    def _begin(self):
        self._builtin = BuiltinNone
        self._active = False
        self.triggered = False  # a change of `active` waits for the task
        self.desc_dev = self.desc_cfg = self.desc_strs = None
        self.open_itf_cb = self.reset_cb = self.control_xfer_cb = self.xfer_cb = None

    @property
    def builtin_driver(self):
        return self._builtin

    @builtin_driver.setter
    def builtin_driver(self, driver):
        if self._active:
            raise OSError(_EINVAL)
        self._builtin = driver

    def config(
        self, desc_dev, desc_cfg, desc_strs, open_itf_cb=None, reset_cb=None, control_xfer_cb=None, xfer_cb=None
    ):
        """While active it is no error, as on the board: the host just never learns of it."""
        if not is_buffer(desc_dev):
            raise ValueError("desc_dev")
        if not is_buffer(desc_cfg):
            raise ValueError("desc_cfg")
        if desc_strs is not None and not _is_subscriptable(desc_strs):
            raise ValueError("desc_strs")
        if self._active:
            board.usb.fault("configured while active: the host keeps the descriptors it has read")
        self.desc_dev, self.desc_cfg, self.desc_strs = desc_dev, desc_cfg, desc_strs
        self.open_itf_cb, self.reset_cb = open_itf_cb, reset_cb
        self.control_xfer_cb, self.xfer_cb = control_xfer_cb, xfer_cb

    def active(self, *value):
        """The state before the call; a new one takes effect in the task."""
        before = self._active
        if value and bool(value[0]) != before:
            if value[0] and self._builtin is BuiltinNone and self.desc_dev is None:
                raise OSError(_EINVAL)
            self._active = not before
            self.triggered = True
            board.usb.wake()
        return before

    def submit_xfer(self, ep, buffer):
        """Whether the transfer is queued. OSError: inactive, or endpoint busy; ValueError: no such endpoint; TypeError."""
        depth = heap.release()
        try:
            self._check_active()
            if not isinstance(ep, int):
                raise TypeError("can't convert to int")
            read_only = isinstance(buffer, (bytes, str))
            if not is_buffer(buffer) or (read_only and not ep & IN):
                raise TypeError("object with buffer protocol required")
            if not 0 < ep & 0x7F < _ENDPOINTS:
                raise ValueError("ep")
            return board.usb.submit(ep, memoryview(buffer))
        finally:
            heap.restore(depth)

    def stall(self, ep, *stall):
        self._check_active()
        return board.usb.stall(ep, *stall)

    def remote_wakeup(self):
        return False

    def _check_active(self):
        if not self._active or self.triggered:
            raise OSError(_EINVAL)


def is_buffer(value):
    return isinstance(value, (bytes, bytearray, memoryview, str))


def _is_subscriptable(value):
    return isinstance(value, (dict, list, tuple)) or hasattr(value, "__getitem__")
