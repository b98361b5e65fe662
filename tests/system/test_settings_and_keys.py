"""Settings, keys and backends as a person meets them: commands, files, one sentence for whatever is wrong."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from openai.types import audio as oracle
from serving import Asked, Scripted

from host.vcr import CardFile
from voicecard.library.archive import Library

Run = Callable[..., subprocess.CompletedProcess[str]]
KEY = "sk-Zx91secretQw77"


def sentence(done: subprocess.CompletedProcess[str], exit_code: int = 1) -> str:
    assert (done.returncode, done.stdout) == (exit_code, ""), (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("voicecard: ") and not last.endswith(".")
    return last.removeprefix("voicecard: ")


@pytest.fixture
def talks(tmp_path: Path, conversation: Path) -> list[str]:
    """Ids of two recordings in the library: the conversation's first turn, and its second."""
    samples, rate = soundfile.read(conversation, dtype="int16")
    ids = []
    with Library(tmp_path / "library") as library:
        for number, (start_s, end_s) in enumerate([(1.7, 7.2), (8.3, 12.9)], 1):
            card = CardFile(number=number, nonce=bytes(7) + bytes([number]))
            card.audio(samples[int(start_s * rate) : int(end_s * rate) // 320 * 320]).end()
            with library.begin(card.card, card.number, card.nonce.hex()) as incoming:
                for raw in card.sectors:
                    incoming.append(bytes(raw))
                ids.append(incoming.finish(None, "", None).id)
    return ids


# --- config


def test_a_setting_is_shown_changed_and_taken_back(voicecard: Run, tmp_path: Path) -> None:
    assert voicecard("config", "get", "transcribe.backend").stdout == "auto\n"
    assert voicecard("config", "set", "transcribe.backend", "pocketsphinx").returncode == 0
    assert voicecard("config", "get", "transcribe.backend").stdout == "pocketsphinx\n"
    assert (tmp_path / "voicecard" / "config.toml").read_text() == '[transcribe]\nbackend = "pocketsphinx"\n'
    listed = {each["name"]: each for each in json.loads(voicecard("config", "list", "--json").stdout)}
    chosen = listed["transcribe.backend"]
    assert (chosen["value"], chosen["default"], chosen["set"]) == ("pocketsphinx", "auto", True) and chosen["help"]
    assert listed["wyoming.port"]["value"] == 10300 and not listed["wyoming.port"]["set"]
    table = voicecard("config", "list")
    assert "config.toml" in table.stderr and "whisper.model" in table.stdout
    assert voicecard("config", "unset", "transcribe.backend").returncode == 0
    assert voicecard("config", "get", "transcribe.backend").stdout == "auto\n"


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("get", "whisper.mode"), "there is no setting whisper.mode: did you mean whisper.model"),
        (("set", "wyoming.port", "lots"), "wyoming.port must be a whole number, not 'lots'"),
        (("set", "wyoming.port", "70000"), "wyoming.port must be between 1 and 65535, not 70000"),
        (("set", "whisper.device", "tpu"), "whisper.device must be one of auto, cpu, cuda, not 'tpu'"),
        (("set", "transcribe.backend", "ears"), "transcribe.backend must be auto or one of dashscope, openai, "),
        (("set", "library.path", "here"), "library.path must begin with / or ~, not 'here'"),
        (("set", "openai.key", KEY), "there is no setting openai.key: "),
        (("unset", "wyoming.port"), "does not set wyoming.port"),
    ],
)
def test_what_cannot_be_set(voicecard: Run, tmp_path: Path, arguments: tuple[str, ...], wrong: str) -> None:
    assert wrong in sentence(voicecard("config", *arguments), 2)
    assert not (tmp_path / "voicecard").exists()


