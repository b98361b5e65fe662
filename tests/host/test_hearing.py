"""`voicecard vad` shows what the card itself would decide, and draws it."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from interpreters import ROOT
from voicecard.hearing import replay

CONVERSATION = ROOT / "tests" / "demo" / "conversation.flac"


def vad(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voicecard", "vad", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("frame_ms", [10, 20, 30])
def test_the_cards_engine_and_the_original_print_the_same_line(frame_ms: int) -> None:
    lines = {
        e: vad(CONVERSATION, "--frame-ms", frame_ms, "--mode", 2, "--engine", e).stdout for e in ("card", "webrtc")
    }
    assert lines["card"] == lines["webrtc"]
    assert len(lines["card"]) - 1 == soundfile.info(CONVERSATION).frames // (16 * frame_ms)
    assert set(lines["card"]) == {"0", "1", "\n"}


def test_json_and_picture_say_what_the_gate_keeps(tmp_path: Path) -> None:
    done = vad(CONVERSATION, "--json", "--plot", tmp_path / "gate.png")
    told = json.loads(done.stdout)
    assert 35 < told["speech_s"] < told["kept_s"] < told["length_s"] == pytest.approx(58.785, abs=0.001)
    with Image.open(tmp_path / "gate.png") as picture:
        assert picture.width > 900
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 16) or []}
    assert {(0xCF, 0xE8, 0xCF), (0xC0, 0x50, 0x20)} <= colours, "kept stretches are green, speech is marked"


def test_other_rates_and_channels_are_taken_with_a_note(tmp_path: Path) -> None:
    samples, _ = soundfile.read(CONVERSATION)
    stereo = np.repeat(samples[: 5 * 16000, None], 3, axis=0).repeat(2, axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, 48000)
    done = vad(tmp_path / "stereo.wav", "--engine", "webrtc")
    assert len(done.stdout) - 1 == 5000 // 30
    assert "2 channels mixed" in done.stderr and "resampled from 48000" in done.stderr


@pytest.mark.parametrize(
    "arguments, exit_code", [(["nowhere.wav"], 1), ([__file__], 1), ([CONVERSATION, "--mode", 4], 2), ([], 2)]
)
def test_bad_input_is_one_sentence(arguments: list[object], exit_code: int) -> None:
    done = vad(*arguments)
    assert done.returncode == exit_code and done.stdout == "" and "Traceback" not in done.stderr


@given(st.lists(st.booleans(), min_size=1, max_size=80), st.integers(0, 12), st.integers(0, 30))
def test_what_is_drawn_as_kept_is_what_the_cards_gate_keeps(speech: list[bool], pre_roll: int, hang_over: int) -> None:
    gate = runpy.run_path(str(ROOT / "firmware" / "card" / "capture" / "gate.py"))["Gate"](pre_roll, hang_over)
    card = [gate.step(s) for s in speech + [False] * pre_roll][pre_roll:]
    assert replay.keep(np.array(speech), pre_roll, hang_over).tolist() == card


def test_the_defaults_are_the_cards() -> None:
    table = runpy.run_path(str(ROOT / "firmware" / "card" / "settings.py"))["TABLE"]
    card = (table["vad_mode"][0], table["pre_roll_ms"][0], table["hang_over_ms"][0])
    assert card == (replay.MODE, replay.PRE_ROLL_MS, replay.HANG_OVER_MS)
    modes = {json.loads(vad(CONVERSATION, "--json", *mode).stdout)["mode"] for mode in ([], ["--mode", replay.MODE])}
    assert modes == {replay.MODE}
