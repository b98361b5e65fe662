"""An export is the exact sound, appears whole or not at all, and says in a sentence why it does not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from vcr import CardFile, conversation

from voicecard.errors import FormatError, LibraryError, UsageError
from voicecard.library.archive import Library
from voicecard.library.entry import Entry
from voicecard.library.export import export, export_note, file_name
from voicecard.transcript import Segment, Transcript

ENTRY = Entry(*[None] * len(Entry._fields))._replace(id="k3f92b-1", started=datetime(2026, 11, 22, 5, 9, tzinfo=UTC))  # type: ignore[arg-type]


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
    with pytest.raises(UsageError, match="choose wav, flac, wav-adpcm"):
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


@pytest.mark.parametrize("format, kind", [("opus", "OPUS"), ("ogg", "VORBIS")])
def test_ogg_is_what_others_read(tmp_path: Path, format: str, kind: str) -> None:
    card = conversation()
    export(entry_of(tmp_path, card), format, "keep", tmp_path / "x.ogg")  # type: ignore[arg-type]
    about = soundfile.info(tmp_path / "x.ogg")
    assert (about.format, about.subtype, about.channels) == ("OGG", kind, 1)
    assert about.duration == pytest.approx(len(card.heard) / 16000, abs=0.05)


def test_text_is_what_the_folder_has_with_names(tmp_path: Path) -> None:
    entry_of(tmp_path, conversation())
    with Library(tmp_path / "library") as library:
        said = Transcript("x", "y", "en", (Segment(0.1, 0.6, "ship it", "S1"), Segment(0.7, 0.9, "now")))
        library.save_transcript(library.entry("latest"), said)
        entry = library.name_speaker(library.set_title(library.entry("latest"), "Budget"), "S1", "Anna")
    written = {}
    for format in ("md", "txt", "srt", "vtt", "json"):
        export(entry, format, "keep", tmp_path / f"x.{format}")  # type: ignore[arg-type]
        written[format] = (tmp_path / f"x.{format}").read_text()
    for format in ("md", "srt", "vtt"):
        assert written[format] == (entry.folder / f"transcript.{format}").read_text()
    assert written["txt"] == "Anna: ship it\nnow\n"
    told = json.loads(written["json"])
    assert (told["id"], told["title"], told["speakers"]) == (entry.id, "Budget", {"S1": "Anna"})
    assert Transcript.from_json(told["transcript"]) == said


def test_a_note_for_obsidian_shows_the_sound_beside_it(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    vault.mkdir()
    entry_of(tmp_path, conversation())
    with Library(tmp_path / "library") as library:
        entry = library.set_title(library.entry("latest"), "Q3: budget/plan")
    note = export_note(entry, vault)
    sound = note.with_suffix(".flac")
    assert f"\n![[{sound.name}]]\n" in note.read_text() and note.read_text().startswith("---\ntitle:")
    assert soundfile.info(sound).frames == len(conversation().heard)
    mine = note.read_text() + "my own words"
    note.write_text(mine)
    with pytest.raises(UsageError, match="exists already"):
        export_note(entry, vault)
    assert note.read_text() == mine


@given(
    st.text(max_size=300)
    | st.sampled_from(["..", "../../etc/passwd", "/", "CON", "nul.txt", "a\0b", ".hidden", "x" * 500])
)
@settings(max_examples=300, deadline=None)
def test_no_title_leads_out_of_the_folder(title: str) -> None:
    name = file_name(ENTRY._replace(title=title), "wav-adpcm")
    path = PurePosixPath(name)
    assert path.name == name and path.suffix == ".wav" and not name.startswith(".") and len(name.encode()) <= 255
    assert PureWindowsPath(name).name == name and not PureWindowsPath(name).is_reserved()
    assert not set(name) & set('<>:"/\\|?*') and name.isprintable()
