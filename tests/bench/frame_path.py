"""How fast the per-frame path runs on MicroPython here, and what it would take of the board's core: prints one JSON object.

The share is counted as in vad_speed.py, one instruction a cycle, of the compiled viper functions alone; the bytecode between them
is not in it."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import soundfile

import codec
import vad_speed
import xtensa
from voicecard.device.interpreter import micropython_command

ROOT = Path(__file__).parents[2]
FRAME_US = 30_000
RUNS = 3
CAPTURE = ROOT / "firmware" / "card" / "capture"
WIRE = ROOT / "firmware" / "wire"
SAMPLES, SEALED_BYTES, CRC_BYTES = 480, 252, 4
# Iterations of each loop in one frame, by module and function.
WORK = {
    (CAPTURE / "level.py", "remove_dc"): (SAMPLES,),
    (CAPTURE / "level.py", "apply_gain"): (SAMPLES,),
    (CAPTURE / "level.py", "measure"): (SAMPLES,),
    (WIRE / "crc32.py", "seal"): (8, SEALED_BYTES - 8, CRC_BYTES),
}


def instructions_per_s() -> float:
    """Of the whole path: levels, voice detector, codec and block checksum."""
    own = sum(xtensa.functions(module)[name].instructions(1, work) for (module, name), work in WORK.items())
    encoder = xtensa.functions(codec.ENCODER)
    own += sum(encoder[name].instructions(*work) for name, work in codec.WORK.items())
    return vad_speed.instructions_per_s() + vad_speed.FRAMES_PER_S * own


def measure() -> dict[str, float]:
    samples, _ = soundfile.read(ROOT / "tests" / "demo" / "conversation.flac", dtype="int16")
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "sound.s16"
        samples.tofile(raw)
        script = Path(__file__).with_name("frame_path_card.py")
        command = [*micropython_command(), str(script), str(ROOT / "firmware"), str(raw)]
        best = 0.0
        for _ in range(RUNS):
            took_us, frames = map(
                int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            )
            best = max(best, frames * FRAME_US / took_us)
    instructions = instructions_per_s()
    return {
        "frame_path_realtime_factor": round(best, 1),
        "frame_path_xtensa_instructions_per_s": round(instructions),
        "frame_path_share_of_240mhz": round(instructions / vad_speed.CLOCK_HZ, 4),
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
