"""One fault run: disturbed visits of a host to a card, an undisturbed one, and after each what must be true."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from soak.bench import CARD, Bench, Recording
from soak.faults import DOCUMENTED_ANSWER_S, Plan
from soak.proxy import Proxy
from voicecard.device import client, conversation
from voicecard.device.client import CardLink
from voicecard.errors import VoicecardError
from voicecard.library.archive import Library
from voicecard.sync import sync

_DAMAGED = "is not what the card holds"


@dataclass(slots=True)
class Outcome:
    """What a run showed. `wrong` and `lost`: a sentence for each promise that was broken."""

    id: str
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)  # of the disturbed visits: "done", or an error's sentence
    fired: list[str] = field(default_factory=list)  # kinds of faults that happened
    log: list[str] = field(default_factory=list)
    seconds: float = 0.0


def run(bench: Bench, plan: Plan, folder: Path) -> Outcome:
    """Run a plan with a fresh library in `folder`."""
    outcome = Outcome(plan.id)
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    bench.forget()
    for faults in plan.visits:
        with Proxy(bench.port, faults) as proxy, patience(plan.answer_s):
            ending = visit(at(proxy.port), folder, outcome)
        outcome.endings.append(ending)
        if _DAMAGED in ending:
            outcome.wrong.append("damaged bytes came in as good ones: only the digest told")
        outcome.fired += proxy.happened
        outcome.log += [*proxy.log, f"the visit ends: {ending}"]
        check_what_is_there(bench, folder, outcome)
    ending = visit(at(bench.port), folder, outcome)
    if ending != "done":
        outcome.wrong.append(f"the undisturbed sync: {ending}")
    check_what_is_there(bench, folder, outcome)
    check_all(bench, folder, outcome)
    outcome.seconds = time.monotonic() - started
    if outcome.wrong:
        outcome.wrong.append(bench.last_words())
    return outcome


def visit(connect: Callable[[], CardLink], folder: Path, outcome: Outcome) -> str:
    """A sync as the program does it; returns "done", or an error's sentence. Whatever else it raises is wrong."""
    errors: Sequence[VoicecardError] = ()
    try:
        with Library(folder) as library, connect() as link:
            errors = sync(link, library).failed
    except VoicecardError as error:
        errors = [error]
    except Exception as error:
        outcome.wrong.append(traceback.format_exc())
        return repr(error)
    outcome.wrong += [f"no sentence: {error!r}" for error in errors if not str(error).isprintable() or not str(error)]
    return "; ".join(f"{type(error).__name__}: {error}" for error in errors) or "done"


def at(port: str) -> Callable[[], CardLink]:
    return lambda: CardLink.open(port)


def check_what_is_there(bench: Bench, folder: Path, outcome: Outcome) -> None:
    """What was filed or has come in is what the card holds; what the card counts as held by this library is held."""
    by_key = {recording.key: recording for recording in bench.recordings}
    filed = {key: _digest(path) for key, path in filed_in(folder).items()}
    for key, digest in filed.items():
        if key not in by_key or by_key[key].digest != digest:
            outcome.wrong.append(f"filed {key}, which is not what the card holds")
    for part in (folder / "incoming").glob("*.part"):
        if not any(recording.data.startswith(_whole_sectors(part)) for recording in _named(part, bench)):
            outcome.wrong.append(f"{part.name} is not the beginning of what the card holds")
    there = set(filed.values()) | {_digest(path) for path in (folder / "incoming").rglob("*") if path.is_file()}
    library = library_id(folder)
    for recording in bench.held_by(library) if library else ():
        if recording.digest not in there:
            outcome.lost.append(f"recording {recording.number} is safe on the card, and not in the library")


def check_all(bench: Bench, folder: Path, outcome: Outcome) -> None:
    """Every recording is filed once, none is half there, the card knows it, and is as before."""
    filed = sorted(filed_in(folder))
    missing = {recording.key for recording in bench.recordings} - set(filed)
    outcome.lost += [f"recording {number} did not arrive" for _, number, _ in missing]
    folders = list((folder / "recordings").glob("*/*"))
    if len(folders) != len(filed):
        outcome.wrong.append(f"{len(folders)} folders for {len(filed)} recordings")
    if left := [path.name for path in (folder / "incoming").iterdir()]:
        outcome.wrong.append(f"left behind: {left}")
    held = bench.held_by(library_id(folder) or "000000")
    if len(held) != len(bench.recordings):
        outcome.wrong.append(f"of {len(bench.recordings)} recordings the card counts {len(held)} as held")
    if not bench.is_untouched():
        outcome.wrong.append("the recordings on the card have changed")


def filed_in(folder: Path) -> dict[tuple[str, int, str], Path]:
    """The recordings in a library's folder, by identity, found without the library's own code; twice the same is an error."""
    found = {}
    for details in (folder / "recordings").glob("*/*/recording.json"):
        content = json.loads(details.read_bytes())
        key = content["card"], content["number"], content["nonce"]
        found[key if key not in found else (*key[:2], f"{key[2]} twice")] = details.with_name("card.vcr")
    return found


def library_id(folder: Path) -> str | None:
    about = folder / "library.json"
    return str(json.loads(about.read_bytes())["id"]) if about.exists() else None


@contextmanager
def patience(answer_s: float) -> Iterator[None]:
    """Hosts wait so long for an answer, and for a greeting not longer; a proof of so small a recording takes no time of its own."""
    functions = (conversation.Conversation.ask, conversation.Conversation.ask_for)
    before = [function.__defaults__ for function in functions]
    constants = conversation.ANSWER_S, client.ANSWER_S, client.GREETING_S
    for function in functions:
        assert function.__defaults__ and DOCUMENTED_ANSWER_S in function.__defaults__
        waits = [answer_s if value == DOCUMENTED_ANSWER_S else value for value in function.__defaults__]
        function.__defaults__ = tuple(waits)
    conversation.ANSWER_S = client.ANSWER_S = answer_s
    client.GREETING_S = min(answer_s, client.GREETING_S)
    try:
        yield
    finally:
        for function, defaults in zip(functions, before, strict=True):
            function.__defaults__ = defaults
        conversation.ANSWER_S, client.ANSWER_S, client.GREETING_S = constants


def _named(part: Path, bench: Bench) -> list[Recording]:
    """The recordings of which a `.part` may be: its name carries card and number."""
    return [recording for recording in bench.recordings if part.name.startswith(f"{CARD}-{recording.number}-")]


def _whole_sectors(part: Path) -> bytes:
    data = part.read_bytes()
    return data[: len(data) // 4096 * 4096]


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
