"""What the card promises after any power cut, checked from what a host sees and from what lies on flash."""

from emulator.nor import Cells
from film import files_of, is_sector, place_of, sector_of, spare_sectors
from visitor import ask, at_rest, tap
from wire import block, message, sector

FINISHED, OPEN, BOOT = "finished", "open", "boot"
MAY_BE_MISSING_MS = 1000
_MOST_SUSPECT = 2  # two cuts
_CLOSED_BY = block.END_POWER_LOST, block.END_KEY, block.END_CUT
_SAMPLES_PER_MS = 16
_REST_US, _MOST_REST_US = 400_000, 30_000_000
_TIDIES_US = 2_000_000  # from then on the card tidies up, and counts its start as a good one


class Broken(Exception):
    """A promise that was not kept: what it is about (FINISHED, OPEN or BOOT), and how."""

    def __init__(self, about, how):
        super().__init__(about, how)
        self.about, self.how = about, how


class Cut:
    """Where the session was cut: after `done` whole operations, in the next one if `torn`, at a time."""

    def __init__(self, film, done, torn):
        self.done, self.torn = done, torn
        if torn:
            self.at_us = film.operations[done].end_us
        else:
            self.at_us = film.operations[done].start_us if done < len(film.operations) else film.end_us

    def heard_samples(self, recorded):
        """Samples that the microphone had delivered to a recording: at most all that it was to have."""
        heard = (self.at_us - recorded.listening_us) * _SAMPLES_PER_MS // 1000
        return max(0, min(heard, recorded.length))


class Seen:
    """What a host saw in a visit."""

    def __init__(self):
        self.boot = 0
        self.listing = []
        self.settings = None
        self.removed = None
        self.log = []


def come_up(seen):
    """A visit to a card that has come up: it answers, is idle, and tidies up when left alone."""
    yield 200_000
    hello = yield from ask({"do": "hello", "v": 1})
    seen.boot = hello["boot"]
    status = yield from ask({"do": "status"})
    _need(status["state"] == "idle", BOOT, "the card is not idle but '%s'" % status["state"])
    yield from ask({"do": "bye"})
    yield _TIDIES_US
    yield from at_rest(_REST_US, _MOST_REST_US)
    seen.listing = yield from _listing()
    if "settings" in hello["features"]:
        table = (yield from ask({"do": "settings"}))["settings"]
        seen.settings = {name: entry["value"] for name, entry in table.items()}
    if "log" in hello["features"]:
        seen.log = (yield from ask({"do": "log"}))["lines"]
    if "ledger" in hello["features"]:
        seen.removed = [line["nonce"] for line in (yield from ask({"do": "ledger", "from": 0}))["lines"]]
    yield from ask({"do": "bye"})


def pull(seen, pulled):
    """As `come_up`; then pull the newest recording into the list `pulled`."""
    yield from come_up(seen)
    if seen.listing:
        newest = seen.listing[-1]
        identity = {"n": newest.recording, "nonce": hex_of(newest.nonce), "from": 0}
        pulled.extend((yield from ask(dict(identity, do="pull"))))


def record_again(before, seen):
    """A visit after another restart: nothing has changed, and the card records."""
    yield 200_000
    listing = yield from _listing()
    _need(_facts(listing) == _facts(before.listing), BOOT, "another restart changed the list")
    yield from ask({"do": "bye"})
    yield from tap("rec")
    yield 500_000
    yield from tap("rec")
    yield 300_000
    seen.listing = yield from _listing()
    new = [entry for entry in seen.listing if entry.nonce not in [e.nonce for e in before.listing]]
    _need(len(new) == 1, BOOT, "%d new recordings are listed after one was made" % len(new))
    well = new[0].reason == block.END_KEY and new[0].samples >= 300 * _SAMPLES_PER_MS
    _need(well, BOOT, "it does not record well: %s" % (new[0],))
    _need(all([new[0].recording > e.recording for e in before.listing]), BOOT, "a number is used again")
    _need(all([new[0].boot > e.boot for e in before.listing]), BOOT, "a boot number is used again")


def _listing():
    listing = yield from ask({"do": "list", "from": 0})
    _need(listing.total == len(listing.entries), BOOT, "the list does not end")
    return listing.entries


def _facts(entries):
    return [(e.nonce, e.recording, e.boot, e.samples, e.sectors, e.flags, e.reason) for e in entries]


def check_files(film, cut, seen, cells):
    """Check every recording of the session against what the card lists and holds. Returns the open one's loss in ms."""
    files = files_of(cells)
    listed = {entry.nonce: entry for entry in seen.listing}
    lost_ms = 0
    for recorded in film.recordings:
        if recorded.first > cut.done + cut.torn:
            _need(recorded.nonce not in listed, BOOT, "a recording of the future is listed")
            continue
        entry, file = listed.get(recorded.nonce), files.get(recorded.nonce)
        if recorded.end is None or recorded.end > cut.done:
            lost_ms = max(lost_ms, _lost_ms(cut, recorded, entry, file, cells))
        elif recorded.nonce == film.proven_nonce and cut.done + cut.torn > film.proven_from:
            _check_removed(film, cut, recorded, entry, file, seen, cells)
        else:
            _check_whole(recorded, entry, file, cells)
    _check_clean(listed, files, cells)
    return lost_ms


