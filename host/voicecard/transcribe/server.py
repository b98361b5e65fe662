"""Transcription backends behind OpenAI's `/v1/audio/transcriptions`, so that what speaks to Whisper can use them.

`pip install 'voicecard[server]'`. A backend transcribes one upload at a time, some more may wait, the next one is told to
come back. `model` is a backend's name, or its model's, or `whisper-1`, which stands for the one that was chosen.
`prompt` and `temperature` are taken and not used.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from voicecard.config import Config, Setting
from voicecard.errors import BackendError, UsageError
from voicecard.http import is_this_machine
from voicecard.keys import Key, find_key
from voicecard.transcribe import answers
from voicecard.transcribe.backend import Backend

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from voicecard.transcribe.model import Transcript

ALIAS = "whisper-1"
UPLOAD_TIMEOUT_S = 600.0
FORM_OVERHEAD_BYTES = 1 << 20
RETRY_AFTER_S = 15
MAX_CONNECTIONS = 64
GOODBYE_S = 3

HOST = Setting(
    "server.host", "127.0.0.1", "address that the transcription server listens on; any but this machine's needs a token"
)
PORT = Setting("server.port", 8473, "its port; 0: a free one", at_least=0, at_most=65535)
MAX_UPLOAD_MB = Setting("server.max_upload_mb", 200, "largest file that it takes, in MB", at_least=1, at_most=4096)
WAITING = Setting("server.waiting", 8, "uploads that may wait for their turn", at_least=0, at_most=1000)
SETTINGS: tuple[Setting[Any], ...] = (HOST, PORT, MAX_UPLOAD_MB, WAITING)
TOKEN = Key("server", "voicecard transcription-server", ("VOICECARD_SERVER_TOKEN",))


@dataclass(slots=True)
class Desk:
    """What a backend has to do: one upload at a time, and who waits."""

    backend: Backend
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Refusal(Exception):  # noqa: N818  # an answer, not a failure
    """An error for the client, in OpenAI's shape."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        parameter: str | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        kind = "server_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
        self.status = status
        self.body = answers.error(message, kind, parameter=parameter, code=code)
        self.headers = {} if retry_after_s is None else {"Retry-After": str(round(retry_after_s))}
        if status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"


