"""Writes vectors.json: frames of the link with their bytes and meaning, made with other people's COBS and CRC-32.

`python tests/wire/make_vectors.py` writes the file anew. Its fields: `good` frames are {name, to ("card" or "host"), type, sequence,
payload (hex), meaning, wire (hex)}; `streams` are {name, to, wire (hex), frames (names of good ones, in order), dropped (frames)}."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

from cobs import cobs

VECTORS = Path(__file__).with_name("vectors.json")
REQUEST, ANSWER, LISTING, SECTOR = 1, 2, 3, 4
_MAX_BYTES = {"card": 240, "host": 4160}
_REQUESTS: tuple[dict[str, Any], ...] = (
    {"do": "hello", "v": 1},
    {"do": "status"},
    {"do": "clock", "wall_ms": 1_790_000_000_123, "uncertainty_ms": 12},
    {"do": "list", "from": 64, "library": "c0ffee"},
    {"do": "pull", "n": 7, "nonce": "00112233445566ff", "from": 0},
    {
        "do": "safe",
        "n": 7,
        "nonce": "00112233445566ff",
        "sectors": 12,
        "digest": "ab" * 32,
        "library": "c0ffee",
    },
    {
        "do": "safe",
        "n": 4_294_967_295,
        "nonce": "00112233445566ff",
        "sectors": 65_535,
        "digest": "ab" * 32,
        "library": "c0ffee",
        "then": {"n": 4_294_967_295, "nonce": "ff66554433221100", "from": 65_535},
    },
    {"do": "list", "from": 0, "library": "c0ffee", "pages": 1024},
    {"do": "revoke", "n": 7, "nonce": "00112233445566ff", "library": "c0ffee"},
    {"do": "set", "settings": {"vad_mode": "off", "copies": 2}},
    {"do": "stop"},
    {"do": "repl"},
    {"do": "repl", "stop": True},
    {"do": "bye"},
)
_ANSWERS: tuple[dict[str, Any], ...] = (
    {"v": 1, "card": "k3f92b", "fw": "0.1.0", "boot": 3, "ticks_us": 61_000_000, "features": ["hello", "list"]},
    {"error": "unknown", "say": "this card does not know that request"},
    {"sectors": 12, "open": False},
    {"done": True},
)


def vectors() -> dict[str, list[dict[str, Any]]]:
    """The content of vectors.json."""
    good = [*_requests(), *_answers(), *_binary(), *_lengths()]
    return {"good": good, "streams": _streams({vector["name"]: vector for vector in good})}


def wire_of(kind: int, sequence: int, payload: bytes) -> bytes:
    plain = bytes((kind, sequence)) + payload
    return b"\0" + cobs.encode(plain + struct.pack("<I", zlib.crc32(plain))) + b"\0"


def _vector(name: str, to: str, kind: int, sequence: int, payload: bytes, meaning: object) -> dict[str, Any]:
    return {
        "name": name,
        "to": to,
        "type": kind,
        "sequence": sequence,
        "payload": payload.hex(),
        "meaning": meaning,
        "wire": wire_of(kind, sequence, payload).hex(),
    }


def _requests() -> list[dict[str, Any]]:
    return [
        _vector(f"request {_title(fields)}", "card", REQUEST, number, _compact(fields), fields)
        for number, fields in enumerate(_REQUESTS)
    ]


def _title(fields: dict[str, Any]) -> str:
    """Its name, and the optional field that makes it another case."""
    return " with ".join([fields["do"], *(name for name in ("then", "pages") if name in fields)])


def _compact(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _answers() -> list[dict[str, Any]]:
    return [
        _vector(f"answer {number}", "host", ANSWER, 255 - number, _compact(fields), fields)
        for number, fields in enumerate(_ANSWERS)
    ]


def _binary() -> list[dict[str, Any]]:
    entry = {
        "nonce": "00112233445566ff",
        "recording": 7,
        "boot": 3,
        "samples": 960_000,
        "sectors": 140,
        "flags": 11,
        "reason": 1,
        "copies": 2,
    }
    packed = struct.pack("<8sIIIHBBB3x", bytes.fromhex("00112233445566ff"), *list(entry.values())[1:])
    listing = {"generation": 9, "first": 0, "total": 1, "entries": [entry]}
    empty = {"generation": 4_294_967_295, "first": 64, "total": 64, "entries": []}
    body = bytes(number % 251 for number in range(4096))
    return [
        _vector("listing of one", "host", LISTING, 4, struct.pack("<IHH", 9, 0, 1) + packed, listing),
        _vector("listing of none", "host", LISTING, 5, struct.pack("<IHH", 2**32 - 1, 64, 64), empty),
        _vector("sector 258", "host", SECTOR, 6, struct.pack("<H", 258) + body, {"index": 258}),
        _vector("sector of zeros", "host", SECTOR, 0, bytes(2 + 4096), {"index": 0}),
        _vector("sector of blanks", "host", SECTOR, 7, b"\1\0" + b"\xff" * 4096, {"index": 1}),
    ]


def _lengths() -> list[dict[str, Any]]:
    """COBS groups are 254 bytes long: payloads around that, and the longest frame to a card."""
    longest = _MAX_BYTES["card"] - 6
    sizes = {"no payload": b"", "a zero": b"\0", "longest to a card": b"x" * longest}
    around = {f"{size} bytes without a zero": b"y" * size for size in (246, 247, 248, 249, 253, 254, 255, 508)}
    return [
        _vector(name, "card" if len(payload) <= longest else "host", 77, 200, payload, "a type that nobody knows yet")
        for name, payload in (sizes | around).items()
    ]


def _streams(good: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    hello, status = (bytes.fromhex(good[f"request {name}"]["wire"]) for name in ("hello", "status"))
    flipped = bytearray(hello)
    flipped[9] ^= 4
    long = wire_of(REQUEST, 1, b"z" * (_MAX_BYTES["card"] - 5))
    both = ["request hello", "request status"]
    cases: tuple[tuple[str, bytes, list[str], int], ...] = (
        ("two frames", hello + status, both, 0),
        ("one zero between two frames", hello + status[1:], both, 0),
        ("zeros before, between and after", b"\0\0\0" + hello + b"\0\0" + status + b"\0", both, 0),
        ("what another program left half said", b"\r\n>>> import os" + hello, ["request hello"], 1),
        ("a flipped bit", bytes(flipped) + status, ["request status"], 1),
        ("a frame cut short", hello[:-6] + status, ["request status"], 1),
        ("a frame whose end is lost", hello[:-1] + status[1:], [], 1),
        ("a COBS code that reaches beyond the end", b"\0\x09abc\0" + status, ["request status"], 1),
        ("only a CRC", b"\0" + cobs.encode(struct.pack("<I", zlib.crc32(b""))) + b"\0" + status, ["request status"], 1),
        ("one byte too many for a card", long + status, ["request status"], 1),
        ("a thousand bytes without a zero", b"\0" + b"w" * 1000 + status, ["request status"], 1),
    )
    return [
        {"name": name, "to": "card", "wire": wire.hex(), "frames": frames, "dropped": dropped}
        for name, wire, frames, dropped in cases
    ]


def main() -> None:
    text = json.dumps(vectors(), indent=1)
    VECTORS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
