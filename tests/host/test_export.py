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
    with pytest.raises(UsageError, match="choose wav or flac"):
        export(entry, "mp3", "keep", tmp_path / "x.mp3")  # type: ignore[arg-type]
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.wav").read_text() == "mine"
    export(entry, "wav", "keep", tmp_path / "there.wav", overwrite=True)
    assert soundfile.info(tmp_path / "there.wav").frames == 32320


@pytest.mark.parametrize("format", ["wav", "flac"])
@pytest.mark.parametrize("room_bytes", [0, 20, 30_000])
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
    for format in ("wav", "flac"):
        with pytest.raises(FormatError):
            export(silent, format, "keep", tmp_path / "x")  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()