def test_a_wrong_file_is_named_and_stops_only_what_needs_it(
    voicecard: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "voicecard" / "config.toml"
    path.parent.mkdir()
    path.write_text("[whisper]\ndevice = 'tpu'\n")
    wrong = f"{path}: whisper.device must be one of auto, cpu, cuda, not 'tpu'"
    assert sentence(voicecard("config", "list"), 2) == sentence(voicecard("transcription-server"), 2) == wrong
    assert voicecard("ls", "--json").stdout == "[]\n"
    states = {each["name"]: each for each in json.loads(voicecard("backends", "--json").stdout)}
    assert "whisper.device must be" in states["whisper"]["missing"] and states["pocketsphinx"]["ready"]
    path.write_text("[wisper]\ndevice = 'cpu'\n")
    assert sentence(voicecard("config", "list"), 2) == (
        f"{path}: there is no setting wisper.device: did you mean whisper.device"
    )
    path.write_text("library.path = 3")
    assert voicecard("ls").returncode == 0, "VOICECARD_HOME says where"
    monkeypatch.setenv("VOICECARD_TEST_HOME", "")
    assert sentence(voicecard("ls"), 2) == f"{path}: library.path must be text, not 3"


def test_the_library_is_where_the_option_the_environment_or_the_setting_has_it(
    voicecard: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voicecard("config", "set", "library.path", tmp_path / "by setting")
    voicecard("ls")
    assert (tmp_path / "library").exists() and not (tmp_path / "by setting").exists(), "VOICECARD_HOME is set"
    voicecard("ls", "--library", tmp_path / "by option")
    assert (tmp_path / "by option").exists() and not (tmp_path / "by setting").exists()
    monkeypatch.setenv("VOICECARD_TEST_HOME", "")
    voicecard("ls")
    assert (tmp_path / "by setting").exists()


# --- backends, transcribe, evaluate


def test_backends_say_what_each_lacks(voicecard: Run) -> None:
    states = {each["name"]: each for each in json.loads(voicecard("backends", "--json").stdout)}
    assert {name for name, state in states.items() if state["sends_audio"]} == {"dashscope", "openai", "wyoming"}
    assert {name for name, state in states.items() if state["ready"]} == {"pocketsphinx"}
    assert all(bool(state["missing"]) is not state["ready"] for state in states.values())
    assert [name for name, state in states.items() if state["used"]] == ["pocketsphinx"]
    shown = voicecard("backends").stdout.splitlines()
    assert any(line.startswith("*pocketsphinx") and line.endswith("ready") for line in shown)


def test_several_recordings_and_how_good_the_text_is(voicecard: Run, tmp_path: Path, talks: list[str]) -> None:
    done = voicecard("transcribe", *talks, talks[0])
    assert done.returncode == 0
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == talks
    assert all(line.endswith("transcribed by pocketsphinx, model en-us") for line in done.stderr.splitlines())
    said = tmp_path / "said.txt"
    said.write_text("Good morning. I would like to talk about the new contract with your enterprise.\n")
    score = json.loads(voicecard("evaluate", "--reference", said, talks[0], "--json").stdout)
    assert score["words"] == 14 and 1 / 14 <= score["rate"] <= 3 / 14 and score["backend"] == "pocketsphinx"
    shown = voicecard("evaluate", "--reference", said, talks[0]).stdout
    assert f"word error rate {score['rate']:.1%} (" in shown
    said.write_text(" - ")
    assert "cannot be compared with (the reference has no words)" in sentence(
        voicecard("evaluate", "--reference", said, talks[0]), 2
    )
    said.write_bytes(b"\xff\xfe")
    assert "cannot be compared with" in sentence(voicecard("evaluate", "--reference", said, talks[0]), 2)
    assert "none.txt" in sentence(voicecard("evaluate", "--reference", tmp_path / "none.txt", talks[0]))


def test_evaluate_needs_a_transcript(voicecard: Run, talks: list[str], tmp_path: Path) -> None:
    assert f"`voicecard transcribe {talks[0]}` makes one" in sentence(
        voicecard("evaluate", "--reference", tmp_path / "said.txt", talks[0])
    )


def test_one_recordings_failure_does_not_keep_the_others_from_their_text(
    voicecard: Run, talks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is in the environment of each run, and nowhere in what it says or leaves behind."""
    answers = iter([(500, {"error": f"no memory for {KEY}"}), (200, oracle.Transcription(text="so").model_dump())])
    asked: list[Asked] = []

    def answer(request: Asked) -> tuple[int, object, dict[str, str]]:
        asked.append(request)
        return *next(answers), {}

    monkeypatch.setenv("VOICECARD_OPENAI_KEY", KEY)
    with Scripted(answer).running() as address:
        voicecard("config", "set", "openai.base_url", f"{address}/v1")
        voicecard("config", "set", "openai.response_format", "json")
        done = voicecard("transcribe", *talks, "--backend", "openai", "--language", "en", "--debug")
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert first.startswith(f"{talks[0]} is safe in the library, but not transcribed: the transcription server ")
    assert second == f"{talks[1]}: 1 passages transcribed by openai, model whisper-1"
    assert [request.fields["language"] for request in asked] == [["en"], ["en"]]
    assert "no memory for [key]" in first


def test_a_language_that_a_backend_does_not_hear(voicecard: Run, talks: list[str]) -> None:
    told = sentence(voicecard("transcribe", talks[0], "--language", "de", "--backend", "pocketsphinx"))
    assert told == "pocketsphinx hears en, not de: choose another backend or language"


# --- keys


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system keyring of the keyring package's own kind, which keeps its content in the file that this returns."""
    folder = tmp_path.parent / f"{tmp_path.name}-keyring"
    folder.mkdir()
    kept = folder / "kept.json"
    (folder / "ring.py").write_text(f"""
import json, pathlib
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError
KEPT = pathlib.Path({str(kept)!r})
class Ring(KeyringBackend):
    priority = 5
    def _all(self):
        if (KEPT.parent / "locked").exists(): raise KeyringLocked("{KEY}")
        return json.loads(KEPT.read_text()) if KEPT.exists() else {{}}
    def get_password(self, service, user): return self._all().get(f"{{service}} {{user}}")
    def set_password(self, service, user, value): KEPT.write_text(json.dumps(self._all() | {{f"{{service}} {{user}}": value}}))
    def delete_password(self, service, user):
        content = self._all()
        if f"{{service}} {{user}}" not in content: raise PasswordDeleteError
        del content[f"{{service}} {{user}}"]
        KEPT.write_text(json.dumps(content))
""")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("VOICECARD_TEST_KEYRING", "ring.Ring")
    return kept


def found(voicecard: Run) -> dict[str, str | None]:
    return {each["name"]: each["where"] for each in json.loads(voicecard("key", "list", "--json").stdout)}


def test_a_key_is_kept_by_the_keyring_for_one_server_and_shown_to_nobody(
    voicecard: Run, keyring: Path, talks: list[str], tmp_path: Path
) -> None:
    said = []

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        done = voicecard(*arguments, **options)
        said.append(done.stdout + done.stderr)
        return done

    with Scripted(lambda asked: (401, {"error": {"message": f"bad key {KEY}"}}, {})).running() as address:
        run("config", "set", "openai.base_url", f"{address}/v1")
        with (tmp_path.parent / f"{tmp_path.name}-keyring" / "typed").open("w+") as typed:
            typed.write(KEY + "\n")
            typed.seek(0)
            assert run("key", "set", "openai", stdin=typed).returncode == 0
        assert json.loads(keyring.read_text()) == {f"voicecard openai@{address.removeprefix('http://')}": KEY}
        assert found(run) == {"dashscope": None, "openai": "keyring", "server": None}
        done = run("--debug", "transcribe", talks[0], "--backend", "openai")
        assert done.returncode == 1 and "the key from the keyring is not accepted" in done.stderr
        assert "Traceback" in done.stderr, "--debug shows where, and no value"
    run("config", "set", "openai.base_url", "http://127.0.0.1:9/v1")
    assert found(run)["openai"] is None, "another server's key is another key"
    run("config", "set", "openai.base_url", f"{address}/v1")
    assert run("key", "forget", "openai").returncode == 0 and found(run)["openai"] is None
    assert "has no key openai" in sentence(run("key", "forget", "openai"))
    left = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(left) > 5 and KEY.encode() not in b"".join(left) and KEY not in "".join(said)


def test_the_environment_comes_first(voicecard: Run, keyring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.write_text(json.dumps({"voicecard openai@api.openai.com": KEY}))
    assert found(voicecard)["openai"] == "keyring"
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert found(voicecard)["openai"] == "environment variable OPENAI_API_KEY"


def test_a_key_is_typed_without_echo(keyring: Path, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    environment = {**os.environ, "PYTHON_KEYRING_BACKEND": "ring.Ring", "XDG_CONFIG_HOME": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "voicecard", "key", "set", "dashscope"],
        stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        while b"dashscope-intl.aliyuncs.com" not in shown:
            shown += os.read(master, 1024)
        while b": " not in shown.partition(b"aliyuncs.com")[2]:  # what is typed before that is thrown away
            shown += os.read(master, 1024)
        os.write(master, KEY.encode() + b"\n")
        while chunk := read_or_end(master):
            shown += chunk
    finally:
        watchdog.cancel()
        assert process.wait(60) == 0
        os.close(master)
    assert KEY in keyring.read_text() and KEY.encode() not in shown


def read_or_end(master: int) -> bytes:
    try:
        return os.read(master, 1024)
    except OSError:  # how Linux tells that the other side has gone
        return b""


def test_what_the_keyring_refuses_is_one_sentence(
    voicecard: Run, keyring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (keyring.parent / "locked").touch()
    told = sentence(voicecard("transcribe", "x", "--backend", "openai")) + voicecard("backends", "--json").stdout
    told += voicecard("key", "list").stdout
    assert "the system keyring refused (KeyringLocked): unlock it, or put the key into the environment variable" in told
    assert KEY not in told
    monkeypatch.delenv("VOICECARD_TEST_KEYRING")
    assert "there is no system keyring here" in sentence(
        voicecard("key", "set", "openai", input=f"{KEY}\n", stdin=None)
    )
    assert "nothing needs a key 'ear'" in sentence(voicecard("key", "set", "ear"), 2)
    for typed in ("\n", "two words\n", "späße\n"):
        told = sentence(voicecard("key", "set", "openai", input=typed, stdin=None), 2)
        assert told.startswith("what was entered holds no key: ") and (typed.strip() or "x") not in told
