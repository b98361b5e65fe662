"""Sound for the ears, by the first player that is on this computer."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from voicecard.errors import VoicecardError

# Each with where to begin, in seconds.
_PLAYERS = (
    ("mpv", "--no-video", "--start={start_s}", "--", "{file}"),
    ("ffplay", "-hide_banner", "-loglevel", "warning", "-stats", "-nodisp", "-autoexit", "-ss", "{start_s}", "{file}"),
    ("cvlc", "--play-and-exit", "--start-time={start_s}", "{file}"),
    ("vlc", "-I", "dummy", "--play-and-exit", "--start-time={start_s}", "{file}"),
)


def play(file: Path, start_s: float) -> None:
    """Play a file to its end. Raises VoicecardError without a player, or when that fails."""
    for name, *arguments in _PLAYERS:
        if (program := shutil.which(name)) is not None:
            filled = [argument.format(start_s=f"{start_s:g}", file=file) for argument in arguments]
            done = subprocess.run([program, *filled], stdin=None)
            if done.returncode:
                raise VoicecardError(f"{name} could not play {file}: it ended with {done.returncode}")
            return
    raise VoicecardError(f"there is no player: install mpv, ffmpeg or VLC, or open {file} with a program of yours")
