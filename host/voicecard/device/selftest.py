"""What a board says of itself against what it must be: the lines of `voicecard selftest`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from voicecard.device.client import CardLink
from voicecard.errors import DeviceError
from voicecard.firmware.wire.message import MAX_JSON_BYTES
from voicecard.firmware.wire.sector import SECTOR_BYTES

Verdict = Literal["ok", "FAIL", "told", "not tried"]

LOAD_S = 60.0
_FEATURE = "measure"
_FULL_SCALE = 1 << 19  # of the microphone's levels
_MEAN_TO_RMS = math.sqrt(math.pi / 2)  # of noise whose samples are normally distributed
_FRAME_US = 30_000
_CLOCK_STANDS_PERCENT = 0.1  # of a core: no chip is as quick
_STREAM_S = 3.0
_KEYS_S, _BEGIN_S, _END_S = 20.0, 30.0, 30.0
_LOOK_S = 0.3
_RECORDING_BYTES = 6_000  # what a recording takes of the heap, with the longest pre-roll


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report. `least` and `most` are its limits, None where there is none; `value` None: not tried."""

    name: str
    value: float | None
    unit: str
    least: float | None = None
    most: float | None = None
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.value is None:
            return "not tried"
        if self.least is None and self.most is None:
            return "told"
        low = self.least is not None and self.value < self.least
        high = self.most is not None and self.value > self.most
        return "FAIL" if low or high else "ok"


def selftest(link: CardLink, owner: Owner | None, load_s: float = LOAD_S) -> Iterator[Line]:
    """Go through all parts, line by line. `owner` presses keys and looks; None: nobody is there.

    Raises DeviceError if the card cannot measure itself, RefusedError while it records."""
    if _FEATURE not in link.hello.features:
        raise DeviceError(f"the firmware of the card {link.hello.card} cannot test itself: update it")
    yield from memory(link.measure("memory"))
    yield from flash(link.measure("flash"))
    yield from sound(link.measure("sound"))
    yield from stages(link.measure("stages"))
    yield from _power(link)
    yield _throughput(link)
    yield _screen(link, owner)
    yield from _keys(link, owner)
    yield from _load(link, owner, load_s)


def memory(told: dict[str, int]) -> Iterator[Line]:
    yield Line("memory free", told.get("free_bytes"), "bytes", least=_RECORDING_BYTES)
    yield Line("memory largest piece", told.get("largest_bytes"), "bytes", least=MAX_JSON_BYTES)
    yield Line("memory used", told.get("used_bytes"), "bytes")


def flash(told: dict[str, int]) -> Iterator[Line]:
    if not told.get("sectors"):
        why = "no clean sector is free: sync, and let the card make room"
        yield Line("flash page program, longest", None, "ms", why=why)
        return
    yield Line("flash page program, mean", _ms(told.get("program_us")), "ms", most=3)
    yield Line(
        "flash page program, longest", _ms(told.get("longest_program_us")), "ms", most=14
    )  # a descriptor lasts 16
    yield Line("flash sector read, longest", _ms(told.get("longest_read_us")), "ms", most=4)
    yield Line("flash sector erase, longest", _ms(told.get("longest_erase_us")), "ms", most=420)
    yield Line("flash pages wrong", told.get("wrong_pages"), "pages", most=0)


def sound(told: dict[str, int]) -> Iterator[Line]:
    yield Line("microphone waits without sound", told.get("stalls"), "waits", most=0)
    yield Line("microphone dead frames", told.get("dead_frames"), "frames", most=0)
    heard = bool(told.get("frames"))
    why = "" if heard else "no sound came"
    quietest, loudest = (_dbfs(told.get(name, 0) * _MEAN_TO_RMS) if heard else None for name in ("quietest", "loudest"))
    yield Line("microphone noise floor", quietest, "dBFS", least=-110, most=-45, why=why)
    yield Line("microphone level, loudest", loudest, "dBFS", why=why)
    peak = _dbfs(told.get("peak", 0)) if heard else None
    yield Line("microphone peak", peak, "dBFS", why=why)
    offset = abs(told.get("offset", 0)) * 100 / _FULL_SCALE if heard else None
    yield Line("microphone offset", offset, "% of full scale", most=5, why=why)


def stages(told: dict[str, int]) -> Iterator[Line]:
    parts = {"level": "level", "detect": "voice detector", "encode": "encoder", "seal": "check sum"}
    shares = {name: told.get(f"{part}_us", 0) * 100 / _FRAME_US for part, name in parts.items()}
    if sum(shares.values()) < _CLOCK_STANDS_PERCENT:
        why = "no time passes in an emulated card while it computes"
        yield Line("stages together", None, "% of real time", why=why)
        return
    for name, share in shares.items():
        yield Line(f"stage {name}", share, "% of real time")
    yield Line("stages together", sum(shares.values()), "% of real time", most=50)


