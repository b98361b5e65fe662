"""The rules about frames: what the card takes for one, what it drops, and whom it answers."""

from __future__ import annotations

import time

from voicecard.device.conformance.line import coded, framed, request
from voicecard.device.conformance.rule import Rule, broken, need, rule
from voicecard.device.conformance.visit import ANSWER_S, Visit
from voicecard.firmware.wire import frame, message

_STATUS = message.pack_json({"do": "status"})
_NUMBER = 201  # of frames that nothing may answer
_ARRIVAL_S = 0.05  # so that two frames in a row do not meet in the card's input ring
_UNKNOWN_KIND = 77

_WRONG_CRC = coded(bytes((message.REQUEST, _NUMBER)) + _STATUS + b"\1\2\3\4")
_WRONG_COBS = b"\0\x09abc\0"
_TOO_SHORT = coded(b"\1\xc9\7")
_TOO_LONG = framed(
    message.REQUEST, _NUMBER, _STATUS.ljust(frame.MAX_TO_CARD_BYTES - frame.OVERHEAD_BYTES + 1)
)  # JSON may end in spaces
_DAMAGED = {
    "wrong CRC": _WRONG_CRC,
    "wrong COBS": _WRONG_COBS,
    "too few bytes": _TOO_SHORT,
    "too many bytes": _TOO_LONG,
}
_GARBAGE = b"\r\n>>> import os\r\n\xff\xfe\x80\x03\x03\x02"


@rule("every frame that answers a request carries its number")
def sequence_numbers(visit: Visit) -> str:
    for sequence in (0, 255, 128, 3):
        visit.line.write(framed(message.REQUEST, sequence, _STATUS))
        _next_answers(visit, sequence, f"a request with the number {sequence}")
    return "0, 255, 128 and 3 came back"


@rule("the same request sent twice is answered twice")
def repeated_requests(visit: Visit) -> str:
    sequence = visit.line.next_sequence()
    for which in ("first", "second"):
        visit.line.write(framed(message.REQUEST, sequence, _STATUS))
        _next_answers(visit, sequence, f"the {which} of two equal requests")
    return ""


@rule("Empty frames are ignored")
def empty_frames(visit: Visit) -> str:
    _check_dropped(visit, bytes(7), "an empty frame")
    return ""


@rule("one zero between two frames is enough")
def shared_delimiters(visit: Visit) -> str:
    first, second = visit.line.next_sequence(), visit.line.next_sequence()
    visit.line.write(framed(message.REQUEST, first, _STATUS) + framed(message.REQUEST, second, _STATUS)[1:])
    for sequence in (first, second):
        _next_answers(visit, sequence, "one of two frames with one zero between")
    return ""


@rule("A frame with a wrong CRC, a wrong COBS")
def damaged_frames(visit: Visit) -> str:
    for what in ("wrong CRC", "wrong COBS"):
        _check_dropped(visit, _DAMAGED[what], f"a frame with a {what}")
    return ""


@rule("too few bytes (under 6) or too many bytes is dropped without an answer")
def frame_lengths(visit: Visit) -> str:
    for what in ("too few bytes", "too many bytes"):
        _check_dropped(visit, _DAMAGED[what], f"a frame with {what}")
    return ""


@rule("at most 240 bytes to the card")
def longest_frame(visit: Visit) -> str:
    sequence = visit.line.next_sequence()
    visit.line.write(framed(message.REQUEST, sequence, _STATUS.ljust(frame.MAX_TO_CARD_BYTES - frame.OVERHEAD_BYTES)))
    _next_answers(visit, sequence, f"a request of {frame.MAX_TO_CARD_BYTES} bytes")
    return ""


@rule("is right again at the next zero")
def garbage_before_a_frame(visit: Visit) -> str:
    _check_dropped(visit, _GARBAGE, "garbage before a frame")
    cut = request(_NUMBER, {"do": "status"})[:-5]
    _check_dropped(visit, cut, "a frame that was cut off")
    return ""


