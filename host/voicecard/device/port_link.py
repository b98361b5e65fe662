"""A link with a name of its owner's choice to the port of an emulated card, while that is plugged in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from voicecard.errors import DeviceError


def check_link(link: Path | None) -> None:
    if link is None:
        return
    if link.exists() and not link.is_symlink():
        raise DeviceError(f"{link} is there already and is no link: give another path for the port")
    if not link.parent.is_dir():
        raise DeviceError(f"there is no folder {link.parent} for the port's link: make it, or give another path")


@contextmanager
def linked(link: Path | None, port: Path) -> Iterator[None]:
    """Keep `link` pointing to `port`, replaced in one step; taken away only if it is still ours."""
    if link is None:
        yield
        return
    fresh = link.with_name(link.name + ".part")
    try:
        with suppress(FileNotFoundError):
            fresh.unlink()
        fresh.symlink_to(port)
        fresh.replace(link)
    except OSError as error:
        raise DeviceError(
            f"the link {link} to the port cannot be made ({error.strerror}): give another path"
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):
            if link.readlink() == port:
                link.unlink()
