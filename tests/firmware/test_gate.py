"""The gate keeps speech with its surroundings and nothing else."""

import random

from card.capture.gate import Gate


def test_the_gate_keeps_speech_with_its_surroundings_and_nothing_else():
    random.seed(4)
    for _ in range(200):
        pre_roll, hang_over = random.randrange(0, 12), random.randrange(0, 30)
        speech = [random.random() < 0.05 for _ in range(300)]
        gate = Gate(pre_roll, hang_over)
        kept = [gate.step(s) for s in speech + [False] * pre_roll][pre_roll:]
        for frame in range(300):
            near = range(max(0, frame - hang_over), min(300, frame + pre_roll + 1))
            assert kept[frame] == any(speech[n] for n in near)
