"""The interface of transcription backends, how they are found, and which one is taken.

A backend is a subclass of `Backend`, named in the entry point group `voicecard.transcribers` of an installed package.
The built-in ones come through the same door.

**Sound leaves this machine only by its owner's choice.** A backend that hands it to a server (`sends_audio`) is used when
it was named, on the command line or as the setting transcribe.backend, and never because its key, its address or its
package happens to be there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, ClassVar

from voicecard.config import Config, Setting
from voicecard.errors import BackendError, UsageError
from voicecard.transcribe.model import Segment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from voicecard.keys import Key

GROUP = "voicecard.transcribers"
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a backend can take: the longest piece, in seconds and in bytes of 16-bit samples, and how many at a time.

    With `speakers_of_piece` a speaker's label says nothing about the same label in another piece."""

    piece_s: float = 30.0
    piece_bytes: int | None = None
    parallel: int = 1
    speakers_of_piece: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What a backend heard in one piece: segments in order, seconds from its start; the language (ISO 639-1) if it told."""

    segments: tuple[Segment, ...] = ()
    language: str = ""


class Backend(ABC):
    """Speech to text. Making one is cheap: models are loaded, and servers asked, by the first `transcribe`."""

    name: ClassVar[str]  # as in its entry point
    description: ClassVar[str]  # in one line
    settings: ClassVar[tuple[Setting[Any], ...]] = ()  # the table [name] of the file
    sends_audio: ClassVar[bool] = True  # to a server, which may be anywhere
    rank: ClassVar[int] = 0  # of those that do not, the highest that is ready is the best
    languages: ClassVar[tuple[str, ...]] = ()  # ISO 639-1, all that it can hear; empty: many, or unknown

    model: str = ""
    language: str = ""  # that it hears if not told; empty: it finds out
    limits: Limits = Limits()
    key: Key | None = None  # that it needs, or would use

    def __init__(self, config: Config) -> None:  # noqa: B027  # most need none
        """Raises UsageError for a setting that cannot be meant."""

    def missing(self) -> str | None:
        """One sentence that says what is missing before it can be used, None if nothing is. Asks no server."""
        return None

    def prepare(self) -> None:
        """Fetch what it needs and can fetch. Raises BackendError, UsageError if there is no such thing."""
        raise UsageError(f"the transcription backend {self.name} has nothing to fetch")

    @abstractmethod
    def transcribe(self, samples: NDArray[np.int16], sample_rate: int, language: str = "") -> Heard:
        """What is said in a mono piece within its `limits`; called from `limits.parallel` threads at a time.

        Raises BackendError, whose `retry` says whether the same may succeed later."""


class Unusable(Backend):
    """Stands for a backend that could not be loaded, so that it is listed with the reason."""

    description = "could not be loaded"

    def __init__(self, name: str, sentence: str) -> None:
        self.name = name  # type: ignore[misc]  # of this one
        self._missing = sentence

    def missing(self) -> str:
        return self._missing

    def transcribe(self, samples: NDArray[np.int16], sample_rate: int, language: str = "") -> Heard:
        raise BackendError(self._missing)


def _known(name: str) -> str | None:
    if name == AUTO or name in (entries := _entries()):
        return None
    return f"must be {AUTO} or one of {', '.join(sorted(entries))}, not {name!r}"


BACKEND = Setting(
    "transcribe.backend",
    AUTO,
    "transcription backend; auto: the best that is ready and keeps the sound on this machine",
    check=_known,
)


def declared_settings() -> Iterator[Setting[Any]]:
    """That of the choice, then those of every backend that can be loaded."""
    yield BACKEND
    for _, entry in sorted(_entries().items()):
        if isinstance(found := _load(entry), type):
            yield from found.settings


def backends(config: Config) -> list[Backend]:
    """Return every installed backend by name, usable or not: see `missing()`."""
    found = []
    for name, entry in sorted(_entries().items()):
        try:
            found.append(_make(_load(entry), config))
        except UsageError as error:
            found.append(Unusable(name, str(error)))
    return found


def backend(name: str, config: Config) -> Backend:
    """Return an installed backend, usable or not: see `missing()`.

    Raises UsageError if there is none of that name, or if its settings cannot be meant."""
    entries = _entries()
    if name not in entries:
        raise UsageError(f"there is no transcription backend {name!r}: choose one of {', '.join(sorted(entries))}")
    return _make(_load(entries[name]), config)


def choose(config: Config, name: str | None = None) -> Backend:
    """The backend of that name, else the one that the settings name, else the best that is ready and sends no sound away.

    Raises UsageError, and BackendError if none is ready."""
    if (name := name or config[BACKEND]) != AUTO:
        return backend(name, config)
    local = [found for entry in _entries().values() if not (found := _load(entry)).sends_audio]
    ready = [made for found in local if (made := _make(found, config)).missing() is None]
    if not ready:
        raise BackendError("no transcription backend is ready: `voicecard backends` says what each one lacks")
    return max(ready, key=lambda found: found.rank)


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load(entry: EntryPoint) -> type[Backend] | Unusable:
    """The class; whatever a stranger's package does wrong must not take the others with it."""
    try:
        found = entry.load()
        if not (isinstance(found, type) and issubclass(found, Backend)):
            raise TypeError(f"{entry.value} is no Backend")
        return found
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return Unusable(
            entry.name, f"the transcription backend {entry.name} could not be loaded ({reason}): reinstall its package"
        )


def _make(found: type[Backend] | Unusable, config: Config) -> Backend:
    if isinstance(found, Unusable):
        return found
    try:
        return found(config)
    except UsageError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return Unusable(found.name, f"the transcription backend {found.name} could not be made ready ({reason})")
