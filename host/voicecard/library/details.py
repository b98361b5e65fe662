"""`recording.json`: what is known of a recording, as a plain file that outlives the index.

    version              1
    id                   name for people, e.g. k3f92b-12: card and number (and the nonce's start, if that is taken)
    card number nonce    identity; nonce is 16 hex digits. The card of a file that was imported is "import", its nonce the start
                         of its SHA-256
    boot firmware        of the card, when it recorded; null if the file does not say
    ticks_us             microseconds from that start of the card to the recording's, or null
    kind                 recording or memo
    started              ISO 8601 with the offset of the place where the card's clock was set, or this computer's; or null
    started_how          how that is known: "card clock", what the caller said, or "unknown"
    uncertainty_ms       of `started`, or null
    not_before not_after if `started` is unknown: ISO 8601 with offset, the latest time known before it (an earlier
                         recording's end, or an earlier visit to a host) and the earliest known after it; null if there is none
    received             ISO 8601 with offset: when the library took it in
    length_s             true time; the sum of the next seven
    kept_s               sound in the file
    silence_skipped_s paused_s withheld_s   told by gaps
    other_gaps_s         gaps for reasons that this version does not know
    lost_s               sound that the card could not take, told by the card
    unknown_s            time that nothing in the file explains
    speech_s             the part of kept_s in which the gate heard speech
    marks                list of seconds
    events               list of {at_s, event, value, wide}
    end_reason           key, storage full, power lost, ... or null: the file has no end
    notes                list: what of the file could not be read
    settings             the card's, as it recorded
    salvaged             true if no card has agreed to its sha256: it was put together from an image of the card's flash,
                         or this program ended before it had the card's answer
    sha256 bytes         of card.vcr, or of the file that was imported
    files                names within the folder; one that is absent was not made (yet)

Readers ignore fields that they do not know. Beside it lie card.vcr (firmware/FORMAT.md), audio.flac, transcript.json
(transcript.py has its schema), transcript.md (page.py) and, of the same transcript, transcript.srt and transcript.vtt;
summary.json (summary.py), where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple

from voicecard.errors import LibraryError

if TYPE_CHECKING:
    from voicecard.library.recording import Recording

VERSION = 1
ORIGINAL, AUDIO, DETAILS = "card.vcr", "audio.flac", "recording.json"
IMPORTED = "import"  # stands for the card of what no card has recorded; its original is original.wav, original.m4a ...
TRANSCRIPT, PAGE, SRT, VTT = "transcript.json", "transcript.md", "transcript.srt", "transcript.vtt"
SUMMARY = "summary.json"
UNDATED = "undated"
FILES = {
    "original": ORIGINAL,
    "audio": AUDIO,
    "transcript": TRANSCRIPT,
    "transcript_text": PAGE,
    "srt": SRT,
    "vtt": VTT,
    "summary": SUMMARY,
}
_NUMBER, _MAYBE_NUMBER, _TEXT, _MAYBE_TEXT = (int, float), (int, NoneType), (str,), (str, NoneType)
# The fields that the index needs.
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("id", "card", "nonce", "kind", "started_how", "received", "sha256"), _TEXT),
    **dict.fromkeys(("started", "not_before", "not_after", "end_reason"), _MAYBE_TEXT),
    **dict.fromkeys(("number", "bytes"), (int,)),
    **dict.fromkeys(("boot", "ticks_us", "uncertainty_ms"), _MAYBE_NUMBER),
    "salvaged": (bool, NoneType),
    **dict.fromkeys(("length_s", "kept_s", "speech_s", "silence_skipped_s", "lost_s", "unknown_s"), _NUMBER),
    "marks": (list,),
}
_ID = re.compile(r"[a-z0-9_]{1,8}-[0-9]{1,10}(-[0-9a-f]{4,16})?")


class Identity(NamedTuple):
    """What tells a recording from all others. `nonce` is 16 hex digits."""

    card: str
    number: int
    nonce: str

    @property
    def name(self) -> str:
        """For people and file names: only letters, digits, underscores and a dash, whatever a card calls itself."""
        return f"{re.sub('[^a-z0-9]', '_', self.card.lower())[:8] or '_'}-{self.number}"

    @property
    def key(self) -> str:
        return f"{self.name}-{self.nonce}"


def original_in(folder: Path) -> Path | None:
    """The file that all else in a recording's folder is made from, None if there is none."""
    card = folder / ORIGINAL
    return card if card.exists() else next(iter(sorted(folder.glob("original.*"))), None)


