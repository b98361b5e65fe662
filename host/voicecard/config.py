"""The program's settings: one TOML file, read where it is needed and passed on.

The file is config.toml in the user's folder for settings (`~/.config/voicecard` on Linux), or what VOICECARD_CONFIG names.
A setting is declared once, as a `Setting`, beside the code that it governs; `config[SETTING]` is its value. What the file
lacks has its default; a value is checked when it is asked for, so that a wrong one stops only what needs it.
No secret belongs into this file: keys.py keeps those.
"""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from voicecard.errors import UsageError

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

Value = str | bool | int | float
T = TypeVar("T", str, bool, int, float)

_KINDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One key of the file. Its type is that of `default`; `name` is the table and the key, e.g. "whisper.model".

    `check` returns what is wrong with a value of the right type, None if nothing is."""

    name: str
    default: T
    help: str
    choices: tuple[T, ...] = ()
    at_least: float = -math.inf
    at_most: float = math.inf
    check: Callable[[T], str | None] | None = None

    def accept(self, value: object) -> T:
        """The value, if it can be meant. Raises ValueError whose text follows the setting's name."""
        kind = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise ValueError(f"must be {_KINDS[kind]}, not {value!r}")
        if self.choices and value not in self.choices:
            raise ValueError(f"must be one of {', '.join(map(str, self.choices))}, not {value!r}")
        if isinstance(value, int | float) and not self.at_least <= value <= self.at_most:
            raise ValueError(f"must be {self._range()}, not {value!r}")
        if self.check and (wrong := self.check(value)):
            raise ValueError(wrong)
        return value

    def parse(self, text: str) -> T:
        """The value that someone typed. Raises ValueError like `accept`."""
        if isinstance(self.default, str):
            return self.accept(text)
        if isinstance(self.default, bool):
            return self.accept(_WORDS.get(text.lower(), text))
        try:
            return self.accept(type(self.default)(text))
        except ValueError as error:
            raise (
                error
                if str(error).startswith("must")
                else ValueError(f"must be {_KINDS[type(self.default)]}, not {text!r}")
            ) from None

    def _range(self) -> str:
        if self.at_most == math.inf:
            return f"{self.at_least:g} or more"
        return (
            f"between {self.at_least:g} and {self.at_most:g}"
            if self.at_least > -math.inf
            else f"{self.at_most:g} or less"
        )


def _whole_path(path: str) -> str | None:
    return None if not path or Path(path).expanduser().is_absolute() else f"must begin with / or ~, not {path!r}"


LIBRARY_PATH = Setting("library.path", "", "folder of the library; ~/voicecard if empty", check=_whole_path)


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says. Without a file, or in a test, `Config()` has every default."""

    path: Path | None = None
    content: Mapping[str, object] = field(default_factory=dict)

    def __getitem__(self, setting: Setting[T]) -> T:
        """Raises UsageError with file and key if the file has a value that cannot be meant."""
        if setting.name not in self.content:
            return setting.default
        try:
            return setting.accept(self.content[setting.name])
        except ValueError as error:
            raise UsageError(f"{self.path}: {setting.name} {error}") from error

    def __contains__(self, setting: Setting[Any]) -> bool:
        """Whether the user has chosen a value."""
        return setting.name in self.content

    def refuse_unknown(self, settings: Collection[Setting[Any]]) -> None:
        """Raises UsageError for the first key of the file that none of the settings declares."""
        for name in self.content:
            try:
                find(name, settings)
            except UsageError as error:
                raise UsageError(f"{self.path}: {error}") from error


def default_path() -> Path:
    from platformdirs import user_config_path

    chosen = os.environ.get("VOICECARD_CONFIG")
    return Path(chosen).expanduser() if chosen else user_config_path("voicecard", appauthor=False) / "config.toml"


def load(path: Path | None = None) -> Config:
    """Read the file; there need not be one. Raises UsageError if it is no TOML."""
    path = path or default_path()
    try:
        with path.open("rb") as file:
            return Config(path, dict(_flat(tomllib.load(file))))
    except FileNotFoundError:
        return Config(path)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is no valid TOML ({error}): correct it, or move it away") from error


def find(name: str, settings: Collection[Setting[Any]]) -> Setting[Any]:
    """The setting of that name. Raises UsageError, with the nearest name, if there is none."""
    for setting in settings:
        if setting.name == name:
            return setting
    near = difflib.get_close_matches(name, [setting.name for setting in settings], 1)
    advice = f"did you mean {near[0]}" if near else "`voicecard config list` shows all"
    raise UsageError(f"there is no setting {name}: {advice}")


def write(path: Path, setting: Setting[T], value: T) -> None:
    """Put a value into the file, which keeps its comments and its order. Raises UsageError if the file is no TOML."""
    import tomlkit

    document = _editable(path)
    table, _, key = setting.name.rpartition(".")
    if table not in document:
        document[table] = tomlkit.table()
    if not isinstance(document[table], dict):
        raise UsageError(f"{path}: {table} must be a table: correct it, or move the file away")
    document[table][key] = value
    _replace(path, tomlkit.dumps(document))


def remove(path: Path, name: str) -> None:
    """Take a key out of the file, known or not, so that its default counts again. Raises UsageError if it is not there."""
    import tomlkit

    document = _editable(path)
    *tables, key = name.split(".")
    place: Any = document
    for table in tables:
        place = place.get(table) if isinstance(place, dict) else None
    if not isinstance(place, dict) or key not in place:
        raise UsageError(f"{path} does not set {name}")
    del place[key]
    _replace(path, tomlkit.dumps(document))


def _editable(path: Path) -> TOMLDocument:
    import tomlkit.exceptions

    load(path)  # tells what is wrong with it
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    except tomlkit.exceptions.TOMLKitError as error:  # should the two readers ever disagree
        raise UsageError(f"{path} is no valid TOML ({error}): correct it, or move it away") from error


def _replace(path: Path, text: str) -> None:
    """Durably, so that a cut at any instant leaves the old file or the new one; a link stays a link."""
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        "w", encoding="utf-8", newline="", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        beside = Path(file.name)
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            if path.exists():
                beside.chmod(path.stat().st_mode)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def _flat(content: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted names and values, depth first."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
