"""Holds every board to the rules of its pins; exit code 1 if one breaks any."""

import sys

from voicecard.device.boards import board_names, load_board
from voicecard.device.pin_rules import broken_rules


def check() -> list[str]:
    """A sentence for each rule that a board breaks."""
    return [f"{name}: {said}" for name in board_names() for said in broken_rules(load_board(name))]


if __name__ == "__main__":
    failures = check()
    sys.stderr.writelines(f"{said}\n" for said in failures)
    sys.stdout.write(f"hardware: {len(board_names())} boards, {len(failures)} broken rules\n")
    raise SystemExit(bool(failures))
