"""COBS and CRC-32 of the card, in checked viper: on any bytes what `cobs` and zlib make of them, and never beyond a buffer's end."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from types import ModuleType

import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from checked_viper import import_checked

# Runs around the longest group's 254 bytes are where encoders go wrong.
RUNS = st.lists(st.tuples(st.sampled_from((0, 1, 2, 253, 254, 255, 508)), st.integers(0, 2)), max_size=4)
DATA = st.binary(max_size=300) | RUNS.map(lambda runs: b"".join(b"x" * length + bytes(zeros) for length, zeros in runs))
CODED = DATA.map(cobs.encode)
DAMAGED = CODED.map(lambda coded: coded[:-1]) | DATA.map(lambda data: data.replace(b"\0", b"\4"))


@pytest.fixture(scope="module")
def modules() -> Iterator[tuple[ModuleType, ModuleType]]:
    with pytest.MonkeyPatch.context() as patch:
        yield import_checked(patch, "wire.cobs"), import_checked(patch, "wire.crc32")


@settings(deadline=None)
@given(data=DATA, at=st.integers(0, 3))
def test_it_encodes_as_others_do(modules: tuple[ModuleType, ModuleType], data: bytes, at: int) -> None:
    card, _ = modules
    coded = cobs.encode(data)
    target = bytearray(at + len(coded))
    assert card.cobs_encode(data, len(data), target, at) == len(target)
    assert target[at:] == coded


@settings(deadline=None)
@given(coded=CODED | DAMAGED, room=st.integers(-2, 2))
def test_it_decodes_as_others_do_and_refuses_what_they_refuse_and_what_does_not_fit(
    modules: tuple[ModuleType, ModuleType], coded: bytes, room: int
) -> None:
    card, _ = modules
    try:
        plain = cobs.decode(coded)
    except cobs.DecodeError:
        plain = None
    target = bytearray(max(0, (len(coded) if plain is None else len(plain)) + room))
    size = card.cobs_decode(coded, len(coded), target)
    if plain is None or len(plain) > len(target):
        assert size == -1
    else:
        assert target[:size] == plain


@settings(deadline=None)
@given(data=st.binary(max_size=300), wrong=st.integers(0, 31))
def test_its_seal_is_zlibs_crc(modules: tuple[ModuleType, ModuleType], data: bytes, wrong: int) -> None:
    _, card = modules
    sealed = bytearray(data + bytes(4))
    card.seal_front(sealed, len(data))
    assert sealed == data + zlib.crc32(data).to_bytes(4, "little") and card.is_sealed(sealed, len(data))
    sealed[len(data) + wrong // 8] ^= 1 << wrong % 8
    assert not card.is_sealed(sealed, len(data))
