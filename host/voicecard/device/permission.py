"""Who may open a serial port: what somebody can do who may not, and the udev rule that lets a card's owner."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_SERIAL_GROUPS = ("dialout", "uucp")  # the second is Arch's
_RULES = "/etc/udev/rules.d/70-voicecard.rules"  # before 73, where uaccess takes effect
_READ_AND_WRITE = stat.S_IRGRP | stat.S_IWGRP


def refusal(path: str) -> str:
    """One sentence for somebody who may not open the port: whose it is, and what helps."""
    said = f"no permission to open {path}"
    try:
        about = Path(path).stat()
        group = grp.getgrgid(about.st_gid).gr_name
    except (OSError, KeyError):
        return f"{said}: {_rule_helps()}"
    if about.st_gid == 0 or about.st_mode & _READ_AND_WRITE != _READ_AND_WRITE:
        return f"{said}: no group of users may (it belongs to {group}), so {_rule_helps()}"
    if _is_listed(group) and about.st_gid not in os.getgroups():
        return f"{said}: its group {group} may, and you have joined that since you logged in: log out and in again"
    return f"{said}: its group {group} may, so join that (`sudo usermod -aG {group} $USER`, log in again), or {_rule_helps()}"


def udev_rule(identities: Iterable[tuple[int, int]]) -> str:
    """A udev rules file for devices of these USB vendor and product ids.

    The seat's user gets access by `uaccess`, others by the group; ModemManager does not try whether it is a modem."""
    how = f'MODE="0660", GROUP="{_serial_group()}", TAG+="uaccess", ENV{{ID_MM_PORT_IGNORE}}="1"'
    return "\n".join(
        [
            f"# Put this into {_RULES}: voicecard udev | sudo tee {_RULES}",
            "# Then: sudo udevadm control --reload; and plug the card in again.",
            *(
                f'SUBSYSTEM=="tty", ATTRS{{idVendor}}=="{vendor:04x}", ATTRS{{idProduct}}=="{product:04x}", {how}'
                for vendor, product in identities
            ),
        ]
    )


def _rule_helps() -> str:
    if sys.platform != "linux":
        return "ask who looks after this computer"
    return "install the udev rule that `voicecard udev` prints, and plug the card in again"


def _serial_group() -> str:
    """The group that serial ports have on this system."""
    for name in _SERIAL_GROUPS:
        with suppress(KeyError):
            return grp.getgrnam(name).gr_name
    return _SERIAL_GROUPS[0]


def _is_listed(group: str) -> bool:
    """Whether the system lists this user in the group, whatever this process belongs to."""
    with suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name in grp.getgrnam(group).gr_mem
    return False
