"""A summary is made by the server that its owner names, kept, shown, and put on the page; and nothing is sent before that."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from serving import Asked, Scripted

from voicecard.config import Config
from voicecard.errors import BackendError, UsageError
from voicecard.insight.summariser import FEWEST_WORDS, Summariser
from voicecard.transcript import Segment, Transcript

Run = Callable[..., subprocess.CompletedProcess[str]]
KEY = "sk-Qq77secretTz41"
SAID = Transcript(
    "ears", "m", "en", tuple(Segment(30.0 * n, 30.0 * n + 5, f"number {n} {'word ' * 12}", "S1") for n in range(600))
)
FEW = Transcript("ears", "m", "en", (Segment(0.0, 1.0, " ".join(["word"] * (FEWEST_WORDS - 1))),))


def answering(text: object, reason: str = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}]}


def summariser(address: str, **settings: object) -> Summariser:
    content = {"base_url": f"{address}/v1", "timeout_s": 5.0, **settings}
    return Summariser(Config(content={f"summarise.{name}": value for name, value in content.items()}))


def test_the_request_is_the_one_that_openais_own_client_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICECARD_SUMMARISE_KEY", KEY)
    script = Scripted(lambda asked: (200, answering("They agreed."), {}))
    with script.running() as address:
        made = summariser(address, model="m1", piece_characters=1_000_000, language="German").summarise(
            SAID, {"S1": "Anna"}
        )
        messages = script.asked[0].body["messages"]
        with openai.OpenAI(api_key=KEY, base_url=f"{address}/v1") as client:
            client.chat.completions.create(model="m1", messages=messages, stream=False)
    ours, theirs = script.asked
    assert (ours.path, ours.body) == (theirs.path, theirs.body)
    assert ours.headers["authorization"] == theirs.headers["authorization"]
    assert (made.text, made.model, made.server) == ("They agreed.", "m1", address.removeprefix("http://"))
    assert messages[1]["content"].startswith("[0:00] Anna: number 0 word") and "German" in messages[0]["content"]


@pytest.mark.parametrize("characters", [2_000, 9_000, 20_000])
def test_a_long_transcript_goes_out_in_parts_and_none_of_it_is_left_out(characters: int) -> None:
    def answer(asked: Asked) -> tuple[int, Any, dict[str, str]]:
        text = asked.body["messages"][1]["content"]
        assert len(text) <= characters
        return 200, answering("<think>let me see</think>" + text), {}  # as long as it may be

    script = Scripted(answer)
    with script.running() as address:
        made = summariser(address, piece_characters=characters).summarise(SAID, {})
    sent = "\n".join(asked.body["messages"][1]["content"] for asked in script.asked)
    assert all(f"number {n} " in sent for n in range(600))
    assert "part" in script.asked[0].body["messages"][0]["content"]
    assert 0 < len(made.text) <= characters and "think" not in made.text


def test_a_transcript_of_a_few_words_is_not_sent() -> None:
    script = Scripted(lambda asked: (500, {}, {}))
    with script.running() as address:
        made = summariser(address).summarise(FEW, {})
    assert script.asked == [] and made.text == FEW.text and not made.server


@pytest.mark.parametrize(
    "status, body, sentence, retry",
    [
        (429, {"error": {"message": "slow down"}}, "answered 429 .slow down.: try again later", True),
        (503, b"", "answered 503: try again later", True),
        (404, {"error": "no model m1"}, "check summarise.base_url and summarise.model", False),
        (401, {"error": {"message": KEY}}, "the key from the environment .* is not accepted", False),
        (200, b"hello", "with no JSON instead of a summary", False),
        (200, [], "with something else instead of a summary", False),
        (200, {"choices": []}, "with something else instead of a summary", False),
        (200, answering(None), "with something else", False),
        (200, answering("\ud800"), "with something else", False),
        (200, answering(" <think>hm</think>\n"), "with nothing instead", False),
        (200, answering("x" * 20_001), "more than 20000 characters", False),
        (200, answering("They ag", "length"), "half a text", False),
    ],
)
def test_what_a_server_says_wrong_is_told_and_no_key_with_it(
    status: int, body: Any, sentence: str, retry: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICECARD_SUMMARISE_KEY", KEY)
    with (
        Scripted(lambda asked: (status, body, {})).running() as address,
        pytest.raises(BackendError, match=sentence) as caught,
    ):
        summariser(address).summarise(SAID, {})
    assert caught.value.retry is retry and KEY not in str(caught.value)


def test_a_key_of_openai_goes_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    script = Scripted(lambda asked: (200, answering("Yes."), {}))
    with script.running() as address:
        summariser(address).summarise(SAID, {})
    assert "authorization" not in script.asked[0].headers


def test_without_a_server_nothing_is_called_for() -> None:
    with pytest.raises(UsageError, match=r"voicecard config set summarise\.base_url ADDRESS"):
        Summariser(Config())


def test_from_a_sound_file_to_a_summary_on_the_page(
    voicecard: Run, conversation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICECARD_CONFIG", str(tmp_path / "config.toml"))
    broken = True

    def answer(asked: Asked) -> tuple[int, Any, dict[str, str]]:
        if broken:
            return 400, {"error": {"message": "model asleep"}}, {}
        return 200, answering(f"Talk {len(script.asked)} of the contract.\n\n## Transcript\n- [ ] sign <it>"), {}

    def told(*arguments: object, code: int = 0) -> str:
        done = voicecard(*arguments)
        assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    script = Scripted(answer)
    with script.running() as address:
        told("import", conversation, "--no-transcribe")
        assert "there is no server for summaries" in told("summarise", "latest", code=2)
        told("config", "set", "summarise.base_url", f"{address}/v1")
        assert "has no transcript" in told("summarise", "latest", code=1)
        said = told("transcribe", "latest")
        assert "but not summarised: the summary server" in said and "model asleep" in said
        folder = Path(json.loads(told("show", "latest", "--json"))["folder"])
        page = (folder / "transcript.md").read_text(encoding="utf-8")
        assert "Summary" not in page and "contract with your company" in page, "the transcript is as it was"
        (job,) = json.loads(told("jobs", "--json"))
        assert (job["stage"], job["state"]) == ("summarise", "given up") and "voicecard retry" in job["advice"]
        broken = False
        assert "1 done, 0 failed" in told("retry")
        shown = json.loads(told("show", "latest", "--json"))
        assert (
            shown["summary"]["text"].startswith("Talk 2 of the contract.") and shown["summary"]["model"] == "llama3.2"
        )
        assert "Talk 2 of the contract." in told("show", "latest")
        page = (folder / "transcript.md").read_text(encoding="utf-8")
        assert "> Talk 2 of the contract.\n>\n> ## Transcript\n> - [ ] sign &lt;it>\n" in page
        told("rename", "latest", "The contract")
        told("transcribe", "latest")
        page = (folder / "transcript.md").read_text(encoding="utf-8")
        assert "Talk 3 of" in page and "Talk 2 of" not in page and "title: The contract" in page
        assert not list(folder.glob("*edited*")), "nobody has edited it"
        assert told("jobs").startswith("there is nothing to do")