def serve(backends: list[Backend], config: Config, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve, the first backend being the chosen one, until SIGINT or SIGTERM; `on_ready` gets the address.

    Raises UsageError without a token for an address that others reach, or without the packages."""
    try:
        import uvicorn
    except ImportError as error:
        raise UsageError(
            "the server's packages are not installed: `pip install 'voicecard[server]'` brings them"
        ) from error
    token = find_key(TOKEN)
    here = is_this_machine(host)
    if not (here or token):
        raise UsageError(
            f"whoever reaches {host} could use this machine: `voicecard key set server` keeps a token for it, "
            f"or set the environment variable {TOKEN.variables[0]}"
        )
    app = make_app(
        backends,
        token=token.value if token else None,
        max_upload_bytes=config[MAX_UPLOAD_MB] * 1_000_000,
        waiting=config[WAITING],
        only_this_machine=here,
        is_ending=lambda: server.should_exit,
    )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        bound = listening.getsockname()
        on_ready(f"http://{f'[{bound[0]}]' if ':' in bound[0] else bound[0]}:{bound[1]}/v1")
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_graceful_shutdown=GOODBYE_S,
            )
        )
        server.run(sockets=[listening])


def make_app(
    backends: list[Backend],
    *,
    token: str | None = None,
    max_upload_bytes: int = MAX_UPLOAD_MB.default * 1_000_000,
    waiting: int = WAITING.default,
    only_this_machine: bool = True,
    is_ending: Callable[[], bool] = lambda: False,
) -> Starlette:
    """The ASGI application; `only_this_machine` refuses what a web page's script sends by a name of its own (DNS rebinding)."""
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    desks = {backend.name: Desk(backend) for backend in backends}
    models = {ALIAS: desks[backends[0].name]}
    for desk in desks.values():
        models.setdefault(desk.backend.model, desk)
    models |= desks

    async def transcriptions(request: Request) -> Response:
        return await _transcriptions(request, models, waiting, is_ending)

    async def listed(request: Request) -> Response:
        return JSONResponse(answers.models([ALIAS, *desks]))

    async def one(request: Request) -> Response:
        name = request.path_params["name"]
        _desk(name, models)
        return JSONResponse(answers.model(name))

    async def refused(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            error = Refusal(error.status_code, f"{error.detail}: see /v1/audio/transcriptions and /v1/models")
        if not isinstance(error, Refusal):
            error = Refusal(500, "the server failed: look into its output")
        return JSONResponse(error.body, error.status, error.headers)

    return Starlette(
        routes=[
            Route("/v1/audio/transcriptions", transcriptions, methods=["POST"]),
            Route("/v1/models", listed),
            Route("/v1/models/{name:path}", one),
        ],
        middleware=[
            Middleware(
                _Guard,
                token=token,
                max_bytes=max_upload_bytes,
                only_this_machine=only_this_machine,
                is_ending=is_ending,
            )
        ],
        exception_handlers={Refusal: refused, HTTPException: refused, Exception: refused},
    )


class _Guard:
    """Lets in what may come in, before its body is read: the right host, the token, a size within the limit."""

    def __init__(
        self, app: ASGIApp, token: str | None, max_bytes: int, only_this_machine: bool, is_ending: Callable[[], bool]
    ) -> None:
        self._app = app
        self._is_ending = is_ending
        self._token = token
        self._max_bytes = max_bytes + FORM_OVERHEAD_BYTES
        self._only_this_machine = only_this_machine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.datastructures import Headers
        from starlette.responses import JSONResponse

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        got = 0

        async def counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self._max_bytes:
                raise self._too_large()
            return message

        try:
            self._check(Headers(scope=scope))
            await self._app(scope, counted, send)
        except Refusal as refusal:
            await JSONResponse(refusal.body, refusal.status, refusal.headers)(scope, receive, send)
        except asyncio.CancelledError:  # in the middle of an upload
            if not self._is_ending():
                raise
            ended = _ended()
            await JSONResponse(ended.body, ended.status, ended.headers)(scope, receive, send)

    def _check(self, headers: Mapping[str, str]) -> None:
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if self._only_this_machine and not is_this_machine(host):
            raise Refusal(421, "this server is for programs of its own machine: call it by 127.0.0.1 or localhost")
        if self._token:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not secrets.compare_digest(given.encode(), self._token.encode()):
                raise Refusal(401, "the token is missing or wrong: send it as the API key", code="invalid_api_key")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._max_bytes:
            raise self._too_large()

    def _too_large(self) -> Refusal:
        limit = (self._max_bytes - FORM_OVERHEAD_BYTES) // 1_000_000
        return Refusal(
            413,
            f"the file is larger than {limit} MB: send it in parts, or raise server.max_upload_mb",
            parameter="file",
        )


def _ended() -> Refusal:
    return Refusal(503, "the server is being ended: try again later", retry_after_s=RETRY_AFTER_S)


async def _transcriptions(
    request: Request, models: Mapping[str, Desk], waiting: int, is_ending: Callable[[], bool]
) -> Response:
    from starlette.responses import JSONResponse, Response

    try:
        async with asyncio.timeout(UPLOAD_TIMEOUT_S):
            form = await request.form(max_files=1, max_fields=64)
    except TimeoutError as error:
        raise Refusal(408, f"the upload took longer than {UPLOAD_TIMEOUT_S:g} s: send a smaller file") from error
    try:
        asked = _Asked.of(form, models)
        transcript, seconds = await _in_turn(request, asked, waiting, is_ending)
    finally:
        await form.close()
    body = answers.answer(transcript, asked.response_format, asked.granularities, seconds)
    if isinstance(body, str):
        return Response(body, media_type=answers.FORMATS[asked.response_format])
    return JSONResponse(body)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request's fields, checked."""

    desk: Desk
    file: Any
    language: str
    response_format: str
    granularities: frozenset[str]

    @classmethod
    def of(cls, form: FormData, models: Mapping[str, Desk]) -> _Asked:
        from starlette.datastructures import UploadFile

        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.size:
            raise Refusal(400, "the field file must hold a file of sound", parameter="file")
        response_format = _text(form, "response_format") or "json"
        if response_format not in answers.FORMATS:
            raise Refusal(
                400, f"response_format must be one of {', '.join(answers.FORMATS)}", parameter="response_format"
            )
        granularities = frozenset(
            str(value)
            for name in ("timestamp_granularities[]", "timestamp_granularities")
            for value in form.getlist(name)
        )
        if not granularities <= {"segment", "word"}:
            raise Refusal(400, "timestamp_granularities must be segment or word", parameter="timestamp_granularities")
        desk = _desk(_text(form, "model") or ALIAS, models)
        language = _text(form, "language").lower()
        known = desk.backend.languages
        if language and known and language not in known:
            raise Refusal(
                400, f"{desk.backend.name} hears {', '.join(known)}, not {language[:20]}", parameter="language"
            )
        return cls(desk, file, language, response_format, granularities)


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _desk(name: str, models: Mapping[str, Desk]) -> Desk:
    if name not in models:
        there = ", ".join(sorted(models))
        raise Refusal(
            404, f"there is no model {name[:80]!r}: choose one of {there}", parameter="model", code="model_not_found"
        )
    return models[name]


async def _in_turn(
    request: Request, asked: _Asked, waiting: int, is_ending: Callable[[], bool]
) -> tuple[Transcript, float]:
    """The transcript, and the seconds of sound. Who asks when all places are taken is sent away until later."""
    desk = asked.desk
    if desk.turn.locked() and desk.waiting >= waiting:
        raise Refusal(429, "too many uploads are waiting: try again later", retry_after_s=RETRY_AFTER_S)
    desk.waiting += 1
    try:
        await desk.turn.acquire()
    finally:
        desk.waiting -= 1
    try:
        return await _transcribed(request, asked, is_ending)
    except BackendError as error:
        status = 503 if error.retry else 500
        raise Refusal(status, str(error), retry_after_s=error.retry_after_s) from error
    except UsageError as error:
        raise Refusal(400, str(error), parameter="file") from error
    finally:
        desk.turn.release()


async def _transcribed(request: Request, asked: _Asked, is_ending: Callable[[], bool]) -> tuple[Transcript, float]:
    """Transcribe in a thread. When nobody waits for it any more, it stops at the next piece; the backend is its own until then."""
    from voicecard.transcribe.parallel import started

    stop = Event()
    work = asyncio.wrap_future(started(partial(_work, asked, stop)))
    try:
        while not work.done():
            if is_ending():
                raise _ended()
            await asyncio.wait([work], timeout=1.0)
            if await request.is_disconnected():
                stop.set()
        return work.result()
    finally:
        stop.set()
        work.cancel()


class _Upload:
    """An uploaded file that is at its end once it is closed, which may happen while a thread that nobody waits for still reads."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        with suppress(ValueError):
            return self._file.read(size)
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        with suppress(ValueError):
            return self._file.seek(offset, whence)
        return 0

    def tell(self) -> int:
        with suppress(ValueError):
            return self._file.tell()
        return 0


def _work(asked: _Asked, stop: Event) -> tuple[Transcript, float]:
    from voicecard.transcribe.decode import Sound
    from voicecard.transcribe.pieces import transcribe_stretches

    def go_on(done_s: float, total_s: float) -> None:
        if stop.is_set():
            raise BackendError("nobody waits for the transcript any more")

    sound = Sound(_Upload(asked.file.file))
    transcript = transcribe_stretches(
        asked.desk.backend, sound.stretches(), sound.sample_rate, go_on, language=asked.language
    )
    return transcript, sound.seconds
