"""When a file was recorded: as somebody says, as it says itself, or as its own date lets suppose."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)  # recorders without a clock write 1904, 1970 or 1980
_BEXT_DATE_AT, _BEXT_END = 320, 338  # EBU Tech 3285: OriginationDate yyyy-mm-dd, OriginationTime hh:mm:ss


@dataclass(frozen=True, slots=True)
class Dated:
    """When a recording began, how that is known, and how exactly: None if nobody can tell."""

    started: datetime
    how: str
    uncertainty_ms: int | None


def date_of(path: Path, length_s: float, recorded_at: datetime | None = None) -> Dated:
    """When it began: as somebody says, as the file says, or as long before the file was last written as it is long."""
    if recorded_at is not None:
        return Dated(recorded_at, "said at import", None)
    for found in (_bext(path), _tagged(path)):
        if found and _EARLIEST <= found.astimezone(UTC) <= datetime.now(UTC) + timedelta(days=1):
            return Dated(found.astimezone(), "written in the file", 1000)
    ended = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Dated(ended - timedelta(seconds=length_s), "date of the file", None)


def _bext(path: Path) -> datetime | None:
    """Of a Broadcast Wave file, in this computer's time zone: the format has none."""
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] != b"RIFF" or start[8:] != b"WAVE":
            return None
        while len(header := file.read(8)) == 8:
            size = int.from_bytes(header[4:], "little")
            if header[:4] == b"bext":
                text = file.read(min(size, _BEXT_END))[_BEXT_DATE_AT:]
                with suppress(ValueError):
                    return datetime.strptime(
                        re.sub(r"[^0-9]", "", text.decode("ascii", "replace")), "%Y%m%d%H%M%S"
                    ).astimezone()
                return None
            if header[:4] == b"data":
                return None
            file.seek(size + size % 2, 1)
    return None


def _tagged(path: Path) -> datetime | None:
    """By ffmpeg's libraries, if the package av is there: a time of day, not a day or a year alone."""
    try:
        import av
    except ImportError:
        return None
    with suppress(av.FFmpegError, OSError, ValueError), av.open(str(path), metadata_errors="ignore") as source:
        tags = {name.lower(): value for name, value in source.metadata.items()}
        for stream in source.streams.audio:
            tags |= {name.lower(): value for name, value in stream.metadata.items()}
        for name in ("creation_time", "date", "date_recorded", "tdrc"):
            with suppress(ValueError):
                if len(tags.get(name, "")) > len("2026-11-22"):
                    return datetime.fromisoformat(tags[name]).astimezone()
    return None
