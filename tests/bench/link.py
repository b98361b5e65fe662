"""How fast recordings come over the link, and how much faster than files by `mpremote cp`; prints one JSON object.

Bytes are those of recordings, whole sectors as the host has them in the end; time is from the request to the last of them, or
that of the whole `sync`. Every pull is proved: the card compares the SHA-256 of what arrived."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import repl
from interpreters import ROOT
from soak.bench import make_image, make_recordings, scratch_folder
from voicecard.device.client import CardLink, Listed
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.library.archive import Library
from voicecard.sync import sync

LIMIT_BYTES_PER_S = 1_000_000
LARGE_SECTORS, LARGE_FLASH_BYTES = 900, 8 << 20
SMALL_SECTORS = 24
ROUNDS = 3
PULLS = 5  # in each round
RECORD = "boot; tap rec; until mic-end; tap rec; wait 1s; plug"
LIBRARY = "be9c42"

Figures = dict[str, object]


@contextmanager
def card(options: EmulateOptions) -> Iterator[CardLink]:
    with running_card(options) as running, CardLink.open(str(running.port())) as link:
        yield link


def made_card(folder: Path, sectors: int, **options: object) -> EmulateOptions:
    """A card whose one recording has so many sectors."""
    flash = folder / "card.img"
    make_image(flash, make_recordings([sectors]), LARGE_FLASH_BYTES)
    return EmulateOptions(flash=flash, **options)  # type: ignore[arg-type]


def pulled(link: CardLink, listed: Listed) -> tuple[bytes, float]:
    """A recording and the seconds it took to come."""
    started = time.perf_counter()
    data = b"".join(link.pull(listed, 0))
    took_s = time.perf_counter() - started
    link.prove(listed, hashlib.sha256(data).hexdigest(), LIBRARY)
    return data, took_s


def pull_bytes_per_s(link: CardLink) -> float:
    """Of the only recording on a card."""
    (listed,) = link.recordings()
    data, took_s = pulled(link, listed)
    return len(data) / took_s


def sync_bytes_per_s(link: CardLink, folder: Path) -> float:
    """Of a whole sync into a new library: asked for, pulled, stored, read again, proved, decoded and filed."""
    with Library(folder / "library") as library:
        started = time.perf_counter()
        report = sync(link, library)
        took_s = time.perf_counter() - started
    assert len(report.new) == 1 and not report.failed
    return report.received_bytes / took_s


def limited(folder: Path) -> Figures:
    """Over a bus that takes 1.0 MB a second, frames and all: 99.7 % of it at most can be sectors."""
    with card(made_card(folder, LARGE_SECTORS, usb_bytes_per_s=LIMIT_BYTES_PER_S)) as link:
        pull = pull_bytes_per_s(link)
        whole = sync_bytes_per_s(link, folder)
    assert max(pull, whole) < LIMIT_BYTES_PER_S, "more than the bus takes: the emulator is too lax"
    return {
        **share("link_limited_pull", pull, LIMIT_BYTES_PER_S),
        **share("link_limited_sync", whole, LIMIT_BYTES_PER_S),
    }


def share(name: str, bytes_per_s: float, limit: int) -> Figures:
    sides = {"bytes_per_s": round(bytes_per_s), "limit_bytes_per_s": limit}
    return {f"{name}_share": {"value": round(bytes_per_s / limit, 4), "sides": sides}}


def unlimited(folder: Path) -> Figures:
    with card(made_card(folder, LARGE_SECTORS)) as link:
        pull = max(pull_bytes_per_s(link) for _ in range(PULLS))
        return {
            "link_pull_bytes_per_s": round(pull),
            "link_sync_bytes_per_s": round(sync_bytes_per_s(link, folder)),
        }


def against_mpremote(folder: Path) -> Figures:
    """The demo conversation as the card has recorded it, and the same bytes as a file; best of rounds in which both take turns.

    What `mpremote` takes to start, and to copy an empty file, is not counted."""
    (folder / "empty").touch()
    link_s, mpremote_s = [], []
    options = EmulateOptions(mic=ROOT / "tests" / "demo" / "conversation.flac", script=RECORD, seed=1)
    with card(options) as link, repl.prompt(folder) as port:
        (listed,) = link.recordings()
        recording, _ = pulled(link, listed)
        (folder / "recording").write_bytes(recording)
        copy = folder / "copy"
        start_s = min(repl.copy_s(port, "empty", copy) for _ in range(ROUNDS))
        for _ in range(ROUNDS):
            for _ in range(PULLS):
                data, took_s = pulled(link, listed)
                assert data == recording
                link_s.append(took_s)
            mpremote_s.append(repl.copy_s(port, "recording", copy) - start_s)
            assert copy.read_bytes() == recording
    link_rate, mpremote_rate = len(recording) / min(link_s), len(recording) / min(mpremote_s)
    sides = {"link_bytes_per_s": round(link_rate), "mpremote_bytes_per_s": round(mpremote_rate)}
    return {"link_pull_over_mpremote": {"value": round(link_rate / mpremote_rate, 1), "sides": sides}}


def carriers(folder: Path) -> Figures:
    """A small recording over each carrier: what a UART that is written along with it costs shows."""
    ways = {
        "usb": {},
        "stdio": {"carrier": "stdio"},
        "stdio_with_uart": {"carrier": "stdio", "uart_copy": True},
    }
    figures: Figures = {}
    for name, options in ways.items():
        with card(made_card(folder, SMALL_SECTORS, **options)) as link:
            figures[f"link_small_pull_{name}_bytes_per_s"] = round(pull_bytes_per_s(link))
    return figures


def measure() -> Figures:
    figures: Figures = {}
    for part in (limited, unlimited, against_mpremote, carriers):
        with tempfile.TemporaryDirectory(dir=scratch_folder()) as folder:
            figures |= part(Path(folder))
    return figures


if __name__ == "__main__":
    print(json.dumps(measure()))
