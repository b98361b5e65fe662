"""What becomes of a job that failed: tried again later, by itself, or given up until a person has seen to it.

Back-off is exponential with full jitter, the wait being anything up to its bound, so that jobs that failed together do not
come back together (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path

from voicecard.errors import BackendError, LibraryError, VoicecardError
from voicecard.jobs.queue import Job, State

FIRST_S = 30.0
LONGEST_S = 6 * 3600.0
MOST_TRIES = 16
BY_ITSELF = "is begun again by itself"


def back_off_s(times: int, share: float) -> float:
    """The wait after so many failures in a row; `share` is drawn from 0 to 1."""
    return share * min(LONGEST_S, FIRST_S * 2.0 ** (times - 1))


def failed(job: Job, error: Exception, id: str, now_s: float, share: float) -> Job:
    """The job after it failed. `id` is its recording's, empty as long as there is none."""
    retry = f"`voicecard retry{' ' if id else ''}{id}`"
    job = replace(job, tries=job.tries + 1, cuts=0, updated_s=now_s, error=_sentence(error))
    if not may_succeed_later(error):
        return replace(job, state=State.GIVEN_UP, advice=f"see to that, then {retry}")
    if job.tries >= MOST_TRIES:
        return replace(job, state=State.GIVEN_UP, advice=f"{job.tries} tries failed: see to that, then {retry}")
    asked_s = (error.retry_after_s or 0.0) if isinstance(error, BackendError) else 0.0
    due_s = now_s + asked_s + back_off_s(job.tries, share)
    return replace(job, state=State.FAILED, due_s=due_s, advice=f"is tried again by itself; {retry} does it now")


def cut(job: Job, now_s: float, share: float) -> Job:
    """The job that ran when its program ended. It waits again: for nothing at first, longer where that has happened before,
    so that one that ends every program is never given up, and keeps no other from its turn."""
    cuts = job.cuts + 1
    due_s = now_s + back_off_s(cuts - 1, share) if cuts > 1 else 0.0
    error = "the program ended in the middle of it" + (f", {cuts} times in a row" if cuts > 1 else "")
    return replace(job, state=State.WAITING, cuts=cuts, due_s=due_s, updated_s=now_s, error=error, advice=BY_ITSELF)


def may_succeed_later(error: Exception) -> bool:
    """Whether the same may go well another time, with nothing changed by a person."""
    if isinstance(error, BackendError):
        return error.retry
    return isinstance(error, (LibraryError, OSError, MemoryError))


def _sentence(error: Exception) -> str:
    if isinstance(error, VoicecardError):
        return str(error)
    # What nobody expected is a bug, here or in a plug-in: where it was helps to find it.
    *_, last = traceback.extract_tb(error.__traceback__) or [None]
    where = f" in {Path(last.filename).name}, line {last.lineno}" if last else ""
    return f"{type(error).__name__}{where}: {error}"
