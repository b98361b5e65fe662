"""Commands on what is still to be made of the recordings: list it, do it now. Sync works off jobs by the same function."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voicecard.cli.options import AsJson, LibraryPath
from voicecard.cli.output import note, print_json, progress, table
from voicecard.errors import VoicecardError

if TYPE_CHECKING:
    from voicecard.jobs.queue import Job, Queue
    from voicecard.jobs.tools import Tools
    from voicecard.jobs.worker import Ended, Orders, Report
    from voicecard.library.archive import Library
    from voicecard.library.entry import Entry


def add_commands(app: typer.Typer) -> None:
    app.command("jobs")(list_jobs)
    app.command()(retry)


def list_jobs(
    all: Annotated[bool, typer.Option("--all", help="Also those that are done.")] = False,
    library: LibraryPath = None,
    as_json: AsJson = False,
) -> None:
    """List what is still to be made of the recordings: how it goes, and what to do about it."""
    from voicecard.jobs.intake import fill
    from voicecard.jobs.queue import Queue, State
    from voicecard.jobs.worker import put_right
    from voicecard.library.archive import Library

    with Library(library) as shelf, Queue(shelf.path) as queue:
        put_right(queue, time.time())
        tools = tools_for(shelf)
        fill(queue, tools)
        ids = {entry.key: entry.id for entry in shelf.entries()}
        names = ids | {key: each.path.name for key, each in tools.pending().items()}
        jobs = [job for job in queue.jobs() if job.recording in names and (all or job.state is not State.DONE)]
    order = {key: number for number, key in enumerate(names)}
    jobs.sort(key=lambda job: order.get(job.recording, -1))
    if as_json:
        print_json([_fields(job, ids.get(job.recording)) for job in jobs])
    elif jobs:
        rows = [_row(job, names.get(job.recording, job.recording)) for job in jobs]
        table(("RECORDING", "STAGE", "STATE", "TRIES", "NEXT TRY", "ERROR AND ADVICE"), rows)
    else:
        note("there is nothing to do: everything that can be made of the recordings is there")


def retry(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Recordings; all that wait if left out."),
    ] = None,
    stage: Annotated[
        str | None, typer.Option(help="Only this stage; with an ID it is done again even where it is done.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Do so many jobs at the most.")] = None,
    held: Annotated[bool, typer.Option("--held", help="Also what `sync --no-transcribe` has held back.")] = False,
    library: LibraryPath = None,
) -> None:
    """Do now what waits, what failed, and what was given up; what is held back as well if its ID is named."""
    from voicecard.errors import UsageError
    from voicecard.jobs.intake import fill, release
    from voicecard.jobs.queue import Queue
    from voicecard.jobs.stages import STAGES
    from voicecard.jobs.worker import Orders, put_right
    from voicecard.library.archive import Library

    if stage not in (None, *STAGES):
        raise UsageError(f"there is no stage {stage!r}: choose one of {', '.join(STAGES)}")
    with Library(library) as shelf, Queue(shelf.path) as queue:
        tools = tools_for(shelf)
        put_right(queue, time.time())
        fill(queue, tools)
        recordings = {shelf.entry(id).key for id in ids} if ids else None
        stages = [stage] if stage else list(STAGES)
        found = release(queue, recordings, stages, held=held or bool(ids), again=bool(ids and stage))
        if not found:
            note("there is nothing to do")
            return
        report = work_off(queue, tools, Orders(stages, recordings, limit))
    note(f"{len(report.done)} done, {len(report.failed)} failed")
    if report.failed:
        raise typer.Exit(1)


def make_of_new(shelf: Library, entries: list[Entry], held: bool = False) -> list[str]:
    """Make what is to be made of recordings that have come in, unless it is `held` back. Returns the ids of those without a transcript.

    Nothing that goes wrong here undoes their coming."""
    from voicecard.jobs.intake import arrived
    from voicecard.jobs.queue import Queue
    from voicecard.jobs.stages import STAGES, TRANSCRIBE
    from voicecard.jobs.worker import Orders

    if not entries:
        return []
    try:
        with Queue(shelf.path) as queue:
            tools = tools_for(shelf)
            arrived(queue, tools, entries, held)
            work_off(queue, tools, Orders(recordings={entry.key for entry in entries}))
    except VoicecardError as error:
        note(f"what came in is safe in the library, but not transcribed: {error}")
    now = [shelf.entry(entry.id) for entry in entries]
    return [] if held else [entry.id for entry in now if STAGES[TRANSCRIBE].lacks(entry)]


def make_what_follows(shelf: Library, entries: list[Entry]) -> None:
    """Make anew what is made of transcripts: these recordings have new ones. What goes wrong there is told, and tried again."""
    from voicecard.jobs.intake import followed
    from voicecard.jobs.queue import Queue
    from voicecard.jobs.stages import TRANSCRIBE, wanted
    from voicecard.jobs.worker import Orders

    tools = tools_for(shelf)
    stages = [stage.name for stage in wanted(tools) if stage.after == TRANSCRIBE]
    if not stages or not entries:
        return
    with Queue(shelf.path) as queue:
        for entry in entries:
            followed(queue, tools, entry.key, TRANSCRIBE)
        work_off(queue, tools, Orders(stages, {entry.key for entry in entries}))


def tools_for(shelf: Library) -> Tools:
    from voicecard.cli.config import program_config
    from voicecard.jobs.tools import Tools

    return Tools(shelf, program_config())


def work_off(queue: Queue, tools: Tools, orders: Orders) -> Report:
    """Do what is due, and tell people. Raises LibraryError when the disk is full or the queue cannot be used."""
    from voicecard.jobs.stages import STAGES
    from voicecard.jobs.worker import Worker

    try:
        with progress("done") as update:
            report = Worker(queue, tools, orders, _tell, update).run()
    except KeyboardInterrupt:
        note("stopped: what is not done waits")
        raise
    if report.busy:
        note("another voicecard is at work on the jobs of this library, and goes on with them: see `voicecard jobs`")
    for stage in sorted(report.stopped):
        note(f"no more recordings are {STAGES[stage].past} for now, since the last ones failed one after the other")
    if report.failed:
        note("`voicecard jobs` tells what is tried again by itself, and what needs you")
    return report


def _tell(ended: Ended) -> None:
    from voicecard.jobs.queue import State
    from voicecard.jobs.stages import IMPORT, STAGES

    if ended.job.state is State.DONE:
        if ended.told:
            note(f"{ended.name}: {ended.told}")
        return
    if ended.job.stage == IMPORT:
        note(f"{ended.name}: {ended.job.error}")
        return
    note(f"{ended.name} is safe in the library, but not {STAGES[ended.job.stage].past}: {ended.job.error}")


def _row(job: Job, name: str) -> tuple[str, ...]:
    what = "; ".join(filter(None, (job.error, job.advice)))
    return name, job.stage, job.state, str(job.tries), _next_try(job), what or "-"


def _fields(job: Job, id: str | None) -> dict[str, Any]:
    return {
        "recording": job.recording,
        "id": id,
        "stage": job.stage,
        "state": job.state,
        "tries": job.tries,
        "due": _iso(job.due_s) if _has_turn(job) and job.due_s else None,
        "error": job.error or None,
        "advice": job.advice or None,
        "updated": _iso(job.updated_s),
    }


def _next_try(job: Job) -> str:
    if not _has_turn(job):
        return "-"
    seconds = job.due_s - time.time()
    return "next run" if seconds <= 0 else f"in {_in_words(seconds)}"


def _has_turn(job: Job) -> bool:
    from voicecard.jobs.queue import State

    return job.state in (State.WAITING, State.FAILED)


def _in_words(seconds: float) -> str:
    for unit_s, unit in ((3600, "hour"), (60, "minute")):
        if seconds >= 1.5 * unit_s:
            return f"{round(seconds / unit_s)} {unit}s"
    return "a minute" if seconds > 45 else f"{max(1, round(seconds))} seconds"


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s).astimezone().isoformat(timespec="seconds")
