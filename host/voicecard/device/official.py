"""The official MicroPython for the ESP32-S3, fetched from micropython.org once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from voicecard.device.esp_image import read_micropython
from voicecard.errors import DeviceError

RELEASE = "20250911-v1.26.1"
_BASE_URL = "https://micropython.org/resources/firmware/"
_PAGE = "https://micropython.org/download/ESP32_GENERIC_S3/"
_MAX_BYTES = 16 * 1024 * 1024
_TIMEOUT_S = 30.0


def file_name(octal_psram: bool) -> str:
    """What the image is called there; the one for octal PSRAM is for boards with 8 MB of it or more."""
    return f"ESP32_GENERIC_S3{'-SPIRAM_OCT' if octal_psram else ''}-{RELEASE}.bin"


def official_image(octal_psram: bool, base_url: str = _BASE_URL, folder: Path | None = None) -> Path:
    """The path of the official image in the cache. Raises DeviceError if it cannot be had, or is not what it should be."""
    import platformdirs

    folder = folder or platformdirs.user_cache_path("voicecard") / "micropython"
    path = folder / file_name(octal_psram)
    if path.exists():
        with suppress(DeviceError):
            read_micropython(path)
            return path
    part = path.with_name(path.name + ".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(_fetched(base_url + path.name))
        read_micropython(part)
        part.replace(path)
    except OSError as error:
        raise DeviceError(f"MicroPython cannot be kept in {folder} ({error.strerror}): make room there") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return path


def _fetched(url: str) -> bytes:
    import httpx2

    try:
        with httpx2.stream("GET", url, timeout=_TIMEOUT_S, follow_redirects=True) as answer:
            if answer.status_code != 200:
                raise DeviceError(
                    f"{url} answers with {answer.status_code}: load the file from {_PAGE}, give it with --micropython"
                )
            data = b""
            for piece in answer.iter_bytes():
                data += piece
                if len(data) > _MAX_BYTES:
                    raise DeviceError(
                        f"{url} is no image of MicroPython, it does not end: give a file with --micropython"
                    )
            return data
    except httpx2.HTTPError as error:
        raise DeviceError(
            f"MicroPython cannot be fetched ({error}): load {url} elsewhere, and give the file with --micropython"
        ) from error
