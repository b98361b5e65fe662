"""Make the demo conversation: conversation.txt spoken by the `flite` synthesiser (Debian package `flite`), as FLAC.

    python tests/demo/make_conversation.py [OUTPUT.flac]

Lines of the script are `rms: text`, `slt: text` (voices of flite) and `pause: seconds`. The same script gives the same
samples every time: 16 kHz, mono, 16 bit, ordinary speech level, over the quiet noise of a room.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

HERE = Path(__file__).parent
SCRIPT = HERE / "conversation.txt"
RECORDING = HERE / "conversation.flac"
SAMPLE_RATE = 16_000
SPEECH_PEAK_DBFS = -6.0
SPEECH_FLOOR_DBFS = -54.0
ROOM_NOISE_DBFS = -66.0


def script_lines(script: Path = SCRIPT) -> Iterator[tuple[str, str]]:
    """Yield (voice or "pause", text or seconds) for each line of the script."""
    for line in script.read_text(encoding="utf-8").splitlines():
        who, _, what = line.partition(":")
        yield who.strip(), what.strip()


def spoken_text(script: Path = SCRIPT) -> str:
    """What is said in the conversation, without who says it."""
    return " ".join(what for who, what in script_lines(script) if who != "pause")


def amplitude(dbfs: float) -> float:
    return float(10 ** (dbfs / 20))


def speak(voice: str, text: str) -> NDArray[np.float64]:
    """Return one turn without the silence around it, full scale 1.0, its peak at ordinary speech level."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "turn.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(wav)], check=True)
        samples, sample_rate = sf.read(wav, dtype="float64")
    if sample_rate != SAMPLE_RATE:
        raise ValueError(f"voice {voice} speaks at {sample_rate} Hz, wanted {SAMPLE_RATE} Hz")
    samples *= amplitude(SPEECH_PEAK_DBFS) / np.abs(samples).max()
    heard = np.flatnonzero(np.abs(samples) > amplitude(SPEECH_FLOOR_DBFS))
    turn: NDArray[np.float64] = samples[heard[0] : heard[-1] + 1]
    return turn


def conversation() -> NDArray[np.int16]:
    """Return the whole conversation."""
    parts = [
        np.zeros(round(float(what) * SAMPLE_RATE)) if who == "pause" else speak(who, what)
        for who, what in script_lines()
    ]
    speech = np.concatenate(parts)
    # RandomState, because numpy promises that its stream never changes.
    room = np.random.RandomState(1).standard_normal(len(speech)) * amplitude(ROOM_NOISE_DBFS)
    return np.round((speech + room) * 32767).astype(np.int16)


def main() -> None:
    if shutil.which("flite") is None:
        raise SystemExit("make_conversation: flite is not installed: `apt install flite` brings it.")
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDING
    sf.write(output, conversation(), SAMPLE_RATE, subtype="PCM_16", format="FLAC")


if __name__ == "__main__":
    main()
