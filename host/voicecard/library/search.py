"""Search: passages in which something was said, by whom and when, the best first."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from voicecard.library.entry import COLUMNS, Entry
from voicecard.library.index import Index, slot
from voicecard.library.query import expression, phrase
from voicecard.library.words import from_index

RANKED_HITS = 50_000  # of more than these the newest come first: to weigh them all takes too long
MOST_HITS = 10_000
_BEGIN, _END = "\x02", "\x03"  # control characters are not in the index
_MARKED = re.compile(f"{_BEGIN}(.*?){_END}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. `query` as query.py has it; `since` and `before` are about the recording's beginning."""

    query: str
    since: datetime | None = None
    before: datetime | None = None
    speaker: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage. `start_s` and `speaker` are None where title and tags of the recording were found; `found`: spans of `text`."""

    entry: Entry
    start_s: float | None
    end_s: float | None
    speaker: str | None
    text: str
    found: tuple[tuple[int, int], ...]

    @property
    def when(self) -> datetime | None:
        """The wall time at which it was said, if the recording's is known."""
        if self.entry.started is None or self.start_s is None:
            return None
        return self.entry.started + timedelta(seconds=self.start_s)


def search(index: Index, recordings: Path, wanted: Wanted, limit: int) -> list[Hit]:
    """At most `limit` passages; empty as well if the query holds no word."""
    terms = expression(wanted.query)
    if terms is None:
        return []
    match = f"text : ({terms})"
    if wanted.speaker is not None:
        name = phrase(wanted.speaker)
        if name is None:
            return []
        match = f"({match}) AND (speaker : {name})"
    conditions, values = ["passages MATCH ?"], [match]
    for bound, at in ((">=", wanted.since), ("<", wanted.before)):
        if at is not None:
            conditions.append(f"passages.rowid {bound} ?")
            values.append(str(slot(round(at.timestamp() * 1000))))
    rows = _select(index, conditions, values, wanted.tag, limit)
    return [_hit(row, recordings) for row in rows]


def _select(index: Index, conditions: list[str], values: list[str], tag: str | None, limit: int) -> list[sqlite3.Row]:
    where = " AND ".join(conditions)
    counted = f"SELECT count(*) FROM (SELECT 1 FROM passages WHERE {where} LIMIT {RANKED_HITS + 1})"
    ((hits,),) = index.select(counted, *values)
    order = "passages.rowid DESC" if hits > RANKED_HITS else "rank"
    if tag is not None:
        where += " AND EXISTS (SELECT 1 FROM json_each(recordings.tags) WHERE lower(json_each.value) = lower(?))"
        values = [*values, tag.lstrip("#")]
    marked = f"highlight(passages, 0, '{_BEGIN}', '{_END}')"
    query = (
        f"SELECT {COLUMNS}, segments.start_s, segments.end_s, segments.speaker AS said_by, {marked} AS marked FROM passages "
        "JOIN segments ON segments.id = passages.rowid JOIN recordings ON recordings.id = segments.recording "
        f"WHERE {where} ORDER BY {order} LIMIT {min(limit, MOST_HITS)}"
    )
    return index.select(query, *values)


def _hit(row: sqlite3.Row, recordings: Path) -> Hit:
    text, found, at = "", [], 0
    marked = from_index(row["marked"])
    for span in _MARKED.finditer(marked):
        text += marked[at : span.start()]
        found.append((len(text), len(text) + len(span[1])))
        text += span[1]
        at = span.end()
    text += marked[at:]
    speaker = None if row["said_by"] is None else from_index(row["said_by"])
    return Hit(Entry.of_row(row, str(recordings)), row["start_s"], row["end_s"], speaker, text, tuple(found))
