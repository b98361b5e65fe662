"""`voicecard update`: what differs is sent, proved and switched to; an application that does not come up gives way to the one before."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware_copies import copied_firmware
from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, RunningCard, emulate, running_card
from voicecard.device.image import build_flash_image, refresh_application
from voicecard.device.update import Plan, plan_update, send_update
from voicecard.errors import DeviceError, RefusedError
from voicecard.firmware.wire import message
from voicecard.library.archive import Library
from voicecard.sync import sync

Run = Callable[..., subprocess.CompletedProcess[str]]
MIB = 1024 * 1024
NEW = "9.9.9"
BROKEN = {
    "lacks a module": ("card/app.py", "import card.nowhere\n"),
    "raises": ("card/app.py", "def run():\n    raise ValueError('new and wrong')\n"),
    "hangs": ("card/app.py", "import time\n\ndef run():\n    while True:\n        time.ticks_ms()\n"),
    "has no start": ("card/start.py", ""),
}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # as for the command


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A card as `voicecard flash` makes it."""
    path = tmp_path / "card.img"
    build_flash_image(path, 8 * MIB, compiled=True)
    return path


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The application with another version, a module more and a module less."""
    folder = copied_firmware(tmp_path / "newer")
    core = folder / "card" / "core.py"
    core.write_text(core.read_text().replace('VERSION = "0.1.0"', f'VERSION = "{NEW}"'))
    (folder / "card" / "more.py").write_text("MORE = 1\n")
    (folder / "card" / "selftest" / "memory.py").unlink()
    return folder


@pytest.fixture
def card(image: Path, conversation: Path) -> Iterator[RunningCard]:
    emulate(EmulateOptions(flash=image, mic=conversation, script="boot; tap rec; wait 4s; tap rec; wait 1s"))
    with running_card(EmulateOptions(flash=image)) as running:
        yield running


def starts(card: RunningCard) -> int:
    return sum(notice.kind == "booted" for notice in card.notices)


def test_only_what_differs_is_sent_and_the_rest_of_the_card_stays(
    voicecard: Run, card: RunningCard, newer: Path, tmp_path: Path
) -> None:
    port = card.port()
    with CardLink.open(str(port)) as link:
        link.set({"hang_over_ms": 900})
        before = link.recordings()
    done = voicecard("update", "--firmware", newer, "--port", port)
    assert done.returncode == 0 and "files sent: 2" in done.stderr, done.stderr
    assert "from slot b" in done.stderr and starts(card) == 2
    with CardLink.open(str(card.port())) as link:
        assert link.hello.firmware == NEW
        runs = link.application()
        assert "/card/more.mpy" in runs.files and "/card/selftest/memory.mpy" not in runs.files
        assert link.recordings() == before and link.settings()["hang_over_ms"]["value"] == 900
        with Library(tmp_path / "library") as library:
            assert len(sync(link, library).new) == 1

    back = voicecard("update")
    assert back.returncode == 0 and "from slot a" in back.stderr, back.stderr
    assert voicecard("verify").returncode == 0
    again = voicecard("update")
    assert again.returncode == 0 and "these already" in again.stderr and starts(card) == 3


@pytest.mark.parametrize("how", BROKEN)
def test_an_application_that_does_not_come_up_gives_way_after_three_starts(
    voicecard: Run, card: RunningCard, newer: Path, how: str
) -> None:
    path, text = BROKEN[how]
    (newer / path).write_text(text)
    done = voicecard("update", "--firmware", newer, "--port", card.port())
    assert done.returncode == 1 and "did not come up three times" in done.stderr, done.stderr
    assert starts(card) == 1 + 3 + 1
    with CardLink.open(str(card.port())) as link:
        assert link.hello.firmware != NEW and link.status()["state"] == "idle"
        assert link.application().slot == "a" and len(link.recordings()) == 1


def test_what_is_not_as_its_manifest_says_is_never_switched_to(card: RunningCard, newer: Path) -> None:
    with CardLink.open(str(card.port())) as link:
        plan = plan_update(link, newer)
        wrong = {path: (size, "0" * 64) for path, (size, _) in plan.keep.items()}
        for bad in (Plan(plan.send, wrong), Plan(plan.send, dict(plan.keep, **{"/card/missing.mpy": (1, "1" * 64)}))):
            with pytest.raises(RefusedError) as refusal:
                send_update(link, bad, lambda *progress: None)
            assert refusal.value.code in (message.DIGEST, message.FLASH)
        send_update(link, plan, lambda *progress: None)
        link.update("clear")
        with pytest.raises(RefusedError) as refusal:
            link.update("switch", manifest="0" * 64)
        assert refusal.value.code == message.DIGEST
        link.restart()
    with CardLink.open(str(card.port())) as link:
        assert link.application().slot == "a" and link.hello.firmware != NEW


@pytest.mark.parametrize(
    "path",
    ["/data/boots", "/main.py", "/card/../data/x", "/card//x", "card/x", "/card/", "/card/" + "x" * 64, "/card/X", 5],
)
def test_no_update_writes_outside_of_its_slot(card: RunningCard, path: object) -> None:
    with CardLink.open(str(card.port())) as link:
        link.update("clear")
        for step in ("open", "copy"):
            with pytest.raises(RefusedError) as refusal:
                link.update(step, path=path)
            assert refusal.value.code == message.BAD
        for fields in ({"at": 0, "data": "AAAA"}, {"at": 0}, {"at": -1, "data": ""}, {"at": 0, "data": "?"}):
            with pytest.raises(RefusedError) as refusal:
                link.update("put", **fields)
            assert refusal.value.code == message.BAD
        link.update("open", path="/card/x.py")
        for at, piece, then in ((0, b"abc", 3), (0, b"abc", 3), (3, b"de", 5), (3, b"de", 5)):
            link.put(at, piece)
            assert link.update("put", at=then, data="")["at"] == then
        with pytest.raises(RefusedError):
            link.put(9, b"x")


def test_a_card_without_room_keeps_what_it_has(voicecard: Run, tmp_path: Path, newer: Path) -> None:
    small = tmp_path / "small.img"
    build_flash_image(small, 4 * MIB, compiled=True)
    with running_card(EmulateOptions(flash=small)) as card:
        done = voicecard("update", "--firmware", newer, "--port", card.port())
        assert done.returncode == 1 and "no room for a second application" in done.stderr
        assert voicecard("verify").returncode == 0 and starts(card) == 1


def test_what_cannot_be_updated_is_told_before_anything_is_sent(
    voicecard: Run, card: RunningCard, newer: Path, tmp_path: Path
) -> None:
    port = card.port()
    (newer / "main.py").write_text("import card.app\n")
    done = voicecard("update", "--firmware", newer, "--port", port)
    assert done.returncode == 1 and "starts in another way (/main.py)" in done.stderr
    done = voicecard("update", "--firmware", tmp_path, "--port", port)
    assert done.returncode == 1 and "no whole application" in done.stderr


def test_flashing_over_a_card_that_runs_its_second_slot_goes_back_to_the_first(
    card: RunningCard, image: Path, newer: Path, voicecard: Run
) -> None:
    assert voicecard("update", "--firmware", newer, "--port", card.port()).returncode == 0
    card.stop()
    refresh_application(image)
    with running_card(EmulateOptions(flash=image)) as again, CardLink.open(str(again.port())) as link:
        assert link.application().slot == "a" and link.hello.firmware != NEW


def test_a_card_in_safe_mode_can_be_updated(voicecard: Run, image: Path, newer: Path) -> None:
    emulate(EmulateOptions(flash=image, script="; ".join(3 * ["boot; wait 300ms; cut"])))
    with running_card(EmulateOptions(flash=image)) as card:
        port = card.port()
        with CardLink.open(str(port)) as link:
            assert link.status()["state"] == "safe mode"
        done = voicecard("update", "--firmware", newer, "--port", port)
        assert done.returncode == 0, done.stderr
        with CardLink.open(str(card.port())) as link:
            assert link.hello.firmware == NEW and link.status()["state"] == "idle"


def test_while_it_records_nothing_is_written(card: RunningCard, image: Path) -> None:
    card.stop()
    script = "boot; wait 3s; tap rec; wait 2s; plug"
    with (
        running_card(EmulateOptions(flash=image, script=script)) as recording,
        CardLink.open(str(recording.port())) as link,
        pytest.raises((RefusedError, DeviceError), match="recording"),
    ):
        send_update(link, Plan({}, {}), lambda *progress: None)
