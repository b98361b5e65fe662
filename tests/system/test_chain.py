"""From the microphone to an exported file: the time line is true, speech stands where it was, nothing is lost or erased."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from firmware_copies import compiled_firmware
from interpreters import BITS32, BITS64, Interpreter
from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.device.emulation_report import EmulationReport
from voicecard.device.selftest import selftest
from voicecard.device.update import plan_update, send_update, try_update
from voicecard.library.archive import Library
from voicecard.library.entry import Entry
from voicecard.library.export import export
from voicecard.sync import SyncReport, sync

SCRIPT = "boot; wait 1s; tap rec; wait 8s; tap memo; until mic-end; tap rec; wait 1s; plug"
RATE = 16000
BOARD_HEAP_BYTES = 200 * 1024  # of an ESP32-S3 without PSRAM
EMULATOR_BUFFER_BYTES = 1024  # what it keeps of a frame for a host that has not read it
EMULATOR_HEAP_BYTES = 98 * 1024  # what the emulator itself takes of the 32-bit interpreter's heap

Samples = NDArray[np.int16]


@dataclass
class Chain:
    library: Library
    entry: Entry
    sync: SyncReport
    again: SyncReport
    emulation: EmulationReport
    spoken: Samples


@pytest.fixture(scope="module", params=[BITS64, BITS32], ids=lambda i: i.name)
def chain(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, conversation: Path
) -> Iterator[Chain]:
    interpreter: Interpreter = request.param
    interpreter.require()
    folder = tmp_path_factory.mktemp("chain")
    options = EmulateOptions(
        mic=conversation, script=SCRIPT, interpreter=interpreter.path, screens=folder / "screens", log_flash=True
    )
    with Library(folder / "library") as library, running_card(options) as card:
        with CardLink.open(str(card.port())) as link:
            report = sync(link, library)
            again = sync(link, library)
        spoken, _ = soundfile.read(conversation, dtype="int16")
        yield Chain(library, report.new[0], report, again, card.report(), spoken)


def levels(samples: Samples) -> NDArray[np.float64]:
    """Root mean square of each 20 ms."""
    frames = samples[: len(samples) // 320 * 320].astype(np.float64).reshape(-1, 320)
    return np.sqrt((frames**2).mean(axis=1))


def test_kept_silence_gives_back_the_length_and_the_places_of_speech(chain: Chain, tmp_path: Path) -> None:
    export(chain.entry, "flac", "keep", tmp_path / "keep.flac")
    heard, rate = soundfile.read(tmp_path / "keep.flac", dtype="int16")
    assert rate == RATE
    assert abs(len(heard) - len(chain.spoken)) <= 0.050 * RATE
    both = min(len(heard), len(chain.spoken))
    before, after = levels(chain.spoken[:both]), levels(heard[:both])
    loud = before > 300
    assert loud.sum() > 500
    amplified = after[loud] / before[loud]
    gain = np.median(amplified)  # automatic
    assert (amplified > gain / 2).all() and (amplified < gain * 2).all()
    offset = np.argmax(np.correlate(after - after.mean(), before - before.mean(), "same")) - len(after) // 2
    assert abs(offset) <= 1


def test_trimmed_sound_is_what_the_gate_kept_and_no_more(chain: Chain, tmp_path: Path) -> None:
    export(chain.entry, "wav", "trim", tmp_path / "trim.wav")
    trimmed, _ = soundfile.read(tmp_path / "trim.wav", dtype="int16")
    assert len(trimmed) == round(chain.entry.kept_s * RATE)
    assert chain.entry.silence_skipped_s > 10
    gaps = chain.entry.recording().gaps
    spoken = levels(chain.spoken)
    for gap in gaps:
        skipped = spoken[gap.start_samples // 320 + 2 : (gap.start_samples + gap.samples) // 320 - 2]
        assert skipped.max(initial=0) < 300, "no speech is skipped"


def test_the_time_line_adds_up_and_the_mark_stands_where_it_was_pressed(chain: Chain) -> None:
    details = chain.entry.details()
    assert details["lost_s"] == details["unknown_s"] == 0
    assert details["kept_s"] + details["silence_skipped_s"] == pytest.approx(details["length_s"], abs=0.002)
    assert details["marks"] == [pytest.approx(8.0, abs=0.15)]
    assert details["end_reason"] == "key"
    assert details["started_how"] == "card ticks, placed at sync"


def test_while_it_recorded_no_sound_was_lost_and_no_sector_erased(chain: Chain) -> None:
    cycle = chain.emulation.cycles[0]
    assert cycle.samples_lost == 0 and cycle.dropped_callbacks == 0
    pages = [o for o in cycle.flash_log if (o.kind, o.label, o.size_bytes) == ("program", "recordings", 256)]
    audio_us = [o.time_us for o in pages]
    meanwhile = [o for o in cycle.flash_log if audio_us[0] <= o.time_us <= audio_us[-1] and o.kind != "read"]
    assert {(o.kind, o.label) for o in meanwhile} == {("program", "recordings")}
    flash = cycle.flash["recordings"]
    assert flash["programs"] > 1000 and flash["largest_program"] <= 256 and flash["page_crossings"] == 0


def test_a_second_sync_brings_nothing_and_knows_it(chain: Chain) -> None:
    assert len(chain.sync.new) == 1 and chain.sync.received_bytes == chain.entry.bytes
    assert chain.again.new == [] and chain.again.known == 1 and chain.again.received_bytes == 0


def test_the_screen_shows_what_the_card_does(chain: Chain) -> None:
    assert len(chain.emulation.screens) > 50


def test_it_all_fits_the_heap_of_a_board_without_psram(tmp_path: Path, conversation: Path) -> None:
    """As `voicecard flash` makes it: compiled. Sources take more while they are compiled on the card."""
    BITS32.require()
    options = EmulateOptions(
        mic=conversation,
        script="boot; tap rec; until mic-end; tap rec; plug",
        firmware=compiled_firmware(tmp_path / "firmware", "x86"),
        interpreter=BITS32.path,
        heap_bytes=BOARD_HEAP_BYTES + EMULATOR_HEAP_BYTES + EMULATOR_BUFFER_BYTES,
    )
    with Library(tmp_path / "library") as library, running_card(options) as card:
        with CardLink.open(str(card.port())) as link:
            assert len(sync(link, library).new) == 1
            assert [line.name for line in selftest(link, None) if line.verdict == "FAIL"] == []
        (cycle,) = card.report().cycles
    assert cycle.emulator_heap_bytes <= EMULATOR_HEAP_BYTES
    assert cycle.emulator_buffer_bytes >= EMULATOR_BUFFER_BYTES, (
        "on a board the controller sends out of the card's own buffer"
    )


def test_an_update_fits_that_heap_too(tmp_path: Path) -> None:
    BITS32.require()
    firmware = compiled_firmware(tmp_path / "firmware", "x86")
    options = EmulateOptions(
        firmware=firmware,
        interpreter=BITS32.path,
        heap_bytes=BOARD_HEAP_BYTES + EMULATOR_HEAP_BYTES + EMULATOR_BUFFER_BYTES,
    )
    with running_card(options) as card, CardLink.open(str(card.port())) as link:
        plan = plan_update(link, firmware)
        send_update(link, plan, lambda *progress: None)
        assert try_update(link).slot == "b"


def test_the_same_run_gives_the_same_flash(tmp_path: Path, conversation: Path) -> None:
    images = []
    for name in ("one", "two"):
        options = EmulateOptions(
            mic=conversation,
            flash=tmp_path / name,
            flash_size_bytes=4 << 20,
            script="boot; tap rec; wait 12s; tap memo; wait 3s; tap rec; wait 1s; cut; boot",
            seed=7,
        )
        with running_card(options) as card:
            card.report()
        images.append((tmp_path / name).read_bytes())
    assert images[0] == images[1]


def test_a_full_card_of_speech_with_flash_at_its_worst_loses_no_sample(tmp_path: Path, conversation: Path) -> None:
    spoken, _ = soundfile.read(conversation, dtype="int16")
    minutes = 25
    loud = spoken[: len(spoken) // 320 * 320][levels(spoken).repeat(320) > 100]
    soundfile.write(tmp_path / "talk.wav", np.resize(loud, minutes * 60 * RATE), RATE)
    script = "boot; wait 1s; tap rec; until mic-end; tap rec; plug"
    options = EmulateOptions(mic=tmp_path / "talk.wav", script=script, worst_case_flash=True)
    with Library(tmp_path / "library") as library, running_card(options) as card:
        with CardLink.open(str(card.port(120))) as link:
            (entry,) = sync(link, library).new
        cycle = card.report().cycles[0]
    assert entry.length_s == pytest.approx(minutes * 60, abs=0.05)
    assert entry.kept_s > 0.98 * entry.length_s and entry.lost_s == entry.unknown_s == 0
    assert cycle.samples_lost == 0
    assert cycle.flash["recordings"]["erases"] <= 1, "the sector that was first in line at the start, when all is over"
    assert soundfile.info(entry.audio).frames == round(entry.length_s * RATE)
