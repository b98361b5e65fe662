"""Backends that speak to servers, over real sockets: what is asked, what is made of each answer, what each failure means.

Answers are made by OpenAI's own package from its own types, so that they have the shape of the real ones."""

from __future__ import annotations

import asyncio
import io
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import soundfile
from openai.types import audio as oracle
from serving import Asked, Scripted
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.server import AsyncEventHandler, AsyncServer

from voicecard.config import Config
from voicecard.errors import BackendError, UsageError
from voicecard.http import retry_after_s
from voicecard.transcribe.audio import encoded
from voicecard.transcribe.backend import Backend, backend
from voicecard.transcribe.model import Segment
from voicecard.transcribe.openai import PIECE_BYTES
from voicecard.transcribe.pieces import transcribe_stretches

RATE = 16_000
KEY = "sk-Zx91secretQw77"
SOUND = (np.sin(np.arange(RATE) / 20) * 9000).astype(np.int16)


@pytest.fixture(autouse=True)
def own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI", "DASHSCOPE"):
        monkeypatch.setenv(f"VOICECARD_{name}_KEY", KEY)


def talking_to(address: str, name: str = "openai", **values: object) -> Backend:
    content = {f"{name}.base_url": f"{address}/v1", f"{name}.timeout_s": 5}
    return backend(
        name, Config(Path("config.toml"), content | {f"{name}.{key}": value for key, value in values.items()})
    )


def verbose(**extra: Any) -> dict[str, Any]:
    figures = {
        "seek": 0,
        "tokens": [1],
        "temperature": 0,
        "avg_logprob": -0.1,
        "compression_ratio": 1,
        "no_speech_prob": 0,
    }
    segments = [
        oracle.TranscriptionSegment(id=0, start=0.25, end=0.5, text=" Good morning.", **figures),
        oracle.TranscriptionSegment(id=1, start=0.5, end=0.75, text=" Ship it.", **figures),
    ]
    words = [("Good", 0.25, 0.375), ("morning", 0.375, 0.53), ("Ship", 0.5, 0.625), ("it", 0.625, 0.75)]
    answer = oracle.TranscriptionVerbose(
        duration=1.0,
        language="english",
        text="Good morning. Ship it.",
        segments=segments,
        words=[oracle.TranscriptionWord(word=word, start=start, end=end) for word, start, end in words],
    )
    return answer.model_dump(mode="json") | {"task": "transcribe"} | extra


def diarized() -> dict[str, Any]:
    parts = [
        oracle.TranscriptionDiarizedSegment(id=f"s{n}", start=n / 4, end=(n + 1) / 4, text=text, speaker=who, type=kind)
        for n, (who, text, kind) in enumerate(
            [("A", "Morning.", "transcript.text.segment"), ("B", "Hello.", "transcript.text.segment")]
        )
    ]
    whole = oracle.TranscriptionDiarized(duration=1, task="transcribe", text="Morning. Hello.", segments=parts)
    return whole.model_dump(mode="json")


# --- openai


def test_segments_words_and_language_come_with_their_times() -> None:
    script = Scripted(lambda asked: (200, verbose(), {}))
    with script.running() as address:
        transcript = transcribe_stretches(talking_to(address), [(3 * RATE, SOUND)], RATE)
    assert [(s.start_s, s.end_s, s.text) for s in transcript.segments] == [
        (3.25, 3.5, "Good morning."),
        (3.5, 3.75, "Ship it."),
    ]
    assert [[w.text for w in s.words] for s in transcript.segments] == [["Good", "morning"], ["Ship", "it"]]
    assert (transcript.backend, transcript.model, transcript.language) == ("openai", "whisper-1", "en")
    (asked,) = script.asked
    assert asked.path == "/v1/audio/transcriptions" and asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.fields == {
        "model": ["whisper-1"],
        "response_format": ["verbose_json"],
        "timestamp_granularities[]": ["segment", "word"],
    }
    sound, rate = soundfile.read(io.BytesIO(asked.file), dtype="int16")
    assert rate == RATE and np.array_equal(sound, SOUND) and asked.file_name == "piece.flac"


