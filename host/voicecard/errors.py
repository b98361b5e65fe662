"""Every error that a user can meet. Each says in one sentence what happened, to what, and what to do.

    VoicecardError            exit code 1
    ├── UsageError            exit code 2: what was typed cannot be meant
    ├── DeviceError           the card, its port, its link, or the emulator
    │   ├── NoCardError       nothing that answers as a card
    │   ├── LinkLostError     the card stopped answering in the middle
    │   └── RefusedError      the card said no
    ├── FormatError           content that is no (whole) recording, transcript or summary
    ├── LibraryError          the folder of recordings
    │   ├── BusyError         another voicecard has it at the moment
    │   └── DiskFullError     there is no room; what is there stays
    └── BackendError          what turns speech into text, or text into a summary, is missing or failed

Anything else that reaches the command line is a bug and shows its traceback.
"""

from __future__ import annotations


class VoicecardError(Exception):
    """Base of all expected failures; `str(error)` is the sentence for the user."""

    exit_code = 1


class UsageError(VoicecardError):
    exit_code = 2


class DeviceError(VoicecardError):
    pass


class NoCardError(DeviceError):
    pass


class LinkLostError(DeviceError):
    pass


class RefusedError(DeviceError):
    """The card refused a request. `code` is the protocol's error code."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


class FormatError(VoicecardError):
    pass


class LibraryError(VoicecardError):
    pass


class BusyError(LibraryError):
    pass


class DiskFullError(LibraryError):
    pass


class BackendError(VoicecardError):
    """`retry`: the same may succeed later; `retry_after_s`: not before that, if the server said so."""

    def __init__(self, sentence: str, *, retry: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(sentence)
        self.retry = retry
        self.retry_after_s = retry_after_s
