"""What a card's state and counters mean, in sentences: what is normal, what to look at, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from voicecard.device.client import Listed
from voicecard.firmware.wire.block import SAMPLE_RATE

Level = Literal["fine", "look", "act"]

DESCRIPTOR_MS = 16  # of sound in one of the microphone's descriptors: a longer stall can lose some
_LITTLE_ROOM_S, _LAST_ROOM_S = 15 * 60, 5 * 60
_LOW_BATTERY_MV, _EMPTY_BATTERY_MV = 3600, 3400


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence. `fine`: as it should be; `look`: worth knowing; `act`: something has to be done."""

    level: Level
    sentence: str


def examine(
    status: Mapping[str, Any], counters: Mapping[str, Any], recordings: Sequence[Listed], log: Sequence[str] = ()
) -> list[Finding]:
    """What there is to say of a card, by its answers; unknown or missing figures are passed over."""
    return [
        *_state(status, log),
        *_storage(status, recordings),
        *_sound(counters),
        *_starts(counters),
        *_rest(counters),
    ]


def _state(status: Mapping[str, Any], log: Sequence[str]) -> Iterator[Finding]:
    state = status.get("state")
    if state == "safe mode":
        yield Finding(
            "act",
            "the card is in safe mode: three starts in a row failed, so it serves the cable and does nothing else; sync it, or"
            " save its storage with `voicecard rescue -o FILE`, then `voicecard restart`, and update its firmware if that fails",
        )
    elif state == "fault":
        yield Finding(
            "act",
            "the storage is not prepared, so the card cannot record: if it ever held recordings, save them with"
            " `voicecard rescue -o FILE`; then `voicecard format --yes` prepares it",
        )
    elif state == "formatting":
        yield Finding("look", f"the card erases its storage: {_count(status, 'formatted')} sectors are done")
    else:
        yield Finding("fine", "the card is recording" if state == "recording" else "the card is ready")
    if log and state in ("safe mode", "fault"):
        yield Finding("look", f"the last line of its log: {log[-1]}")


def _storage(status: Mapping[str, Any], recordings: Sequence[Listed]) -> Iterator[Finding]:
    if status.get("state") in ("idle", "recording"):
        yield _room(_count(status, "seconds_left"))
    ended = [listed for listed in recordings if listed.ended]
    alone = sum(not listed.copies for listed in ended)
    unsafe = sum(not listed.safe for listed in ended) - alone
    if alone:
        yield Finding(
            "act", f"recordings on the card that are in no library: {alone} of {len(ended)}; `voicecard sync`"
        )
    if unsafe > 0:
        yield Finding(
            "look",
            f"recordings on the card that are in fewer libraries than the setting `copies` asks for: {unsafe} of {len(ended)};"
            " they are kept until they are synced with another library, too",
        )
    if ended and not alone and unsafe <= 0:
        yield Finding("fine", f"all {len(ended)} recordings on the card are in as many libraries as `copies` asks for")
    if aside := _count(status, "set_aside"):
        yield Finding(
            "look",
            f"sectors of the storage that make no sense, and are left alone: {aside}; `voicecard rescue -o FILE` files"
            " whatever can be read on them",
        )


def _room(seconds_left: int) -> Finding:
    minutes = seconds_left // 60
    if not seconds_left:
        return Finding("act", "the storage is full, the card refuses to record: sync, and it makes room by itself")
    if seconds_left < _LAST_ROOM_S:
        return Finding("act", f"there is room for {minutes} more minutes of speech only: sync, and the card makes room")
    if seconds_left < _LITTLE_ROOM_S:
        return Finding("look", f"there is room for {minutes} more minutes of speech: sync soon")
    return Finding("fine", f"there is room for {minutes} minutes of speech")


def _sound(counters: Mapping[str, Any]) -> Iterator[Finding]:
    if "lost_samples" in counters:
        lost = _count(counters, "lost_samples")
        if lost:
            yield Finding(
                "look",
                f"{lost / SAMPLE_RATE:.2f} s of sound were lost by the card in its life: each loss is written down at its"
                " place in the recording (`voicecard show` tells); if it grows, take the sound's settings back to their"
                " defaults",
            )
        else:
            yield Finding("fine", "no sample of sound was ever lost")
    stall_ms = _count(counters, "longest_stall_us") / 1000
    if stall_ms > DESCRIPTOR_MS:
        yield Finding(
            "look",
            f"writing to flash has once taken {stall_ms:.0f} ms, longer than the {DESCRIPTOR_MS} ms of sound that the"
            " microphone holds back: sound may have been lost there, and the flash may be wearing out",
        )
    elif stall_ms:
        yield Finding(
            "fine", f"the longest write to flash took {stall_ms:.1f} ms; up to {DESCRIPTOR_MS} ms costs no sound"
        )
    if cut := _count(counters, "cut_recordings"):
        yield Finding(
            "look",
            f"recordings that a power cut ended, closed at the next start with at most their last second missing: {cut};"
            " stop a recording before switching off, and look at battery and plugs",
        )


def _starts(counters: Mapping[str, Any]) -> Iterator[Finding]:
    boots = counters.get("boots")
    if isinstance(boots, dict):
        causes = ", ".join(f"{_count(boots, cause)} by {cause}" for cause in boots if _count(boots, cause))
        yield Finding("fine", f"the card has started {_many(sum(_count(boots, c) for c in boots), 'time')} ({causes})")
        if hung := _count(boots, "watchdog"):
            yield Finding(
                "look",
                f"the watchdog restarted the card {_many(hung, 'time')}: capture stood still, what was recorded until then"
                " is kept; if it happens again, update the firmware",
            )
    if failed := _count(counters, "failed_starts"):
        yield Finding(
            "look",
            f"starts that failed in the card's life: {failed}; three in a row lead to safe mode, so if the number grows,"
            " update the firmware",
        )


def _rest(counters: Mapping[str, Any]) -> Iterator[Finding]:
    if damaged := _count(counters, "link_errors"):
        yield Finding(
            "look",
            f"damaged frames on the cable: {damaged}; they were asked for again and nothing is lost, but if the number grows,"
            " try another cable or port",
        )
    if erases := _count(counters, "erases"):
        yield Finding("fine", f"sectors erased to make room so far: {erases}; each bears about 100,000 times")
    lowest_mv = _count(counters, "lowest_battery_mv")
    if 0 < lowest_mv < _EMPTY_BATTERY_MV:
        yield Finding(
            "act", f"the battery was down to {lowest_mv / 1000:.2f} V, which ends recordings: charge it earlier"
        )
    elif 0 < lowest_mv < _LOW_BATTERY_MV:
        yield Finding("look", f"the battery was down to {lowest_mv / 1000:.2f} V: charge it in time")
    elif lowest_mv:
        yield Finding("fine", f"the battery was never below {lowest_mv / 1000:.2f} V")


def _count(figures: Mapping[str, Any], name: str) -> int:
    value = figures.get(name)
    return value if isinstance(value, int) else 0


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
