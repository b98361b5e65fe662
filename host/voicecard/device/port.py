"""A serial port as bytes in and bytes out, with errors for people."""

from __future__ import annotations

import errno
import time

import serial

from voicecard.device import permission
from voicecard.errors import DeviceError, LinkLostError, NoCardError

_READ_BYTES = 65536
_WRITE_TIMEOUT_S = 5.0


class _Lines(serial.Serial):
    """pyserial sets DTR, then RTS; between the two a board may go into its boot loader."""

    def _update_dtr_state(self) -> None:
        pass

    def _update_rts_state(self) -> None:
        pass


class Port:
    """An open serial port, held exclusively. DTR and RTS stay as the system sets them.

    Raises NoCardError if there is no such port, DeviceError if it may not or cannot be opened."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._serial = _Lines(path, exclusive=True, timeout=0, write_timeout=_WRITE_TIMEOUT_S)
        except (serial.SerialException, OSError, ValueError) as error:
            raise _opening(path, error) from error

    def __enter__(self) -> Port:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._serial.close()

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises LinkLostError when the other end is gone or does not read."""
        try:
            self._serial.write(data)
        except serial.SerialTimeoutException as error:
            raise LinkLostError(
                f"the card on {self.path} does not take what is sent: nothing is lost, plug it in again and retry"
            ) from error
        except (serial.SerialException, OSError) as error:
            raise self._lost() from error

    def read(self, deadline: float) -> bytes:
        """Bytes that have arrived, waiting for the first until `deadline` (time.monotonic); empty when none came.

        Raises LinkLostError when the other end is gone."""
        try:
            return self._arrived() or self._first(deadline) + self._arrived()
        except (serial.SerialException, OSError, TypeError) as error:  # pyserial: TypeError when closed meanwhile
            raise self._lost() from error

    def _arrived(self) -> bytes:
        return bytes(self._serial.read(_READ_BYTES))

    def _first(self, deadline: float) -> bytes:
        """The next byte; empty when none comes. Setting the time-out configures the port anew: it costs more than reading."""
        self._serial.timeout = max(0.0, deadline - time.monotonic())
        first = bytes(self._serial.read(1))
        self._serial.timeout = 0
        return first

    def _lost(self) -> LinkLostError:
        return LinkLostError(
            f"the card on {self.path} is gone (cable pulled or switched off): nothing is lost, plug it in and try again"
        )


def _opening(path: str, error: Exception) -> DeviceError:
    number = getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return NoCardError(f"there is no port {path}: `voicecard devices` lists the cards that are plugged in")
    if number in (errno.EACCES, errno.EPERM):
        return DeviceError(permission.refusal(path))
    if number in (errno.EAGAIN, errno.EBUSY) or "exclusively lock" in str(error):
        return DeviceError(
            f"{path} is in use by another program: close it (another voicecard, a terminal) and try again"
        )
    return NoCardError(
        f"{path} cannot be opened as a serial port: `voicecard devices` lists the cards that are plugged in"
    )
