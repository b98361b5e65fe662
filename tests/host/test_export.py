"""An export is the exact sound, appears whole or not at all, and says in a sentence why it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from vcr import CardFile, conversation

from voicecard.errors import FormatError, LibraryError, UsageError
from voicecard.library.archive import Library
from voicecard.library.entry import Entry
from voicecard.library.export import export


def entry_of(folder: Path, card: CardFile) -> Entry:
    with Library(folder / "library") as library, library.begin(card.card, card.number, card.nonce.hex()) as incoming:
        for raw in card.sectors:
            incoming.append(bytes(raw))
        return incoming.finish(None, "", None)


@pytest.mark.parametrize("format", ["wav", "flac"])
@pytest.mark.parametrize("silence", ["keep", "trim"])
def test_the_sound_is_exact(tmp_path: Path, format: str, silence: str) -> None:
    card = conversation()
    output = tmp_path / "out"
    export(entry_of(tmp_path, card), format, silence, output)  # type: ignore[arg-type]
    sound, rate = soundfile.read(output, dtype="int16")
    about = soundfile.info(output)
    assert (about.format.lower(), about.subtype, rate) == (format, "PCM_16", 16000)
    assert sound.tolist() == (card.heard if silence == "keep" else card.kept)


@pytest.mark.parametrize("silence", ["keep", "trim"])
def test_adpcm_is_a_standard_wav_of_nearly_the_same_sound(tmp_path: Path, silence: str) -> None:
    card = conversation()
    entry = entry_of(tmp_path, card)
    export(entry, "wav", silence, tmp_path / "exact.wav")  # type: ignore[arg-type]
    export(entry, "wav-adpcm", silence, tmp_path / "small.wav")  # type: ignore[arg-type]
    exact, _ = soundfile.read(tmp_path / "exact.wav", dtype="int16")
    small, rate = soundfile.read(tmp_path / "small.wav", dtype="int16")
    written = (tmp_path / "small.wav").read_bytes()
    assert (written[:4], written[8:16], written[20:24]) == (b"RIFF", b"WAVEfmt ", b"\x11\x00\x01\x00")
    assert len(written) < 0.3 * (tmp_path / "exact.wav").stat().st_size
    block_samples = int.from_bytes(written[38:40], "little")
    assert rate == 16000 and 0 <= len(small) - len(exact) < block_samples <= 1017
    noise = small[: len(exact)].astype(float) - exact
    assert 10 * np.log10(np.square(exact.astype(float)).sum() / np.square(noise).sum()) > 25


def test_what_cannot_be_written_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    entry = entry_of(tmp_path, conversation())
    (tmp_path / "there.wav").write_text("mine")
    before = sorted(tmp_path.iterdir())
    for output, sentence in (
        (tmp_path, "is a folder"),
        (tmp_path / "nowhere" / "x.wav", "nowhere does not exist"),
        (tmp_path / "there.wav", "exists already"),
    ):
        with pytest.raises(UsageError, match=sentence):
            export(entry, "wav", "keep", output)
    with pytest.raises(UsageError, match="choose wav, flac or wav-adpcm"):
        export(entry, "mp3", "keep", tmp_path / "x.mp3")  # type: ignore[arg-type]
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.wav").read_text() == "mine"
    export(entry, "wav", "keep", tmp_path / "there.wav", overwrite=True)
    assert soundfile.info(tmp_path / "there.wav").frames == 32320


@pytest.mark.parametrize("format", ["wav", "flac", "wav-adpcm"])
@pytest.mark.parametrize("room_bytes", [0, 20, 10_000])
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, format: str, room_bytes: int) -> None:
    resource = pytest.importorskip("resource")
    noise = np.random.default_rng(1).integers(-30000, 30000, 2 * 16000).astype(np.int16)
    entry = entry_of(tmp_path, CardFile().audio(noise).end())
    output = tmp_path / "out"
    output.write_text("mine")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, old[1]))
    try:
        with pytest.raises(LibraryError, match="cannot be used"):
            export(entry, format, "keep", output, overwrite=True)  # type: ignore[arg-type]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert output.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["library", "out"]


def test_no_sound_and_unreadable_sound_are_told(tmp_path: Path) -> None:
    silent = entry_of(tmp_path, CardFile().gap(16000).end())
    export(silent, "flac", "keep", tmp_path / "keep.flac")
    assert soundfile.info(tmp_path / "keep.flac").frames == 16000
    with pytest.raises(LibraryError, match="no sound"):
        export(silent, "flac", "trim", tmp_path / "trim.flac")
    silent.original.write_bytes(b"\xff" * 4096)
    for format in ("wav", "flac", "wav-adpcm"):
        with pytest.raises(FormatError):
            export(silent, format, "keep", tmp_path / "x")  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()
