"""The rules about the list of recordings."""

from __future__ import annotations

from itertools import pairwise

from voicecard.device.conformance.rule import NotTriedError, Rule, need, rule
from voicecard.device.conformance.visit import Fields, Visit
from voicecard.firmware.wire import message

_KNOWN_FLAGS = message.LISTED_ENDED | message.LISTED_SAFE | message.LISTED_HEADLESS | message.LISTED_MINE


@rule("u32 generation, u16 index of the first entry, u16 recordings in all, then entries of 28 bytes")
def listing(visit: Visit) -> str:
    entries = visit.entries(visit.library)
    for entry in entries:
        what = f"recording {entry.recording}"
        ended, mine = entry.flags & message.LISTED_ENDED, entry.flags & message.LISTED_MINE
        need(entry.recording > 0 and entry.sectors > 0, f"{what} has {entry.sectors} sectors")
        need(not entry.flags & ~_KNOWN_FLAGS, f"{what} has the flags {entry.flags}")
        need(bool(ended) or not entry.samples, f"{what} is open and has a length")
        need(not mine, f"{what} is said to be held by a library that has never been here")
    return f"{len(entries)} recordings"


@rule("Recordings are listed in the order of their numbers")
def listing_order(visit: Visit) -> str:
    numbers = [entry.recording for entry in visit.entries()]
    need(all(a < b for a, b in pairwise(numbers)), f"the numbers are {numbers}")
    if len(numbers) < 2:
        raise NotTriedError("fewer than two recordings are on the card")
    return ""


@rule("`from` = recordings in all gives no entries, more is `bad`")
def listing_pages(visit: Visit) -> str:
    entries = visit.entries()
    total = len(entries)
    for first in {0, total // 2, max(0, total - 1), total}:
        page = visit.listing(first)
        need(page.first == first, f"from {first} on the first index is {page.first}")
        need(page.total == total, f"from {first} on there are {page.total} recordings in all, else {total}")
        wanted = entries[first : first + message.ENTRIES_PER_LISTING]
        need(list(page.entries) == wanted, f"from {first} on {len(page.entries)} other entries come than before")
    visit.refused(message.BAD, {"do": "list"}, *({"do": "list", "from": wrong} for wrong in (total + 1, -1, "0", True)))
    visit.refused(message.BAD, *(_list_for(library) for library in ("xyz", "c0ffee00", "c0ffe", "", 7, None)))
    return f"{total} recordings" if total <= message.ENTRIES_PER_LISTING else f"{total} recordings in several pages"


@rule("so many listing frames, one after the other, of at most 64 entries each")
def listing_in_one_answer(visit: Visit) -> str:
    visit.need_feature(message.LIST_PAGES)
    entries = visit.entries()
    fields: Fields = {"do": "list", "from": 0}
    for pages in (message.MOST_PAGES, 2):
        asked = fields | {"pages": pages}
        sequence, came = visit.send(asked), 0
        for _ in range(min(pages, max(1, -(-len(entries) // message.ENTRIES_PER_LISTING)))):
            page = visit.page(sequence, asked)
            need(page.first == came, f"a page begins with index {page.first}, after {came} entries")
            need(list(page.entries) == entries[came : came + len(page.entries)], "other entries come than page by page")
            came += len(page.entries)
        visit.check_nothing_follows(sequence)
        wanted = min(len(entries), pages * message.ENTRIES_PER_LISTING)
        need(came == wanted, f"{came} of {wanted} entries come in {pages} pages")
    visit.refused(
        message.BAD, *(fields | {"pages": wrong} for wrong in (0, -1, message.MOST_PAGES + 1, "1", True, None))
    )
    return f"{len(entries)} recordings"


@rule("It is *safe* when as many libraries hold it as the setting `copies` asks for")
def listed_as_safe(visit: Visit) -> str:
    visit.need_feature("settings")
    known = visit.told({"do": "settings"}).get("settings")
    copies = known.get("copies") if isinstance(known, dict) else None
    if not isinstance(copies, dict) or type(copies.get("value")) is not int:
        raise NotTriedError("the card has no setting `copies`")
    entries = visit.entries()
    for entry in entries:
        safe = bool(entry.flags & message.LISTED_SAFE)
        enough = entry.copies >= copies["value"]
        need(
            safe == enough, f"recording {entry.recording}, in {entry.copies} libraries, is {'' if safe else 'not '}safe"
        )
    return f"{sum(entry.copies > 0 for entry in entries)} of {len(entries)} are in a library"


@rule("If the generation changes between two listing frames, the list has changed")
def generation(visit: Visit) -> str:
    visit.need_idle()
    first = visit.listing(0)
    again = visit.listing(0)
    need(
        again.generation == first.generation or again.entries != first.entries,
        "the generation changes though the list does not",
    )
    return ""


def _list_for(library: object) -> Fields:
    return {"do": "list", "from": 0, "library": library}


RULES: tuple[Rule, ...] = (listing, listing_order, listing_pages, listing_in_one_answer, listed_as_safe, generation)
