"""What a host can ask: one function a request. Those about recordings are in recordings.py."""

import sys

import slots
from card import settings
from card.errors import Refused
from card.late import Late
from wire import message

from . import recordings
from .fields import whole

_MOST_OFFSET_MIN = 14 * 60
_MOST_UNCERTAIN_MS = 24 * 3600 * 1000
_EARLIEST_MS = 1_577_836_800_000  # 2020-01-01: an older time is no time
_LATEST_MS = 4_102_444_800_000  # 2100-01-01
_LEDGER_LINES = 8
_FILE_LINES = 4
_BLOCK_COUNT = 4  # the block protocol's request
_ERASE = "all recordings"


async def hello(link, fields):
    card = link.card
    await link.answer(
        {
            "v": message.VERSION,
            "card": card.name,
            "fw": card.version,
            "boot": card.boot,
            "ticks_us": card.clock.us(),
            "features": sorted(list(HANDLERS) + [message.LIST_PAGES, message.SAFE_THEN]),
        }
    )


async def status(link, fields):
    await link.answer(link.card.status())


async def clock(link, fields):
    wall_ms = whole(fields, "wall_ms", _EARLIEST_MS, _LATEST_MS)
    uncertainty_ms = whole(fields, "uncertainty_ms", 0, _MOST_UNCERTAIN_MS)
    offset_min = whole(fields, "offset_min", -_MOST_OFFSET_MIN, _MOST_OFFSET_MIN) if "offset_min" in fields else None
    link.card.set_clock(wall_ms, uncertainty_ms, offset_min)
    await link.answer({"wall_ms": wall_ms})


async def stop(link, fields):
    await link.answer({"stopped": True})


async def all_settings(link, fields):
    await link.answer({"settings": settings.described(link.card.settings)})


async def change_settings(link, fields):
    changes = fields["settings"]
    if not isinstance(changes, dict):
        raise ValueError("settings")
    _need_leisure(link)
    link.card.change_settings(changes)
    await link.answer({"settings": link.card.settings})


async def counters(link, fields):
    await link.answer(link.card.count())


async def log(link, fields):
    lines = list(link.card.log.lines)
    while len(message.pack_json({"lines": lines})) > message.MAX_JSON_BYTES:
        lines.pop(0)
    await link.answer({"lines": lines})


async def ledger(link, fields):
    store = recordings.open_store(link)
    total, lines = store.ledger_lines(whole(fields, "from", 0, 1 << 16), _LEDGER_LINES)
    while len(message.pack_json({"total": total, "lines": lines})) > message.MAX_JSON_BYTES:
        lines.pop()
    await link.answer({"total": total, "lines": lines})


async def files(link, fields):
    _need_leisure(link)
    first = whole(fields, "from", 0, 1 << 16)
    with Late("card.link.files") as application:
        total, lines = application.lines(link.card.root, first, _FILE_LINES)
    mpy = getattr(sys.implementation, "_mpy", 0)
    await link.answer(
        {"total": total, "mpy": mpy, "slot": slots.NAMES[slots.running], "trial": slots.on_trial, "files": lines}
    )


async def update(link, fields):
    from .update import Update  # seldom wanted

    _need_leisure(link)
    if not slots.available():
        raise Refused(message.FLASH, "this card's flash has no partition for slots")
    if slots.on_trial:
        raise Refused(message.BUSY, "not before the application has come up: what ran before is still needed")
    card = link.card
    link.update = link.update or Update(card.root)
    card.held = True
    try:
        await link.answer(await link.update.step(fields))
    finally:
        card.held = False


async def measure(link, fields):
    _need_leisure(link)
    await link.answer(await link.card.measure(fields["part"]))


async def image(link, fields):
    """The partition as it is, whether or not the store can make sense of it."""
    partition = _partition(link)
    sectors = partition.ioctl(_BLOCK_COUNT, 0)
    first = whole(fields, "from", 0, sectors)
    await link.answer({"sectors": sectors})
    await recordings.stream(link, first, sectors, lambda sector, buffer: partition.readblocks(sector, buffer, 0))


async def format_card(link, fields):
    card = link.card
    if fields["card"] != card.name or fields["erase"] != _ERASE:
        raise ValueError("format")
    _need_leisure(link)
    sectors = _partition(link).ioctl(_BLOCK_COUNT, 0)
    card.begin_format()
    await link.answer({"sectors": sectors})


async def restart(link, fields):
    _need_leisure(link)
    await link.answer({"restart": True})
    await link.card.restart()


async def repl(link, fields):
    card = link.card
    stop = fields.get("stop", False)
    if type(stop) is not bool:
        raise ValueError("stop")
    if stop:
        await card.stop_recording()
    _need_leisure(link)
    card.prepare_prompt()
    await link.answer({"repl": True})
    await card.start_at_prompt()


async def bye(link, fields):
    await link.answer({"bye": True})
    link.leave()


def _partition(link):
    if link.card.partition is None:
        raise Refused(message.FLASH, "this card's flash has no partition for recordings")
    return link.card.partition


def _need_leisure(link):
    if link.card.occupied():
        raise Refused(message.BUSY, "not while the card is recording, making room or being formatted")


HANDLERS = {
    "hello": hello,
    "status": status,
    "clock": clock,
    "list": recordings.list_recordings,
    "pull": recordings.pull,
    "safe": recordings.safe,
    "revoke": recordings.revoke,
    "stop": stop,
    "settings": all_settings,
    "set": change_settings,
    "counters": counters,
    "log": log,
    "ledger": ledger,
    "files": files,
    "update": update,
    "measure": measure,
    "image": image,
    "format": format_card,
    "restart": restart,
    "repl": repl,
    "bye": bye,
}
