"""This computer's own microphone as what the emulated card hears: a file of raw samples that grows while it is heard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voicecard.device.emulated_microphone import RATE
from voicecard.errors import DeviceError, UsageError


@contextmanager
def heard_into(path: Path) -> Iterator[None]:
    """While the block runs, append what the microphone hears to a file: 16 kHz, mono, 16 bit.

    Raises UsageError without the package sounddevice, DeviceError if there is no microphone that can be opened."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: PortAudio itself is missing
        raise UsageError(
            f"this computer's microphone cannot be heard ({error}): install it with `pip install 'voicecard[microphone]'`"
            " and, on Linux, the system's package libportaudio2"
        ) from error
    with path.open("wb", buffering=0) as file:
        try:
            stream = sounddevice.RawInputStream(
                samplerate=RATE,
                channels=1,
                dtype="int16",
                callback=lambda data, frames, time, status: file.write(data),
            )
        except Exception as error:  # PortAudio's, whose class depends on the version
            raise DeviceError(
                f"this computer's microphone cannot be opened ({error}): give a file with --mic instead"
            ) from error
        with stream:
            yield
