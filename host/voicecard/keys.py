"""Keys of the services that a user has an account with: from the environment, or from the system's keyring.

A key is never written to a file, and belongs to one server: another server's address never gets it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import ModuleType

from voicecard.errors import UsageError, VoicecardError

SERVICE = "voicecard"
_NO_KEYRING = "there is no system keyring here: `pip install keyring` may bring one; else put the key into the environment variable {}"


@dataclass(frozen=True, slots=True)
class Key:
    """A secret that may be needed. `name` is what users call it, `server` what it is good for.

    `variables` are those of the environment that may hold it, the first one that is set counts."""

    name: str
    server: str
    variables: tuple[str, ...]

    @property
    def account(self) -> str:
        """Under which the keyring has it."""
        return f"{self.name}@{self.server}"


@dataclass(frozen=True, slots=True)
class FoundKey:
    """`where` is said to people, `value` to nobody but the server."""

    value: str = field(repr=False)
    where: str


def find_key(key: Key) -> FoundKey | None:
    """Look for a key. Raises UsageError for one that cannot be sent, VoicecardError if the keyring refuses."""
    for variable in key.variables:
        if value := os.environ.get(variable, "").strip():
            return FoundKey(checked(value, f"the environment variable {variable}"), f"environment variable {variable}")
    if find_spec("keyring") is None:
        return None
    import keyring.errors

    try:
        value = keyring.get_password(SERVICE, key.account) or ""
    except keyring.errors.NoKeyringError:
        return None
    except Exception as error:  # keyrings are plug-ins, and raise what they like
        raise _refused(key, error) from None
    return FoundKey(checked(value, "the keyring"), "keyring") if value else None


def store_key(key: Key, value: str) -> None:
    """Put a key into the keyring. Raises UsageError for what cannot be one, VoicecardError where there is no keyring."""
    value = checked(value.strip(), "what was entered")
    keyring = _keyring(key)
    try:
        keyring.set_password(SERVICE, key.account, value)
    except Exception as error:
        raise _refused(key, error) from None


def forget_key(key: Key) -> None:
    """Take a key out of the keyring. Raises VoicecardError if it is not there."""
    keyring = _keyring(key)
    try:
        keyring.delete_password(SERVICE, key.account)
    except keyring.errors.PasswordDeleteError as error:
        raise VoicecardError(f"the keyring has no key {key.name} for {key.server}") from error
    except Exception as error:
        raise _refused(key, error) from None


def checked(value: str, where: str) -> str:
    """Raises UsageError, which does not show it, for what no HTTP header can carry."""
    if not re.fullmatch(r"[!-~]{1,4096}", value):
        raise UsageError(f"{where} holds no key: one is a line of letters, digits and signs without a space")
    return value


def redacted(text: str, key: FoundKey | None) -> str:
    """The text without the key, should somebody have put it there."""
    return text.replace(key.value, "[key]") if key else text


def _keyring(key: Key) -> ModuleType:
    if find_spec("keyring") is None:
        raise VoicecardError(_NO_KEYRING.format(key.variables[0]))
    import keyring.errors

    if keyring.get_keyring().priority <= 0:
        raise VoicecardError(_NO_KEYRING.format(key.variables[0]))
    return keyring


def _refused(key: Key, error: Exception) -> VoicecardError:
    return VoicecardError(
        f"the system keyring refused ({type(error).__name__}): unlock it, or put the key into the environment variable {key.variables[0]}"
    )
