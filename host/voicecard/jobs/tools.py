"""What the jobs of one run share: the library, the settings, and the backends that are chosen by them, made once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from voicecard.errors import BusyError, LibraryError
from voicecard.library.archive import Library
from voicecard.library.entry import Entry
from voicecard.library.incoming import IMPORT

if TYPE_CHECKING:
    from voicecard.config import Config
    from voicecard.importing.accept import Pending
    from voicecard.insight.summariser import Summariser
    from voicecard.transcribe.backend import Backend

# A sync holds the library for as long as a card takes; what was made meanwhile is worth the wait.
PATIENCE_S = 1800.0
_LOOK_S = 0.2


class Tools:
    def __init__(self, library: Library, config: Config) -> None:
        self.library = library
        self.config = config

    def entry(self, recording: str) -> Entry:
        """The recording with this key as it is now: its folder's name changes when its date is found out."""
        entry = self.library.by_key(recording)
        if entry is None:
            raise LibraryError(f"the library no longer has the recording {recording}")
        return entry

    def pending(self) -> dict[str, Pending]:
        """Files of which recordings are yet to be made, by their keys."""
        from voicecard.importing.accept import pending

        # Most libraries have none, and the modules that could read them are large.
        return pending(self.library) if any(self.library.incoming.glob(f"*{IMPORT}")) else {}

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other writers out, after waiting for the one that is there. Raises BusyError if that takes too long."""
        deadline = time.monotonic() + PATIENCE_S
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(self.library.writing())
                    break
                except BusyError:
                    if time.monotonic() > deadline:
                        raise
                time.sleep(_LOOK_S)
            yield

    @cached_property
    def backend(self) -> Backend:
        from voicecard.transcribe.backend import choose

        return choose(self.config)

    @cached_property
    def summariser(self) -> Summariser:
        from voicecard.insight.summariser import Summariser

        return Summariser(self.config)
