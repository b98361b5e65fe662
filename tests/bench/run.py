"""Run every benchmark and write build/bench.json: a list of {name, value, unit}, and for a ratio its `sides`, measured in the same run.

With names of scripts behind the file, only those run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS: dict[str, list[str]] = {
    "frame_path.py": [],
    "vad_speed.py": [],
    "codec.py": [],
    "gate.py": ["--json"],
    "link.py": [],
    "link_nothing_new.py": [],
    "search.py": [],
    "words.py": ["--json"],
}
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
    "bytes_per_s": "bytes/s",
    "_share": "of the bus",
    "over_mpremote": "x mpremote cp",
    "_ms": "ms",
    "_s": "s",
}


def unit(name: str) -> str:
    return next((text for ending, text in UNITS.items() if name.endswith(ending)), "")


def entry(name: str, figure: object) -> dict[str, object]:
    """A figure is a number, or for a ratio {"value": it, "sides": {name: number}}."""
    told = figure if isinstance(figure, dict) else {"value": figure}
    return {"name": name, "unit": unit(name), **told}


def main(target: Path, scripts: list[str]) -> int:
    results: list[dict[str, object]] = []
    failed = 0
    for script in scripts or SCRIPTS:
        arguments = SCRIPTS[script]
        done = subprocess.run([sys.executable, HERE / script, *arguments], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"bench: {script} failed", file=sys.stderr)
            failed = 1
            continue
        found = [entry(name, figure) for name, figure in json.loads(done.stdout).items()]
        results += found
        for figure in found:
            sides = "".join(f"  {side} {value}" for side, value in figure.get("sides", {}).items())
            print(f"{figure['name']:<50} {figure['value']:>12} {figure['unit']}{sides}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return failed


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
