"""The command that makes a card of a bare board."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voicecard.cli.meeting import met_card
from voicecard.cli.options import PortPath
from voicecard.cli.output import note, progress
from voicecard.errors import DeviceError, UsageError

if TYPE_CHECKING:
    from voicecard.device.boards import Board
    from voicecard.device.esp_image import MicroPython
    from voicecard.device.esptool import Progress
    from voicecard.device.flashing import Found

_MIB = 1024 * 1024
_SIZES_MB = (4, 8, 16)
_OCTAL_PSRAM_MB = 8  # so much comes with eight data lines
_WORD = "erase"


def add_commands(app: typer.Typer) -> None:
    app.command()(flash)
    app.command()(update)


def flash(
    port: Annotated[str | None, typer.Option(help="Serial port of the board; found by itself if left out.")] = None,
    micropython: Annotated[
        Path | None,
        typer.Option(metavar="IMAGE", help="MicroPython for the board; else the official one, fetched once."),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option(help="Board that it is: devkitc (default), super_mini, xiao, or a .toml file; an old card stays."),
    ] = None,
    erase_recordings: Annotated[
        bool, typer.Option("--erase-recordings", help="Erase the recordings on the card too; asks for the word.")
    ] = False,
    sources: Annotated[
        bool, typer.Option("--sources", help="Put the application on the card as sources, not compiled.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the whole flash into a file, and touch no board.")
    ] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file of --dry-run.")] = None,
    flash_size: Annotated[
        int | None,
        typer.Option(metavar="MB", help="Flash of the board of --dry-run, if not what its file says: 4, 8 or 16."),
    ] = None,
) -> None:
    """Make a card of an ESP32-S3 board: MicroPython, partitions, the application; then wait for it, and greet it.

    On a card that exists already, recordings and settings stay as they are. MicroPython comes from micropython.org
    unless an image is given; it is checked before anything is written.
    """
    if dry_run != (output is not None):
        raise UsageError("--dry-run and --output belong together: give both, or none to flash a board")
    if dry_run and output:
        _write_file(output, micropython, board, flash_size, sources)
    else:
        _write_board(port, micropython, board, erase_recordings, sources)


def update(
    port: PortPath = None,
    firmware: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Another application than this program's: boot.py, main.py, slots.py, card, wire ..."
        ),
    ] = None,
) -> None:
    """Bring the application on a card up to date over the link: only files that differ are sent.

    They go beside the application that runs, are proved there file by file, and tried from the next start on. If they
    do not come up three times, the card goes back by itself. A cut at any moment leaves the one or the other.
    """
    from voicecard.device.update import is_up_to_date, plan_update, send_update, try_update

    with met_card(port) as link:
        plan = plan_update(link, firmware)
        if is_up_to_date(link, plan):
            note(f"the {len(plan.keep)} files on the card {link.hello.card} are these already")
            return
        with progress("") as on_progress:
            send_update(link, plan, on_progress)
        note(
            f"files sent: {len(plan.send)}, kept: {len(plan.keep)}, all of them proved; the card starts again, leave it plugged in"
        )
        runs = try_update(link)
    note(f"the card runs its new application, from slot {runs.slot}")


def _write_file(output: Path, given: Path | None, board: str | None, flash_size: int | None, sources: bool) -> None:
    from voicecard.device.boards import DEFAULT
    from voicecard.device.image import build_flash_image

    target = _board(board or DEFAULT)
    flash_size_mb = flash_size or target.flash_mb
    if output.exists():
        raise UsageError(f"{output} exists already: give another name")
    if flash_size_mb not in _SIZES_MB:
        raise UsageError(f"no card has {flash_size_mb} MB of flash: give 4, 8 or 16")
    image = _micropython(given, octal_psram=target.psram == "octal")
    build_flash_image(output, flash_size_mb * _MIB, compiled=not sources, micropython=image, board=target)
    note(f"{output} is the whole flash of a card of {flash_size_mb} MB, with MicroPython {image.version}")


def _write_board(
    port: str | None, given: Path | None, board: str | None, erase_recordings: bool, sources: bool
) -> None:
    from voicecard.device.flashing import check_card, find_board, greet, write_card

    target = _board(board) if board else None
    checked = _read_given(given)  # before any board is touched
    found = find_board(port)
    chip = found.chip
    note(f"an {chip.name} on {found.esptool.port} with {chip.flash_bytes // _MIB} MB of flash" + _psram(found))
    image = checked or _micropython(None, chip.psram_mb >= _OCTAL_PSRAM_MB)
    if image.has_octal_psram != (chip.psram_mb >= _OCTAL_PSRAM_MB):
        note("this MicroPython is built for another kind of PSRAM than the board has: the card runs, but without it")
    if sources and not chip.psram_mb:
        note(
            "sources need memory for their compiling that a board without PSRAM hardly has: leave --sources out if the card does not start"
        )
    with progress("") as update:
        if found.card and erase_recordings:
            _ask_for_the_word(found, update)
        write_card(found, image, update, compiled=not sources, erase_recordings=erase_recordings, board=target)
    note("written and verified; waiting for the card")
    with greet() as link:
        link.set_clock()
        check_card(link)
        note(f"the card {link.hello.card or 'without a name'} is ready, with firmware {link.hello.firmware}")


def _board(name: str) -> Board:
    """The board, if its pin map works. Raises DeviceError."""
    from voicecard.device.boards import load_board
    from voicecard.device.pin_rules import broken_rules

    board = load_board(name)
    broken = broken_rules(board)
    if broken:
        raise DeviceError(f"the pin map of {board.name} cannot work: {'; '.join(broken)}")
    for limit in board.limits:
        note(f"{board.name}: {limit}")
    return board


def _read_given(path: Path | None) -> MicroPython | None:
    from voicecard.device.esp_image import read_micropython

    return read_micropython(path) if path else None


def _micropython(given: Path | None, octal_psram: bool) -> MicroPython:
    from voicecard.device.esp_image import read_micropython
    from voicecard.device.official import official_image

    return read_micropython(given or official_image(octal_psram))


def _psram(found: Found) -> str:
    return f" and {found.chip.psram_mb} MB of PSRAM" if found.chip.psram_mb else " and no PSRAM in the chip"


def _ask_for_the_word(found: Found, update: Progress) -> None:
    """Leave unless the owner types the word. Raises UsageError where nobody can."""
    from voicecard.device.flashing import count_unproved

    alone = count_unproved(found, update)
    what = f"{alone} recordings on this card are in no library: they will be gone for good"
    if not sys.stdin.isatty():
        raise UsageError(f"{what}; run this on a terminal to say that you mean it")
    if typer.prompt(f"{what}. Type {_WORD} to go on", err=True) != _WORD:
        raise typer.Abort
