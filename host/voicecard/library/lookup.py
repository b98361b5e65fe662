"""Which recording a person means by an id, a part of one, or `latest`."""

from __future__ import annotations

import sqlite3

from voicecard.errors import LibraryError
from voicecard.library.index import Index


def look_up(index: Index, wanted: str) -> sqlite3.Row:
    """The row of the only recording that `wanted` can mean. Raises LibraryError for none or several."""
    if exact := index.row(wanted):
        return exact
    ids = index.ids()
    if wanted == "latest" and ids:
        found = ids[-1:]
    else:
        found = [id for id in ids if wanted in id.split("-")]
        found = found or [id for id in ids if wanted and (id.startswith(wanted) or id.endswith(wanted))]
    if not found:
        raise LibraryError(f"the library has no recording {wanted!r}; `voicecard ls` lists what it has")
    if len(found) > 1:
        some = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        raise LibraryError(f"{wanted!r} can mean {len(found)} recordings ({some}); give more of the id")
    row = index.row(found[0])
    assert row is not None
    return row
