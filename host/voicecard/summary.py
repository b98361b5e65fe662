"""What a summary is: a short text about a transcript, and who wrote it.

The content of a summary.json:

    version     1
    server      that wrote it: host, and port if it has one
    model       as that server calls it
    text        Markdown without headings

Readers ignore fields that they do not know."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from voicecard.errors import FormatError

VERSION = 1


@dataclass(frozen=True, slots=True)
class Summary:
    """A transcript's summary in Markdown, by which model on which server."""

    server: str
    model: str
    text: str

    def to_json(self) -> dict[str, Any]:
        """The content of a summary.json."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Summary:
        """Inverse of `to_json`. Raises FormatError if the content is no summary."""
        try:
            if int(content["version"]) > VERSION:
                raise FormatError("the summary was written by a newer voicecard: update voicecard to read it")
            found = cls(*(str(content[name]) for name in ("server", "model", "text")))
            found.text.encode()  # a lone half of a surrogate pair is no text
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"the summary is damaged ({error!r}): summarise the recording again") from error
        return found
