"""Settings: what the file says if it may, else the default; nothing in it keeps the card from starting."""

import json
import os

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
        ("copies", 5),
        ("copies", 0),
        ("remove_after_days", 366),
        ("colour", 1),
    ):
        values, lines = loaded(json.dumps({name: value}))
        assert values == settings.defaults() and len(lines) == 1, name


def test_a_missing_or_broken_file_means_defaults():
    garbage = '{"vad_mode": 2, "colour": "' + "x" * 100_000
    for text in (
        garbage,
        garbage + '"}',
        "",
        "x{",
        "[1]",
        "null",
        '{"vad_mode": {}}',
        '"off"',
        "[" * 3000,
        '{"vad_mode": 1e999}',
    ):
        values, lines = loaded(text)
        assert values == settings.defaults() and len(lines) == 1, text[:20]
    with open("settings.json", "wb") as file:
        file.write(b"\xff\xfe\x00")
    make_folder("folder.json")
    for path in ("settings.json", "folder.json"):
        log = Log()
        assert settings.load(log, path) == settings.defaults() and len(log.lines) == 1, path
    log = Log()
    assert settings.load(log, "nowhere.json") == settings.defaults() and log.lines == []


def make_folder(path):
    try:
        os.mkdir(path)
    except OSError:
        pass


def test_what_was_saved_is_loaded_and_nothing_else_is_left_behind():
    changed = settings.changed(settings.defaults(), {"copies": 4, "remove": "after days", "remove_after_days": 365})
    settings.save(changed, "settings.json")
    assert settings.load(Log(), "settings.json") == changed and "settings.json.new" not in os.listdir()


def test_one_change_that_is_not_accepted_refuses_all():
    before = settings.defaults()
    for changes in ({"copies": 0}, {"copies": 2, "remove_after_days": 0}, {"remove": "after_days"}, {"colour": "red"}):
        try:
            settings.changed(before, changes)
        except ValueError:
            continue
        raise AssertionError(changes)
    assert before == settings.defaults()


def test_the_longest_settings_fit_the_head_of_a_recording():
    longest = {
        name: max(settings.TABLE[name][1], key=lambda value: len(json.dumps(value))) for name in settings.OF_SOUND
    }
    longest["utc_offset_min"] = -1440
    head = block.Head("12345678", "12345678", 1, 1, 1, 1, 1, 16000, 480, 1, 0, json.dumps(longest))
    assert len(block.pack_head(head)) <= block.MAX_PAYLOAD_BYTES
