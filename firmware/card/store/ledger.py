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
        _replace(self._open_path, (json.dumps(entry),))

    def close(self, entry):
        """A removal is done; noting that twice is harmless. An entry without a recording is not noted."""
        done = {name: value for name, value in entry.items() if name != "runs"}
        if done["n"] and done not in self._done():
            total, _ = self.entries(0, 0)
            _replace(self._done_path, self._lines(total + 1 - _KEPT, json.dumps(done)))
        os.remove(self._open_path)

    def entries(self, first, count):
        """(number of removals that are done, those from `first` on, at most `count`), oldest first."""
        total, found = 0, []
        for entry in self._done():
            if first <= total < first + count:
                found.append(entry)
            total += 1
        return total, found

    def _done(self):
        """Each entry in turn, so that the whole file is never in memory; what is no entry is passed over."""
        try:
            with open(self._done_path) as file:
                for line in file:
                    try:
                        yield json.loads(line)
                    except ValueError:
                        pass
        except OSError:
            pass

    def _lines(self, skipped, last):
        for entry in self._done():
            if skipped <= 0:
                yield json.dumps(entry)
            skipped -= 1
        yield last


def _replace(path, lines):
    """Write a file so that a cut leaves the old one or the new one."""
    with open(path + ".new", "w") as file:
        for line in lines:
            file.write(line + "\n")
    os.rename(path + ".new", path)