def test_the_request_is_the_one_that_openais_own_package_sends() -> None:
    script = Scripted(lambda asked: (200, verbose(), {}))
    with script.running() as address:
        talking_to(address).transcribe(SOUND, RATE, "de")
        with openai.OpenAI(api_key=KEY, base_url=f"{address}/v1") as client:
            client.audio.transcriptions.create(
                file=("piece.flac", encoded(SOUND, RATE), "audio/flac"),
                model="whisper-1",
                response_format="verbose_json",
                timestamp_granularities=["segment", "word"],
                language="de",
            )
    ours, theirs = script.asked
    assert (ours.path, ours.fields, ours.file, ours.file_name) == (
        theirs.path,
        theirs.fields,
        theirs.file,
        theirs.file_name,
    )
    assert ours.headers["authorization"] == theirs.headers["authorization"]


def test_words_within_segments_are_taken_as_whisper_cpp_sends_them() -> None:
    answer = verbose(words=None, language="de")
    answer["segments"][1]["words"] = [{"word": " Ship", "start": 0.5, "end": 0.6, "probability": 0.9}]
    with Scripted(lambda asked: (200, answer, {})).running() as address:
        heard = talking_to(address).transcribe(SOUND, RATE)
    assert [[w.text for w in s.words] for s in heard.segments] == [[], ["Ship"]] and heard.language == "de"


def test_speakers_are_asked_of_the_models_that_know_them() -> None:
    script = Scripted(lambda asked: (200, diarized(), {}))
    with script.running() as address:
        told = talking_to(address, model="gpt-4o-transcribe-diarize")
        heard = told.transcribe(SOUND, RATE)
    assert [(s.speaker, s.text) for s in heard.segments] == [("A", "Morning."), ("B", "Hello.")]
    assert told.limits.speakers_of_piece
    assert script.asked[0].fields["response_format"] == ["diarized_json"]
    assert script.asked[0].fields["chunking_strategy"] == ["auto"]