class Owner:
    """Who holds the card. `tell` says what to do next, `ask` is a question to be answered with yes (True) or no."""

    def __init__(self, tell: Callable[[str], None], ask: Callable[[str], bool]) -> None:
        self.tell, self.ask = tell, ask


def _power(link: CardLink) -> Iterator[Line]:
    status = link.status()
    on_cable, battery_mv = status.get("on_cable"), status.get("battery_mv")
    if on_cable is None:
        yield Line("cable seen", None, "", why="the card cannot tell")
    else:
        yield Line("cable seen", int(bool(on_cable)), "", least=1)
    measured = battery_mv if isinstance(battery_mv, int) and battery_mv else None
    yield Line("battery", measured, "mV", least=3_000, most=4_300, why="" if measured else "none is there")


def _throughput(link: CardLink) -> Line:
    """What arrives of the storage's image in a while."""
    sectors, began, arrived = link.image_sectors(), time.monotonic(), 0
    stream = link.image(0, sectors)
    for _ in stream:
        arrived += SECTOR_BYTES
        if time.monotonic() - began >= _STREAM_S:
            break
    took_s = time.monotonic() - began
    link.stop()
    return Line("link throughput", arrived / took_s / 1000, "kB/s", least=100)


def _screen(link: CardLink, owner: Owner | None) -> Line:
    name = "display test card"
    if not link.measure("screen").get("display"):
        return Line(name, None, "", why="no display answers")
    if owner is None:
        return Line(name, None, "", why="nobody looks at it")
    seen = owner.ask(
        "On the card's screen: is there an unbroken frame along all four edges, chequers on the left and TEST CARD to be read?"
    )
    return Line(name, int(seen), "", least=1)


def _keys(link: CardLink, owner: Owner | None) -> Iterator[Line]:
    presses = {"rec": 0, "memo": 0}
    if owner is None:
        yield from (Line(f"key {name}", None, "presses", why="nobody presses it") for name in presses)
        return
    owner.tell("Press REC, then MEMO, once each.")
    deadline = time.monotonic() + _KEYS_S
    while not all(presses.values()) and time.monotonic() < deadline:
        told = link.measure("keys")
        presses = {name: count + told.get(name, 0) for name, count in presses.items()}
    yield from (Line(f"key {name}", count, "presses", least=1) for name, count in presses.items())


def _load(link: CardLink, owner: Owner | None, load_s: float) -> Iterator[Line]:
    """Everything at once: a recording that its owner begins, and the link as busy as it can be."""
    lost, written, errors = "load samples lost", "load sectors written", "load frames damaged"
    if owner is None:
        yield Line(lost, None, "samples", why="nobody begins a recording")
        return
    before, dropped = link.status(), _damaged(link)
    owner.tell(f"Now press REC, and let a voice be heard (a radio will do) for {load_s:.0f} seconds.")
    if not _wait_for_state(link, "recording", _BEGIN_S):
        yield Line(lost, None, "samples", why="no recording was begun")
        return
    _keep_busy(link, load_s)
    owner.tell("Press REC again: that ends the recording. It stays on the card, as any other.")
    if not _wait_for_state(link, "idle", _END_S):
        yield Line(lost, None, "samples", why="the recording did not end, and is going on")
        return
    after = link.status()
    yield Line(lost, after.get("lost_samples", 0) - before.get("lost_samples", 0), "samples", most=0)
    taken = max(0, before.get("clean", 0) - after.get("clean", 0))
    silent = "" if taken else "no speech was heard: nothing was written beside"
    yield Line(written, taken, "sectors", least=1, why=silent)
    yield Line(errors, _damaged(link) - dropped, "frames", most=0)


def _keep_busy(link: CardLink, seconds: float) -> None:
    """Let the card send its storage, over and over."""
    sectors, deadline = link.image_sectors(), time.monotonic() + seconds
    while time.monotonic() < deadline:
        for _ in link.image(0, sectors):
            if time.monotonic() >= deadline:
                break
    link.stop()


def _wait_for_state(link: CardLink, state: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while link.status().get("state") != state:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_S)
    return True


def _damaged(link: CardLink) -> int:
    found = link.counters().get("link_errors", 0)
    return found if isinstance(found, int) else 0


def _ms(us: int | None) -> float | None:
    return None if us is None else us / 1000


def _dbfs(level: float) -> float:
    return 20 * math.log10(max(level, 0.5) / _FULL_SCALE)
