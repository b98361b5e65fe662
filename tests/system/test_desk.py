"""The emulated card in a terminal, driven as a person drives it: by keys and mouse, through textual's own pilot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import RichLog

from voicecard.desk.app import Desk, Glass, Key
from voicecard.desk.glass import half_blocks, quadrants
from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions
from voicecard.device.hands import Hands

PATIENCE_S = 30.0
LETTERS = {"▀": (1, 0), "▄": (0, 1), "█": (1, 1), " ": (0, 0)}


async def until(pilot: Pilot[None], condition: Callable[[], bool], what: str) -> None:
    for _ in range(round(PATIENCE_S / 0.05)):
        await pilot.pause(0.05)
        if condition():
            return
    raise AssertionError(f"{what} did not happen")


def at_the_desk(tmp_path: Path, mic: Path, what: Callable[[Desk, Pilot[None]], Awaitable[None]]) -> None:
    async def play() -> None:
        with Hands() as hands:
            desk = Desk(EmulateOptions(mic=mic, flash=tmp_path / "card.img", seed=3), hands)
            async with desk.run_test(size=(170, 50)) as pilot:
                await until(pilot, lambda: shows(desk, "press REC"), "the start")
                await what(desk, pilot)
            assert desk.failure is None

    asyncio.run(play())


def shows(desk: Desk, text: str) -> bool:
    """Whether the screen shows a text that only that screen has, by how much is lit: texts are not read back."""
    lit = sum(byte.bit_count() for byte in desk.query_one(Glass).pixels)
    return {"press REC": 300 < lit < 900, "elapsed": lit > 900, "dark": lit == 0}[text]


def said(desk: Desk) -> str:
    return str(desk.query_one("#about").render())


def test_keys_cable_battery_and_power_are_the_cards(tmp_path: Path, conversation: Path) -> None:
    async def owner(desk: Desk, pilot: Pilot[None]) -> None:
        await pilot.press("r")
        await until(pilot, lambda: shows(desk, "elapsed"), "a recording")
        await pilot.press("r")
        await until(pilot, lambda: shows(desk, "press REC"), "its end")
        await pilot.press("M")
        assert desk.query_one("#memo", Key).is_down
        await until(pilot, lambda: shows(desk, "elapsed"), "a memo")
        await pilot.press("M")
        await until(pilot, lambda: shows(desk, "press REC"), "the memo's end")
        await pilot.press("b", "b", "c")
        assert "3.90 V" in said(desk)
        await until(pilot, lambda: "/dev/" in said(desk), "the cable")
        port = said(desk).partition("cable    ")[2].split()[0]
        status, kinds = await asyncio.to_thread(visit, port)
        assert status["recordings"] == 2 and status["on_cable"] is True and kinds == 2
        await pilot.press("l")
        await until(
            pilot, lambda: any("noted nothing" in str(line) for line in desk.query_one(RichLog).lines), "its log"
        )
        await pilot.press("c")
        await until(pilot, lambda: "cable    out" in said(desk), "pulling it out")
        await pilot.press("x")
        await until(pilot, lambda: "power    off" in said(desk) and shows(desk, "dark"), "the power's end")
        await pilot.press("x")
        await until(pilot, lambda: "power    on" in said(desk) and shows(desk, "press REC"), "a new start")

    at_the_desk(tmp_path, conversation, owner)


def test_the_storage_is_as_full_as_the_slider_says_and_recordings_stay(tmp_path: Path, conversation: Path) -> None:
    async def owner(desk: Desk, pilot: Pilot[None]) -> None:
        async def status_after_a_new_start() -> dict[str, Any]:
            await pilot.press("x")
            await until(pilot, lambda: "power    off" in said(desk), "the power's end")
            await pilot.press("x")
            await until(pilot, lambda: "power    on" in said(desk), "a new start")
            await pilot.press("c")
            await until(pilot, lambda: "/dev/" in said(desk), "the cable")
            status, recordings = await asyncio.to_thread(visit, said(desk).partition("cable    ")[2].split()[0])
            assert recordings == 1
            return status

        await pilot.press("r")
        await until(pilot, lambda: shows(desk, "elapsed"), "a recording")
        await pilot.press("r")
        await until(pilot, lambda: shows(desk, "press REC"), "its end")
        await pilot.press(*"S" * 10)
        assert "100 % used at least" in said(desk) and "from the next start on" in said(desk)
        full = await status_after_a_new_start()
        assert "from the next start on" not in said(desk)
        assert full["clean"] == 0 and full["seconds_left"] == 0
        await pilot.press(*"s" * 5)
        half = await status_after_a_new_start()
        assert 0.45 <= half["clean"] / half["sectors"] <= 0.55 and half["seconds_left"] > 0

    at_the_desk(tmp_path, conversation, owner)


def visit(port: str) -> tuple[dict[str, Any], int]:
    with CardLink.open(port) as link:
        return link.status(), len(link.recordings())


def test_the_mouse_holds_a_key_and_the_led_is_seen(tmp_path: Path, conversation: Path) -> None:
    async def owner(desk: Desk, pilot: Pilot[None]) -> None:
        await pilot.mouse_down("#memo")
        await until(pilot, lambda: shows(desk, "elapsed"), "a memo")
        await until(pilot, lambda: "●" in said(desk), "the light")
        await pilot.mouse_up("#memo")
        await until(pilot, lambda: shows(desk, "press REC"), "its end")
        await pilot.press("w")
        assert "a wire is off: zeros" in said(desk)

    at_the_desk(tmp_path, conversation, owner)


@pytest.mark.parametrize("height", [32, 64])
def test_half_blocks_and_quadrants_are_the_pixels(height: int) -> None:
    pixels = bytes((at * 37 + at // 16 * 11) % 256 for at in range(16 * height))
    rows = [[pixels[16 * y + x // 8] >> 7 - x % 8 & 1 for x in range(128)] for y in range(height)]
    lines = half_blocks(pixels)
    assert [LETTERS[letter][part] for line in lines for part in (0, 1) for letter in line] == [
        pixel for row in rows for pixel in row
    ]
    quarters = quadrants(pixels)
    assert {len(line) for line in quarters} == {64} and len(quarters) == height // 2
    lit = {letter: bits for bits, letter in enumerate(" ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█")}
    for y, line in enumerate(quarters):
        for x, letter in enumerate(line):
            corners = rows[2 * y][2 * x], rows[2 * y][2 * x + 1], rows[2 * y + 1][2 * x], rows[2 * y + 1][2 * x + 1]
            assert lit[letter] == sum(bit << at for at, bit in enumerate(corners))
