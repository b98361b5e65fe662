"""Files of other recorders come in whole, once, with their sound and their date; what is no sound is told and leaves nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile

from interpreters import ROOT
from voicecard import importing
from voicecard.errors import UsageError, VoicecardError
from voicecard.importing import RATE, import_file
from voicecard.library.archive import Library
from voicecard.library.details import DETAILS

SPEECH = ROOT / "tests" / "demo" / "conversation.flac"
THEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
# Of each kind: what ffmpeg is told, and whether the file then says when it was made.
KINDS = {
    "m4a": (["-ar", "44100", "-ac", "2", "-metadata", "creation_time=2024-05-06T07:08:09Z"], True),
    "mp3": (["-metadata", "date=2024-05-06T07:08:09+00:00"], True),
    "ogg": (["-c:a", "libvorbis", "-metadata", "date=2024-05-06T07:08:09+00:00"], True),
    "opus": (["-c:a", "libopus", "-metadata", "date=2024"], False),
    "flac": (["-ar", "48000", "-sample_fmt", "s32"], False),
    "wav": (
        ["-write_bext", "1", "-metadata", "origination_date=2024-05-06", "-metadata", "origination_time=07:08:09"],
        True,
    ),
}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("recorders")
    made = {kind: folder / f"Meeting {kind}.{kind.upper()}" for kind in KINDS}
    for kind, path in made.items():
        command = ["ffmpeg", "-v", "error", "-i", SPEECH, *KINDS[kind][0], path]
        subprocess.run(command, check=True, env={**os.environ, "TZ": "UTC"})
    return made


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as library:
        yield library


@pytest.mark.parametrize("kind", KINDS)
def test_sound_original_and_date_come_in(library: Library, files: dict[str, Path], kind: str) -> None:
    path = files[kind]
    entry, is_new = (imported := import_file(library, path)).entry, imported.is_new
    assert is_new and entry.id == "import-1" and entry.title == path.stem
    assert entry.original.name == f"original.{kind}" and entry.original.read_bytes() == path.read_bytes()
    assert entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() and library.is_intact(entry)
    spoken, _ = soundfile.read(SPEECH, dtype="int16")
    heard, rate = soundfile.read(entry.audio, dtype="int16")
    assert rate == RATE and abs(len(heard) - len(spoken)) < 0.1 * RATE
    assert entry.length_s == pytest.approx(len(heard) / RATE, abs=0.001) and 0.4 < entry.speech_s / entry.length_s < 0.9
    assert alike(spoken, heard) > 0.98
    assert entry.started is not None
    if KINDS[kind][1]:
        there = datetime(2024, 5, 6, 7, 8, 9).astimezone() if kind == "wav" else THEN  # Broadcast Wave knows no zone
        assert entry.started == there and entry.started_how == "written in the file"
    else:
        ended = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        assert abs(entry.started - (ended - timedelta(seconds=entry.length_s))) < timedelta(milliseconds=2)
        assert entry.started_how == "date of the file"


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two sounds, with the delay that a codec may have put between them."""
    size = 1 << (len(one) + len(other)).bit_length()
    a, b = (np.fft.rfft(sound.astype(float), size) for sound in (one, other))
    return float(
        np.fft.irfft(a * b.conj()).max() / np.sqrt((one.astype(float) ** 2).sum() * (other.astype(float) ** 2).sum())
    )


def test_what_somebody_says_counts_before_what_the_file_says(library: Library, files: dict[str, Path]) -> None:
    entry = import_file(library, files["m4a"], datetime(2020, 1, 2, 3, 4, tzinfo=UTC)).entry
    assert (entry.started, entry.started_how) == (datetime(2020, 1, 2, 3, 4, tzinfo=UTC), "said at import")


def test_the_same_file_comes_in_once_whatever_it_is_called(
    library: Library, files: dict[str, Path], tmp_path: Path
) -> None:
    first = import_file(library, files["mp3"]).entry
    copy = tmp_path / "other name.mp3"
    copy.write_bytes(files["mp3"].read_bytes())
    again = import_file(library, copy)
    assert not again.is_new and again.entry == first and len(library.entries()) == 1


def test_what_is_imported_is_indexed_again_and_thrown_away_as_any_other(
    library: Library, files: dict[str, Path]
) -> None:
    first = import_file(library, files["ogg"]).entry
    library.rebuild()
    assert library.entry("import-1") == first
    sound = first.sound()
    assert sum(len(piece) for _, piece in sound.stretches) == sound.kept_samples
    library.remove(first)
    second = import_file(library, files["opus"]).entry
    assert second.number == 2, "a name that the trash has is not given again"
    assert library.take_back(first.id) == first and len(library.entries()) == 2


@pytest.mark.parametrize("content", [b"", b"no sound at all", b"RIFF\x24\0\0\0WAVEfmt ", None])
def test_what_is_no_sound_is_told_and_leaves_nothing(
    library: Library, files: dict[str, Path], tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "x.m4a"
    path.write_bytes(files["m4a"].read_bytes()[:3000] if content is None else content)
    for wrong in (path, tmp_path, tmp_path / "nowhere.wav"):
        with pytest.raises(VoicecardError):
            import_file(library, wrong)
    assert library.entries() == [] and library.path.joinpath("recordings").exists()
    assert not [left for left in library.incoming.iterdir() if left.suffix == ".new"]


class EndError(Exception):
    """The program's."""


def end(*_: object) -> None:
    raise EndError


@pytest.mark.parametrize("step", ["_describe", "write_json"])
def test_an_end_in_the_middle_leaves_nothing_that_looks_whole(
    library: Library, files: dict[str, Path], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(importing, step, end)
        with pytest.raises(EndError):
            import_file(library, files["flac"])
    library.close()
    with Library(library.path) as again:
        assert again.entries() == []
        assert import_file(again, files["flac"]).is_new
        assert list(again.incoming.iterdir()) == []


def test_an_end_before_it_is_filed_is_made_good_at_the_next_start(
    library: Library, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Library, "file", end)
        with pytest.raises(EndError):
            import_file(library, files["wav"])
    library.close()
    with Library(library.path) as again:
        (entry,) = again.entries()
        assert entry.id == "import-1" and (entry.folder / DETAILS).exists() and again.is_intact(entry)


def test_two_channels_are_heard_as_one_and_silence_is_no_speech(library: Library, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "quiet.wav", np.zeros((RATE * 2, 2)), RATE)
    entry = import_file(library, tmp_path / "quiet.wav").entry
    assert (entry.length_s, entry.speech_s) == (2.0, 0.0)
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 1)), RATE)
    with pytest.raises(UsageError, match="no sound"):
        import_file(library, tmp_path / "none.wav")
