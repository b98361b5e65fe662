"""The emulated card hears this computer's own microphone, with a stand-in for the package that knows the sound card: here is none."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from test_hand import likeness

from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, emulate, running_card
from voicecard.errors import UsageError
from voicecard.library.archive import Library
from voicecard.sync import sync


def test_the_computers_own_microphone_is_heard_as_it_comes(
    tmp_path: Path, conversation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, rate = soundfile.read(conversation, dtype="int16")

    class Stream:
        """Hears the conversation, in real time from when it is opened."""

        def __init__(self, samplerate: int, channels: int, dtype: str, callback: Callable[..., None]) -> None:
            assert (samplerate, channels, dtype) == (rate, 1, "int16")
            self._callback, self._stop = callback, threading.Event()
            self._thread = threading.Thread(target=self._hear)

        def _hear(self) -> None:
            heard, began = 0, time.monotonic()
            while not self._stop.wait(0.02):
                due = int((time.monotonic() - began) * rate)
                self._callback(said[heard:due].tobytes(), due - heard, None, None)
                heard = due

        def __enter__(self) -> None:
            self._thread.start()

        def __exit__(self, *exc: object) -> None:
            self._stop.set()
            self._thread.join()

    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace(RawInputStream=Stream))
    flash = tmp_path / "card.img"
    emulate(EmulateOptions(computer_mic=True, flash=flash, script="boot; tap rec; wait 8s; tap rec; wait 1s", seed=1))
    options = EmulateOptions(flash=flash)
    with Library(tmp_path) as library, running_card(options) as card, CardLink.open(str(card.port())) as link:
        (entry,) = sync(link, library).new
    assert entry.speech_s > 1
    heard = entry.samples("keep").astype(float)
    loudest = max(range(0, len(heard) - rate // 2, rate // 8), key=lambda at: np.abs(heard[at : at + rate // 2]).sum())
    assert likeness(said.astype(float), heard[loudest : loudest + rate // 2]) > 0.8


def test_without_a_microphone_of_its_own_a_computer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(UsageError, match=r"pip install 'voicecard\[microphone\]'"):
        emulate(EmulateOptions(computer_mic=True, script="boot; wait 1s"))
