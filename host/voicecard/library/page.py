"""`transcript.md`: the page of a recording, which voicecard makes and a person may edit.

    ---
    title: Budget, second round      what the recording is called; empty until somebody says
    tags: [work, q3]
    speakers: {S1: Anna}             names for the labels in transcript.json
    id: k3f92b-12                    this and what follows is made again:
    date: 2026-11-22T05:09:00        when it began, in the time of the place; absent if unknown
    duration: "0:34:12"
    backend: pocketsphinx            that made the transcript; absent before
    ---

    # Budget, second round

    what a person writes here stays

    ## Transcript

    <!-- Made by voicecard, and made again: write above the heading. 3f9a0b12 8c41d0e7 51b2fa90 0d6e4c31 -->

    > **Summary** by llama3.2 at localhost:11434

    Transcribed by pocketsphinx, model en-us.

    **[0:12]** Anna: Good morning.

The front matter is the truth of title, tags and speakers' names; a title changed in the heading counts, too, where that of the front
matter was not. Other keys and comments stay. The numbers are the starts of the SHA-256 of the heading, the made keys, the transcript
and its text as they were when this was made: by them is seen what a person has changed here, and whether there is a new transcript.
Nothing fails on what a person wrote: what cannot be read says nothing, and where something cannot be carried over, `rewrite` tells, so
that the old page is kept."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from voicecard.library import front_matter
from voicecard.library.rendering import markdown, quoted, renamed
from voicecard.summary import Summary
from voicecard.transcript import Transcript

_SECTION = re.compile(r"^## Transcript[ \t]*(?:\n|\Z)", re.MULTILINE)
_HEADING = re.compile(r"^# (.*)$", re.MULTILINE)
_MARKER = re.compile(r"\s*<!--[^\n]*?" + r" ([0-9a-f-]{8})" * 4 + r" -->[ \t]*(?:\n|\Z)")
_NOTE = "Made by voicecard, and made again: write above the heading."
_MADE_KEYS = ("id", "date", "duration", "backend")
_OURS = ("title", "tags", "speakers", *_MADE_KEYS)
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """What a person says of a recording. `speakers`: name by label."""

    title: str | None = None
    tags: tuple[str, ...] = ()
    speakers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """What the rest is made from: the content of recording.json, the transcript and its summary, if there is one that can be read."""

    details: Mapping[str, Any]
    transcript: Transcript | None
    summary: Summary | None = None

    def heading(self, title: str | None) -> str:
        return title or f"Recording {self.details['id']}" + (
            f", {self._started:%Y-%m-%d %H:%M}" if self._started else ""
        )

    def section(self, speakers: Mapping[str, str]) -> str:
        if self.transcript is None:
            return f"*No transcript yet: `voicecard transcribe {self.details['id']}` makes one.*"
        text = markdown(self.transcript, speakers)
        return f"{quoted(self.summary)}\n\n{text}" if self.summary and self.summary.text else text

    @property
    def number(self) -> str:
        """Another one for another transcript."""
        if self.transcript is None:
            return _UNMADE.transcript
        lines = [f"{s.start_s} {s.end_s} {s.speaker} {s.text}" for s in self.transcript.segments]
        return _number("\n".join([self.transcript.backend, self.transcript.model, *lines]))

    def keys(self) -> Mapping[str, Any]:
        """The front matter's made keys."""
        seconds = round(self.details["length_s"])
        yaml = f'id: {self.details["id"]}\nduration: "{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"\n'
        if self._started:
            yaml += f"date: {self._started.replace(tzinfo=None).isoformat(timespec='seconds')}\n"
        keys = dict(front_matter.load(yaml))
        if self.transcript is not None:
            keys["backend"] = self.transcript.backend
        return {name: keys[name] for name in _MADE_KEYS if name in keys}

    @property
    def _started(self) -> datetime | None:
        started = self.details["started"]
        return datetime.fromisoformat(started) if started else None


class _Made(NamedTuple):
    """The numbers of what was made."""

    heading: str
    keys: str
    transcript: str
    text: str


