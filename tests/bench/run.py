"""Run every benchmark and write build/bench.json: a list of {name, value, unit}."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = {"frame_path.py": [], "vad_speed.py": [], "codec.py": [], "gate.py": ["--json"]}
UNITS = {
    "realtime_factor": "x real time",
    "realtime_factor_32_bit": "x real time",
    "instructions_per_s": "instructions a second of sound",
    "share_of_240mhz": "of one core",
    "speech_kept": "%",
    "silence_dropped": "%",
    "frames": "frames",
    "differences": "frames",
    "word_error_rate": "%",
    "points_above_pcm": "points",
    "points_standard_error": "points",
    "draws_apart": "points",
    "snr_db": "dB",
}


def unit(name: str) -> str:
    return next((text for ending, text in UNITS.items() if name.endswith(ending)), "")


def main(target: Path) -> int:
    results: list[dict[str, object]] = []
    failed = 0
    for script, arguments in SCRIPTS.items():
        done = subprocess.run([sys.executable, HERE / script, *arguments], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"bench: {script} failed", file=sys.stderr)
            failed = 1
            continue
        figures = json.loads(done.stdout)
        results += [{"name": name, "value": value, "unit": unit(name)} for name, value in figures.items()]
        for name, value in figures.items():
            print(f"{name:<50} {value:>12} {unit(name)}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return failed


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
