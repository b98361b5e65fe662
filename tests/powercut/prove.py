"""Runs inside MicroPython: `prove.py ROOT SESSION SOUND SEED CUTS SHARE SHARES` films a session (`recording` or `update`) and tries
its cuts, or its share of them; a line of JSON for each. CUTS: `all`, `1/N` (every Nth) or the id of one, which is told in detail.

An id is the number of the operation with `a` (after it, up to the next) or `h1`, `h2` (half-way, two ways); `0a` is before the
first. With `r` the power goes again during the start that follows."""
# ruff: noqa: E402 - the stand-ins are found after sys.path is set

import sys

_ROOT = sys.argv[1]
sys.path.insert(0, _ROOT + "/tests/powercut")
import power

power.prepare(_ROOT + "/firmware")
sys.path.append(power.HOST + _ROOT + "/tests/powercut")

from emulator.noise import Noise
from prover import Prover, chance
from renewal import UpdateProver

_PROVERS = {"recording": Prover, "update": UpdateProver}


def selection(text, seed, share, shares):
    """The function that says whether a cut is wanted."""
    if text == "all":
        return lambda name: Noise("share " + name).below(shares) == share
    if text.startswith("1/"):
        every = int(text[2:])
        return lambda name: chance(seed, "short " + name, every) and Noise("share " + name).below(shares) == share
    return lambda name: name == text


def main(session, sound, seed, cuts, share, shares):
    replay = cuts != "all" and not cuts.startswith("1/")
    prover = _PROVERS[session](power.HOST + sound, seed, print if replay else lambda text: None)
    prover.prove(selection(cuts, seed, int(share), int(shares)))
    print("done")


main(*sys.argv[2:])