def _check_whole(recorded, entry, file, cells):
    _need(entry and file, FINISHED, "a finished recording is gone")
    addresses = file.addresses
    same = [is_sector(cells.image, address, content) for address, content in zip(addresses, recorded.sectors)]
    _need(len(addresses) == len(recorded.sectors) and all(same), FINISHED, "a finished recording has changed")
    _need(not file.unstable, FINISHED, "a finished recording has bits that may change")
    _need(
        (entry.samples, entry.sectors, entry.reason) == (recorded.length, len(recorded.sectors), block.END_KEY)
        and entry.flags & message.LISTED_ENDED,
        FINISHED,
        "a finished recording is listed wrong: %s" % (entry,),
    )


def _check_removed(film, cut, recorded, entry, file, seen, cells):
    """A proven recording whose removal may have begun: whole or gone, and gone once it is known to be proven."""
    if entry:
        _check_whole(recorded, entry, file, cells)
        _need(cut.done <= film.proven_from, BOOT, "a proven recording is not removed")
        return
    _need(file is None, BOOT, "a removed recording still lies on flash")
    if seen.removed is not None:
        _need(hex_of(recorded.nonce) in seen.removed, BOOT, "a removal is not in the ledger")


def _check_clean(listed, files, cells):
    for nonce, file in files.items():
        _need(nonce in listed, BOOT, "a recording on flash is not listed: %d sectors" % len(file.numbered))
    dirty, suspect = spare_sectors(cells)
    _need(not dirty, BOOT, "sectors are neither used nor clean: %s" % [place_of(address) for address in dirty])
    # A header only just begun looks blank, a marker all but done looks whole: it must be made sure when the sector is taken.
    _need(
        len(suspect) <= _MOST_SUSPECT, BOOT, "sectors only look clean: %s" % [place_of(address) for address in suspect]
    )


def _lost_ms(cut, recorded, entry, file, cells):
    """How much of an open recording was lost, after a check of what is left."""
    heard = cut.heard_samples(recorded)
    if entry is None:
        _need(heard < MAY_BE_MISSING_MS * _SAMPLES_PER_MS, OPEN, "an open recording is gone")
        return 0
    _need(file, OPEN, "an open recording is listed but not on flash")
    _need(entry.flags & message.LISTED_ENDED and entry.reason in _CLOSED_BY, OPEN, "it is not closed: %s" % (entry,))
    _need(not file.unstable, OPEN, "it has bits that may change")
    _need(entry.sectors == len(file.numbered), OPEN, "it has other sectors than listed")
    length, kept = _check_prefix(recorded, file.addresses, cells.image)
    _need(entry.samples == length, OPEN, "it is listed with %d samples and has %d" % (entry.samples, length))
    return max(0, heard - kept) // _SAMPLES_PER_MS


def _check_prefix(recorded, addresses, image):
    """Check that a file is a part of the uncut recording from its start on; returns its length, and how many samples
    are covered."""
    count = last = 0
    for number, address in enumerate(addresses):
        whole = recorded.sectors[number] if number < len(recorded.sectors) else b""
        if whole and is_sector(image, address, whole):
            count += recorded.counts[number]
            last = number, None
            continue
        content = sector_of(image, address)
        same_head = content[: sector.BLOCKS_AT] == whole[: sector.BLOCKS_AT]
        for found in block.walk(content):
            stop = found.at + block.stride(found.payload_bytes)
            if same_head and content[found.at : stop] == whole[found.at : stop]:
                count += 1
                last = number, found.at
            else:
                _need(found.kind == block.END, OPEN, "block kind %d at %d/%d is new" % (found.kind, number, found.at))
                _need(number == len(addresses) - 1, OPEN, "an end that is not the end")
    if not count:
        return 0, 0
    place = recorded.places[count - 1]
    _need(last[0] == place[0] and last[1] in (None, place[1]), OPEN, "blocks are missing in the middle")
    return place[2:]


def check_pulled(seen, pulled, cells):
    """What a host pulls is what lies on flash."""
    if seen.listing:
        addresses = files_of(cells)[seen.listing[-1].nonce].addresses
        _need(pulled == [sector_of(cells.image, a) for a in addresses], BOOT, "a pull is not what lies on flash")


def check_settings(film, cut, seen):
    """The old value or the new one, and which of them where that is sure."""
    if seen.settings is None or film.change_to == film.change_from:
        return
    value = seen.settings["hang_over_ms"]
    allowed = ([900] if cut.done < film.change_to else []) + ([1100] if cut.done + cut.torn > film.change_from else [])
    _need(seen.settings["remove"] == "at once" and value in allowed, BOOT, "settings are lost: %s" % seen.settings)


def check_unchanged(before, image, seen, cells):
    """What was listed lies where and as it lay in an older image, and no file has bits that may change."""
    old, new = files_of(Cells(image, None)), files_of(cells)
    for entry in before.listing:
        addresses = old[entry.nonce].addresses
        same = entry.nonce in new and new[entry.nonce].addresses == addresses
        same = same and all([is_sector(cells.image, address, sector_of(image, address)) for address in addresses])
        _need(same, FINISHED, "recording %d has changed after a restart" % entry.recording)
    for entry in seen.listing:
        _need(not new[entry.nonce].unstable, FINISHED, "recording %d has bits that may change" % entry.recording)


def hex_of(data):
    return "".join(["%02x" % byte for byte in data])


def _need(true, about, how):
    if not true:
        raise Broken(about, how)
