"""The command line: each command parses, calls one function, prints."""

from __future__ import annotations

import os
import sys
import traceback

__all__ = ["main"]


def main() -> None:
    """Run the command line. Expected failures are one sentence on stderr and exit code 1, wrong usage 2; a bug is a traceback."""
    from voicecard.cli.app import app
    from voicecard.errors import VoicecardError

    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        app(args=arguments, prog_name="voicecard")
    except VoicecardError as error:
        _fail(str(error), error.exit_code, debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read us has seen enough
        raise SystemExit(1) from None
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _fail(f"the system refused: {error.strerror or error}{where}", 1, debug)


def _fail(sentence: str, exit_code: int, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    sys.stderr.write(f"voicecard: {sentence}\n")
    raise SystemExit(exit_code)
