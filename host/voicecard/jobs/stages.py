"""The stages of a recording, in one table: what each is, when it is called for, and what it does.

A stage is called for while its result is missing: that alone decides what there is to do, so that nothing has to be remembered
for it. Each reads what it needs and writes one result, durably and whole; whatever it raises leaves all others as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicecard.errors import UsageError, VoicecardError
from voicecard.jobs.tools import Tools
from voicecard.library import details
from voicecard.library.entry import Entry
from voicecard.transcript import Transcript, clock

Progress = Callable[[float, float], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """`past`: what its recording has been when it is done. The first stage makes that, of what is pending.

    `lacks` tells whether a recording calls for it, `is_wanted` whether the owner does. `after`: the stage whose result it reads,
    and after which it is done again.

    `run(tools, recording, on_progress)` does it and returns what was made, in words for people or "". `recording` is the key
    of one in the library. It may raise anything."""

    name: str
    past: str
    run: Callable[[Tools, str, Progress], str]
    lacks: Callable[[Entry], bool]
    is_wanted: Callable[[Tools], bool] = lambda tools: True
    after: str = ""


def _import(tools: Tools, recording: str, on_progress: Progress) -> str:
    from voicecard.importing.making import file_recording, write_sound

    pending = tools.pending().get(recording)
    if pending is None:
        raise UsageError("it is in the library already")
    try:
        heard = write_sound(pending, on_progress)
    except UsageError:
        pending.discard()  # it is no sound, and never will be
        raise
    with tools.writing():
        entry = file_recording(tools.library, pending, heard)
    return f"{clock(entry.length_s)}, begun {entry.started:%Y-%m-%d %H:%M} ({entry.started_how}), is {entry.id}"


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


def _summarise(tools: Tools, recording: str, on_progress: Progress) -> str:
    entry = tools.entry(recording)
    if (content := entry.transcript()) is None:
        raise UsageError(f"{entry.id} has no transcript: `voicecard transcribe {entry.id}` makes one")
    summary = tools.summariser.summarise(Transcript.from_json(content), entry.speakers(), on_progress)
    with tools.writing():
        tools.library.save_summary(tools.entry(recording), summary)
    return f"summarised by {summary.model} at {summary.server}" if summary.server else "too short to be summarised"


def _wants_summaries(tools: Tools) -> bool:
    from voicecard.insight.summariser import is_wanted

    return is_wanted(tools.config)


def _lacks_audio(entry: Entry) -> bool:
    return entry.length_s > 0 and entry.card != details.IMPORTED and not entry.audio.exists()


def _lacks_transcript(entry: Entry) -> bool:
    return not (entry.folder / details.TRANSCRIPT).exists()


def _lacks_summary(entry: Entry) -> bool:
    return not _lacks_transcript(entry) and not (entry.folder / details.SUMMARY).exists()


IMPORT, DECODE, TRANSCRIBE, SUMMARISE = "import", "decode", "transcribe", "summarise"
STAGES = {
    stage.name: stage
    for stage in (
        Stage(IMPORT, "imported", _import, lambda entry: False),
        Stage(DECODE, "decoded", _decode, _lacks_audio),
        Stage(TRANSCRIBE, "transcribed", _transcribe, _lacks_transcript, after=IMPORT),
        Stage(SUMMARISE, "summarised", _summarise, _lacks_summary, _wants_summaries, after=TRANSCRIBE),
    )
}


def wanted(tools: Tools) -> list[Stage]:
    return [stage for stage in STAGES.values() if stage.is_wanted(tools)]
