"""Transcription: what a backend hears comes back at its place on the true time line, and failures are sentences."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from voicecard.config import Config
from voicecard.errors import BackendError, FormatError, UsageError
from voicecard.transcribe.backend import BACKEND, Backend, Heard, Limits, backend, backends, choose
from voicecard.transcribe.model import Segment, Transcript, Word
from voicecard.transcribe.pieces import transcribe_stretches
from voicecard.transcribe.pocketsphinx import PocketSphinx, segments
from voicecard.transcribe.score import Score, word_error_rate

CONVERSATION = Path(__file__).parents[1] / "demo" / "conversation.flac"
RATE = 1000
BUILT_IN = {"dashscope", "openai", "pocketsphinx", "whisper", "wyoming"}


class EnergyFinder(Backend):
    """A backend that hears no words, but where there is sound; it remembers the pieces it was given."""

    name, description, model, language = "energy", "finds sound", "none", "en"

    def __init__(self, limits: Limits = Limits()) -> None:  # noqa: B008  # frozen
        self.limits = limits
        self.pieces: list[np.ndarray] = []

    def transcribe(self, samples: np.ndarray, sample_rate: int, language: str = "") -> Heard:
        self.pieces.append(samples)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], samples != 0, [False]])))
        spans = [(start / sample_rate, end / sample_rate) for start, end in edges.reshape(-1, 2)]
        return Heard(tuple(Segment(start, end, "sound", words=(Word(start, end, "sound"),)) for start, end in spans))


class Says(EnergyFinder):
    """A backend that returns, or raises, for its first piece, its second and so on, what it was told to."""

    def __init__(self, *results: Heard | Exception, limits: Limits = Limits()) -> None:  # noqa: B008
        super().__init__(limits)
        self.results = iter(results)

    def transcribe(self, samples: np.ndarray, sample_rate: int, language: str = "") -> Heard:
        self.pieces.append(samples)
        result = next(self.results)
        if isinstance(result, Exception):
            raise result
        return result


def sound(samples: int) -> np.ndarray:
    return np.full(samples, 100, np.int16)


# --- pieces and the time line


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[tuple[int, np.ndarray]], list[tuple[float, float]]]:
    """(kept stretches, true times of the bursts of sound in them) at 1 kHz: bursts of 0.1 to 2 s with 0.5 s or more of
    silence around each, so that there is always a quiet place to cut."""
    stretches, bursts, position = [], [], 0
    for _ in range(draw(st.integers(1, 4))):
        position += draw(st.integers(0, 5000))
        start, parts = position, [np.zeros(500, np.int16)]
        for _ in range(draw(st.integers(0, 40))):
            length = draw(st.integers(100, 2000))
            at = start + sum(map(len, parts))
            bursts.append((at / RATE, (at + length) / RATE))
            parts += [sound(length), np.zeros(draw(st.integers(500, 2000)), np.int16)]
        stretches.append((start, np.concatenate(parts)))
        position = start + len(stretches[-1][1])
    return stretches, bursts


@given(recordings(), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_times_are_those_of_the_true_time_line(
    case: tuple[list[tuple[int, np.ndarray]], list[tuple[float, float]]], parallel: int
):
    stretches, bursts = case
    finder, progress = EnergyFinder(Limits(piece_s=30, parallel=parallel)), []
    transcript = transcribe_stretches(finder, iter(stretches), RATE, lambda *step: progress.append(step))
    assert [(s.start_s, s.end_s) for s in transcript.segments] == bursts
    assert [(w.start_s, w.end_s) for s in transcript.segments for w in s.words] == bursts
    assert all(0 < len(piece) <= 30 * RATE for piece in finder.pieces)
    if parallel == 1:
        assert [done for done, _ in progress] == pytest.approx(np.cumsum([len(p) for p in finder.pieces]) / RATE)
    assert [done for done, _ in progress][-1:] == [sum(map(len, finder.pieces)) / RATE][: len(progress)]


def test_stretches_close_together_are_one_piece_with_silence_between():
    finder = EnergyFinder()
    transcribe_stretches(finder, [(0, sound(300)), (700, sound(300)), (1600, sound(300))], RATE)
    assert [len(piece) for piece in finder.pieces] == [1000, 300]
    assert not finder.pieces[0][300:700].any()


def test_a_long_recording_is_streamed():
    finder = EnergyFinder()

    def hour() -> Iterator[tuple[int, np.ndarray]]:
        for second in range(0, 3600, 10):
            assert sum(map(len, finder.pieces)) >= (second - 2 * 30) * RATE
            yield second * RATE, sound(10 * RATE)

    steps: list[tuple[float, float]] = []
    transcribe_stretches(finder, hour(), RATE, lambda *step: steps.append(step), total_samples=3600 * RATE)
    assert steps[-1] == (3600, 3600)
    assert {total for _, total in steps} == {3600}


def test_times_beyond_the_piece_are_brought_back_into_it():
    wild = Says(Heard((Segment(1.5, 99.0, "end"), Segment(-3.0, 1.0, "start"))))
    transcript = transcribe_stretches(wild, [(10 * RATE, sound(2 * RATE))], RATE)
    assert [(s.start_s, s.end_s, s.text) for s in transcript.segments] == [(10, 11, "start"), (11.5, 12, "end")]


def test_a_backend_that_fails_is_one_sentence_with_the_place():
    with pytest.raises(BackendError, match=r"^the transcription backend energy failed at 1:05 \(OSError: model.*\): "):
        transcribe_stretches(Says(OSError("model unreadable")), [(65 * RATE, sound(RATE))], RATE)


# --- several pieces at a time, limits, speakers, languages


def minutes(count: int) -> list[tuple[int, np.ndarray]]:
    """That many stretches of 30 s, a minute from start to start."""
    return [(60 * RATE * n, sound(30 * RATE)) for n in range(count)]


class Together(EnergyFinder):
    """Lets no piece end before `limits.parallel` are under way; the later one began, the earlier it ends."""

    def transcribe(self, samples: np.ndarray, sample_rate: int, language: str = "") -> Heard:
        with self.lock:
            number = self.begun = self.begun + 1
        self.gate.wait(20)
        if number % 2:
            self.evens[number // 2].wait(20)
        self.evens[(number - 1) // 2].set()
        return super().transcribe(samples, sample_rate)

    def __init__(self) -> None:
        super().__init__(Limits(piece_s=30, parallel=2))
        self.lock, self.begun, self.gate = threading.Lock(), 0, threading.Barrier(2)
        self.evens = [threading.Event() for _ in range(3)]


def test_pieces_run_in_parallel_and_come_back_in_order():
    transcript = transcribe_stretches(Together(), minutes(6), RATE)
    assert [s.start_s for s in transcript.segments] == [60.0 * n for n in range(6)]


def test_nothing_is_begun_after_a_failure_and_what_runs_is_waited_for():
    running, may_end = threading.Event(), threading.Event()

    class FailsSecond(EnergyFinder):
        done = 0

        def transcribe(self, samples: np.ndarray, sample_rate: int, language: str = "") -> Heard:
            self.pieces.append(samples)
            if len(self.pieces) == 2:
                running.wait(20)
                threading.Timer(0.05, may_end.set).start()
                raise BackendError("the server is busy", retry=True, retry_after_s=7)
            if len(self.pieces) == 3:
                running.set()
                may_end.wait(20)
            self.done += 1
            return Heard()

    failing = FailsSecond(Limits(piece_s=30, parallel=3))
    with pytest.raises(BackendError, match="the server is busy") as caught:
        transcribe_stretches(failing, minutes(50), RATE)
    assert (caught.value.retry, caught.value.retry_after_s) == (True, 7)
    assert len(failing.pieces) <= 4 and failing.done == len(failing.pieces) - 1


@given(st.integers(2, 40), st.integers(4_000, 90_000))
@settings(max_examples=30, deadline=None)
def test_pieces_keep_to_seconds_and_bytes(piece_s: int, piece_bytes: int):
    finder = EnergyFinder(Limits(piece_s=piece_s, piece_bytes=piece_bytes))
    transcribe_stretches(finder, minutes(3), RATE)
    assert all(len(piece) <= piece_s * RATE and piece.nbytes <= piece_bytes for piece in finder.pieces)
    assert sum(map(len, finder.pieces)) == 90 * RATE


def test_the_same_label_in_two_pieces_is_not_taken_for_the_same_speaker():
    def talk(*speakers: str | None) -> Heard:
        return Heard(tuple(Segment(n, n + 1, "yes", speaker) for n, speaker in enumerate(speakers)))

    parts = (talk("A", "B"), talk(None), talk("A", None))
    told = transcribe_stretches(Says(*parts, limits=Limits(speakers_of_piece=True)), minutes(3), RATE)
    assert [s.speaker for s in told.segments] == ["A (part 1)", "B (part 1)", None, "A (part 2)", None]
    known = transcribe_stretches(Says(*parts), minutes(3), RATE)
    assert [s.speaker for s in known.segments] == ["A", "B", None, "A", None]
    alone = transcribe_stretches(Says(talk("A", "B"), limits=Limits(speakers_of_piece=True)), minutes(1), RATE)
    assert [s.speaker for s in alone.segments] == ["A", "B"]


def test_the_language_is_that_of_most_of_the_sound_unless_it_was_told():
    something = (Segment(0, 1, "so"),)
    heard = (Heard(something, "de"), Heard(something, "fr"), Heard(something, "de"), Heard((), "nn"))
    assert transcribe_stretches(Says(*heard), minutes(4), RATE).language == "de"
    assert transcribe_stretches(Says(*heard), minutes(4), RATE, language="fr").language == "fr"
    assert transcribe_stretches(Says(Heard()), minutes(1), RATE).language == "en"
    with pytest.raises(BackendError, match=r"^pocketsphinx hears en, not de: choose another"):
        transcribe_stretches(backend("pocketsphinx", Config()), minutes(1), RATE, language="de")


@pytest.mark.parametrize("time", [float("nan"), None, "3"])
def test_times_that_are_none_are_the_backends_failure(time: object):
    with pytest.raises(BackendError, match=r"^the transcription backend energy failed at 0:00 "):
        transcribe_stretches(Says(Heard((Segment(time, 2.0, "when"),))), minutes(1), RATE)  # type: ignore[arg-type]


# --- transcripts


TRANSCRIPT = Transcript(
    "energy",
    "none",
    "en",
    (
        Segment(12.25, 13.5, "good morning", words=(Word(12.25, 12.75, "good"), Word(12.75, 13.5, "morning"))),
        Segment(3725.0, 3726.0, "good\nbye", speaker="Anna"),
    ),
)


def test_a_transcript_survives_json():
    content = json.loads(json.dumps(TRANSCRIPT.to_json()))
    assert Transcript.from_json(content) == TRANSCRIPT
    assert content["version"] == 1
    assert content["segments"][0] == {
        "start_s": 12.25,
        "end_s": 13.5,
        "text": "good morning",
        "speaker": None,
        "words": [
            {"start_s": 12.25, "end_s": 12.75, "text": "good"},
            {"start_s": 12.75, "end_s": 13.5, "text": "morning"},
        ],
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"version": 2}, "newer voicecard"), ({"segments": [{"start_s": 1}]}, "damaged"), ({"segments": 7}, "damaged")],
)
def test_what_is_no_transcript_is_refused(change: dict[str, object], sentence: str):
    with pytest.raises(FormatError, match=sentence):
        Transcript.from_json(TRANSCRIPT.to_json() | change)


# --- finding backends


def test_backends_come_through_entry_points_and_a_broken_one_harms_nobody(tmp_path: Path, monkeypatch):
    (tmp_path / "strangers.py").write_text(
        "from voicecard.transcribe.backend import Backend\n"
        "class Good(Backend):\n    name = 'good'\n    def transcribe(self, samples, sample_rate, language=''): ...\n"
        "class Broken(Good):\n    name = 'broken'\n    def __init__(self, config): raise OSError('no licence')\n"
        "class Stranger: pass\n"
    )
    metadata = tmp_path / "strangers-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[voicecard.transcribers]\ngood = strangers:Good\nbroken = strangers:Broken\n"
        "stranger = strangers:Stranger\nabsent = no_such_module:Backend\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    lacks = {found.name: found.missing() for found in backends(Config())}
    assert lacks.keys() == {*BUILT_IN, "absent", "broken", "good", "stranger"}
    assert lacks["good"] is lacks["pocketsphinx"] is None
    assert "no licence" in str(lacks["broken"]) and "no Backend" in str(lacks["stranger"])
    with pytest.raises(
        BackendError, match=r"backend absent could not be loaded \(ModuleNotFoundError: .*\): reinstall"
    ):
        transcribe_stretches(backend("absent", Config()), [(0, sound(RATE))], RATE)
    with pytest.raises(UsageError, match=r"'whisperr': choose one of absent, broken, dashscope, good, "):
        backend("whisperr", Config())


def test_sound_goes_to_a_server_only_when_somebody_chose_one(monkeypatch):
    """Keys in the environment, and even an address in the settings, choose nothing."""
    for variable in ("OPENAI_API_KEY", "GROQ_API_KEY", "VOICECARD_OPENAI_KEY", "DASHSCOPE_API_KEY"):
        monkeypatch.setenv(variable, "sk-there")
    tempting = {
        "whisper.model": "none/none",
        "wyoming.host": "127.0.0.1",
        "openai.base_url": "http://127.0.0.1:1/v1",
        "openai.model": "best",
    }
    assert all(backend(name, Config(None, tempting)).missing() is None for name in ("openai", "dashscope", "wyoming"))
    assert choose(Config(None, tempting)).name == "pocketsphinx"
    assert choose(Config(None, tempting | {BACKEND.name: "openai"})).name == "openai"
    assert choose(Config(None, tempting), "wyoming").name == "wyoming"
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(BackendError, match=r"no transcription backend is ready: `voicecard backends`"):
        choose(Config(None, tempting))


def test_a_missing_package_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(BackendError, match=r"^the package pocketsphinx is not installed .*: install it with"):
        transcribe_stretches(backend("pocketsphinx", Config()), [(0, sound(RATE))], RATE)


# --- the embedded backend


def test_pocketsphinx_recognises_the_conversation_quietly(capfd):
    samples, rate = soundfile.read(CONVERSATION, dtype="int16")
    turns = [(1.7, 7.2), (8.3, 12.9)]
    kept = [(round(start * rate), samples[round(start * rate) : round(end * rate)]) for start, end in turns]
    transcript = transcribe_stretches(backend("pocketsphinx", Config()), kept, rate)
    said = (
        "Good morning. I would like to talk about the new contract with your company. "
        "We are happy with the price, but there is one big question."
    )
    assert word_error_rate(said, transcript.text).rate <= 0.1
    assert [s.start_s for s in transcript.segments] == pytest.approx([2.0, 8.6], abs=0.15)
    assert " ".join(w.text for s in transcript.segments for w in s.words) == transcript.text
    assert capfd.readouterr() == ("", "")


def test_pocketsphinx_takes_any_sample_rate_and_nothing_at_all():
    samples, rate = soundfile.read(CONVERSATION, dtype="int16")
    turn = samples[14 * rate : 17 * rate]
    embedded = PocketSphinx(Config())
    assert embedded.transcribe(turn[:0], rate).segments == embedded.transcribe(turn[:1], rate).segments == ()
    (segment,) = embedded.transcribe(soxr.resample(turn, rate, 48_000), 48_000).segments
    assert word_error_rate("Please go ahead. What is the question?", segment.text).rate <= 0.15
    assert segment.end_s == pytest.approx(2.5, abs=0.15)


def test_segments_end_at_pauses_and_long_ones_at_the_next_breath():
    short_pause = [Word(0, 1, "a"), Word(1.6, 2, "b"), Word(2.8, 3, "c")]
    assert [s.text for s in segments(short_pause)] == ["a b", "c"]
    long = [Word(t, t + 0.9, str(t)) for t in range(12)] + [Word(12.2, 13, "end")]
    assert [s.text for s in segments(long)] == ["0 1 2 3 4 5 6 7 8 9 10 11", "end"]


# --- score


def test_word_error_rate_counts_words_and_nothing_else():
    assert word_error_rate("It\u2019s a well-known worry, Bob!", "its a well known worry bob").rate == 0
    score = word_error_rate("we lost a good customer today", "we cost a customer today again")
    assert score == Score(0.5, words=6, substitutions=1, deletions=1, insertions=1)
    with pytest.raises(ValueError, match="no words"):
        word_error_rate(" - ", "hello")
