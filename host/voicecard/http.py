"""One request to a server that does work for us, and what its failures mean to people and to whoever tries again later."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from voicecard.errors import BackendError
from voicecard.keys import FoundKey, Key, find_key, redacted

MAX_ANSWER_BYTES = 32 << 20
CONNECT_TIMEOUT_S = 15.0
MAX_RETRY_AFTER_S = 86_400.0
_RETRYABLE = (408, 425, 429)


class ServerRefusedError(BackendError):
    """The server answered with an error. `status` is HTTP's; `parameter` and `reason` are what it said itself."""

    def __init__(self, sentence: str, status: int, parameter: str, reason: str, **again: Any) -> None:
        super().__init__(sentence, **again)
        self.status = status
        self.parameter = parameter
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Server:
    """Where sound or text goes. `name`: of whom it serves, which the settings and the key are called after; `work`: what it is
    to answer with, as people call it."""

    name: str
    base_url: str
    timeout_s: float
    key: Key
    work: str = "transcription"

    def post(
        self,
        path: str,
        *,
        fields: Mapping[str, str | list[str]] | None = None,
        file: tuple[str, bytes, str] | None = None,
        body: object = None,
    ) -> Any:
        """POST a form with a file, or a JSON body; the JSON that comes back. Redirects are not followed: what is sent goes nowhere else.

        Raises ServerRefusedError, BackendError."""
        import httpx2

        key = find_key(self.key)
        headers = {"Authorization": f"Bearer {key.value}"} if key else {}
        content: dict[str, Any] = {"json": body} if file is None else {"data": fields, "files": {"file": file}}
        timeout = httpx2.Timeout(self.timeout_s, connect=min(CONNECT_TIMEOUT_S, self.timeout_s))
        try:
            with (
                httpx2.Client(timeout=timeout) as client,
                client.stream("POST", self.base_url.rstrip("/") + path, headers=headers, **content) as answer,
            ):
                status, wait = answer.status_code, answer.headers.get("retry-after", "")
                text = self._read(answer)
        except httpx2.TimeoutException as error:
            raise self._late() from error
        except httpx2.ConnectError as error:
            raise self._failure(
                f"cannot be reached ({error})", "check the address and the network, and try again", key
            ) from error
        except httpx2.HTTPError as error:
            raise self._failure(f"broke off ({type(error).__name__}: {error})", "try again later", key) from error
        except httpx2.InvalidURL as error:
            raise BackendError(f"{self.name}.base_url is no address of a server ({error})") from error
        if status != 200:
            raise self._refusal(status, text, wait, key)
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self.nonsense("no JSON") from error

    def missing_key(self) -> str | None:
        """One sentence if there is no key, None if there is one."""
        if find_key(self.key) is not None:
            return None
        advice = f"`voicecard key set {self.name}` keeps one, or set the environment variable {self.key.variables[-1]}"
        return f"there is no key for {self.key.server}: {advice}"

    def nonsense(self, what: str) -> BackendError:
        """For an answer that is not what was asked for."""
        return BackendError(f"{self._who} answered with {what} instead of a {self.work}: check {self.name}.base_url")

    @property
    def _who(self) -> str:
        return f"the {self.work} server {urlsplit(self.base_url).netloc}"

    def _read(self, answer: Any) -> bytes:
        """The body, bounded in size and in time: each read alone may take as long as the timeout."""
        deadline = time.monotonic() + self.timeout_s
        parts, size = [], 0
        for part in answer.iter_bytes():
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                raise self.nonsense(f"more than {MAX_ANSWER_BYTES >> 20} MB")
            if time.monotonic() > deadline:
                raise self._late()
            parts.append(part)
        return b"".join(parts)

    def _late(self) -> BackendError:
        return BackendError(
            f"{self._who} took longer than {self.timeout_s:g} s: try again later, or raise {self.name}.timeout_s",
            retry=True,
        )

    def _failure(self, what: str, advice: str, key: FoundKey | None) -> BackendError:
        return BackendError(redacted(f"{self._who} {what}: {advice}", key), retry=True)

    def _refusal(self, status: int, body: bytes, wait: str, key: FoundKey | None) -> ServerRefusedError:
        reason, parameter = (redacted(part, key) for part in _said(body))
        again = status in _RETRYABLE or status >= 500
        return ServerRefusedError(
            f"{self._who} answered {status}{f' ({reason})' if reason else ''}: {self._advice(status, key)}",
            status,
            parameter,
            reason,
            retry=again,
            retry_after_s=retry_after_s(wait) if again else None,
        )

    def _advice(self, status: int, key: FoundKey | None) -> str:
        if status in (401, 403):
            had = f"the key from the {key.where} is not accepted" if key else "it wants a key"
            return f"{had}: `voicecard key set {self.name}` keeps one"
        if status in _RETRYABLE or status >= 500:
            return "try again later"
        if status == 404:
            return f"check {self.name}.base_url and {self.name}.model"
        if 300 <= status < 400:
            return f"it sends elsewhere, set {self.name}.base_url to its true address"
        return f"check the settings of {self.name} with `voicecard config list`"


def retry_after_s(header: str) -> float | None:
    """The seconds that a Retry-After header means (RFC 9110, section 10.2.3), at most a day; None without a good one."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            when = parsedate_to_datetime(header)
        except ValueError:
            return None
        seconds = (when - datetime.now(UTC if when.tzinfo else None)).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S) if math.isfinite(seconds) else None


def check_base_url(url: str) -> str | None:
    """What is wrong with a server's address, for a Setting."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        return "must be an address like https://host/v1"
    if parts.username or parts.password:
        return "must not hold a password: `voicecard key set` keeps keys in the system's keyring"
    return None


def is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _said(body: bytes) -> tuple[str, str]:
    """What an error says, and the parameter that it names: in OpenAI's shape or in those of other servers, cleaned."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    error = content.get("error", content) if isinstance(content, dict) else content
    if not isinstance(error, dict):
        return _line(error), ""
    return _line(error.get("message") or error.get("detail") or ""), _line(error.get("param") or "")


def _line(text: object) -> str:
    words = "".join(sign if sign.isprintable() else " " for sign in str(text)).split()
    return " ".join(words)[:300].rstrip(". ")
