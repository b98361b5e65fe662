"""Our backends behind OpenAI's endpoint, over real sockets, asked by OpenAI's own package and by our own backend."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import httpx2
import numpy as np
import openai
import pytest
import soundfile
import webvtt
from serving import served

from voicecard.config import Config
from voicecard.errors import BackendError
from voicecard.transcribe.audio import encoded
from voicecard.transcribe.backend import Backend, Heard, Limits, backend
from voicecard.transcribe.model import Segment, Word
from voicecard.transcribe.pieces import transcribe_stretches
from voicecard.transcribe.score import word_error_rate
from voicecard.transcribe.server import make_app

RATE = 16_000
TOKEN = "token-81b3"
SAID = "Good morning. I would like to talk about the new contract with your company."


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    path = Path(__file__).parents[1] / "demo" / "conversation.flac"
    sound, rate = soundfile.read(path, dtype="int16", start=int(1.7 * RATE), frames=int(5.5 * RATE))
    assert rate == RATE
    return np.asarray(sound)


@contextmanager
def client_of(app: Any, key: str = "none") -> Iterator[openai.OpenAI]:
    with served(app) as address, openai.OpenAI(api_key=key, base_url=f"{address}/v1", max_retries=0) as client:
        yield client


class Fixed(Backend):
    """Says the same of every piece, or raises it."""

    name, description, model, language, sends_audio = "fixed", "always the same", "stone", "en", False

    def __init__(self, result: Heard | Exception) -> None:
        self.result = result
        self.got: list[tuple[int, int, str]] = []

    def transcribe(self, samples: np.ndarray, sample_rate: int, language: str = "") -> Heard:
        self.got.append((len(samples), sample_rate, language))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


SEGMENTS = (
    Segment(0.25, 1.5, "a < b & c --> d", words=(Word(0.25, 0.5, "a"), Word(0.5, 1.5, "d"))),
    Segment(3661.5, 3662.25, "two\n\nlines", speaker="Anna"),
)


class Long(Fixed):
    """As `Fixed`, for sound of any length in one piece."""

    limits = Limits(piece_s=1e9)


def wav(seconds: float, rate: int = RATE, channels: int = 1, format: str = "WAV", **options: Any) -> bytes:
    file = io.BytesIO()
    time_s = np.arange(int(seconds * rate)) / rate
    tone = (8000 * np.sin(2 * np.pi * 440 * time_s)).astype(np.int16)
    soundfile.write(file, np.stack([tone] * channels, axis=1), rate, format=format, **options)
    return file.getvalue()


def test_openais_own_package_gets_what_pocketsphinx_hears(speech: np.ndarray) -> None:
    with client_of(make_app([backend("pocketsphinx", Config())])) as client:
        answer = client.audio.transcriptions.create(
            file=("talk.flac", encoded(speech, RATE)),
            model="whisper-1",
            response_format="verbose_json",
            timestamp_granularities=["segment", "word"],
        )
    assert word_error_rate(SAID, answer.text).rate <= 0.1
    assert answer.language == "en" and float(answer.duration) == pytest.approx(5.5)
    assert answer.segments and answer.words and answer.segments[0].start == pytest.approx(0.3, abs=0.2)
    assert " ".join(word.word for word in answer.words) == answer.text


def test_our_own_backend_gets_the_same_as_without_a_server(speech: np.ndarray) -> None:
    embedded = backend("pocketsphinx", Config())
    with served(make_app([embedded])) as address:
        remote = backend("openai", Config(None, {"openai.base_url": f"{address}/v1"}))
        through = transcribe_stretches(remote, [(5 * RATE, speech)], RATE)
    direct = transcribe_stretches(embedded, [(5 * RATE, speech)], RATE)
    assert through.segments == direct.segments and through.language == direct.language


def test_every_format_is_one_that_others_read() -> None:
    stone, hour = Long(Heard(SEGMENTS, "en")), wav(3700, 4000, format="FLAC")
    with client_of(make_app([stone])) as client:

        def ask(**options: Any) -> Any:
            return client.audio.transcriptions.create(file=("x.flac", hour), model="stone", **options)

        assert ask().text == "a < b & c --> d two\n\nlines"
        assert ask(response_format="text") == "a < b & c --> d two\n\nlines\n"
        srt = webvtt.from_string("WEBVTT\n\n" + ask(response_format="srt").replace(",", "."))
        vtt = webvtt.from_string(ask(response_format="vtt"))
        words = ask(response_format="verbose_json", timestamp_granularities=["word"])
        plain = ask(response_format="verbose_json")
    said = ("a < b & c → d", "Anna: two lines"), ("a &lt; b &amp; c --&gt; d", "<v Anna>two lines")
    for captions, texts in zip((srt, vtt), said, strict=True):
        assert [(c.start_in_seconds, c.end_in_seconds) for c in captions] == [(0, 1), (3661, 3662)]
        assert [(c.start[-6:], c.raw_text) for c in captions] == list(zip(("00.250", "01.500"), texts, strict=True))
    assert words.segments is None and [w.word for w in words.words] == ["a", "d"]
    assert plain.words is None and [(s.start, s.end) for s in plain.segments] == [(0.25, 1.5), (3661.5, 3662.25)]


def m4a(seconds: float) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        samples = (9000 * np.sin(np.arange(int(seconds * RATE)) / 20)).astype(np.int16)
        for at in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[np.newaxis, at : at + 1024], format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "rate"),
    [
        ("a.wav", wav(2), RATE),
        ("a.wav", wav(2, 44_100, channels=2, subtype="FLOAT"), 44_100),
        ("a.flac", wav(2, format="FLAC"), RATE),
        ("a.ogg", wav(2, format="OGG"), RATE),
        ("a.opus", wav(2, format="OGG", subtype="OPUS"), RATE),
        ("a.mp3", wav(2, format="MP3"), RATE),
        ("a.m4a", m4a(2), RATE),
        ("no name at all", wav(2), RATE),
    ],
)
def test_containers(name: str, content: bytes, rate: int) -> None:
    stone = Fixed(Heard())
    with client_of(make_app([stone])) as client:
        client.audio.transcriptions.create(file=(name, content), model="whisper-1", language="fr")
    assert {(got_rate, language) for _, got_rate, language in stone.got} == {(rate, "fr")}
    assert sum(count for count, *_ in stone.got) / rate == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"hello, this is text", "no sound that can be read"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "no sound that can be read"),
        (b"\0\0\0\x18ftypM4A " + b"\0" * 100, "the sound is damaged"),
        (wav(1)[:30], "no sound that can be read"),
        (wav(0.1, 1_000_000), "1000000 Hz are no sound that can be transcribed"),
        (b"", "must hold a file"),
    ],
)
def test_files_that_are_no_sound(content: bytes, sentence: str) -> None:
    with client_of(make_app([Fixed(Heard())])) as client, pytest.raises(openai.BadRequestError) as caught:
        client.audio.transcriptions.create(file=("x.wav", content), model="whisper-1")
    assert sentence in caught.value.body["message"] and caught.value.body["type"] == "invalid_request_error"  # type: ignore[index,call-overload]
    assert caught.value.param == "file"


@pytest.mark.parametrize(
    ("options", "kind", "param"),
    [
        ({"model": "whisper-9"}, openai.NotFoundError, "model"),
        ({"response_format": "diarized_json"}, openai.BadRequestError, "response_format"),
        ({"timestamp_granularities": ["letter"]}, openai.BadRequestError, "timestamp_granularities"),
        ({"model": "pocketsphinx", "language": "de"}, openai.BadRequestError, "language"),
    ],
)
def test_what_cannot_be_meant_is_told_in_openais_shape(options: dict[str, Any], kind: type, param: str) -> None:
    with client_of(make_app([Fixed(Heard()), backend("pocketsphinx", Config())])) as client:
        with pytest.raises(kind) as caught:
            client.audio.transcriptions.create(**({"file": ("x.wav", wav(1)), "model": "whisper-1"} | options))
        assert caught.value.param == param
        with pytest.raises(openai.NotFoundError) as unknown:
            client.post("/dance", cast_to=object)
        assert "see /v1/audio/transcriptions" in unknown.value.body["message"]  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    ("failure", "status", "retry_after"),
    [
        (BackendError("busy", retry=True, retry_after_s=7), 503, "7"),
        (BackendError("wrong model"), 500, None),
        (ZeroDivisionError("bug"), 500, None),
    ],
)
def test_a_backends_failure_says_whether_to_try_again(failure: Exception, status: int, retry_after: str | None) -> None:
    with client_of(make_app([Fixed(failure)])) as client, pytest.raises(openai.InternalServerError) as caught:
        client.audio.transcriptions.create(file=("x.wav", wav(1)), model="whisper-1")
    assert caught.value.status_code == status and caught.value.response.headers.get("retry-after") == retry_after


def test_models_are_listed() -> None:
    with client_of(make_app([Fixed(Heard()), backend("pocketsphinx", Config())])) as client:
        assert [model.id for model in client.models.list()] == ["whisper-1", "fixed", "pocketsphinx"]
        assert client.models.retrieve("pocketsphinx").owned_by == "voicecard"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("gpt-9")


def test_a_token_is_asked_for_before_anything_is_read() -> None:
    stone = Fixed(Heard())
    app = make_app([stone], token=TOKEN)
    for key in ("wrong", TOKEN + "x"):
        with client_of(app, key) as client, pytest.raises(openai.AuthenticationError) as caught:
            client.audio.transcriptions.create(file=("x.wav", wav(1)), model="whisper-1")
        assert caught.value.code == "invalid_api_key" and TOKEN not in str(caught.value)
    assert not stone.got
    with client_of(app, TOKEN) as client:
        assert client.audio.transcriptions.create(file=("x.wav", wav(1)), model="whisper-1").text == ""


def test_a_web_page_does_not_get_in_by_a_name_of_its_own() -> None:
    with served(make_app([Fixed(Heard())])) as address:
        assert httpx2.get(f"{address}/v1/models", headers={"Host": "evil.example"}).status_code == 421
        assert httpx2.get(f"{address}/v1/models", headers={"Host": "localhost:1234"}).status_code == 200


@pytest.mark.parametrize("told", ["length", "chunks"])
def test_uploads_are_bounded_whether_they_say_their_size_or_not(told: str) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        + bytes(2_500_000)
        + b"\r\n--x--\r\n"
    )
    with served(make_app([Fixed(Heard())], max_upload_bytes=1_000_000)) as address:
        where = httpx2.URL(address)
        with socket.create_connection((where.host, where.port or 0), timeout=20) as connection:
            head = "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            if told == "length":
                connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
            else:
                connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
                for at in range(0, 2_200_000, 100_000):
                    connection.sendall(b"186a0\r\n" + body[at : at + 100_000] + b"\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65536) or b"}"
    assert answer.startswith(b"HTTP/1.1 413 ") and b"larger than 1 MB" in answer


class Gated(Fixed):
    """Begins, says so, and ends when it may; counts how many run at a time."""

    def __init__(self) -> None:
        super().__init__(Heard())
        self.begun, self.may_end = threading.Semaphore(0), threading.Semaphore(0)
        self.running = self.most = 0

    def transcribe(self, samples: np.ndarray, sample_rate: int, language: str = "") -> Heard:
        self.running += 1
        self.most = max(self.most, self.running)
        self.begun.release()
        assert self.may_end.acquire(timeout=30)
        self.running -= 1
        return super().transcribe(samples, sample_rate)


def test_one_upload_at_a_time_some_wait_and_the_next_is_told_to_come_back() -> None:
    gated, answers = Gated(), []

    def ask(client: openai.OpenAI) -> None:
        try:
            client.audio.transcriptions.create(file=("x.wav", wav(1)), model="whisper-1")
            answers.append(200)
        except openai.RateLimitError as error:
            assert error.response.headers["retry-after"] == "15"
            answers.append(429)
            gated.may_end.release(4)

    with client_of(make_app([gated], waiting=2)) as client:
        threads = [threading.Thread(target=ask, args=(client,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert sorted(answers) == [200, 200, 200, 429] and gated.most == 1


def test_a_client_that_goes_leaves_no_work_behind() -> None:
    """The piece under way ends, no other begins, and the next client gets its turn."""
    gated = Gated()
    with served(make_app([gated])) as address:
        sound = wav(300)  # ten pieces
        with pytest.raises(httpx2.ReadTimeout):
            httpx2.post(
                f"{address}/v1/audio/transcriptions",
                files={"file": ("x.wav", sound)},
                timeout=httpx2.Timeout(20, read=0.5),
            )
        assert gated.begun.acquire(timeout=30)
        answered = threading.Event()

        def next_one() -> None:
            httpx2.post(f"{address}/v1/audio/transcriptions", files={"file": ("x.wav", wav(1))}, timeout=60)
            answered.set()

        thread = threading.Thread(target=next_one)
        thread.start()
        assert not answered.wait(2.5), "the first one's piece has the backend"
        gated.may_end.release(2)
        thread.join(30)
    assert answered.is_set() and len(gated.got) == 2


# --- the command


@contextmanager
def running_server(home: Path, *arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program itself on a free port; yields it and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "voicecard", "transcription-server", "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home), **environment},
    )
    assert process.stderr
    try:
        yield process, process.stderr.readline().split(" ")[0]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly_even_at_work(tmp_path: Path, speech: np.ndarray, by: signal.Signals) -> None:
    with running_server(tmp_path, "--backend", "pocketsphinx") as (process, address):
        long = encoded(np.tile(speech, 20), RATE)

        def ask() -> None:
            with pytest.raises(httpx2.HTTPError):
                httpx2.post(
                    f"{address}/audio/transcriptions", files={"file": ("x.flac", long)}, timeout=60
                ).raise_for_status()

        thread = threading.Thread(target=ask)
        thread.start()
        wait_until_busy(address)
        process.send_signal(by)
        assert process.wait(60) == 0
        thread.join(20)
        assert process.stderr and "Traceback" not in process.stderr.read()


def test_it_ends_in_the_middle_of_an_upload(tmp_path: Path) -> None:
    with running_server(tmp_path, "--backend", "pocketsphinx") as (process, address):
        where = httpx2.URL(address)
        with socket.create_connection((where.host, where.port or 0), timeout=20) as connection:
            connection.sendall(
                b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n"
            )
            assert connection.recv(4096).startswith(b"HTTP/1.1 100 "), "it waits for the body"
            process.send_signal(signal.SIGTERM)
            assert b" 503 " in connection.recv(4096)
        assert process.wait(20) == 0 and process.stderr and "Traceback" not in process.stderr.read()


def wait_until_busy(address: str) -> None:
    """Until the one at work would make a second one wait: with nobody allowed to wait, that is told with 429."""
    deadline = threading.Event()
    for _ in range(200):
        files = {"file": ("x.wav", wav(0.1))}
        try:
            httpx2.post(f"{address}/audio/transcriptions", files=files, timeout=httpx2.Timeout(5, read=1.0))
        except httpx2.ReadTimeout:
            return
        deadline.wait(0.02)
    raise AssertionError("never busy")


def test_others_may_reach_it_only_with_a_token(
    voicecard: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = voicecard("transcription-server", "--host", "0.0.0.0", "--port", "0", "--backend", "pocketsphinx")
    assert done.returncode == 2 and "voicecard key set server" in done.stderr and "Traceback" not in done.stderr
    with running_server(tmp_path, "--host", "0.0.0.0", "--backend", "pocketsphinx", VOICECARD_SERVER_TOKEN=TOKEN) as (
        process,
        address,
    ):
        address = address.replace("0.0.0.0", "127.0.0.1")
        assert httpx2.get(f"{address}/models").status_code == 401
        answer = httpx2.get(f"{address}/models", headers={"Authorization": f"Bearer {TOKEN}"})
        assert json.loads(answer.text)["data"][0]["id"] == "whisper-1"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0 and process.stderr and TOKEN not in process.stderr.read()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = voicecard("transcription-server", "--port", port, "--backend", "pocketsphinx")
    assert done.returncode == 1 and "voicecard: the system refused: " in done.stderr and "Traceback" not in done.stderr
