"""What the keys do, through the emulated card to the library: pause, memos, off the record, safe mode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.device.partitions import partitions
from voicecard.firmware.wire import block, sector
from voicecard.library.adpcm import decode
from voicecard.library.archive import Library
from voicecard.library.blocks import blocks_of
from voicecard.library.entry import Entry
from voicecard.sync import sync

RATE = 16_000
SMALL = 4 << 20
EDGE_S = 0.15  # debouncing, and what is on its way through the microphone's buffer
SECRET_S = (6.0, 9.0)  # within which the owner says what nobody shall hear


def recordings(tmp_path: Path, script: str, mic: Path, **options: object) -> list[Entry]:
    run = EmulateOptions(mic=mic, flash=tmp_path / "card.img", flash_size_bytes=SMALL, script=script, seed=3)
    with Library(tmp_path / "library") as library, running_card(run) as card, CardLink.open(str(card.port())) as link:
        return sync(link, library).new


def test_a_pause_is_left_out_and_told(tmp_path: Path, conversation: Path) -> None:
    script = "boot; tap rec; wait 4s; hold rec 1600ms; wait 5s; hold rec 1600ms; wait 3s; tap rec; plug"
    (entry,) = recordings(tmp_path, script, conversation)
    details = entry.details()
    assert details["paused_s"] == pytest.approx(5 + 0.1 + 1.6 + 0.15, abs=EDGE_S)
    assert details["end_reason"] == "key" and details["unknown_s"] == details["lost_s"] == 0
    assert details["length_s"] == pytest.approx(4 + 1.6 + 5 + 1.6 + 3 + 3 * 0.15, abs=2 * EDGE_S)


def test_a_memo_lasts_as_long_as_the_key_is_held(tmp_path: Path, conversation: Path) -> None:
    script = "boot; wait 100ms; hold memo 3s; wait 1s; hold memo 700ms; wait 1s; hold memo 200ms; wait 1s; tap rec; wait 2s; tap rec; plug"
    long, short, ordinary = recordings(tmp_path, script, conversation)
    assert [entry.kind for entry in (long, short, ordinary)] == ["memo", "memo", "recording"]
    assert long.length_s == pytest.approx(2.6, abs=EDGE_S) and short.length_s == pytest.approx(0.3, abs=EDGE_S)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Ten seconds of loud noise; what is between SECRET_S is like nothing else in it."""
    path = tmp_path / "noise.wav"
    noise = np.random.default_rng(11).normal(0, 3000, 15 * RATE)
    soundfile.write(path, np.clip(noise, -32768, 32767).astype(np.int16), RATE)
    return path


def test_of_what_is_off_the_record_not_a_sample_is_on_the_flash(tmp_path: Path, secret: Path) -> None:
    script = "boot; tap rec; wait 4s; hold memo 1600ms; wait 5s; tap memo; wait 2s; tap rec; plug"
    (entry,) = recordings(tmp_path, script, secret)
    details = entry.details()
    assert details["withheld_s"] == pytest.approx(5 + 0.1 + 0.15 + 0.3, abs=EDGE_S)
    assert details["unknown_s"] == 0 and details["kept_s"] == pytest.approx(4 + 1.5 + 2 - 0.3, abs=0.5)
    withheld_from = 4 + 0.15 + 1.5 - 0.3
    heard = flash_sound(tmp_path / "card.img")
    said, _ = soundfile.read(secret)
    for start_s, is_there in ((2.0, True), (withheld_from + 1, False), (withheld_from + 2.5, False), (12.0, True)):
        moment = said[round(start_s * RATE) :][: RATE // 2]
        assert (likeness(heard, moment) > 0.5) == is_there, start_s


def flash_sound(flash: Path) -> np.ndarray:
    """All sound that any block on the partition holds, whoever it belongs to, in the order of the flash."""
    region = partitions(flash)["recordings"]
    data = flash.read_bytes()[region.offset : region.offset + region.size]
    codes = []
    for at in range(0, len(data), sector.SECTOR_BYTES):
        raw = data[at : at + sector.SECTOR_BYTES]
        codes += [
            raw[b.payload_at : b.payload_at + b.payload_bytes] for b in blocks_of(raw)[0] if b.kind == block.AUDIO
        ]
    states = np.frombuffer(b"".join(code[:4] for code in codes), np.dtype([("p", "<i2"), ("i", "u1"), ("z", "u1")]))
    packed = np.frombuffer(b"".join(code[4:] for code in codes), np.uint8).reshape(len(codes), -1)
    return decode(states["p"], states["i"], packed).ravel().astype(float)


def likeness(sound: np.ndarray, moment: np.ndarray) -> float:
    """The best correlation of a moment with any place in a sound."""
    size = 1 << (len(sound) + len(moment)).bit_length()
    found = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(moment, size)))[: len(sound) - len(moment)]
    energy = np.convolve(np.square(sound), np.ones(len(moment)), "valid")[: len(found)]
    return float((np.abs(found) / np.sqrt(np.maximum(energy, 1) * np.square(moment).sum())).max())
