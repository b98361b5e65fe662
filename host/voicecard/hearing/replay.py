"""The card's voice decisions on a sound file: by its own code in MicroPython, or by the original WebRTC detector."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voicecard.device.application import firmware_folder
from voicecard.device.emulated_microphone import RATE, prepare
from voicecard.device.interpreter import micropython_command
from voicecard.errors import DeviceError

Engine = Literal["card", "webrtc"]
MODE, PRE_ROLL_MS, HANG_OVER_MS = 1, 300, 800  # the card's defaults
_RUN_TIMEOUT_S = 3600
_CARD_ENGINE = Path(__file__).with_name("card_engine.py")


@dataclass(frozen=True, slots=True)
class Hearing:
    """A sound and what was decided on it: samples int16 at 16 kHz, one decision a frame, and which frames the gate keeps."""

    samples: NDArray[np.int16]
    frame_ms: int
    mode: int
    engine: str
    speech: NDArray[np.bool_]
    kept: NDArray[np.bool_]

    @property
    def decisions(self) -> str:
        return "".join("01"[int(s)] for s in self.speech)

    def seconds(self, frames: NDArray[np.bool_]) -> float:
        return int(frames.sum()) * self.frame_ms / 1000


def hear(
    source: Path, mode: int, frame_ms: int, engine: Engine, note: Callable[[str], None], interpreter: Path | None = None
) -> Hearing:
    """Decide on every whole frame of a sound file, resampled and mixed to what the card hears if need be (`note` is told).

    Raises VoicecardError for a file without sound, DeviceError if there is no MicroPython for the engine `card`."""
    with tempfile.TemporaryDirectory(prefix="voicecard-") as folder:
        raw = Path(folder) / "sound.s16"
        prepare(source, raw, note)
        samples = np.fromfile(raw, "<i2")
        frame_samples = RATE // 1000 * frame_ms
        if engine == "card":
            decisions = _card_decisions(raw, mode, frame_samples, interpreter)
        else:
            decisions = _webrtc_decisions(samples, mode, frame_samples)
    speech = np.array([d == "1" for d in decisions], dtype=np.bool_)
    kept = keep(speech, PRE_ROLL_MS // frame_ms, HANG_OVER_MS // frame_ms)
    return Hearing(samples, frame_ms, mode, engine, speech, kept)


def keep(speech: NDArray[np.bool_], pre_roll: int, hang_over: int) -> NDArray[np.bool_]:
    """Frames that the gate keeps: from `pre_roll` frames before each speech frame to `hang_over` frames after it."""
    around = np.convolve(speech.astype(np.int64), np.ones(pre_roll + hang_over + 1, np.int64))
    kept: NDArray[np.bool_] = around[pre_roll : pre_roll + len(speech)] > 0
    return kept


def _card_decisions(raw: Path, mode: int, frame_samples: int, interpreter: Path | None) -> str:
    command = [*micropython_command(interpreter), str(_CARD_ENGINE), str(firmware_folder().resolve()), str(raw)]
    done = subprocess.run(
        [*command, str(mode), str(frame_samples)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=_RUN_TIMEOUT_S,
    )
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise DeviceError(
            f"the card's detector failed in MicroPython ({lines[-1] if lines else 'no output'}): report it"
        )
    return done.stdout.strip()


def _webrtc_decisions(samples: NDArray[np.int16], mode: int, frame_samples: int) -> str:
    import webrtcvad

    detector = webrtcvad.Vad(mode)
    frames = samples[: len(samples) // frame_samples * frame_samples].reshape(-1, frame_samples)
    return "".join("01"[detector.is_speech(frame.tobytes(), RATE)] for frame in frames)