@rule("The card counts each in `link_errors`")
def link_errors(visit: Visit) -> str:
    visit.need_feature("counters")
    before = _link_errors(visit)
    for wire in _DAMAGED.values():
        _check_dropped(visit, wire, "a damaged frame")
    _check_dropped(visit, _GARBAGE, "garbage before a frame")
    _check_dropped(visit, bytes(5), "an empty frame")
    sent, counted = len(_DAMAGED) + 1, _link_errors(visit) - before
    need(counted == sent, f"{sent} damaged frames were counted as {counted}")
    return f"{sent} sent, {sent} counted, empty ones not"


@rule("A card ignores whole frames of another type than 1")
def other_types(visit: Visit) -> str:
    for kind in (0, message.ANSWER, message.LISTING, message.SECTOR, _UNKNOWN_KIND):
        _check_dropped(visit, framed(kind, _NUMBER, _STATUS), f"a frame of type {kind}")
    return ""


@rule("a payload that is no JSON object is `bad`")
def payloads(visit: Visit) -> str:
    for payload in (b"", b"{", b"[]", b'"status"', b"7", b"\xff\xfe"):
        sequence = visit.line.next_sequence()
        visit.line.write(framed(message.REQUEST, sequence, payload))
        answer = visit.answer(sequence, {"do": payload.decode(errors="replace")})
        need(answer.get("error") == message.BAD, f"the payload {payload!r} is answered by {answer}")
    return ""


@rule("a frame may arrive in any pieces")
def one_byte_at_a_time(visit: Visit) -> str:
    sequence = visit.line.next_sequence()
    for byte in request(sequence, {"do": "status"}):
        visit.line.write(bytes((byte,)))
    _next_answers(visit, sequence, "a request in pieces of one byte")
    return ""


@rule("Requests that arrive together are answered one after the other")
def two_requests_in_one_write(visit: Visit) -> str:
    asked = [(visit.line.next_sequence(), do) for do in ("hello", "status", "stop")]
    visit.line.write(b"".join(request(sequence, {"do": do}) for sequence, do in asked))
    for sequence, do in asked:
        _next_answers(visit, sequence, f"`{do}`, sent together with others,")
    return "three together"


def _check_dropped(visit: Visit, wire: bytes, what: str) -> None:
    """Nothing answers `wire`, and the request behind it is answered."""
    visit.line.write(wire)
    time.sleep(_ARRIVAL_S)
    sequence = visit.line.next_sequence()
    visit.line.write(framed(message.REQUEST, sequence, _STATUS))
    got = visit.line.frame(ANSWER_S)
    if got is None:
        visit.silences += 1
        broken(f"after {what} the next request is not answered")
    need(got.sequence == sequence, f"{what} is answered, with the number {got.sequence}")
    _check_status(visit, got.payload, f"the request after {what}")


def _next_answers(visit: Visit, sequence: int, what: str) -> None:
    """The very next frame answers the request `status` with this number."""
    got = visit.line.frame(ANSWER_S)
    if got is None:
        visit.silences += 1
        broken(f"{what} is not answered")
    need(got.sequence == sequence, f"{what} is answered with the number {got.sequence}")
    need(got.kind == message.ANSWER, f"{what} is answered by a frame of type {got.kind}")


def _check_status(visit: Visit, payload: bytes, what: str) -> None:
    try:
        answer = message.read_json(payload)
    except ValueError:
        broken(f"{what} is answered by no JSON object")
    need("error" not in answer, f"{what} is refused: {answer}")


def _link_errors(visit: Visit) -> int:
    counted = visit.told({"do": "counters"}).get("link_errors")
    need(type(counted) is int, f"`link_errors` is {counted!r}, not a whole number")
    assert isinstance(counted, int)
    return counted


RULES: tuple[Rule, ...] = (
    sequence_numbers,
    repeated_requests,
    empty_frames,
    shared_delimiters,
    damaged_frames,
    frame_lengths,
    longest_frame,
    garbage_before_a_frame,
    link_errors,
    other_types,
    payloads,
    one_byte_at_a_time,
    two_requests_in_one_write,
)
