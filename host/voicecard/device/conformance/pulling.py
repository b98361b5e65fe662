"""The rules about pulling a recording: sectors in order, the same each time, until the host wants something else."""

from __future__ import annotations

import time
from itertools import pairwise

from voicecard.device.conformance.rule import NotTriedError, Rule, need, rule
from voicecard.device.conformance.visit import Visit, pull, sector_of, without
from voicecard.firmware.wire import message, sector

_MOST_SECTORS = 32  # of a pull, so that long recordings take no longer
_TRIES = 3
_TELLING_SECTORS = 32  # 128 KiB: more than computer and cable hold back
_UNREAD_S = 1.5
_QUIET_S = 0.3


@rule("then sector frames from `from` on; then an answer `done`: true")
def pulling(visit: Visit) -> str:
    entry = visit.closed()[-1]
    whole = visit.stream(pull(entry, 0), _MOST_SECTORS)
    need(whole.answer.get("open") is False, f"`open` is {whole.answer.get('open')!r} of a recording that has ended")
    total = whole.answer["sectors"]
    need(total == entry.sectors, f"`sectors` is {total}, in the list {entry.sectors}")
    last = visit.stream(pull(entry, total - 1), _MOST_SECTORS)
    need(last.done and len(last.sectors) == 1, "the last sector alone does not come alone")
    return f"{len(whole.sectors)} of {total} sectors of recording {entry.recording}, and the last"


@rule("`from` = `sectors` gives `done` at once, more is `bad`")
def pulling_from_the_end(visit: Visit) -> str:
    entry = visit.closed()[-1]
    end = visit.stream(pull(entry, entry.sectors), _MOST_SECTORS)
    need(end.done and not end.sectors, "sectors come from beyond the end")
    asked = pull(entry, 0)
    visit.refused(message.BAD, *(asked | {"from": wrong} for wrong in (entry.sectors + 1, -1, "0", 0.5, None)))
    visit.refused(message.BAD, *(without(asked, name) for name in ("from", "n", "nonce")))
    visit.refused(message.BAD, *(asked | {"n": wrong} for wrong in (0, -1, str(entry.recording), True)))
    return ""


@rule("pulls again from the first missing one")
def resuming(visit: Visit) -> str:
    entry = visit.closed()[-1]
    whole = visit.stream(pull(entry, 0), _MOST_SECTORS).sectors
    middle = len(whole) // 2
    rest = visit.stream(pull(entry, middle), len(whole) - middle).sectors
    need(rest == whole[middle:], f"from sector {middle} on other bytes come than before")
    return f"the same bytes from sector {middle} on"


@rule("A sector's index is its place among the readable sectors of its recording, from 0")
def pulled_headers(visit: Visit) -> str:
    entry = visit.closed()[-1]
    sectors = visit.stream(pull(entry, 0), _MOST_SECTORS).sectors
    headers = [sector.read_header(one) for one in sectors]
    need(all(headers), "a pulled sector has no valid header")
    for header in headers:
        of = (header.recording, header.nonce, header.boot)
        need(of == (entry.recording, entry.nonce, entry.boot), f"a header's recording, nonce or boot is another: {of}")
    numbers = [header.number for header in headers]
    need(all(a < b for a, b in pairwise(numbers)), f"the headers' numbers are {numbers}")
    need(bool(numbers[0]) == bool(entry.flags & message.LISTED_HEADLESS), f"the first header's number is {numbers[0]}")
    return f"{len(sectors)} headers"


@rule("their state cells read as blank")
def blank_state_cells(visit: Visit) -> str:
    blank = bytes((sector.BLANK,)) * (sector.CELLS_END - sector.CELLS_AT)
    for entry in visit.closed()[:4]:
        for one in visit.stream(pull(entry, 0), _MOST_SECTORS).sectors:
            need(one[sector.CELLS_AT : sector.CELLS_END] == blank, f"recording {entry.recording} shows state cells")
    return ""


@rule("A new request ends a pull that runs")
def ending_a_pull(visit: Visit) -> str:
    entry = visit.closed()[-1]
    told = []
    for by in ({"do": "stop"}, {"do": "status"}):
        tries = (visit.interrupted(pull(entry, 0), by) for _ in range(_TRIES))  # a busy computer may ask too late
        came = next((came for came in tries if came < entry.sectors), entry.sectors)
        need(
            came < entry.sectors or entry.sectors < _TELLING_SECTORS,
            f"the pull runs to its end in spite of `{by['do']}`",
        )
        told.append(f"after {came} by `{by['do']}`")
    if entry.sectors < _TELLING_SECTORS:
        raise NotTriedError(f"no recording of {_TELLING_SECTORS} sectors is on the card: it may be sent before")
    return f"{entry.sectors} sectors, ended " + ", ".join(told)


@rule("the card sends nothing more until a whole request has arrived")
def a_host_that_does_not_read(visit: Visit) -> str:
    entry = visit.closed()[-1]
    asked = pull(entry, 0)
    stream = visit.send(asked)
    visit.answer(stream, asked)
    time.sleep(_UNREAD_S)
    came = 0
    while (frame := visit.line.frame(_QUIET_S)) and frame.kind == message.SECTOR:
        sector_of(frame, came)
        came += 1
    need(
        frame is None or entry.sectors < _TELLING_SECTORS,
        f"the pull runs to its end though nobody read for {_UNREAD_S} s",
    )
    visit.up_to_answer(stream, came, {"do": "status"})
    return f"{came} of {entry.sectors} sectors had been sent"


RULES: tuple[Rule, ...] = (
    pulling,
    pulling_from_the_end,
    resuming,
    pulled_headers,
    blank_state_cells,
    ending_a_pull,
)
UNREAD: tuple[Rule, ...] = (a_host_that_does_not_read,)  # may leave a frame torn
