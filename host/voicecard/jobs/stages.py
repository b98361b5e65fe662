"""The stages of a recording, in one table: what each is, when it is called for, and what it does.

A stage is called for while its result is missing: that alone decides what there is to do, so that nothing has to be remembered
for it. Each reads what it needs and writes one result, durably and whole; whatever it raises leaves all others as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicecard.errors import VoicecardError
from voicecard.jobs.tools import Tools
from voicecard.library import details
from voicecard.library.entry import Entry

Progress = Callable[[float, float], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """`past`: what its recording has been when it is done. `lacks` tells whether a recording calls for it.

    `run(tools, recording, on_progress)` does it and returns what was made, in words for people or "". `recording` is the key
    of one in the library. It may raise anything."""

    name: str
    past: str
    run: Callable[[Tools, str, Progress], str]
    lacks: Callable[[Entry], bool]


def _decode(tools: Tools, recording: str, on_progress: Progress) -> str:
    try:
        from voicecard.library.export import write_audio
    except OSError as error:  # libsndfile is missing
        raise VoicecardError(f"sound cannot be written ({error}): reinstall the package soundfile") from error
    sound = tools.entry(recording).recording()
    with tools.writing():
        write_audio(sound, "flac", "keep", tools.entry(recording).audio)
    return ""


def _transcribe(tools: Tools, recording: str, on_progress: Progress) -> str:
    from voicecard.transcribe.pieces import transcribe_stretches

    sound = tools.entry(recording).sound()
    transcript = transcribe_stretches(
        tools.backend, sound.stretches, sound.sample_rate, on_progress, total_samples=sound.kept_samples
    )
    with tools.writing():
        tools.library.save_transcript(tools.entry(recording), transcript)
    return f"{len(transcript.segments)} passages transcribed by {transcript.backend}, model {transcript.model}"


def _lacks_audio(entry: Entry) -> bool:
    return entry.length_s > 0 and entry.card != details.IMPORTED and not entry.audio.exists()


def _lacks_transcript(entry: Entry) -> bool:
    return not (entry.folder / details.TRANSCRIPT).exists()


DECODE, TRANSCRIBE = "decode", "transcribe"
STAGES = {
    stage.name: stage
    for stage in (
        Stage(DECODE, "decoded", _decode, _lacks_audio),
        Stage(TRANSCRIBE, "transcribed", _transcribe, _lacks_transcript),
    )
}
