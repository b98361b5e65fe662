"""The rules about requests that are not about recordings: what they answer, and what they refuse."""

from __future__ import annotations

import time

from voicecard.device.conformance.rule import Rule, need, rule
from voicecard.device.conformance.visit import ANSWER_S, Fields, Visit
from voicecard.firmware.wire import message

_NEEDED = ("hello", "status", "clock", "list", "pull", "safe", "revoke", "stop", "bye")
_ASKED = (*_NEEDED[:-1], "settings", "set", "counters", "log", "ledger", "image")  # what harms nothing without fields
_STATES = ("idle", "recording", "fault", "formatting", "safe mode")
_CAUSES = ("power", "reset", "watchdog", "sleep", "soft")
_COUNTERS = ("failed_starts", "lost_samples", "longest_stall_us", "erases", "cut_recordings", "link_errors")
_EARLIEST_MS, _LATEST_MS = 1_577_836_800_000, 4_102_444_800_000
_MOST_UNCERTAIN_MS = 86_400_000
_LOG_LINES, _LEDGER_LINES = 32, 8
_FEW_SECTORS = 8


@rule("`v`, `card` name, `fw` version, `boot`, `ticks_us` since boot, `features` list of the requests known")
def greeting(visit: Visit) -> str:
    hello = visit.told({"do": "hello", "v": message.VERSION})
    _check_whole(hello, "v", "boot", "ticks_us")
    _check_text(hello, "card", "fw")
    need(hello["v"] == message.VERSION, f"the card's version is {hello['v']}, this program's {message.VERSION}")
    features = hello.get("features")
    need(isinstance(features, list) and all(isinstance(one, str) for one in features), "`features` is no list of names")
    again = visit.told({"do": "hello"})
    _check_whole(again, "boot", "ticks_us")
    need(again["boot"] == hello["boot"], "`boot` differs between two greetings")
    need(again["ticks_us"] > hello["ticks_us"], "`ticks_us` does not go on")
    return f"card {hello['card'] or 'without a name'}, firmware {hello['fw']}"


@rule(
    "`settings`, `set`, `counters`, `log`, `ledger`, `files`, `update`, `measure`,"
    " `image`, `format`, `restart` and `repl` may be missing in a card, no other"
)
def features(visit: Visit) -> str:
    known = visit.hello.get("features")
    need(isinstance(known, list) and all(isinstance(one, str) for one in known), "`features` is no list of names")
    assert isinstance(known, list)
    missing = [do for do in _NEEDED if do not in known]
    need(not missing, f"missing in `features`: {', '.join(missing)}")
    asked = [do for do in known if do in _ASKED]
    for do in asked:
        answer = _first_answer(visit, {"do": do})
        need(answer.get("error") != message.UNKNOWN, f"`{do}` is listed and unknown")
    return f"{len(known)} listed; not asked: {', '.join(do for do in known if do not in asked)}"


@rule("with the error `unknown`, and goes on")
def unknown_requests(visit: Visit) -> str:
    visit.refused(message.UNKNOWN, {"do": "no such request"}, {"do": ""}, {"from": 0}, {})
    visit.told({"do": "status"})
    return ""


@rule("Both sides ignore fields they do not know")
def unknown_fields(visit: Visit) -> str:
    visit.told({"x": [1, {"y": None}], "do": "status", "n": "z"})
    return ""


@rule("`state`, `sectors`, `clean`, `set_aside`")
def status(visit: Visit) -> str:
    told = visit.told({"do": "status"})
    _check_text(told, "state")
    _check_whole(told, "sectors", "clean", "set_aside", "seconds_left", "recordings", "lost_samples")
    _check_whole(told, "boot", "ticks_us", "wall_ms")
    need(told["state"] in _STATES, f"there is no state {told['state']!r}")
    need(
        told["boot"] == visit.hello.get("boot"), f"`boot` is {told['boot']}, in the greeting {visit.hello.get('boot')}"
    )
    return f"{told['state']}, {told['recordings']} recordings"


@rule("`wall_ms` Unix time (1577836800000, the start of 2020, to 4102444800000, of 2100)")
def clock(visit: Visit) -> str:
    now_ms = int(time.time() * 1000)
    visit.refused(
        message.BAD,
        *(_clock(wall_ms, 1) for wall_ms in (_EARLIEST_MS - 1, _LATEST_MS + 1, -1, str(now_ms), True, None)),
        *(_clock(now_ms, uncertainty_ms) for uncertainty_ms in (-1, _MOST_UNCERTAIN_MS + 1, "1", 0.5)),
        {"do": "clock", "wall_ms": now_ms},
        {"do": "clock", "uncertainty_ms": 1},
    )
    began = time.time()
    visit.told({"do": "status"})
    uncertainty_ms = int((time.time() - began) * 1000) + 1
    now_ms = int(time.time() * 1000)
    answer = visit.told(_clock(now_ms, uncertainty_ms))
    need(answer.get("wall_ms") == now_ms, f"`wall_ms` is {answer.get('wall_ms')!r}, not the {now_ms} that was set")
    wall_ms = visit.told({"do": "status"}).get("wall_ms")
    need(isinstance(wall_ms, int) and 0 <= wall_ms - now_ms < ANSWER_S * 1000, f"the clock then reads {wall_ms!r}")
    return "set to this computer's time"


