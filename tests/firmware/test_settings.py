"""Settings: what the file says if it may, else the default; nothing in it keeps the card from starting."""

import json

from card import settings
from card.log import Log
from emulator import board
from wire import block

board.reset()


def loaded(text):
    with open("settings.json", "w") as file:
        file.write(text)
    log = Log()
    return settings.load(log, "settings.json"), log.lines


def test_values_within_limits_are_taken_and_others_refused():
    wanted = settings.defaults()
    wanted.update({"vad_mode": "off", "pre_roll_ms": 0, "hang_over_ms": 5000, "gain_db": 42, "remove": "never"})
    assert loaded(json.dumps(wanted)) == (wanted, [])
    for name, value in (
        ("vad_mode", 4),
        ("vad_mode", True),
        ("vad_mode", 1.0),
        ("pre_roll_ms", 601),
        ("pre_roll_ms", "300"),
        ("hang_over_ms", -1),
        ("gain_db", "loud"),
        ("gain_db", 43),
        ("colour", 1),
    ):
        values, lines = loaded(json.dumps({name: value}))
        assert values == settings.defaults() and len(lines) == 1, name


def test_a_missing_or_broken_file_means_defaults():
    for text in ("", "{", "[1]", "null", '{"vad_mode": {}}', "\xff\xfe", '"off"'):
        assert loaded(text)[0] == settings.defaults()
    assert settings.load(Log(), "nowhere.json") == settings.defaults()


def test_the_longest_settings_fit_the_head_of_a_recording():
    longest = {
        name: max(allowed, key=lambda value: len(json.dumps(value))) for name, (_, allowed) in settings.TABLE.items()
    }
    head = block.Head("12345678", "12345678", 1, 1, 1, 1, 1, 16000, 480, 1, 0, json.dumps(longest))
    assert len(block.pack_head(head)) <= block.MAX_PAYLOAD_BYTES
