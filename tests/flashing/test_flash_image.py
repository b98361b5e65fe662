"""The whole flash of a new card, taken apart byte by byte; and MicroPython's image, refused for every fault it can have."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from littlefs import LittleFS, UserContext

from flashing.published import C3, micropython
from voicecard.device.application import application_files, firmware_folder
from voicecard.device.emulate import EmulateOptions, emulate
from voicecard.device.esp_image import flash_size, read_micropython, with_flash_size
from voicecard.device.image import build_flash_image
from voicecard.errors import DeviceError
from voicecard.firmware.wire.sector import SECTOR_BYTES, read_marker

MIB = 1024 * 1024
APP, DATA = 0, 1


@pytest.fixture(params=[4, 8, 16])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    published = tmp_path / "micropython.bin"
    published.write_bytes(micropython())
    path = tmp_path / "flash.bin"
    build_flash_image(path, request.param * MIB, compiled=True, micropython=read_micropython(published))
    return path


def image_info(path: Path) -> str:
    """What the real esptool says of an image; it must call it whole."""
    done = subprocess.run([sys.executable, "-m", "esptool", "image-info", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def table_of(flash: bytes) -> list[tuple[int, int, int, int, str]]:
    """The entries as the second-stage boot loader reads them: up to the MD5, which has to be right."""
    entries = []
    for at in range(0x8000, 0x8C00, 32):
        if flash[at : at + 16] == b"\xeb\xeb" + b"\xff" * 14:
            assert flash[at + 16 : at + 32] == hashlib.md5(flash[0x8000:at]).digest()
            assert set(flash[at + 32 : 0x9000]) == {0xFF}
            return entries
        magic, kind, subtype, offset, size, label, flags = struct.unpack_from("<HBBII16sI", flash, at)
        assert magic == 0x50AA and flags == 0
        entries.append((kind, subtype, offset, size, label.rstrip(b"\0").decode()))
    raise AssertionError("no MD5")


def test_the_boot_loader_says_the_true_flash_size_and_its_digest_is_right(image: Path, tmp_path: Path) -> None:
    flash, published = image.read_bytes(), micropython()
    loader = tmp_path / "loader.bin"
    length = len(read_micropython(_file(tmp_path, published)).boot_loader)
    loader.write_bytes(flash[:length])
    said = image_info(loader)
    assert f"Flash size: {len(flash) // MIB}MB" in said and "Chip ID: 9 (ESP32-S3)" in said
    assert "Checksum" in said and "(invalid" not in said and said.count("(valid)") == 2
    differs = [at for at in range(length - 32) if flash[at] != published[at]]
    assert differs in ([], [3])  # the size, and nothing else
    assert flash[3] & 0x0F == published[3] & 0x0F  # the flash's frequency


def test_the_program_is_the_published_one(image: Path) -> None:
    flash, published = image.read_bytes(), micropython()
    program = published[0x10000:]
    assert flash[0x10000 : 0x10000 + len(program)] == program
    assert set(flash[0x10000 + len(program) : 0x1E0000]) == {0xFF}


def test_the_table_passes_what_the_boot_loader_checks(image: Path) -> None:
    flash = image.read_bytes()
    entries = table_of(flash)
    assert [label for *_, label in entries] == ["nvs", "phy_init", "factory", "slots", "vfs", "recordings"]
    end = 0x9000
    for kind, _, offset, size, _ in entries:
        assert offset % 0x1000 == 0 and size % 0x1000 == 0 and size > 0
        assert offset % 0x10000 == 0 or kind == DATA  # programs are mapped in pages of 64 KiB
        assert offset >= end, "overlaps the one before"
        end = offset + size
    assert end == len(flash) == flash_size(flash)
    kinds = {label: (kind, subtype) for kind, subtype, *_, label in entries}
    assert kinds["factory"] == (APP, 0) and kinds["vfs"] == (DATA, 0x81) and kinds["nvs"] == (DATA, 2)


def test_every_file_of_the_application_is_on_its_file_system(image: Path) -> None:
    flash = image.read_bytes()
    _, _, offset, size, _ = table_of(flash)[4]
    memory = bytearray(flash[offset : offset + size])
    fs = LittleFS(
        context=UserContext(buffer=memory), block_size=4096, block_count=size // 4096, read_size=32, prog_size=32
    )
    there = {}
    for folder, _, names in fs.walk("/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            with fs.open(path, "rb") as file:
                there[path] = bytes(file.read())
    assert there == application_files(firmware_folder(), compiled=True)
    assert there["/boot.py"] == (firmware_folder() / "boot.py").read_bytes()
    headers = {path: content[:3] for path, content in there.items() if path.endswith(".mpy")}
    assert all(header[:2] == b"M\x06" for header in headers.values())
    native = {path for path, header in headers.items() if header[2] >> 2}
    assert {headers[path][2] for path in native} == {10 << 2 | 3}, "xtensawin, sub-version 3"
    viper = {
        f"/{file.relative_to(firmware_folder()).with_suffix('.mpy').as_posix()}"
        for folder in ("card", "wire")
        for file in (firmware_folder() / folder).rglob("*.py")
        if "@micropython.viper" in file.read_text(encoding="utf-8")
    }
    assert native == viper


def test_recordings_begin_clean_and_the_emulator_boots_from_the_same_partitions(image: Path) -> None:
    before = image.read_bytes()
    *_, (_, _, offset, size, _) = table_of(before)
    markers = {before[at : at + 64] for at in range(offset, offset + size, SECTOR_BYTES)}
    assert len(markers) == 1 and read_marker(bytearray(markers.pop())).erases == 1
    report = emulate(EmulateOptions(flash=image, script="boot; tap rec; wait 3s; tap rec; wait 1s"))
    assert report.cycles[0].flash["recordings"]["programs"] > 10
    after = image.read_bytes()
    assert after[:0x1E0000] == before[:0x1E0000]
    assert b"VCs1" in after[offset:], "a recording was written"


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "image.bin"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (micropython(chip=C3), "for ESP32-C3"),
        (micropython(version="1.25.0"), "too old"),
        (micropython()[:-1], "cut short"),
        (micropython()[:0x10000], "is none"),
        (micropython()[:9000], "cut short"),
        (micropython()[:30000] + b"\0" * 100 + micropython()[30100:], None),
        (micropython()[:0x11000] + b"\0" + micropython()[0x11001:], "damaged"),
        (micropython().replace(b"MicroPython v", b"Espressif AT "), "damaged"),
        (b"", "is none"),
        (b"UF2\n" * 20000, "is none"),
    ],
)  # fmt: skip
def test_an_image_that_is_not_right_is_refused(content: bytes, says: str | None, tmp_path: Path) -> None:
    path = _file(tmp_path, content)
    if says is None:  # between the boot loader and the table nothing is read
        assert read_micropython(path).version == "1.26.1"
    else:
        with pytest.raises(DeviceError, match=says):
            read_micropython(path)


def test_no_byte_of_an_image_can_change_unseen(tmp_path: Path) -> None:
    image = bytearray(micropython())
    loader_bytes = len(read_micropython(_file(tmp_path, bytes(image))).boot_loader)
    for at in [*range(0, loader_bytes, 997), *range(0x10000, len(image), 2477), len(image) - 1]:
        changed = image[:]
        changed[at] ^= 0x10
        with pytest.raises(DeviceError):
            read_micropython(_file(tmp_path, bytes(changed)))


def test_a_flash_of_a_size_that_none_has_is_refused() -> None:
    with pytest.raises(DeviceError, match="no flash has"):
        with_flash_size(bytes(100), 5 * MIB)
