"""The demo: a conversation is recorded on an emulated card, synced over its serial port, transcribed and scored.

Usage: demo.py FOLDER. Everything it makes lies below FOLDER: the card's flash image, its screens, the library.
It drives the `voicecard` command of the Python it runs under, as a person would.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
CONVERSATION = HERE / "conversation.flac"
SCRIPT = "boot; wait 1s; tap rec; wait 8s; tap memo; until mic-end; tap rec; wait 1s; plug"
VOICECARD = [sys.executable, "-m", "voicecard"]
PLUGGED_WITHIN_S = 60


def main(folder: Path) -> int:
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    port, library = folder / "card", folder / "library"

    say(f'an emulated card records tests/demo/{CONVERSATION.name}: "{SCRIPT}"')
    command = ["emulate", "--mic", CONVERSATION, "--flash", folder / "card.img", "--screens", folder / "screens"]
    card = subprocess.Popen([*VOICECARD, *map(str, command), "--port-link", str(port), "--do", SCRIPT])
    try:
        wait_for(port, card)
        say("plugged in: syncing over its serial port")
        run("sync", "--port", port, "--library", library)
        if card.wait(timeout=30):
            raise SystemExit("demo: the emulated card failed")
    finally:
        card.kill()
        card.wait()

    say("what the library holds")
    run("ls", "--library", library)
    run("show", "latest", "--library", library)
    for silence in ("keep", "trim"):
        run(
            "export",
            "latest",
            "--library",
            library,
            "--format",
            "wav",
            "--silence",
            silence,
            "-o",
            folder / f"{silence}.wav",
        )
    print_score(library)
    print(f"the card's last screen: {folder / 'screens' / 'last.png'}")
    print(f"done in {time.monotonic() - started:.0f} s")
    return 0


def print_score(library: Path) -> None:
    """Word error rate of the transcript against the conversation's script."""
    from voicecard.transcribe.score import word_error_rate

    shown = subprocess.run(
        [*VOICECARD, "show", "latest", "--json", "--library", str(library)], capture_output=True, check=True
    )
    segments = json.loads(shown.stdout)["transcript"]["segments"]
    lines = (HERE / "conversation.txt").read_text(encoding="utf-8").splitlines()
    spoken = [text for voice, _, text in (line.partition(": ") for line in lines) if voice in ("rms", "slt")]
    score = word_error_rate(" ".join(spoken), " ".join(s["text"] for s in segments))
    print(f"\nword error rate: {100 * score.rate:.1f} %")


def run(*arguments: object) -> None:
    print(f"\n$ voicecard {' '.join(str(a) for a in arguments)}", flush=True)
    subprocess.run([*VOICECARD, *map(str, arguments)], check=True, timeout=300)


def wait_for(port: Path, card: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PLUGGED_WITHIN_S
    while not port.exists():
        if card.poll() is not None:
            raise SystemExit("demo: the emulated card stopped before it was plugged in")
        if time.monotonic() > deadline:
            raise SystemExit("demo: the emulated card was not plugged in within a minute")
        time.sleep(0.05)


def say(sentence: str) -> None:
    print(f"\n== {sentence}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: demo.py FOLDER")
    raise SystemExit(main(Path(sys.argv[1])))
