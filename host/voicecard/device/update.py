"""A new application over the link: into the slot of the card that does not run, proved there, and tried from the next start on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from voicecard.device.application import COMPILED, PINS, STARTING, application_files, firmware_folder
from voicecard.device.client import Application, CardLink
from voicecard.device.find import at, candidates, meet
from voicecard.errors import DeviceError, RefusedError
from voicecard.firmware.wire import message

Progress = Callable[[str, float, float], None]
Identity = tuple[int, str]  # bytes and SHA-256 of a file

MANIFEST = "/card/manifest"
PIECE_BYTES = 135  # of a file in a request: as many as its frame has room for in base64
_FEATURE = "update"
_COMES_UP_S = 120.0  # three starts that the watchdog ends, and the fourth
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """What the other slot is to hold: `send` are files of this program, `keep` those that the card has."""

    send: dict[str, bytes]
    keep: dict[str, Identity]

    @property
    def manifest(self) -> bytes:
        """A line for each file: SHA-256, bytes, path."""
        files = {path: identity(content) for path, content in self.send.items()} | self.keep
        return "".join(f"{sha} {size} {path}\n" for path, (size, sha) in sorted(files.items())).encode()


def identity(content: bytes) -> Identity:
    return len(content), hashlib.sha256(content).hexdigest()


def plan_update(link: CardLink, firmware: Path | None = None) -> Plan:
    """Compare what runs on the card with this program's application, or the one in a folder; nothing is changed.

    Files in the card's pin map's place stay the card's own. Raises DeviceError if the card cannot be updated so."""
    if _FEATURE not in link.hello.features:
        raise DeviceError(
            f"the firmware of the card {link.hello.card} cannot be updated over the link: `voicecard flash`"
        )
    runs = link.application()
    compiled = COMPILED in runs.files
    release = application_files(firmware or firmware_folder(), compiled)
    starting = {path: release.pop(path) for path in tuple(release) if path.replace(".mpy", ".py") in STARTING}
    if len(starting) != len(STARTING) or not release.keys() & {COMPILED, "/card/app.py"}:
        names = ", ".join(path.lstrip("/") for path in STARTING)
        raise DeviceError(f"the folder {firmware} holds no whole application: give one with {names}, card and wire")
    for path, content in starting.items():
        if runs.files.get(path) != identity(content):
            raise DeviceError(
                f"this application starts in another way ({path}), which no update brings: `voicecard flash`"
            )
    if compiled:
        _check_compiled(release[COMPILED], runs.mpy)
    keep = {path: told for path, content in release.items() if (told := runs.files.get(path)) == identity(content)}
    if PINS in runs.files:
        keep[PINS] = runs.files[PINS]
    return Plan({path: content for path, content in release.items() if path not in keep}, keep)


def is_up_to_date(link: CardLink, plan: Plan) -> bool:
    """Whether the card runs just what the plan says."""
    there = {path for path in link.application().files if path.replace(".mpy", ".py") not in STARTING}
    return not plan.send and there == set(plan.keep)


def send_update(link: CardLink, plan: Plan, on_progress: Progress) -> None:
    """Fill the card's other slot, let the card prove it, and switch to it. Raises DeviceError if it has no room."""
    link.update("clear")
    try:
        _fill(link, plan, on_progress)
    except RefusedError as refusal:
        if refusal.code != message.FULL:
            raise
        link.update("clear")
        raise DeviceError(
            "the card's file system has no room for a second application beside the one that runs (there is for a compiled one,"
            " on 8 MB of flash or more): `voicecard flash` brings it up to date"
        ) from refusal
    link.update("switch", manifest=identity(plan.manifest)[1])


def _fill(link: CardLink, plan: Plan, on_progress: Progress) -> None:
    files = plan.send | {MANIFEST: plan.manifest}
    total, done = sum(map(len, files.values())) + len(plan.keep), 0
    for path in sorted(plan.keep):
        link.update("copy", path=path)
        done += 1
        on_progress("update", done, total)
    for path, content in sorted(files.items()):
        link.update("open", path=path)
        for start in range(0, len(content), PIECE_BYTES):
            link.put(start, content[start : start + PIECE_BYTES])
            on_progress("update", done + start, total)
        done += len(content)
    on_progress("update", total, total)


def try_update(link: CardLink) -> Application:
    """Start the card again, and wait until its new application has come up. Raises DeviceError if it does not."""
    card, boot, path = link.hello.card, link.hello.boot, link.path
    before = link.application().slot
    link.restart()
    link.close()
    deadline = time.monotonic() + _COMES_UP_S
    while time.monotonic() < deadline:
        time.sleep(_LOOK_S)
        runs = _came_up(card, boot, path)
        if runs and runs.slot == before:
            raise DeviceError(
                "the new application did not come up three times, so the card runs the one before again: nothing is lost,"
                " `voicecard log` may tell why"
            )
        if runs:
            return runs
    raise DeviceError(f"the card {card} does not answer after the update: plug it in again, and see `voicecard verify`")


def _came_up(card: str, boot: int, port: str) -> Application | None:
    """What runs on the card since a later start than `boot`, if that has come up for good."""
    for candidate in {c.port: c for c in (*at(port), *candidates())}.values():
        with suppress(DeviceError), meet(candidate) as link:
            if link.hello.card == card and link.hello.boot > boot:
                runs = link.application()
                return None if runs.on_trial else runs
    return None


def _check_compiled(module: bytes, mpy: int) -> None:
    """Source: MicroPython's reference, "MicroPython .mpy files": the second byte is the version that loads it."""
    if module[1] != mpy & 0xFF:
        raise DeviceError("the card's MicroPython loads no modules as this program compiles them: `voicecard flash`")
