"""The rules about settings: what they may be, and that a change is made wholly or not at all."""

from __future__ import annotations

from voicecard.device.conformance.rule import NotTriedError, Rule, need, rule
from voicecard.device.conformance.visit import Fields, Visit
from voicecard.firmware.wire import message

_HARMLESS = "pre_roll_ms"  # the setting that is tried: it is put back should the card take it


@rule(
    "{`value`, `default`, `allowed`}; `allowed` is a list of values, or {`from`, `to`} for every whole number between"
)
def settings(visit: Visit) -> str:
    visit.need_feature("settings")
    known = _settings(visit)
    for name, about in known.items():
        for which in ("value", "default"):
            need(
                _is_allowed(about[which], about["allowed"]), f"the {which} of {name}, {about[which]!r}, is not allowed"
            )
    return f"{len(known)} settings"


@rule("after all were accepted and saved; else the error `bad`, and none is changed")
def refused_settings(visit: Visit) -> str:
    visit.need_feature("set")
    visit.need_idle()
    before = _settings(visit)
    visit.refused(message.BAD, {"do": "set"}, {"do": "set", "settings": []}, _set({"no such setting": 1}))
    if _is_range(before.get(_HARMLESS, {}).get("allowed")):
        value, allowed = before[_HARMLESS]["value"], before[_HARMLESS]["allowed"]
        other = allowed["from"] if value != allowed["from"] else allowed["to"]
        try:
            wrong = (allowed["to"] + 1, allowed["from"] - 1, str(value), True, None)
            visit.refused(message.BAD, *(_set({_HARMLESS: one}) for one in wrong))
            visit.refused(message.BAD, _set({_HARMLESS: other, "no such setting": 1}))
            need(_settings(visit) == before, "a refused `set` has changed settings")
        finally:
            _put_back(visit, value)
    need(_settings(visit) == before, "a refused `set` has changed settings")
    return ""


@rule("an object of all names and values")
def accepted_settings(visit: Visit) -> str:
    visit.need_feature("set")
    visit.need_idle()
    before = {name: about["value"] for name, about in _settings(visit).items()}
    name = _HARMLESS if _HARMLESS in before else next(iter(before), None)
    if name is None:
        raise NotTriedError("the card has no settings")
    answer = visit.told(_set({name: before[name]}))
    need(answer.get("settings") == before, f"`set` answers {answer.get('settings')}, not {before}")
    return f"{name} set to what it was"


def _settings(visit: Visit) -> dict[str, Fields]:
    known = visit.told({"do": "settings"}).get("settings")
    need(isinstance(known, dict), "`settings` is no object")
    assert isinstance(known, dict)
    for name, about in known.items():
        need(isinstance(about, dict) and about.keys() >= {"value", "default", "allowed"}, f"{name} lacks a field")
        allowed = about["allowed"]
        need(isinstance(allowed, list) or _is_range(allowed), f"`allowed` of {name} is {allowed!r}")
    return known


def _set(values: Fields) -> Fields:
    return {"do": "set", "settings": values}


def _put_back(visit: Visit, value: object) -> None:
    if _settings(visit)[_HARMLESS]["value"] != value:
        visit.told(_set({_HARMLESS: value}))


def _is_allowed(value: object, allowed: object) -> bool:
    if isinstance(allowed, dict):
        return type(value) is int and bool(allowed["from"] <= value <= allowed["to"])
    return isinstance(allowed, list) and value in allowed


def _is_range(allowed: object) -> bool:
    return isinstance(allowed, dict) and all(type(allowed.get(end)) is int for end in ("from", "to"))


RULES: tuple[Rule, ...] = (settings, refused_settings, accepted_settings)