@pytest.mark.parametrize("server", ["refuses", "ignores"])
def test_a_server_without_times_is_asked_for_text_in_short_pieces(server: str) -> None:
    def answer(asked: Asked) -> tuple[int, Any, dict[str, str]]:
        if server == "refuses" and asked.fields["response_format"] != ["json"]:
            message = "response_format 'verbose_json' is not compatible with model. Use 'json' or 'text' instead."
            return 400, {"error": {"message": message, "param": "response_format", "code": "unsupported_value"}}, {}
        return 200, oracle.Transcription(text="so").model_dump(mode="json"), {}

    script = Scripted(answer)
    with script.running() as address:
        transcript = transcribe_stretches(talking_to(address), [(0, np.tile(SOUND, 70))], RATE)
        assert len(script.asked) == 4
        script.asked.clear()
        transcribe_stretches(talking_to(address, model="gpt-4o-transcribe"), [(0, SOUND)], RATE)
        assert [asked.fields["response_format"] for asked in script.asked] == [["json"]]
    assert len(transcript.segments) == 3 and all(0 < s.end_s - s.start_s <= 30 for s in transcript.segments)
    assert transcript.segments[0].start_s == 0 and transcript.segments[-1].end_s == 70


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_no_piece_is_larger_than_the_service_takes(rate: int) -> None:
    """Noise does not compress: the longest piece of it stays below 25 MB, and as base64 below 10 MB."""
    for name, largest in (("openai", 25_000_000), ("dashscope", 10_000_000 * 3 // 4)):
        limits = backend(name, Config()).limits
        assert limits.piece_bytes
        count = min(int(limits.piece_s * rate), limits.piece_bytes // 2)
        noise = np.random.default_rng(1).integers(-32768, 32768, count, np.int16)
        assert len(encoded(noise, rate)) < largest
    assert PIECE_BYTES > 20_000_000


def test_a_key_goes_to_the_server_it_belongs_to_and_to_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOICECARD_OPENAI_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    script = Scripted(lambda asked: (200, verbose(), {}))
    with script.running() as address:
        talking_to(address).transcribe(SOUND, RATE)
    assert "authorization" not in script.asked[0].headers and KEY not in repr(script.asked)
    assert backend("openai", Config()).missing() is None
    assert backend("openai", Config(None, {"openai.base_url": "https://api.groq.com/openai/v1"})).missing()
    monkeypatch.setenv("OPENAI_API_KEY", "two words")
    with pytest.raises(UsageError, match=r"^the environment variable OPENAI_API_KEY holds no key: ") as caught:
        backend("openai", Config()).missing()
    assert "two words" not in str(caught.value)


# --- failures


def error(message: str, **more: object) -> dict[str, object]:
    return {"error": {"message": message, "type": "x", "param": None, "code": None} | more}


REFUSALS: list[tuple[int, Any, dict[str, str], bool, str]] = [
    (
        401,
        error(f"Incorrect API key provided: {KEY}."),
        {},
        False,
        "401 (Incorrect API key provided: [key]): the key from",
    ),
    (403, {"detail": f"key {KEY}"}, {}, False, "403 (key [key]): the key from the environment variable VOICECARD_"),
    (404, error("The model `x` does not exist"), {}, False, "404 (The model `x` does not exist): check"),
    (
        400,
        error("Audio file\n might be corrupted"),
        {},
        False,
        "400 (Audio file might be corrupted): check the settings",
    ),
    (413, b"<html>too large</html>", {}, False, "answered 413: check the settings"),
    (307, b"", {"Location": "http://127.0.0.1:1/elsewhere"}, False, "answered 307: it sends elsewhere"),
    (408, b"", {}, True, "answered 408: try again later"),
    (429, error("Rate limit reached"), {"Retry-After": "17"}, True, "429 (Rate limit reached): try again later"),
    (500, {"error": "out of memory"}, {}, True, "500 (out of memory): try again later"),
    (503, {"message": "loading"}, {"Retry-After": "2"}, True, "503 (loading): try again later"),
]


@pytest.mark.parametrize("name", ["openai", "dashscope"])
@pytest.mark.parametrize(("status", "body", "headers", "retry", "sentence"), REFUSALS)
def test_refusals(name: str, status: int, body: Any, headers: dict[str, str], retry: bool, sentence: str) -> None:
    script = Scripted(lambda asked: (status, body, headers))
    with script.running() as address, pytest.raises(BackendError) as caught:
        talking_to(address, name).transcribe(SOUND, RATE)
    assert sentence in str(caught.value) and caught.value.retry is retry
    assert caught.value.retry_after_s == (float(headers["Retry-After"]) if "Retry-After" in headers else None)
    assert len(script.asked) == 1, "the sound went nowhere else"


@pytest.mark.parametrize("name", ["openai", "dashscope"])
@pytest.mark.parametrize(
    "body",
    [b"<html>hello</html>", b"[1]", b"null", b"[" * 100_000, b'{"segments": [{"text": "x"}], "choices": [{}]}'],
)
def test_an_answer_that_is_no_transcription(name: str, body: bytes) -> None:
    with (
        Scripted(lambda asked: (200, body, {})).running() as address,
        pytest.raises(BackendError, match=rf"instead of a transcription: check {name}\.base_url$") as caught,
    ):
        talking_to(address, name).transcribe(SOUND, RATE)
    assert not caught.value.retry


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A port behind which `talk` handles each connection as it likes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    try:
                        talk(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(20)
            assert not thread.is_alive()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def never_answers(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def answers_drop_by_drop(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.1)


def breaks_off(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(HEAD + b'Content-Length: 1000\r\n\r\n{"text": "half')


def floods(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(HEAD + b"\r\n")
    while True:
        connection.sendall(b" " * 1_000_000)


def talks_otherwise(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")


@pytest.mark.parametrize(
    ("talk", "retry", "sentence"),
    [
        (never_answers, True, r"took longer than 1 s: try again later, or raise openai\.timeout_s$"),
        (answers_drop_by_drop, True, r"took longer than 1 s: "),
        (breaks_off, True, r"broke off \((RemoteProtocolError|ReadError)"),  # the system may tell of a reset first
        (talks_otherwise, True, r"broke off \(RemoteProtocolError"),
        (floods, False, r"answered with more than 32 MB instead of a transcription"),
    ],
)
def test_a_server_that_is_slow_or_broken(talk: Callable[[socket.socket], None], retry: bool, sentence: str) -> None:
    with raw_server(talk) as address, pytest.raises(BackendError, match=sentence) as caught:
        talking_to(address, timeout_s=1 if "longer" in sentence else 30).transcribe(SOUND, RATE)
    assert caught.value.retry is retry


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_a_server_that_is_not_there_may_come_back() -> None:
    with pytest.raises(BackendError, match=r"^the transcription server 127\.0\.0\.1:\d+ cannot be reached ") as caught:
        talking_to(f"http://127.0.0.1:{free_port()}").transcribe(SOUND, RATE)
    assert caught.value.retry


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("17", 17), ("0.5", 0.5), ("-3", 0), ("9e99", 86400), ("soon", None), ("", None), ("nan", None),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 21 Oct 2215 07:28:00 GMT", 86400)],
)  # fmt: skip
def test_retry_after(header: str, seconds: float | None) -> None:
    assert retry_after_s(header) == seconds


@pytest.mark.parametrize(
    "address", ["ftp://host/v1", "api.openai.com/v1", "https://", "https://me:secret@host/v1", "https://host:99999/v1"]
)
def test_addresses_that_cannot_be_meant(address: str) -> None:
    with pytest.raises(UsageError, match=r"^config\.toml: openai\.base_url must ") as caught:
        backend("openai", Config(Path("config.toml"), {"openai.base_url": address}))
    assert "secret" not in str(caught.value)


def test_no_error_path_shows_the_key(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the sentence, nor in the traceback, nor in what the HTTP client logs at its most talkative."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    caplog.set_level(logging.DEBUG)
    for logger in ("httpx2", "httpcore2", "openai", "asyncio"):
        logging.getLogger(logger).setLevel(logging.DEBUG)
    shown = []

    def provoke(address: str, name: str) -> None:
        with pytest.raises(BackendError) as caught:
            talking_to(address, name, timeout_s=1).transcribe(SOUND, RATE)
        shown.extend(traceback.format_exception(caught.value))
        shown.append(repr(caught.value) + repr(talking_to(address, name).__dict__))

    echo = f'{{"text": ["{KEY}"], "segments": ["{KEY}"], "choices": [{{"message": "{KEY}"}}]}}'.encode()
    for name in ("openai", "dashscope"):
        for status, body, headers, *_ in REFUSALS:
            with Scripted(lambda asked, answer=(status, body, headers): answer).running() as address:  # type: ignore[misc]
                provoke(address, name)
        with Scripted(lambda asked: (200, echo, {})).running() as address:
            provoke(address, name)
        for talk in (never_answers, breaks_off, talks_otherwise):
            with raw_server(talk) as address:
                provoke(address, name)
        provoke(f"http://127.0.0.1:{free_port()}", name)
    everything = "".join(shown) + caplog.text + "".join(capfd.readouterr())
    everything += "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())
    assert "httpcore2" in caplog.text and "[key]" in everything, "the search sees logs and errors"
    assert KEY not in everything


# --- dashscope


def test_dashscope_is_asked_as_openais_package_asks_it() -> None:
    """Body and headers are those of the service's documented example, sent by the package that the example uses."""
    note = {"type": "audio_info", "language": "zh", "emotion": "neutral"}
    message = {"role": "assistant", "content": "欢迎使用阿里云。", "annotations": [note]}
    choice = {"finish_reason": "stop", "index": 0, "message": message}
    answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "qwen3-asr-flash", "choices": [choice]}
    script = Scripted(lambda asked: (200, answer, {}))
    with script.running() as address:
        heard = talking_to(address, "dashscope").transcribe(SOUND, RATE, "zh")
        with openai.OpenAI(api_key=KEY, base_url=f"{address}/v1") as client:
            data = script.asked[0].body["messages"][0]["content"][0]["input_audio"]["data"]
            part: Any = {"type": "input_audio", "input_audio": {"data": data}}
            client.chat.completions.create(
                model="qwen3-asr-flash",
                messages=[{"role": "user", "content": [part]}],
                stream=False,
                extra_body={"asr_options": {"language": "zh"}},
            )
    ours, theirs = script.asked
    assert ours.path == theirs.path == "/v1/chat/completions" and ours.body == theirs.body
    assert ours.headers["authorization"] == theirs.headers["authorization"]
    assert data.startswith("data:audio/flac;base64,")
    assert heard.segments == (Segment(0.0, 1.0, "欢迎使用阿里云。"),) and heard.language == "zh"


def test_dashscope_needs_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOICECARD_DASHSCOPE_KEY")
    lack = backend("dashscope", Config()).missing()
    assert lack and "voicecard key set dashscope" in lack and "DASHSCOPE_API_KEY" in lack
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    assert backend("dashscope", Config()).missing() is None
    assert backend("dashscope", Config(None, {"dashscope.base_url": "https://elsewhere.example/v1"})).missing()


# --- wyoming


@contextmanager
def wyoming_server(answer: Callable[[dict[str, Any], bytes], list[Event] | None]) -> Iterator[int]:
    """The package's own server; `answer(what was asked, the sound)` gives its events, None to hang up. Yields the port."""

    class Handler(AsyncEventHandler):
        async def handle_event(self, event: Event) -> bool:
            if Transcribe.is_type(event.type):
                self.asked, self.sound = dict(event.data), b""
            elif AudioStart.is_type(event.type):
                start = AudioStart.from_event(event)
                assert (start.rate, start.width, start.channels) == (16_000, 2, 1)
            elif AudioChunk.is_type(event.type):
                self.sound += AudioChunk.from_event(event).audio
            elif AudioStop.is_type(event.type):
                events = answer(self.asked, self.sound)
                for reply in events or ():
                    await self.write_event(reply)
                return events is not None
            return True

    port, stop = free_port(), threading.Event()

    async def serve() -> None:
        server = AsyncServer.from_uri(f"tcp://127.0.0.1:{port}")
        await server.start(Handler)
        ready.set()
        while not stop.is_set():
            await asyncio.sleep(0.01)
        await server.stop()

    ready = threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(20)
        yield port
    finally:
        stop.set()
        thread.join(20)


def wyoming(port: int, **values: object) -> Backend:
    content = {"wyoming.host": "127.0.0.1", "wyoming.port": port, "wyoming.timeout_s": 1}
    return backend("wyoming", Config(None, content | {f"wyoming.{name}": value for name, value in values.items()}))


def test_wyoming_gives_sound_and_takes_text() -> None:
    got = []

    def answer(asked: dict[str, Any], sound: bytes) -> list[Event]:
        got.append((asked, sound))
        return [Event("transcript-chunk", {"text": "turn"}), Transcript(" turn on the light ", language="en").event()]

    with wyoming_server(answer) as port:
        server = wyoming(port, model="base", language="de")
        transcript = transcribe_stretches(server, [(2 * RATE, SOUND)], RATE, language="en")
        server.transcribe(SOUND, RATE)
    assert transcript.segments == (Segment(2.0, 3.0, "turn on the light"),)
    assert (transcript.backend, transcript.model, transcript.language) == ("wyoming", "base", "en")
    assert got[0] == ({"name": "base", "language": "en"}, SOUND.tobytes())
    assert got[1][0] == {"name": "base", "language": "de"}


@pytest.mark.parametrize(
    ("events", "retry", "sentence"),
    [
        ([Error("no such model.").event()], False, r"failed \(no such model\): look into its log$"),
        ([Event("transcript", {"text": 7})], False, r"answered with something else"),
        ([Event("info", {})], True, r"took longer than 1 s: try again later"),
        (None, True, r"ended without an answer: "),
    ],
)
def test_wyoming_failures(events: list[Event] | None, retry: bool, sentence: str) -> None:
    with wyoming_server(lambda asked, sound: events) as port, pytest.raises(BackendError, match=sentence) as caught:
        wyoming(port).transcribe(SOUND, RATE)
    assert caught.value.retry is retry and str(caught.value).startswith(f"the Wyoming server 127.0.0.1:{port} ")


def test_a_wyoming_server_that_is_not_there_or_never_reads() -> None:
    with pytest.raises(BackendError, match=r"cannot be reached, or broke off \(.*\): check wyoming\.host") as caught:
        wyoming(free_port()).transcribe(SOUND, RATE)
    assert caught.value.retry
    done = threading.Event()
    with raw_server(lambda connection: done.wait(30) and None) as address:
        begun = time.monotonic()
        with pytest.raises(BackendError, match=r"took longer than 1 s"):
            wyoming(int(address.rpartition(":")[2])).transcribe(np.tile(SOUND, 600), RATE)
        assert time.monotonic() - begun < 20
        done.set()
