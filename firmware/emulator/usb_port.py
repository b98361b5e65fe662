"""The board's USB port: the S3's full-speed controller, and the task in which TinyUSB calls the card's Python.

The task runs in the scheduler from a node of its own, which is never dropped. What a callback raises is printed, and
noted as a fault; so is what the controller cannot do and MicroPython does not check."""

import sys

from emulator.usb import IN, USBDevice
from emulator.usb_control import ControlEndpoint

FULL_SPEED_BYTES_PER_S = 1_216_000  # 19 bulk packets of 64 bytes in each frame of a millisecond
PACKET_BYTES = 64
MOST_PACKETS = 127  # of one transfer: the controller's packet counter has 7 bits
_ATTACH_US = 120_000  # the host waits 100 ms after a device appears, then resets the bus for 10 to 20 ms
_ADDRESS_US = 30_000  # from there on until it begins to ask
_DISCONNECT_US = 50_000  # MicroPython waits so long, so that the host sees the device go
_EBUSY = 16


class Endpoint:
    """An open endpoint and the transfer that is pending on it."""

    def __init__(self):
        self.buffer = None
        self.done = 0  # bytes of it
        self.busy = False  # until the task has seen its end
        self.move = None  # the event that ends what is on the bus now
        self.stalled = False


class Port:
    """`host`: what the cable leads to, see usb_host.py. `bytes_per_s`: payload over the bus, None: no limit."""

    def __init__(self, world, host, bytes_per_s=FULL_SPEED_BYTES_PER_S):
        self.device = None
        self.faults = []  # what a board would not forgive
        self.control = ControlEndpoint(self)
        self._world = world
        self._host = host
        self._bytes_per_s = bytes_per_s
        self._endpoints = {}  # by address, since the host has configured the device
        self._visible = False  # to a host
        self._attaching = None  # the event that ends it
        self._work = []  # what the controller has told the task
        self._awake = False
        host.port = self

    def fault(self, sentence):
        self.faults.append(sentence)

    def attach(self):
        """A cable leads to a host now; it finds the device if that is visible."""
        self._world.cancel(self._attaching)
        self._attaching = self._world.at(self._world.now_us + _ATTACH_US, self._reset_bus) if self._visible else None

    def detach(self):
        """The cable is out. The port does not see it: nothing measures the bus voltage, and what is pending stays so."""
        self._world.cancel(self._attaching)
        self._stop_moving()

    # What the device asks of the controller.

    def submit(self, address, buffer):
        """Whether the transfer is pending now. Raises OSError while another is."""
        endpoint = self._endpoints.get(address)
        if endpoint and endpoint.busy:
            raise OSError(_EBUSY)
        size = len(buffer)
        if endpoint is None:
            self.fault("a transfer on endpoint %02x, which is not open" % address)
        elif size > MOST_PACKETS * PACKET_BYTES:
            self.fault("a transfer of %d bytes: the packet counter ends at %d packets" % (size, MOST_PACKETS))
        elif not address & IN and (size == 0 or size % PACKET_BYTES):
            self.fault("a buffer of %d bytes for whole packets from the host" % size)
        else:
            endpoint.buffer, endpoint.done, endpoint.busy = buffer, 0, True
            self._move(address, endpoint)
            return True
        return False

    def stall(self, address, *stall):
        """Stalling gives up what is pending; the host sees an error. Returns the state before."""
        endpoint = self._endpoints[address]
        before = endpoint.stalled
        if stall and bool(stall[0]) != before:
            endpoint.stalled = endpoint.busy = bool(stall[0])
            self._world.cancel(endpoint.move)
            endpoint.move = endpoint.buffer = None
        return before

    def open(self, address):
        self._endpoints[address] = Endpoint()

    def reset(self):
        """All endpoints are closed, what was pending on them never completes, and the card is told."""
        self._close()
        self.call(self.device.reset_cb)

    def _close(self):
        self._stop_moving()
        self._endpoints = {}
        self.control.close()

    # The bus.

    def move(self):
        """Go on with what is pending: the host reads again, or has something to send."""
        for address, endpoint in self._endpoints.items():
            self._move(address, endpoint)

    def _move(self, address, endpoint):
        if endpoint.buffer is None or endpoint.move is not None or endpoint.stalled:
            return
        if address & IN:
            room = self._host.room(address)
            size = min(len(endpoint.buffer) - endpoint.done, room) if room else None
        else:
            size = self._host.packet_bytes(address)
        if size is not None:
            us = size * 1_000_000 // self._bytes_per_s if self._bytes_per_s else 0
            endpoint.move = self._world.at(self._world.now_us + us, lambda: self._moved(address, endpoint, size))

    def _moved(self, address, endpoint, size):
        endpoint.move = None
        end = endpoint.done + size
        over = end == len(endpoint.buffer)
        if address & IN:
            self._host.take(endpoint.buffer[endpoint.done : end])
        else:
            endpoint.buffer[endpoint.done : end] = self._host.take_packet(size)
            over = over or size < PACKET_BYTES
        endpoint.done = end
        if over:
            endpoint.buffer = None
            self.in_task(lambda: self._complete(address, endpoint, end))
        else:
            self._move(address, endpoint)

    def _stop_moving(self):
        for endpoint in self._endpoints.values():
            self._world.cancel(endpoint.move)
            endpoint.move = None

    def _reset_bus(self):
        self._stop_moving()
        self.in_task(self.reset)
        ask_us = self._world.now_us + _ADDRESS_US
        self._attaching = self._world.at(ask_us, lambda: self.in_task(self._host.enumerate))

    # The task.

    def in_task(self, action):
        """The task is to call `action()`."""
        self._work.append(action)
        self.wake()

    def wake(self):
        """Schedule the task: by a node of its own, which needs no room in the scheduler's queue."""
        if not self._awake:
            self._awake = True
            self._world.schedule_node(self._task)

    def call(self, callback, *arguments):
        """What a callback returns; None when there is none, or when it raised."""
        try:
            return callback(*arguments) if callback else None
        except Exception as error:
            sys.print_exception(error)
            self.fault("a callback raised %r" % error)
            return None

    def _task(self, _argument):
        self._awake = False
        while self._work:
            self._work.pop(0)()
        if self.device is not None and self.device.triggered:
            self._appear_or_disappear()
            self.device.triggered = False

    def _complete(self, address, endpoint, size):
        if self._endpoints.get(address) is endpoint:
            endpoint.busy = False
            self.call(self.device.xfer_cb, address, USBDevice.XFER_SUCCESS, size)

    def _appear_or_disappear(self):
        """A host that is there must first see go what it knows: the REPL's function at least."""
        self._world.cancel(self._attaching)
        self._close()
        if self._host.connected:
            self._world.spend(_DISCONNECT_US)
        self._host.lost()
        self._visible = self.device.active()
        if self._host.connected:
            self.attach()
