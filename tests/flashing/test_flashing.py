"""`voicecard flash` with the real esptool, over a board in download mode that speaks the chip's serial protocol."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flashing.published import micropython
from flashing.rom import ESP32_C3, MIB, Board
from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, emulate, running_card
from voicecard.device.esp_image import read_micropython
from voicecard.device.esptool import Esptool
from voicecard.device.flashing import Found, check_card, count_unproved, find_board, greet, loads_compiled, write_card
from voicecard.device.image import build_flash_image
from voicecard.device.official import file_name, official_image
from voicecard.device.partitions import partitions
from voicecard.errors import DeviceError


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "micropython.bin"
    path.write_bytes(micropython())
    return path


def quiet(name: str, done: float, total: float) -> None:
    """No bar."""


def flash(board: Board, published: Path, **how: bool) -> Found:
    found = find_board(board.port)
    write_card(found, read_micropython(published), quiet, **how)
    return found


def saved(board: Board, folder: Path) -> Path:
    path = folder / "flash-of-board.bin"
    path.write_bytes(board.flash)
    return path


@pytest.mark.parametrize("megabytes", [4, 8])
def test_a_bare_board_becomes_a_card(megabytes: int, published: Path, tmp_path: Path) -> None:
    with Board(flash=bytearray(b"\xff" * megabytes * MIB)) as board:
        found = flash(board, published)
        assert not found.card and found.chip.psram_mb == 8
        planned = tmp_path / "planned.bin"
        build_flash_image(planned, megabytes * MIB, "name", compiled=True, micropython=read_micropython(published))
        recordings = partitions(planned)["recordings"].offset
        assert board.flash[:recordings] == planned.read_bytes()[:recordings]
        image = saved(board, tmp_path)
    with running_card(EmulateOptions(flash=image, script="boot; plug")) as card:
        link = greet(20, lambda: CardLink.open(str(card.port())))
        assert link.hello.card
        with pytest.raises(DeviceError, match="--sources"):  # the files are right; the emulator's processor is another
            check_card(link)
        link.close()


def test_flashing_again_touches_no_recording_and_no_setting(published: Path, tmp_path: Path) -> None:
    image = tmp_path / "flash.bin"
    build_flash_image(image, 4 * MIB, micropython=read_micropython(published))
    emulate(EmulateOptions(flash=image, script="boot; tap rec; wait 3s; tap rec; wait 2s"))
    before = image.read_bytes()
    region = partitions(image)["recordings"]
    with Board(flash=bytearray(before)) as board:
        found = flash(board, published)
        assert found.card
        assert all(at + size <= region.offset for at, size in board.written)
        assert board.flash[region.offset :] == before[region.offset :]
        assert count_unproved(found, quiet) == 1
        report = emulate(EmulateOptions(flash=saved(board, tmp_path), script="boot; wait 1s"))
        assert report.cycles[0].reason == "end"
        flash(board, published, erase_recordings=True)
        assert count_unproved(found, quiet) == 0


def test_another_chip_and_too_little_flash_are_refused_before_anything_is_written(published: Path) -> None:
    for board, says in (
        (Board(chip=ESP32_C3), "ESP32-C3"),
        (Board(flash=bytearray(b"\xff" * 2 * MIB)), "2 MB of flash"),
    ):
        with board, pytest.raises(DeviceError, match=says):
            find_board(board.port)
        assert not board.written


def test_recordings_that_lie_elsewhere_are_not_written_over(tmp_path: Path, published: Path) -> None:
    image = tmp_path / "flash.bin"
    build_flash_image(image, 4 * MIB)
    with Board(flash=bytearray(image.read_bytes() + b"\xff" * 4 * MIB)) as board:  # of a smaller flash
        with pytest.raises(DeviceError, match="lie elsewhere"):
            find_board(board.port)
        assert not board.written


def test_the_cable_pulled_while_writing_is_said_and_flashing_again_mends_it(published: Path) -> None:
    with Board(flash=bytearray(b"\xff" * 4 * MIB), goes_at=50_000) as board:
        found = find_board(board.port)
        with pytest.raises(DeviceError, match=r"any more|went away while it was written"):
            write_card(found, read_micropython(published), quiet)
        half = board.flash
    with Board(flash=half) as board:
        flash(board, published)


def test_compiled_modules_are_for_the_interpreter_of_the_board() -> None:
    board, other_version, other_processor = 10 << 10 | 3 << 8 | 6, 10 << 10 | 2 << 8 | 6, 2 << 10 | 3 << 8 | 6
    assert [loads_compiled(mpy) for mpy in (board, other_version, other_processor, 0)] == [True, False, False, False]


def test_nothing_on_the_port_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="hold BOOT on the board"):
        Esptool(str(tmp_path / "no-port")).identify()


def test_the_command_asks_before_it_erases(published: Path, tmp_path: Path) -> None:
    image = tmp_path / "flash.bin"
    build_flash_image(image, 4 * MIB)
    with Board(flash=bytearray(image.read_bytes())) as board:
        command = [sys.executable, "-m", "voicecard", "flash", "--port", board.port, "--micropython", str(published)]
        done = subprocess.run(
            [*command, "--erase-recordings"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
        )
        assert done.returncode == 2 and "0 recordings on this card are in no library" in done.stderr
        assert not board.written


def test_the_image_is_looked_at_before_the_board(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.bin"
    wrong.write_bytes(micropython()[:-100])
    command = [sys.executable, "-m", "voicecard", "flash", "--port", "/dev/null", "--micropython", str(wrong)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "cut short" in done.stderr and "Traceback" not in done.stderr


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *arguments: object) -> None:
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
            thread.join()


def test_the_official_image_is_fetched_once_and_a_bad_one_is_not_kept(tmp_path: Path) -> None:
    site, cache = tmp_path / "site", tmp_path / "cache"
    site.mkdir()
    (site / file_name(True)).write_bytes(micropython())
    (site / file_name(False)).write_bytes(micropython()[:-5])
    with serving(site) as (url, asked):
        first, again = official_image(True, url, cache), official_image(True, url, cache)
        assert first == again and first.read_bytes() == micropython() and len(asked) == 1
        with pytest.raises(DeviceError, match="cut short"):
            official_image(False, url, cache)
        (site / file_name(False)).unlink()
        with pytest.raises(DeviceError, match="answers with 404"):
            official_image(False, url, cache)
    with pytest.raises(DeviceError, match="cannot be fetched"):
        official_image(False, url, cache)
    assert [path.name for path in cache.iterdir()] == [file_name(True)]
