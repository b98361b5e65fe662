"""Real HTTP servers on the loopback for tests: any ASGI application, and one that answers as it is told."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an ASGI application; yields http://127.0.0.1:PORT."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=3))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


@dataclass
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    fields: dict[str, list[str]] = field(default_factory=dict)
    file: bytes = b""
    file_name: str = ""
    body: Any = None


@dataclass
class Scripted:
    """Answers each POST with what `answer(asked)` returns: a status, a body (JSON unless bytes), headers."""

    answer: Callable[[Asked], tuple[int, Any, dict[str, str]]]
    asked: list[Asked] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[str]:
        with served(Starlette(routes=[Route("/{path:path}", self._post, methods=["POST"])])) as address:
            yield address

    async def _post(self, request: Request) -> Response:
        asked = Asked(request.url.path, dict(request.headers))
        if request.headers["content-type"].startswith("multipart/"):
            async with request.form() as form:
                asked.fields = {n: [str(v) for v in form.getlist(n)] for n in form if n != "file"}
                asked.file, asked.file_name = await form["file"].read(), form["file"].filename  # type: ignore[union-attr,assignment]
        else:
            asked.body = await request.json()
        self.asked.append(asked)
        status, body, headers = self.answer(asked)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Response(content, status, headers)
