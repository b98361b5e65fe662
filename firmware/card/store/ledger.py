"""The ledger of removals on `vfs`: the one that is under way, and the last ones that are done.

It is a record for the owner and a help for resuming. Losing it loses no recording and frees none: what may be removed stands in
the recordings' own state cells."""

import json
import os

from micropython import const

_KEPT = const(200)


class Ledger:
    """An entry is a dict with `n`, `nonce`, `digest` (first eight bytes, hex), `why`, `boot`, `wall_ms` and, while open, `runs`."""

    def __init__(self, folder=""):
        self._open_path = folder + "/removing.json"
        self._done_path = folder + "/removed.jsonl"

    def open_entry(self):
        """The removal that is under way, or None."""
        try:
            with open(self._open_path) as file:
                entry = json.load(file)
            return entry if isinstance(entry, dict) and "runs" in entry else None
        except (OSError, ValueError):
            return None

    def begin(self, entry):
        """Note a removal before it is done. Raises OSError when it cannot be noted: then it must not be done."""
        _replace(self._open_path, [json.dumps(entry)])

    def close(self, entry):
        """A removal is done; noting that twice is harmless."""
        lines = self.lines()
        line = json.dumps({name: value for name, value in entry.items() if name != "runs"})
        if line not in lines:
            _replace(self._done_path, lines[1 - _KEPT :] + [line])
        os.remove(self._open_path)

    def lines(self):
        """The removals that are done, oldest first, each as a line of JSON."""
        try:
            with open(self._done_path) as file:
                return [line.rstrip("\n") for line in file]
        except (OSError, ValueError):
            return []


def _replace(path, lines):
    """Write a file so that a cut leaves the old one or the new one."""
    with open(path + ".new", "w") as file:
        for line in lines:
            file.write(line + "\n")
    os.rename(path + ".new", path)
