"""The files of a recording that are text: its page, and the subtitles made of its transcript."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from voicecard.errors import FormatError, LibraryError
from voicecard.library.details import PAGE, SRT, SUMMARY, TRANSCRIPT, VTT
from voicecard.library.files import read_json, write_whole
from voicecard.library.page import Page, Source, read, rewrite
from voicecard.library.rendering import passages
from voicecard.subtitles import srt, vtt
from voicecard.summary import Summary
from voicecard.transcript import Transcript

Edit = Callable[[Page], Page]
MOST_PAGE_BYTES = 1 << 26  # twelve hours of fast talk make 2 MB
_TRIES = 5


def read_transcript(folder: Path) -> Transcript | None:
    """None if there is none, or none that can be read."""
    try:
        return Transcript.from_json(read_json(folder / TRANSCRIPT))
    except (OSError, ValueError, FormatError):
        return None


def read_summary(folder: Path) -> Summary | None:
    """None if there is none, or none that can be read."""
    try:
        return Summary.from_json(read_json(folder / SUMMARY))
    except (OSError, ValueError, FormatError):
        return None


def read_page(folder: Path, details: Mapping[str, Any]) -> Page:
    """What the page says: nothing, if it cannot be read."""
    try:
        return read(_text(_bytes(folder)), Source(details, None))
    except OSError:
        return Page()


def page_stamp(folder: Path | str) -> str:
    """Another one after every change of the page, by whomever; empty without a page."""
    try:
        status = os.stat(f"{folder}/{PAGE}")  # noqa: PTH116 - ten thousand of them while somebody waits
    except OSError:
        return ""
    return f"{status.st_mtime_ns}:{status.st_size}"


def write_texts(folder: Path, details: Mapping[str, Any], edit: Edit = lambda page: page) -> None:
    """Make page and subtitles again, as `page.rewrite` does. What a person changed and the new page cannot hold is kept beside.

    Raises OSError, LibraryError, ValueError."""
    for left_over in folder.glob(".*.new"):
        left_over.unlink(missing_ok=True)
    source = Source(details, read_transcript(folder), read_summary(folder))
    for _ in range(_TRIES):
        stamp = page_stamp(folder)
        old = _bytes(folder) if stamp else b""
        text, old_is_lost = rewrite(_text(old), source, edit)
        if old_is_lost:
            _keep(folder / PAGE, old)
        if page_stamp(folder) == stamp:
            break
    else:
        raise LibraryError(f"{folder / PAGE} is being changed by another program; close it there and try again")
    _write(folder / PAGE, text)
    if source.transcript:
        said = list(passages(source.transcript, read(text, source).speakers))
        _write(folder / SRT, srt(said))
        _write(folder / VTT, vtt(said))


def _bytes(folder: Path) -> bytes:
    path = folder / PAGE
    if path.stat().st_size > MOST_PAGE_BYTES:
        raise OSError(f"{path} is too large for a page; move it away")
    return path.read_bytes()


def _text(page: bytes) -> str:
    return page.decode("utf-8", "surrogateescape")


def _write(path: Path, text: str) -> None:
    """Only what changes: other programs watch these files."""
    data = text.encode("utf-8", "surrogateescape")
    if not path.is_file() or path.read_bytes() != data:
        write_whole(path, data)


def _keep(page: Path, data: bytes) -> None:
    """Put an old page beside the one that takes its place."""
    number = 1
    while True:
        suffix = "edited" if number == 1 else f"edited {number}"
        path = page.with_name(f"{page.stem} ({suffix}){page.suffix}")
        if not path.exists():
            write_whole(path, data)
            return
        if path.read_bytes() == data:
            return
        number += 1
