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
from voicecard.errors import UsageError, VoicecardError
from voicecard.importing import making
from voicecard.importing.accept import accept, pending
from voicecard.importing.making import RATE, file_recording, write_sound
from voicecard.library.archive import Library
from voicecard.library.details import DETAILS
from voicecard.library.entry import Entry

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


def take_in(library: Library, path: Path, recorded_at: datetime | None = None) -> Entry:
    found = accept(library, path, recorded_at)
    assert not isinstance(found, Entry)
    return file_recording(library, found, write_sound(found))


@pytest.mark.parametrize("kind", KINDS)
def test_sound_original_and_date_come_in(library: Library, files: dict[str, Path], kind: str) -> None:
    path = files[kind]
    entry = take_in(library, path)
    assert entry.id == "import-1" and entry.title == path.stem
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
    entry = take_in(library, files["m4a"], datetime(2020, 1, 2, 3, 4, tzinfo=UTC))
    assert (entry.started, entry.started_how) == (datetime(2020, 1, 2, 3, 4, tzinfo=UTC), "said at import")


def test_the_same_file_comes_in_once_whatever_it_is_called(
    library: Library, files: dict[str, Path], tmp_path: Path
) -> None:
    first = take_in(library, files["mp3"])
    copy = tmp_path / "other name.mp3"
    copy.write_bytes(files["mp3"].read_bytes())
    assert accept(library, copy) == first and len(library.entries()) == 1


def test_what_is_imported_is_indexed_again_and_thrown_away_as_any_other(
    library: Library, files: dict[str, Path]
) -> None:
    first = take_in(library, files["ogg"])
    library.rebuild()
    assert library.entry("import-1") == first
    sound = first.sound()
    assert sum(len(piece) for _, piece in sound.stretches) == sound.kept_samples
    library.remove(first)
    second = take_in(library, files["opus"])
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
            take_in(library, wrong)
    assert library.entries() == []


class EndError(Exception):
    """The program's."""


def end(*_: object) -> None:
    raise EndError


@pytest.mark.parametrize("step", ["copy2", "write_json"])
def test_an_end_before_a_file_is_accepted_leaves_nothing_that_looks_whole(
    library: Library, files: dict[str, Path], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copy2" if step == "copy2" else "voicecard.importing.accept.write_json", end)
        with pytest.raises(EndError):
            accept(library, files["flac"])
    assert pending(library) == {}
    assert take_in(library, files["flac"]).id == "import-1", "what lay there is no more"
    assert list(library.incoming.iterdir()) == []


@pytest.mark.parametrize("step", ["export.write_sound", "write_json", "write_texts"])
def test_what_was_accepted_is_made_another_time_wherever_it_ends(
    library: Library, files: dict[str, Path], step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "Talk.flac"
    path.write_bytes(files["flac"].read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(f"{making.__name__}.{step}", end)
        with pytest.raises(EndError):
            take_in(library, path, THEN)
    path.unlink()
    library.close()
    with Library(library.path) as again:
        assert again.entries() == [] and again.free_number() == 2
        waiting = pending(again)["import-1-" + digest(files["flac"])[:16]]
        assert accept(again, files["flac"]) == waiting, "it is not taken in twice"
        entry = file_recording(again, waiting, write_sound(waiting))
        assert (entry.id, entry.title, entry.started) == ("import-1", "Talk", THEN)
        assert not list(again.incoming.iterdir())
        assert sorted(path.name for path in entry.folder.iterdir())[0][0] != "."


def test_an_end_before_it_is_filed_is_made_good_at_the_next_start(
    library: Library, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Library, "file", end)
        with pytest.raises(EndError):
            take_in(library, files["wav"])
    library.close()
    with Library(library.path) as again:
        (entry,) = again.entries()
        assert entry.id == "import-1" and entry.title == "Meeting wav" and pending(again) == {}
        assert (entry.folder / DETAILS).exists() and again.is_intact(entry)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_two_channels_are_heard_as_one_and_silence_is_no_speech(library: Library, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "quiet.wav", np.zeros((RATE * 2, 2)), RATE)
    entry = take_in(library, tmp_path / "quiet.wav")
    assert (entry.length_s, entry.speech_s) == (2.0, 0.0)
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 1)), RATE)
    with pytest.raises(UsageError, match="no sound"):
        take_in(library, tmp_path / "none.wav")
