"""Tries the cuts of a recording session: leaves the flash as each does, starts the card, and checks what it promises.

Runs inside MicroPython, after `power.prepare`."""

import json

import power
from emulator.noise import Noise
from emulator.nor import Cells
from film import IMAGE_BYTES, place_of
from promises import (
    BOOT,
    Broken,
    Cut,
    Seen,
    check_files,
    check_pulled,
    check_settings,
    check_unchanged,
    come_up,
    pull,
    record_again,
)
from session import record
from visitor import Refusal

HALVES = "h1", "h2"
AGAIN_EVERY = 5  # of the cuts: a second one during the start
PULL_EVERY = 20
PHASES = "before", "mid", "after"


class Prover:
    """`tell`: called with what happens in each cut, as text."""

    def __init__(self, sound, seed, tell):
        self._sound = sound
        self._seed = seed
        self._tell = tell
        self.film = self.record()
        self._rolling = Cells(bytearray(self.film.base), None)  # the session's flash after `_applied` operations
        self._applied = 0
        self._mounts = 1  # the most that a start took
        self._changed = True  # whether the last of them made a difference
        self._cells = Cells(bytearray(IMAGE_BYTES), None)
        self._before = bytearray(IMAGE_BYTES)

    def record(self):
        """The film of the session."""
        return record(self._sound)

    def visit(self, seen):
        """What a host does at a start that is only looked at."""
        return come_up(seen)

    def ids(self):
        """(id, operations done, half or None) of every flash state."""
        yield "0a", 0, None
        for number in range(1, len(self.film.operations) + 1):
            for half in HALVES:
                yield "%d%s" % (number, half), number - 1, half
            yield "%da" % number, number, None

    def prove(self, wanted):
        """Try the cuts that `wanted(id)` asks for, in the session's order; flash that was seen already is no cut."""
        for name, done, half in self.ids():
            again = name + "r"
            first, second = wanted(name), chance(self._seed, name, AGAIN_EVERY) and wanted(again)
            self._advance(done)
            cut = Cut(self.film, done, half is not None)
            if (first or second) and self._is_new(cut, half):
                if first:
                    self._try(name, cut, None)
                if second:
                    self._try(again, cut, name)

    def _advance(self, done):
        for operation in self.film.operations[self._applied : done]:
            before = operation.sector_in(self._rolling)
            operation.apply(self._rolling)
            self._changed = operation.sector_in(self._rolling) != before
            self._applied = done

    def _is_new(self, cut, half):
        if not cut.torn:
            return self._changed
        operation = self.film.operations[cut.done]
        seen = [operation.sector_in(self._rolling)]
        self._leave_before()
        operation.apply(self._cells)
        seen.append(operation.sector_in(self._cells))
        for other in HALVES[: HALVES.index(half) + 1]:
            self._leave("%d%s" % (cut.done + 1, other), cut)
            found = operation.sector_in(self._cells)
            new = found not in seen
            seen.append(found)
        return new

    def _try(self, name, cut, before):
        """Leave the flash as the cut does, start the card, check the promises, and tell."""
        told = {"cut": name, "lost_ms": 0, "broken": None}
        self._mounts = 1
        try:
            self._leave(name if before is None else before, cut)
            self._tell_cut(cut)
            if before is not None:
                told["again"] = self._cut_again(name, before, cut)
                self._tell("cut again %s operation %d of the start that followed" % tuple(reversed(told["again"])))
            told["lost_ms"] = self.check(name, cut)
        except Broken as broken:
            told["broken"] = [broken.about, broken.how]
        told["mounts"] = self._mounts
        print("result", json.dumps(told))

    def _tell_cut(self, cut):
        operations = self.film.operations
        near = [operations[n] for n in (cut.done - 1, cut.done) if 0 <= n < len(operations)]
        self._tell("cut in: %s" % near[-1] if cut.torn else "cut between: %s" % "; and: ".join([str(o) for o in near]))
        for word, masks in (("marginal", self._cells.marginal), ("weak", self._cells.weak)):
            for address, mask in masks.items():
                bits = sum([bin(byte).count("1") for byte in mask])
                self._tell("%s bits in the sector at %s: %d" % (word, place_of(address), bits))

    def _tell_seen(self, seen):
        for line in seen.log:
            self._tell("the card's log: " + line)
        for entry in seen.listing:
            self._tell("listed: %s" % (entry,))

    def _leave_before(self):
        self._cells.image[:] = self._rolling.image
        self._cells.marginal.clear()
        self._cells.weak.clear()

    def _leave(self, name, cut):
        self._leave_before()
        if cut.torn:
            self.film.operations[cut.done].tear(self._cells, Noise("%s tear %s" % (self._seed, name)))

    def _cut_again(self, name, before, cut):
        """Cut at an operation of the start that follows, at random, most often in the recordings; returns it and the phase."""
        labels = []
        self.start(name, self.visit(Seen()), log=lambda kind, label, *_: kind == "read" or labels.append(label))
        self._leave(before, cut)
        noise = Noise("%s again %s" % (self._seed, name))
        numbers = [number for number, label in enumerate(labels, 1) if label == "recordings"]
        if not numbers or noise.below(3) == 0:
            numbers = range(1, len(labels) + 1)
        cut_at = numbers[noise.below(len(numbers))], PHASES[noise.below(3)]
        self.start(name, self.visit(Seen()), cut_at=cut_at)
        return cut_at

    def check(self, name, cut):
        """Start the card twice; returns what the open recording lost, in ms."""
        seen, pulled = Seen(), []
        pulls = chance(self._seed, "pull " + name, PULL_EVERY)
        outcome = self.start("%s 1" % name, pull(seen, pulled) if pulls else come_up(seen))
        self._tell_seen(seen)
        self.need_end(outcome)
        lost_ms = check_files(self.film, cut, seen, self._cells)
        check_settings(self.film, cut, seen)
        if pulls:
            check_pulled(seen, pulled, self._cells)
        self._before[:] = self._cells.image
        later = Seen()
        self.need_end(self.start("%s 2" % name, record_again(seen, later)))
        check_unchanged(seen, self._before, later, self._cells)
        return lost_ms

    def start(self, name, visit, cut_at=None, log=None):
        def cells(noise):
            self._cells.noise = noise
            return self._cells

        outcome = power.run(cells, visit, "%s %s" % (self._seed, name), self._sound, cut_at, log)
        self._mounts = max(self._mounts, outcome.mounts)
        return outcome

    def need_end(self, outcome):
        if isinstance(outcome.error, Broken):
            raise outcome.error
        if isinstance(outcome.error, Refusal):
            raise Broken(BOOT, str(outcome.error))
        if outcome.error:
            raise Broken(BOOT, power.traceback(outcome.error))
        if outcome.reason != "end":
            raise Broken(BOOT, "the card stopped: " + outcome.reason)


def chance(seed, name, every):
    return Noise("%s chance %s" % (seed, name)).below(every) == 0
