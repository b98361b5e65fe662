"""Cuts a session at every flash operation and checks the card's promises: `run.py [--session NAME] [--id ID] [--every N] [--seed SEED]`.

The last line is `powercut: cuts=N finished_lost=0 open_lost_max_ms=M boots_failed=0`; the exit code is 1 if a promise was broken."""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voicecard.device import emulated_microphone
from voicecard.device.interpreter import micropython_command

ROOT = Path(__file__).resolve().parents[2]
SOUND = ROOT / "tests" / "demo" / "conversation.flac"
PROVER = Path(__file__).with_name("prove.py")
HEAP = "heapsize=32m"
QUIET_S = (8, 11), (30, 35)  # in the second recording and in the one that is open at the end
SILENCE_S = 60  # a card that hangs says nothing
PROGRESS_EVERY = 500
ALLOWED_LOSS_MS = 1000


@dataclass(slots=True)
class Tally:
    """What became of the cuts so far. `mounted_again`: cuts after which the file system did not mount at once; `broken`: one
    sentence a cut that broke a promise; `troubles`: provers that failed."""

    cuts: int = 0
    finished_lost: int = 0
    open_lost_max_ms: int = 0
    boots_failed: int = 0
    mounted_again: int = 0
    broken: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def add(self, told: dict[str, Any]) -> None:
        self.cuts += 1
        self.open_lost_max_ms = max(self.open_lost_max_ms, told["lost_ms"])
        self.mounted_again += told["mounts"] > 1
        if told["broken"]:
            about, how = told["broken"]
            self.finished_lost += about == "finished"
            self.boots_failed += about != "finished"
            self.broken.append(f"{told['cut']}: {about}: {how}")

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        broken = self.finished_lost or self.boots_failed or self.open_lost_max_ms > ALLOWED_LOSS_MS
        return bool(self.cuts) and not broken and not self.troubles

    def __str__(self) -> str:
        return (
            f"powercut: cuts={self.cuts} finished_lost={self.finished_lost} "
            f"open_lost_max_ms={self.open_lost_max_ms} boots_failed={self.boots_failed}"
        )


def prove(cuts: str, seed: str, shares: int, session: str = "recording") -> Tally:
    """Try the cuts ("all", "1/N" or an id) in that many processes; tells on standard output."""
    tally = Tally()
    lines: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="voicecard-powercut-") as folder:
        sound = Path(folder) / "sound.s16"
        _prepare_sound(sound)
        provers = [_start(session, sound, seed, cuts, share, shares, lines) for share in range(shares)]
        try:
            _collect(tally, lines, shares)
        finally:
            for prover in provers:
                prover.kill()
                prover.wait()
    return tally


def _prepare_sound(path: Path) -> None:
    """A conversation with long pauses: in them only gaps are written, and those seldom."""
    import numpy as np

    emulated_microphone.prepare(SOUND, path, lambda text: None)
    samples = np.fromfile(path, dtype="<i2")
    for first_s, last_s in QUIET_S:
        samples[first_s * emulated_microphone.RATE : last_s * emulated_microphone.RATE] //= 128
    samples.tofile(path)


def _start(
    session: str, sound: Path, seed: str, cuts: str, share: int, shares: int, lines: queue.SimpleQueue[tuple[int, str]]
) -> subprocess.Popen[str]:
    command = [
        *micropython_command(),
        "-X",
        HEAP,
        str(PROVER),
        str(ROOT),
        session,
        str(sound),
        seed,
        cuts,
        str(share),
        str(shares),
    ]
    prover = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    )

    def read() -> None:
        assert prover.stdout is not None
        with prover.stdout:
            for line in prover.stdout:
                lines.put((share, line.rstrip("\n")))
        lines.put((share, ""))

    threading.Thread(target=read, daemon=True).start()
    return prover


def _collect(tally: Tally, lines: queue.SimpleQueue[tuple[int, str]], shares: int) -> None:
    """Take the provers' lines until each has said that it is done."""
    started = time.monotonic()
    last = dict.fromkeys(range(shares), "nothing")
    while last:
        try:
            share, line = lines.get(timeout=SILENCE_S)
        except queue.Empty:
            tally.troubles.append(f"no cut ended within {SILENCE_S} s; the last: {', '.join(last.values())}")
            return
        word, _, rest = line.partition(" ")
        if word == "result":
            told = json.loads(rest)
            last[share] = told["cut"]
            before = len(tally.broken)
            tally.add(told)
            for sentence in tally.broken[before:]:
                print(f"broken {sentence}", flush=True)
            if tally.cuts % PROGRESS_EVERY == 0:
                print(f"{tally.cuts} cuts in {time.monotonic() - started:.0f} s", flush=True)
        elif word == "done":
            last.pop(share, None)
        elif not word and share in last:
            tally.troubles.append(f"a prover ended after cut {last.pop(share)}")
        elif word:
            print(line)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", help="replay this cut alone")
    parser.add_argument("--every", type=int, default=1, help="try one cut in so many, chosen by the seed")
    parser.add_argument(
        "--session",
        choices=("recording", "update"),
        default="recording",
        help="what is cut: a recording session (default), or two updates with their first starts",
    )
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    cuts = options.id or ("all" if options.every == 1 else f"1/{options.every}")
    shares = 1 if options.id else os.cpu_count() or 1
    tally = prove(cuts, options.seed, shares, options.session)
    for trouble in tally.troubles:
        print(f"trouble: {trouble}")
    if options.id and not tally.cuts:
        print(f"there is no cut {options.id}: an id is the operation's number with a, h1 or h2, then perhaps r")
    if tally.mounted_again:
        print(f"after {tally.mounted_again} cuts the file system mounted only when the card was switched on once more")
    print(tally)
    return 0 if tally.kept else 1


if __name__ == "__main__":
    sys.exit(main())
