"""The rules about proofs: what one is refused for and, where writing is allowed, that one counts and can be taken back."""

from __future__ import annotations

from hashlib import sha256

from voicecard.device.conformance.rule import NotTriedError, Rule, need, rule
from voicecard.device.conformance.visit import ANSWER_S, Fields, Visit, identity, pull, without
from voicecard.firmware.wire import message

_PROOF_S_A_SECTOR = 0.03
_FEW_SECTORS = 64  # of a recording that is pulled for its digest
_WRONG_DIGEST = "00" * 32
_WRONG_NONCE = "00" * 8


@rule("`gone` (no recording with that `n` and `nonce`)")
def what_is_gone(visit: Visit) -> str:
    entries = visit.entries()
    unknown = max((entry.recording for entry in entries), default=0) + 1000
    visit.refused(message.GONE, {"do": "pull", "n": unknown, "nonce": _WRONG_NONCE, "from": 0})
    visit.refused(message.GONE, {"do": "revoke", "n": unknown, "nonce": _WRONG_NONCE, "library": visit.library})
    if entries:
        other = identity(entries[0]) | {"nonce": _WRONG_NONCE}
        visit.refused(
            message.GONE,
            {"do": "pull", **other, "from": 0},
            {"do": "safe", **other, "sectors": 1, "digest": _WRONG_DIGEST, "library": visit.library},
            {"do": "revoke", **other, "library": visit.library},
        )
    return ""


@rule("the error `digest` for another digest or another number of sectors")
def proofs_refused(visit: Visit) -> str:
    entry = visit.closed()[0]
    proof = _proof(visit, entry, _WRONG_DIGEST)
    wrong_counts = [proof | {"sectors": wrong} for wrong in (entry.sectors + 1, entry.sectors - 1)]
    visit.refused(message.DIGEST, proof, *wrong_counts, within_s=_proof_s(entry))
    if len(others := visit.closed()) > 1 and entry.sectors <= _FEW_SECTORS:
        stolen = _proof(visit, others[1], _digest(visit, entry))
        visit.refused(message.DIGEST, stolen, within_s=_proof_s(others[1]))
    visit.refused(
        message.BAD,
        *(without(proof, name) for name in ("n", "nonce", "sectors", "digest", "library")),
        *(proof | {"digest": wrong} for wrong in ("", "00" * 31, "00" * 33, "zz" * 32, 0)),
        *(proof | {"library": wrong} for wrong in ("", "c0ffee00", "xyzxyz", 0)),
        *(proof | {"sectors": wrong} for wrong in (-1, str(entry.sectors), True)),
    )
    after = _entry(visit, entry.recording)
    need(after.copies == entry.copies and not after.flags & message.LISTED_MINE, "a refused proof counts all the same")
    return f"recording {entry.recording}, which is as it was"


@rule("and only then, what `then` asks for is answered as a `pull` with the same sequence number would be")
def proof_with_the_next_pull(visit: Visit) -> str:
    visit.need_feature(message.SAFE_THEN)
    entry = visit.closed()[0]
    proof = _proof(visit, entry, _WRONG_DIGEST)
    then = without(pull(entry, 0), "do")
    asked = proof | {"then": then}
    sequence = visit.send(asked)
    answer = visit.answer(sequence, asked, _proof_s(entry))
    need(answer.get("error") == message.DIGEST, f"a wrong digest is answered by {answer}, not by the error 'digest'")
    visit.check_nothing_follows(sequence)
    wrong: tuple[object, ...] = (
        None,
        [],
        "pull",
        {},
        *(without(then, name) for name in then),
        then | {"from": -1},
        then | {"n": "1"},
    )
    visit.refused(message.BAD, *(proof | {"then": one} for one in wrong))
    return "nothing comes after a refused proof"


@rule("`open` (the recording still runs)")
def open_recordings(visit: Visit) -> str:
    running = [entry for entry in visit.entries() if not entry.flags & message.LISTED_ENDED]
    if not running:
        raise NotTriedError("no recording runs")
    entry = running[-1]
    visit.refused(message.OPEN, _proof(visit, entry, _WRONG_DIGEST))
    answer = visit.ask(pull(entry, 0))
    visit.told({"do": "stop"})
    need(answer.get("open") is True, f"`open` is {answer.get('open')!r} of a recording that runs")
    return f"recording {entry.recording}"


@rule("`safe`: true, after the card has computed the same digest from its flash")
def proof_and_revocation(visit: Visit) -> str:
    if not visit.may_write:
        raise NotTriedError("it writes to the card: give --write")
    visit.need_idle()
    entry = min(visit.closed(), key=lambda entry: not entry.flags & message.LISTED_SAFE)
    proof = _proof(visit, entry, _digest(visit, entry))
    revocation = {"do": "revoke", **identity(entry), "library": visit.library}
    before = visit.listing(0).generation
    try:
        for which in ("first", "second"):
            need(
                visit.told(proof, _proof_s(entry)).get("safe") is True,
                f"the {which} of two equal proofs is not answered by `safe`: true",
            )
            _check_held(visit, entry, True)
        if message.SAFE_THEN in visit.hello.get("features", ()):
            _check_pull_with(visit, proof, entry)
    finally:
        visit.told(revocation)
    _check_held(visit, entry, False)
    need(visit.told(revocation).get("revoked") is True, "`revoke` is not answered by `revoked`: true")
    need(visit.listing(0).generation != before, "the list has changed and the generation has not")
    return f"recording {entry.recording} was held by library {visit.library} and is no longer"


def _check_pull_with(visit: Visit, proof: Fields, entry: message.Entry) -> None:
    """What comes with a proof is what comes without."""
    asked = pull(entry, 0)
    alone = visit.stream(asked, _FEW_SECTORS)
    sequence = visit.send(proof | {"then": without(asked, "do")})
    need(visit.answer(sequence, proof, _proof_s(entry)).get("safe") is True, "a proof with `then` is refused")
    need(visit.streamed(sequence, asked, _FEW_SECTORS) == alone, "with a proof another pull comes than without")


def _check_held(visit: Visit, before: message.Entry, held: bool) -> None:
    """The visit's library holds the recording, or does not, and the other libraries do as before."""
    now = _entry(visit, before.recording)
    need(
        bool(now.flags & message.LISTED_MINE) == held,
        f"the list does not say that the library {'holds' if held else 'lacks'} it",
    )
    need(now.copies == before.copies + held, f"{now.copies} libraries hold it, before {before.copies}")


def _entry(visit: Visit, recording: int) -> message.Entry:
    for entry in visit.entries(visit.library):
        if entry.recording == recording:
            return entry
    raise NotTriedError(f"recording {recording} was removed meanwhile")


def _digest(visit: Visit, entry: message.Entry) -> str:
    return sha256(b"".join(visit.stream(pull(entry, 0), entry.sectors).sectors)).hexdigest()


def _proof(visit: Visit, entry: message.Entry, digest: str) -> Fields:
    return {"do": "safe", **identity(entry), "sectors": entry.sectors, "digest": digest, "library": visit.library}


def _proof_s(entry: message.Entry) -> float:
    """How long the card may take to read the whole recording."""
    sectors: int = entry.sectors
    return ANSWER_S + sectors * _PROOF_S_A_SECTOR


RULES: tuple[Rule, ...] = (
    what_is_gone,
    proofs_refused,
    proof_with_the_next_pull,
    open_recordings,
    proof_and_revocation,
)
