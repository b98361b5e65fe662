"""The screen through the whole card: it rests while recording and lights up for its owner; without one the card records all the same."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.library.archive import Library
from voicecard.sync import sync


def seconds(path: Path) -> float:
    """When it was shown, since power-on."""
    return float(path.name[5:-5])


def light(path: Path) -> int:
    """How many pixels are lit."""
    with Image.open(path) as image:
        colours = image.convert("L").getcolors()
    assert colours
    return sum(count for count, grey in colours if grey > 100)


def test_it_rests_while_recording_but_for_a_dot_and_a_key_brings_it_back(tmp_path: Path, conversation: Path) -> None:
    script = "boot; tap rec; wait 100s; tap memo; wait 5s; tap rec; wait 1s"
    options = EmulateOptions(mic=conversation, script=script, screens=tmp_path, seed=3)
    with running_card(options) as card:
        shown = card.report().screens
    resting = [path for path in shown if 65 < seconds(path) < 101]
    assert len(resting) > 10 and {light(path) > 0 for path in resting} == {True, False}
    dot = max(map(light, resting))
    assert dot < 100 < min(light(path) for path in shown if 3 < seconds(path) < 20)
    dots = {path.read_bytes() for path in resting if light(path)}
    assert len(dots) > 5, "each time elsewhere"
    assert light(next(path for path in shown if seconds(path) > 102.2)) > 100


def test_without_a_display_it_records_and_says_so(tmp_path: Path, conversation: Path) -> None:
    options = EmulateOptions(mic=conversation, script="boot; tap rec; wait 3s; tap rec; plug", display_height=0, seed=3)
    with (
        Library(tmp_path / "library") as library,
        running_card(options) as card,
        CardLink.open(str(card.port())) as link,
    ):
        assert link.status()["display"] is False
        assert any("no display" in line for line in link.log())
        (entry,) = sync(link, library).new
    assert entry.length_s > 2.9


def test_the_other_glass_is_a_setting(tmp_path: Path) -> None:
    flash = tmp_path / "card.img"
    with running_card(EmulateOptions(script="boot; plug", flash=flash, seed=3)) as card:
        with CardLink.open(str(card.port())) as link:
            link.set({"display_lines": 32})
        card.report()
    options = EmulateOptions(
        script="boot; wait 2s", flash=flash, display_height=32, screens=tmp_path / "screens", seed=3
    )
    with running_card(options) as card:
        shown = card.report().screens
    with Image.open(shown[0]) as image:
        assert image.height * 2 < image.width
    assert light(shown[0]) > 100
