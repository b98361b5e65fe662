"""Flash images: a new card's flash, and a new application for an old one."""

from __future__ import annotations

import hashlib
import shutil
import struct
from pathlib import Path

import pytest
from littlefs import LittleFS, UserContext

from voicecard.device import image
from voicecard.device.boards import load_board, pins_module
from voicecard.device.partitions import layout, partitions
from voicecard.errors import DeviceError
from voicecard.firmware.wire.sector import BLANK, MARKER_BYTES, SECTOR_BYTES, read_marker

MIB = 1024 * 1024


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    folder = tmp_path / "firmware"
    for name in ("card", "wire", "emulator"):
        (folder / name / "deep").mkdir(parents=True)
        (folder / name / "deep" / "part.py").write_text(f"name = '{name}'\n")
    (folder / "boot.py").write_text("")
    (folder / "main.py").write_text("import card\n")
    (folder / "card" / "part.pyc").write_bytes(b"\0")
    return folder


@pytest.fixture
def flash(tmp_path: Path, firmware: Path) -> Path:
    path = tmp_path / "flash.bin"
    image.build_flash_image(path, 4 * MIB, card_name="k3f92b", firmware=firmware)
    return path


def mounted(path: Path) -> tuple[LittleFS, bytearray]:
    """the card's file system, in memory, and that memory."""
    vfs = partitions(path)["vfs"]
    memory = bytearray(path.read_bytes()[vfs.offset : vfs.offset + vfs.size])
    geometry = {"block_size": 4096, "block_count": vfs.size // 4096, "read_size": 32, "prog_size": 32}
    return LittleFS(context=UserContext(buffer=memory), **geometry), memory


def write_on_card(path: Path, name: str, content: bytes) -> None:
    """What the card itself would do to one of its files."""
    fs, memory = mounted(path)
    with fs.open(name, "wb") as file:
        file.write(content)
    fs.unmount()
    with path.open("r+b") as file:
        file.seek(partitions(path)["vfs"].offset)
        file.write(memory)


def content_on_card(path: Path, name: str) -> bytes:
    fs, _ = mounted(path)  # kept: a file reads through it
    with fs.open(name, "rb") as file:
        return bytes(file.read())


@pytest.mark.parametrize("size", [4 * MIB, 8 * MIB, 16 * MIB])
def test_the_partitions_fill_the_flash_without_overlap(size: int) -> None:
    end = 0x9000
    for partition in layout(size):
        assert partition.offset == end and partition.offset % 4096 == 0 and partition.size % 4096 == 0
        end += partition.size
    assert end == size
    assert layout(16 * MIB)[-1].size // 4096 * 15 * 480 >= 25 * 60 * 16_000  # 25 minutes of speech


def test_the_partition_table_is_as_the_chip_reads_it(flash: Path) -> None:
    table = flash.read_bytes()[0x8000:0x8C00]
    entries = [table[i : i + 32] for i in range(0, 6 * 32, 32)]
    fields = struct.unpack("<2sBBII16sI", entries[5])
    assert fields == (b"\xaa\x50", 1, 0x40, 0x290000, 0x170000, b"recordings".ljust(16, b"\0"), 0)
    assert table[192:224] == b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(table[:192]).digest()
    assert set(table[224:]) == {0xFF}


def test_every_sector_for_recordings_is_clean_and_marked(flash: Path) -> None:
    recordings = partitions(flash)["recordings"]
    sectors = flash.read_bytes()[recordings.offset : recordings.offset + recordings.size]
    for at in range(0, len(sectors), SECTOR_BYTES):
        marker = read_marker(sectors[at : at + MARKER_BYTES])
        assert marker is not None and marker.card == "k3f92b" and marker.recording == 0
        assert sectors[at + MARKER_BYTES : at + SECTOR_BYTES] == bytes([BLANK]) * (SECTOR_BYTES - MARKER_BYTES)


def test_the_card_gets_its_application_and_nothing_else(flash: Path) -> None:
    fs, _ = mounted(flash)
    files = {f"{folder.rstrip('/')}/{name}" for folder, _, names in fs.walk("/") for name in names}
    assert {path for path in files if not path.startswith("/lib/")} == {
        "/boot.py",
        "/main.py",
        "/card/deep/part.py",
        "/wire/deep/part.py",
    }
    assert {"/lib/adafruit_ssd1306.py", "/lib/adafruit_bus_device/i2c_device.py"} <= files


def test_names_are_random_and_repeatable() -> None:
    assert image.random_name(1) == image.random_name(1) != image.random_name(2)
    assert image.random_name() != image.random_name()
    assert len(image.random_name()) <= 8 and image.random_name().isascii()


def test_a_new_application_replaces_the_old_one_and_touches_nothing_else(flash: Path, firmware: Path) -> None:
    write_on_card(flash, "/settings.json", b"mine")
    recordings = partitions(flash)["recordings"]
    with flash.open("r+b") as file:
        file.seek(recordings.offset + 1000)
        file.write(b"a recording")
    before = flash.read_bytes()
    image.refresh_application(flash, firmware)
    assert flash.read_bytes() == before, "nothing has changed, so nothing is written"

    (firmware / "main.py").write_text("import card.new\n")
    (firmware / "card" / "new.py").write_text("")
    shutil.rmtree(firmware / "wire")
    image.refresh_application(flash, firmware)
    assert content_on_card(flash, "/main.py") == b"import card.new\n"
    assert content_on_card(flash, "/card/new.py") == b""
    with pytest.raises(FileNotFoundError):
        content_on_card(flash, "/wire/deep/part.py")
    assert content_on_card(flash, "/settings.json") == b"mine"
    vfs, after = partitions(flash)["vfs"], flash.read_bytes()
    assert after[: vfs.offset] == before[: vfs.offset]
    assert after[vfs.offset + vfs.size :] == before[vfs.offset + vfs.size :]


@pytest.mark.parametrize("damage", ["text", "cut", "table", "file system"])
def test_a_file_that_is_no_card_is_left_alone(flash: Path, firmware: Path, damage: str) -> None:
    content = bytearray(flash.read_bytes())
    if damage == "text":
        content = bytearray(b"my diary")
    elif damage == "cut":
        del content[3 * MIB :]
    elif damage == "table":
        content[0x8005] ^= 1
    else:
        vfs = partitions(flash)["vfs"]
        content[vfs.offset : vfs.offset + vfs.size] = bytes(vfs.size)
    flash.write_bytes(content)
    with pytest.raises(DeviceError, match="flash\\.bin"):
        image.refresh_application(flash, firmware)
    assert flash.read_bytes() == content


def test_a_flash_that_cannot_be_written_leaves_nothing(tmp_path: Path, firmware: Path) -> None:
    with pytest.raises(DeviceError, match="cannot be written"):
        image.build_flash_image(tmp_path / "nowhere" / "flash.bin", firmware=firmware)
    with pytest.raises(DeviceError, match="4, 8 or 16 MB"):
        image.build_flash_image(tmp_path / "flash.bin", 2 * MIB, firmware=firmware)
    assert list(tmp_path.iterdir()) == [firmware]


def test_a_cards_own_pin_map_stays_unless_a_board_is_named(tmp_path: Path) -> None:
    path = tmp_path / "flash.bin"
    image.build_flash_image(path, 4 * MIB, compiled=True, board=load_board("xiao"))
    own = content_on_card(path, "/card/pins.py")
    assert own == pins_module(load_board("xiao")).encode()
    image.refresh_application(path)
    assert content_on_card(path, "/card/pins.py") == own
    image.refresh_application(path, board=load_board())
    assert content_on_card(path, "/card/pins.py") == pins_module(load_board()).encode()
    write_on_card(path, "/card/pins.py", own.replace(b"CABLE_PIN", b"OLD_PIN"))
    with pytest.raises(DeviceError, match="say with --board"):
        image.refresh_application(path)


@pytest.mark.parametrize("compiled", [False, True])
def test_the_application_leaves_the_card_room_for_its_own_files_and_for_replacing_each_of_its_files(
    tmp_path: Path, compiled: bool
) -> None:
    path = tmp_path / "flash.bin"
    image.build_flash_image(path, 4 * MIB, compiled=compiled)
    fs, _ = mounted(path)
    assert fs.used_block_count <= 0.85 * (partitions(path)["vfs"].size // 4096)


def test_between_sources_and_compiled_modules_the_cards_own_files_stay(tmp_path: Path) -> None:
    path = tmp_path / "flash.bin"
    image.build_flash_image(path, 4 * MIB)
    write_on_card(path, "/settings.json", b"mine")
    for compiled, there, gone in ((True, "/card/app.mpy", "/card/app.py"), (False, "/card/app.py", "/card/app.mpy")):
        image.refresh_application(path, compiled=compiled)
        assert content_on_card(path, there) and content_on_card(path, "/settings.json") == b"mine"
        with pytest.raises(FileNotFoundError):
            content_on_card(path, gone)
