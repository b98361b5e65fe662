"""The YAML between the `---` lines at the top of a Markdown file, as Obsidian and others keep properties there.

Whatever a person wrote is read without complaint; changing one key leaves the others, their form and the comments."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ruamel.yaml import YAML

MOST_CHARACTERS = 1 << 16  # more is no front matter that a person keeps
_FENCED = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


def split(text: str) -> tuple[str | None, str]:
    """(what stands between the lines or None, what follows)."""
    found = _FENCED.match(text)
    return (found[1], text[found.end() :]) if found else (None, text)


def join(yaml: str, body: str) -> str:
    return f"---\n{yaml}---\n{body}"


def load(yaml: str) -> Any:
    """The mapping, to be changed in place, or None if no mapping can be read."""
    if len(yaml) > MOST_CHARACTERS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mapping = _parser().load(yaml)
            if mapping is None:  # nothing, or nothing but comments
                mapping = _parser().load(f"{yaml}title:\n")
    except Exception:  # whatever a person's page makes the parser stumble over
        return None
    return mapping if isinstance(mapping, dict) else None


def dump(mapping: Any) -> str:
    stream = io.StringIO()
    _parser().dump(mapping, stream)
    return stream.getvalue()


def written(value: object) -> str:
    """A scalar that is no text, as it stands in the YAML: 007 and 3.10 are more than their numbers."""
    return dump({"": value}).partition(": ")[2].strip()


def _parser() -> YAML:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 16
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