@rule("`boots` an object of cause (`power`, `reset`, `watchdog`, `sleep`, `soft`): number")
def counters(visit: Visit) -> str:
    visit.need_feature("counters")
    told = visit.told({"do": "counters"})
    _check_whole(told, *_COUNTERS, "lowest_battery_mv")
    need(isinstance(told.get("boots"), dict), "`boots` is no object")
    _check_whole(told["boots"], *_CAUSES)
    return ""


@rule("the newest 32 lines (fewer if they would not fit), oldest first")
def log(visit: Visit) -> str:
    visit.need_feature("log")
    lines = visit.told({"do": "log"}).get("lines")
    need(isinstance(lines, list) and all(isinstance(line, str) for line in lines), "`lines` is no list of texts")
    assert isinstance(lines, list)
    need(len(lines) <= _LOG_LINES, f"{len(lines)} lines")
    return f"{len(lines)} lines"


@rule("at most 8 removals from that index on (none from `total` on), oldest first")
def ledger(visit: Visit) -> str:
    visit.need_feature("ledger")
    visit.listing(0)
    total, lines = _ledger(visit, 0)
    need(bool(lines) == bool(total), f"{len(lines)} lines of {total} removals")
    need(_ledger(visit, total)[1] == [], "lines come from `total` on")
    if len(lines) > 1:
        need(_ledger(visit, 1)[1][:1] == lines[1:2], "from 1 on it does not begin with the second line")
    visit.refused(message.BAD, {"do": "ledger"}, {"do": "ledger", "from": -1}, {"do": "ledger", "from": "0"})
    return f"{total} removals"


@rule("then each sector of the partition from there on, as it lies on flash with its state cells")
def image(visit: Visit) -> str:
    visit.need_feature("image")
    visit.need_idle()
    first = visit.stream({"do": "image", "from": 0}, _FEW_SECTORS)
    total = first.answer["sectors"]
    last = visit.stream({"do": "image", "from": max(0, total - 1)}, _FEW_SECTORS)
    need(last.done and len(last.sectors) == 1, "the last sector alone does not come alone")
    end = visit.stream({"do": "image", "from": total}, _FEW_SECTORS)
    need(end.done and not end.sectors, "sectors come from beyond the end")
    visit.refused(message.BAD, {"do": "image"}, {"do": "image", "from": total + 1}, {"do": "image", "from": -1})
    return f"{total} sectors; {len(first.sectors)} and the last one read"


@rule("`stop` true or false (may be left out: false)")
def the_prompt(visit: Visit) -> str:
    visit.need_feature("repl")
    wrong: tuple[object, ...] = (1, 0, None, "true", [])
    visit.refused(message.BAD, *({"do": "repl", "stop": stop} for stop in wrong))
    return "what is no wish is refused; nobody is led there"


@rule("answer `stopped`: true, also when none runs")
def stop(visit: Visit) -> str:
    need(visit.told({"do": "stop"}).get("stopped") is True, "`stop` is not answered by `stopped`: true")
    return ""


@rule("at most 5 s without a byte")
def answer_times(visit: Visit) -> str:
    need(not visit.silences, f"requests that were not answered in time: {visit.silences}")
    return f"slowest {visit.slowest_s * 1000:.0f} ms ({visit.slowest_request})"


@rule("The CRC-32 (as in zlib) covers type, sequence and payload")
def whole_frames(visit: Visit) -> str:
    damaged = visit.line.damaged_frames
    need(not damaged, f"frames that came damaged from the card: {damaged} (or the cable is bad)")
    return ""


@rule("`bye`: true; the card forgets the session")
def bye(visit: Visit) -> str:
    need(visit.told({"do": "bye"}).get("bye") is True, "`bye` is not answered by `bye`: true")
    return ""


def _first_answer(visit: Visit, fields: Fields) -> Fields:
    """What a request without fields is answered with; a stream that it begins is stopped."""
    sequence = visit.send(fields)
    frame = visit.frame(sequence, fields)
    answer = {} if frame.kind != message.ANSWER else visit.fields_of(frame, message.ANSWER, f"`{fields['do']}`")
    visit.told({"do": "stop"})
    return answer


def _ledger(visit: Visit, first: int) -> tuple[int, list[Fields]]:
    answer = visit.told({"do": "ledger", "from": first})
    _check_whole(answer, "total")
    lines = answer.get("lines")
    need(isinstance(lines, list) and all(isinstance(line, dict) for line in lines), "`lines` is no list of objects")
    assert isinstance(lines, list)
    need(len(lines) <= _LEDGER_LINES, f"{len(lines)} lines at once")
    for line in lines:
        _check_whole(line, "n", "boot", "wall_ms")
        _check_text(line, "nonce", "digest", "why")
    return answer["total"], lines


def _clock(wall_ms: object, uncertainty_ms: object) -> Fields:
    return {"do": "clock", "wall_ms": wall_ms, "uncertainty_ms": uncertainty_ms}


def _check_whole(fields: Fields, *names: str) -> None:
    for name in names:
        value = fields.get(name)
        need(type(value) is int and value >= 0, f"`{name}` is {value!r}, not a whole number")


def _check_text(fields: Fields, *names: str) -> None:
    for name in names:
        need(isinstance(fields.get(name), str), f"`{name}` is {fields.get(name)!r}, not a text")


FIRST: tuple[Rule, ...] = (greeting, features, unknown_requests, unknown_fields)
RULES: tuple[Rule, ...] = (
    status,
    clock,
    counters,
    log,
    ledger,
    image,
    the_prompt,
    stop,
)
OF_THE_WHOLE_VISIT: tuple[Rule, ...] = (answer_times, whole_frames)
LEAVE: tuple[Rule, ...] = (bye,)
