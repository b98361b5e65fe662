"""How long a sync takes when the library holds all that is on the card: 500 recordings, none with a date; prints one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from soak.bench import make_image, make_recordings, scratch_folder
from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.library.archive import Library
from voicecard.sync import sync

RECORDINGS = 500
FLASH_BYTES = 8 << 20
ROUNDS = 5


def sync_s(port: str, folder: Path) -> float:
    """Seconds of the function, between a link and a library that are open."""
    with CardLink.open(port) as link, Library(folder) as library:
        started = time.perf_counter()
        report = sync(link, library)
        took_s = time.perf_counter() - started
    assert report.known == RECORDINGS and not report.new and not report.failed
    return took_s


def command_s(port: str, folder: Path) -> float:
    """Seconds of `voicecard sync`, from the start of the process to its end."""
    command = [sys.executable, "-m", "voicecard", "sync", "--json", "--port", port, "--library", str(folder)]
    started = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    took_s = time.perf_counter() - started
    assert json.loads(done.stdout)["known"] == RECORDINGS
    return took_s


def measure() -> dict[str, float]:
    """The best of some rounds each."""
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as name:
        folder = Path(name)
        flash, library = folder / "card.img", folder / "library"
        make_image(flash, make_recordings([1] * RECORDINGS), FLASH_BYTES)
        with running_card(EmulateOptions(flash=flash)) as card:
            port = str(card.port())
            with CardLink.open(port) as link, Library(library) as shelf:
                assert len(sync(link, shelf).new) == RECORDINGS
            return {
                "link_nothing_new_of_500_sync_s": round(min(sync_s(port, library) for _ in range(ROUNDS)), 3),
                "link_nothing_new_of_500_command_s": round(min(command_s(port, library) for _ in range(ROUNDS)), 3),
            }


if __name__ == "__main__":
    print(json.dumps(measure()))
