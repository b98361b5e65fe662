"""The interface of transcription backends, and how they are found.

A backend is a class without arguments, named in the entry point group `voicecard.transcribers` of an installed package.
The built-in ones come through the same door.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol, cast

from voicecard.errors import TranscribeError, UsageError
from voicecard.transcribe.model import Segment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GROUP = "voicecard.transcribers"
DEFAULT = "pocketsphinx"


class Backend(Protocol):
    """Speech to text. Making one is cheap: models are loaded by the first `transcribe`."""

    @property
    def name(self) -> str:
        """The name under which users choose it, as in its entry point."""

    @property
    def description(self) -> str:
        """What it is, in one line."""

    @property
    def model(self) -> str:
        """The model that it uses."""

    @property
    def language(self) -> str:
        """The language that it hears (ISO 639-1)."""

    def missing(self) -> str | None:
        """Return one sentence that says what is missing before it can be used, None if nothing is."""

    def transcribe(self, samples: NDArray[np.int16], sample_rate: int) -> list[Segment]:
        """Return what is said in a mono piece, in order, times in seconds from the piece's start."""


class Unusable:
    """Stands for a backend that could not be loaded, so that it is listed with the reason."""

    model = language = ""
    description = "could not be loaded"

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self._missing = f"the transcription backend {name} could not be loaded ({reason}): reinstall its package"

    def missing(self) -> str:
        return self._missing

    def transcribe(self, samples: NDArray[np.int16], sample_rate: int) -> list[Segment]:
        raise TranscribeError(self._missing)


def backends() -> list[Backend]:
    """Return every installed backend by name, usable or not: see `missing()`."""
    return [_load(entry) for _, entry in sorted(_entries().items())]


def backend(name: str = DEFAULT) -> Backend:
    """Return an installed backend, usable or not: see `missing()`. Raises UsageError if there is none of that name."""
    entries = _entries()
    if name not in entries:
        raise UsageError(f"there is no transcription backend {name!r}: choose one of {', '.join(sorted(entries))}")
    return _load(entries[name])


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load(entry: EntryPoint) -> Backend:
    try:
        return cast(Backend, entry.load()())
    except Exception as error:  # whatever a stranger's package does wrong must not take the others with it
        return Unusable(entry.name, f"{type(error).__name__}: {error}")
