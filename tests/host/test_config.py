"""Settings: what a person wrote stays as it was written, and whatever is wrong is said in one sentence with file and key."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicecard import config
from voicecard.cli.config import program_settings
from voicecard.config import Config, Setting, load, remove, write
from voicecard.errors import UsageError

TEXT = Setting("tool.name", "plain", "a name")
MODE = Setting("tool.mode", "slow", "a mode", choices=("slow", "fast"))
COUNT = Setting("tool.count", 3, "a number", at_least=1, at_most=9)
WAIT = Setting("other.wait_s", 1.5, "seconds", at_least=0)
LOUD = Setting("other.loud", False, "whether it is loud")
ALL: list[Setting[Any]] = [TEXT, MODE, COUNT, WAIT, LOUD]

WRITTEN = """\
# Mine. Do not touch.

[tool]          # the tool
name = 'Anna'   # who
# mode is for later
other.loud = true

[[mine]]
x = 0x10
"""


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    read = load(tmp_path / "none.toml")
    assert [read[setting] for setting in ALL] == ["plain", "slow", 3, 1.5, False]
    assert TEXT not in read


def test_the_file_is_where_the_system_or_the_environment_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICECARD_CONFIG", str(tmp_path / "mine.toml"))
    assert config.default_path() == tmp_path / "mine.toml"
    monkeypatch.setenv("VOICECARD_CONFIG", "")
    assert config.default_path().parts[-2:] == ("voicecard", "config.toml")


def test_writing_keeps_what_a_person_wrote(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(WRITTEN)
    write(path, TEXT, "Bert")
    write(path, COUNT, 5)
    write(path, WAIT, 2.0)
    lines = path.read_text().splitlines()
    kept = [line for line in WRITTEN.splitlines() if line and "Anna" not in line]
    assert [line for line in lines if line in kept] == kept
    assert any("Bert" in line and "# who" in line for line in lines)
    read = load(path)
    assert (read[TEXT], read[COUNT], read[WAIT]) == ("Bert", 5, 2.0)
    remove(path, COUNT.name)
    assert load(path)[COUNT] == 3
    with pytest.raises(UsageError, match=r"config.toml does not set tool.count$"):
        remove(path, COUNT.name)


VALUES = st.one_of(
    st.tuples(st.just(TEXT), st.text(st.characters(exclude_categories=["Cs"]))),
    st.tuples(st.just(MODE), st.sampled_from(["slow", "fast"])),
    st.tuples(st.just(COUNT), st.integers(1, 9)),
    st.tuples(st.just(WAIT), st.floats(0, 1e300)),
    st.tuples(st.just(LOUD), st.booleans()),
)


@given(st.lists(VALUES, min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[Setting[Any], Any]]
) -> None:
    path = tmp_path_factory.mktemp("config") / "deep" / "config.toml"
    for setting, value in values:
        write(path, setting, value)
    read = load(path)
    assert {setting.name: read[setting] for setting, _ in values} == {setting.name: value for setting, value in values}
    tomllib.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_cut_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(WRITTEN)

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), fail)
    with pytest.raises(OSError, match="No space"):
        write(path, TEXT, "Bert")
    assert path.read_text() == WRITTEN and list(tmp_path.iterdir()) == [path]


def test_a_linked_file_is_changed_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real = tmp_path / "dotfiles" / "real.toml"
    real.write_text(WRITTEN)
    real.chmod(0o640)
    link = tmp_path / "config.toml"
    link.symlink_to(real)
    write(link, TEXT, "Bert")
    assert link.is_symlink() and load(real)[TEXT] == "Bert" and real.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("text", "setting", "sentence"),
    [
        ("tool.name = 3", TEXT, "tool.name must be text, not 3"),
        ("[tool]\nmode = 'quick'", MODE, "tool.mode must be one of slow, fast, not 'quick'"),
        ("tool.count = 10", COUNT, "tool.count must be between 1 and 9, not 10"),
        ("tool.count = true", COUNT, "tool.count must be a whole number, not True"),
        ("other.wait_s = -1", WAIT, "other.wait_s must be 0 or more, not -1.0"),
        ("other.wait_s = nan", WAIT, "other.wait_s must be 0 or more, not nan"),
        ("other.loud = 'yes'", LOUD, "other.loud must be true or false, not 'yes'"),
    ],
)
def test_a_wrong_value_is_told_with_file_and_key_and_harms_no_other(
    tmp_path: Path, text: str, setting: Setting[Any], sentence: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    read = load(path)
    with pytest.raises(UsageError) as caught:
        read[setting]
    assert str(caught.value) == f"{path}: {sentence}"
    assert [read[other] for other in ALL if other is not setting]


@pytest.mark.parametrize("content", [b"tool = [", b"\xff\xfe", b"a = 1\na = 2", b"a = " + b"[" * 5000])
def test_what_is_no_toml_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    for attempt in (lambda: load(path), lambda: write(path, TEXT, "x"), lambda: remove(path, TEXT.name)):
        with pytest.raises(UsageError, match=r"config\.toml is no valid TOML \(.*\): correct it"):
            attempt()
    assert path.read_bytes() == content


def test_a_key_that_means_nothing_is_told_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[tool]\nmodes = 'slow'\n")
    with pytest.raises(UsageError, match=r"config\.toml: there is no setting tool\.modes: did you mean tool\.mode$"):
        load(path).refuse_unknown(ALL)
    path.write_text("tool = 'slow'\n")
    with pytest.raises(UsageError, match=r"config\.toml: tool must be a table"):
        write(path, MODE, "fast")


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        (LOUD, "Yes", True),
        (LOUD, "off", False),
        (COUNT, " 4", 4),
        (WAIT, "3", 3.0),
        (TEXT, "", ""),
        (MODE, "fast", "fast"),
    ],
)
def test_typed_values(setting: Setting[Any], text: str, value: object) -> None:
    assert setting.parse(text) == value and type(setting.parse(text)) is type(value)


@pytest.mark.parametrize(
    ("setting", "text", "wrong"),
    [
        (LOUD, "maybe", "must be true or false, not 'maybe'"),
        (COUNT, "four", "must be a whole number, not 'four'"),
        (COUNT, "0", "must be between 1 and 9, not 0"),
        (WAIT, "long", "must be a number, not 'long'"),
    ],
)
def test_typed_values_that_cannot_be_meant(setting: Setting[Any], text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=f"^{wrong}$"):
        setting.parse(text)


def test_every_setting_is_declared_once_with_a_good_default_and_a_line_of_help() -> None:
    declared = program_settings()
    names = [setting.name for setting in declared]
    assert len(names) == len(set(names)) and {"transcribe.backend", "library.path", "whisper.model", "server.port"} <= {
        *names
    }
    for setting in declared:
        assert Config()[setting] == setting.accept(setting.default)
        assert setting.help and "\n" not in setting.help and not setting.help.endswith(".")