def checked_identity(card: str, number: int, nonce: str) -> Identity:
    """Raises LibraryError for what no card can have sent in earnest."""
    if not re.fullmatch("[0-9a-f]{16}", nonce) or not 0 <= number < 1 << 32:
        raise LibraryError(f"{card}-{number} with nonce {nonce!r} names no recording; update voicecard or the card")
    return Identity(card, number, nonce)


def ids_of(identity: Identity) -> tuple[str, ...]:
    """The ids that a recording may have, the best first: a longer one is for when another has taken the shorter."""
    return identity.name, f"{identity.name}-{identity.nonce[:4]}", identity.key


def free_id(identity: Identity, taken: Iterable[str]) -> str:
    """The best id for a recording that none of `taken` is."""
    others = set(taken)
    return next(id for id in ids_of(identity) if id not in others)


def describe(
    recording: Recording,
    identity: Identity,
    *,
    id: str,
    sha256: str,
    started: datetime | None,
    how: str,
    uncertainty_ms: int | None,
    salvaged: str | None = None,
) -> dict[str, Any]:
    """The content of recording.json. Without `started` the card's own clock counts, if it was set; `salvaged` is a note."""
    if started is None and recording.started is not None:
        started, how, uncertainty_ms = recording.started, "card clock", recording.wall_uncertainty_ms

    def seconds(samples: int) -> float:
        return round(samples / recording.sample_rate, 3)

    gaps = {reason: recording.gap_samples(reason) for reason in ("silence", "paused", "withheld")}
    return {
        "version": VERSION,
        "id": id,
        "card": identity.card,
        "number": identity.number,
        "nonce": identity.nonce,
        "boot": recording.boot,
        "ticks_us": recording.start_ticks_us,
        "firmware": recording.firmware,
        "kind": recording.kind,
        "started": local(started).isoformat(timespec="milliseconds") if started else None,
        "started_how": how if started else "unknown",
        "uncertainty_ms": uncertainty_ms if started else None,
        "not_before": None,
        "not_after": None,
        "received": datetime.now().astimezone().isoformat(timespec="seconds"),
        "length_s": seconds(recording.length_samples),
        "kept_s": seconds(recording.kept_samples),
        "silence_skipped_s": seconds(gaps["silence"]),
        "paused_s": seconds(gaps["paused"]),
        "withheld_s": seconds(gaps["withheld"]),
        "other_gaps_s": seconds(sum(gap.samples for gap in recording.gaps) - sum(gaps.values())),
        "lost_s": seconds(recording.lost_samples),
        "unknown_s": seconds(recording.unknown_samples),
        "speech_s": seconds(recording.speech_samples),
        "marks": [seconds(mark) for mark in recording.marks_samples],
        "events": [
            {"at_s": seconds(event.at_samples), "event": event.event, "value": event.value, "wide": event.wide}
            for event in recording.events
        ],
        "end_reason": recording.end_reason,
        "notes": [*([salvaged] if salvaged else []), *recording.notes],
        "salvaged": salvaged is not None,
        "settings": recording.settings,
        "sha256": sha256,
        "bytes": len(recording.data),
        "files": FILES,
    }


def local(time: datetime) -> datetime:
    """In the offset of the place where it was told, if that is known, else in this computer's."""
    return time.astimezone() if time.tzinfo is UTC else time


def checked_details(details: dict[str, Any]) -> dict[str, Any]:
    """The content of a recording.json, if it is one. Raises ValueError where a field is missing or cannot be meant."""
    for name, kinds in _KINDS.items():
        value = details.get(name)
        if not isinstance(value, kinds) or (isinstance(value, int) and abs(value) >> 63):
            raise ValueError(f"{name} is missing or wrong")
        str(value).encode()  # a lone half of a surrogate pair is no text
    if not _ID.fullmatch(details["id"]):
        raise ValueError("no id of a recording")
    for time in filter(None, (details.get(name) for name in ("started", "received", "not_before", "not_after"))):
        if datetime.fromisoformat(time).tzinfo is None:
            raise ValueError("a time without its offset")
    return details


def folder_name(details: dict[str, Any]) -> str:
    """Where a recording lies under recordings/: year/date time id."""
    if details["started"] is None:
        return f"{UNDATED}/{UNDATED} {details['id']}"
    started = datetime.fromisoformat(details["started"])
    return f"{started:%Y}/{started:%Y-%m-%d %H.%M} {details['id']}"