_UNMADE = _Made(*["-" * 8] * 4)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A page's text, cut up. `below`: all that follows the transcript's heading, None if there is no such heading."""

    yaml: str | None
    above: str
    below: str | None
    made: _Made

    @property
    def heading(self) -> str | None:
        found = _HEADING.search(self.above)
        return found[1].strip() if found else None


def read(text: str, source: Source) -> Page:
    """What a page says."""
    parts = _cut(text)
    return _read(parts, _front(parts.yaml), source)


def rewrite(text: str, source: Source, edit: Callable[[Page], Page] = lambda page: page) -> tuple[str, bool]:
    """(the page made again, with what `edit` makes of what it says; whether the old one holds what this one does not).

    A transcript's text that a person has changed stays, but for speakers' names, until there is a new transcript. Raises
    ValueError if `edit` wants what no page can say."""
    parts = _cut(text)
    page = _read(parts, _front(parts.yaml), source)
    wanted = edit(page)
    stranger = parts.yaml is None and parts.below is None
    if stranger:
        parts = _Parts(None, f"\n# {source.heading(page.title)}\n\n", None, _UNMADE)
    yaml, keys_kept = _new_yaml(parts, page, wanted, source)
    above, heading_kept = _new_above(parts, page, wanted, source)
    below, transcript_kept = _new_below(parts, page, wanted, source)
    made = _number(source.heading(wanted.title)), _number(_keys_text(_front(yaml)))
    new = front_matter.join(yaml, f"{above}## Transcript\n{_marked(below, *made)}")
    if read(new, source) != wanted:
        raise ValueError("no page says this")
    return new, bool(text.strip()) and (stranger or not (keys_kept and heading_kept and transcript_kept))


def _cut(text: str) -> _Parts:
    yaml, body = front_matter.split(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    sections = list(_SECTION.finditer(body))
    if not sections:
        return _Parts(yaml, body, None, _UNMADE)
    below = body[sections[-1].end() :]
    marker = _MARKER.match(below)
    return _Parts(yaml, body[: sections[-1].start()], below, _Made(*marker.groups()) if marker else _UNMADE)


def _front(yaml: str | None) -> Any:
    return None if yaml is None else front_matter.load(yaml)


def _read(parts: _Parts, front: Any, source: Source) -> Page:
    told = _told(front or {})
    written = parts.heading
    if written is None or written == source.heading(None):
        return told
    by_a_person = _number(written) != parts.made.heading
    untouched = told.title is None or _number(told.title) == parts.made.heading
    return replace(told, title=one_line(written)) if front is None or (by_a_person and untouched) else told


def _told(front: Mapping[Any, Any]) -> Page:
    """What the front matter alone says, in whatever form a person gave it."""
    tags, speakers = front.get("tags"), front.get("speakers")
    if isinstance(tags, str):
        tags = re.split(r"[,\s]+", tags)
    found = [_tag(tag) for tag in tags] if isinstance(tags, list) else []
    names = {one_line(label): one_line(name) for label, name in speakers.items()} if isinstance(speakers, dict) else {}
    return Page(
        title=one_line(front.get("title")),
        tags=tuple(dict.fromkeys(filter(None, found))),
        speakers={label: name for label, name in names.items() if label and name},
    )


def _tag(value: object) -> str:
    return (one_line(value) or "").lstrip("#").strip()


def one_line(value: object) -> str | None:
    """One line of text, None if that is not what it is."""
    if value is None or isinstance(value, (list, dict, set, bytes)):
        return None
    text = value if isinstance(value, str) else front_matter.written(value)
    return " ".join(text.encode("utf-8", "replace").decode().split()) or None


def _new_yaml(parts: _Parts, page: Page, wanted: Page, source: Source) -> tuple[str, bool]:
    """The front matter, and whether what a person wrote in the old one is in it.

    One that cannot be read is left for its owner to mend, unless something else is to be said."""
    front, made = _front(parts.yaml), source.keys()
    if front is None and parts.yaml is not None and wanted == page:
        return parts.yaml, True
    readable = front is not None
    if not readable:
        front = front_matter.load("title:\ntags: []\nspeakers: {}\n")
    told = _told(front)
    made_again = {name: value for name, value in made.items() if front.get(name) != value}
    if parts.yaml is not None and told == wanted and not made_again:
        return parts.yaml, True
    overwritten = any(name in front for name in made_again) and _number(_keys_text(front)) != parts.made.keys
    _say(front, told, wanted)
    front.update(made_again)
    yaml = front_matter.dump(front)
    if parts.yaml is None:
        return yaml, True
    return yaml, readable and not overwritten and _strange(yaml) >= _strange(parts.yaml)


def _say(front: Any, told: Page, wanted: Page) -> None:
    """Change in place what differs, so that form and comments of the rest stay."""
    if told.title != wanted.title:
        front["title"] = wanted.title
    if told.tags != wanted.tags:
        tags = front["tags"] = front["tags"] if isinstance(front.get("tags"), list) else []
        for at in reversed(range(len(tags))):
            if _tag(tags[at]) not in wanted.tags:
                del tags[at]
        tags.extend(tag for tag in wanted.tags if tag not in told.tags)
    if told.speakers != wanted.speakers:
        names = front["speakers"] = front["speakers"] if isinstance(front.get("speakers"), dict) else {}
        keys = {one_line(key): key for key in names}
        for label in told.speakers.keys() - wanted.speakers.keys():
            del names[keys[label]]
        for label, name in wanted.speakers.items():
            if told.speakers.get(label) != name:
                names[keys.get(label, label)] = name


def _strange(yaml: str) -> Counter[str]:
    """What is none of ours in a front matter: other keys with all that they hold, and comments."""
    others = [(name, value) for name, value in front_matter.load(yaml).items() if name not in _OURS]
    return Counter([front_matter.dump({name: value}) for name, value in others] + _COMMENT.findall(yaml))


def _new_above(parts: _Parts, page: Page, wanted: Page, source: Source) -> tuple[str, bool]:
    """What stands above the transcript, under its title, and whether the old heading is no loss."""
    above, heading = parts.above, source.heading(wanted.title)
    if parts.below is None:
        above = above.rstrip() + "\n\n"
    found = _HEADING.search(above)
    if found is None or parts.heading == heading:
        return above, True
    known = _number(found[1].strip()) == parts.made.heading or one_line(found[1]) in (page.title, source.heading(None))
    return f"{above[: found.start()]}# {heading}{above[found.end() :]}", known


def _new_below(parts: _Parts, page: Page, wanted: Page, source: Source) -> tuple[str, bool]:
    """What stands under the transcript's heading, and whether that holds what a person wrote there."""
    if parts.below is None:
        return _made_below(source, wanted), True
    untouched = _number(_MARKER.sub("", parts.below, count=1)) == parts.made.text
    if source.transcript and (untouched or source.number != parts.made.transcript):
        return _made_below(source, wanted), untouched
    below = parts.below
    for label in page.speakers.keys() | wanted.speakers.keys():
        below = renamed(below, label, page.speakers, wanted.speakers)
    return below, True


def _made_below(source: Source, wanted: Page) -> str:
    text = source.section(wanted.speakers)
    made = _UNMADE._replace(transcript=source.number, text=_number(text))
    return f"\n<!-- {_NOTE} {' '.join(made)} -->\n\n{text}\n"


def _marked(below: str, heading: str, keys: str) -> str:
    """With the numbers of the heading and the keys that were made."""
    marker = _MARKER.match(below)
    return f"{below[: marker.start(1)]}{heading} {keys}{below[marker.end(2) :]}" if marker else below


def _keys_text(front: Mapping[str, Any] | None) -> str:
    return "\n".join(f"{name}: {front[name]}" for name in _MADE_KEYS if name in front) if front else ""


def _number(text: str) -> str:
    return hashlib.sha256(text.strip().encode("utf-8", "surrogateescape")).hexdigest()[:8]
