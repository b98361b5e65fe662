"""What may be said of a recording on its page: each function returns the change of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from voicecard.errors import LibraryError
from voicecard.library.entry import Entry
from voicecard.library.page import Page, one_line
from voicecard.library.texts import Edit, read_transcript


def titled(title: str | None) -> Edit:
    return lambda page: replace(page, title=one_line(title))


def tagged(tags: Iterable[str]) -> Edit:
    added = [_tag(tag) for tag in tags]

    def change(page: Page) -> Page:
        known = {tag.casefold() for tag in page.tags}
        return replace(page, tags=(*page.tags, *(tag for tag in dict.fromkeys(added) if tag.casefold() not in known)))

    return change


def untagged(tags: Iterable[str]) -> Edit:
    gone = {_tag(tag).casefold() for tag in tags}
    return lambda page: replace(page, tags=tuple(tag for tag in page.tags if tag.casefold() not in gone))


def speaker_named(entry: Entry, label: str, name: str | None) -> Edit:
    """Raises LibraryError if nobody speaks by this label or name."""
    transcript = read_transcript(entry.folder)
    labels = transcript.speakers if transcript else []

    def change(page: Page) -> Page:
        meant = [label] if label in labels else [known for known in labels if page.speakers.get(known) == label]
        if not meant:
            who = f"it has {', '.join(labels)}" if labels else "its transcript tells no speakers apart"
            raise LibraryError(f"{entry.id} has no speaker {label!r}; {who}")
        speakers = {known: called for known, called in page.speakers.items() if known not in meant}
        called = one_line(name)
        return replace(page, speakers=speakers | (dict.fromkeys(meant, called) if called else {}))

    return change


def _tag(text: str) -> str:
    """As Obsidian allows it: one word, without its #. Raises LibraryError if nothing is left."""
    tag = "-".join((one_line(text) or "").lstrip("#").replace(",", " ").split())
    if not tag:
        raise LibraryError(f"{text!r} is no tag; give a word")
    return tag
