"""Removal: only what a library holds is ever freed, oldest first, and a cut anywhere leaves a recording whole or gone."""

import os
from hashlib import sha256

from card.settings import AT_ONCE, NEEDED, NEVER
from emulator.world import PowerOff
from prepared import counts, file_of, make_image, power_on
from test_store import IMAGE, record
from wire import sector

SECTORS = 24


def restart(**options):
    log, _ = power_on(IMAGE, **options)
    return log


def make_safe(log, recording):
    assert log.mark_safe(recording, sha256(file_of(log, recording)).digest(), b"lib")


def tidy(log, policy=NEEDED, percent=50):
    for _ in log.tidy(policy, percent):
        pass


def forget_ledger():
    for name in ("/removing.json", "/removed.jsonl"):
        try:
            os.remove(os.getcwd() + name)
        except OSError:
            pass


def fresh(frames=(20, 40, 60)):
    """A card with recordings of so many frames: 2, 3 and 5 sectors of 24."""
    make_image(IMAGE, SECTORS)
    forget_ledger()
    log = restart()
    for count in frames:
        record(log, count)
    return log


def test_nothing_that_no_library_holds_is_removed_however_little_room_there_is():
    log = fresh()
    before = [file_of(log, n) for n in log.recordings]
    for policy in (NEEDED, AT_ONCE, NEVER):
        tidy(log, policy, 95)
    assert [file_of(log, n) for n in log.recordings] == before and counts()["erases"] == 0


def test_the_oldest_safe_recordings_make_room_and_no_more_than_needed():
    log = fresh()
    for n in (2, 3):
        make_safe(log, n)
    clean = log.clean_sectors
    tidy(log, NEVER, 95)
    assert log.recordings == [1, 2, 3]
    tidy(log, NEEDED, -(-100 * (clean + 1) // SECTORS))
    assert log.recordings == [1, 3] and log.clean_sectors == clean + 3
    tidy(log, AT_ONCE)
    assert log.recordings == [1] and log.clean_sectors == clean + 8
    lines = log._removal._ledger.lines()
    assert len(lines) == 2 and '"n": 2' in lines[0].replace('"n":2', '"n": 2')
    log = restart()
    assert log.recordings == [1] and log.clean_sectors == clean + 8
    assert record(log, 5) == 4, "numbers are not used again, though the highest recording is gone"


def test_sectors_count_their_erases_and_are_used_in_turn():
    log = fresh()
    for _ in range(5):
        for n in log.recordings[:]:
            make_safe(log, n)
        tidy(log, AT_ONCE)
        assert log.recordings == [] and log.clean_sectors == SECTORS
        record(log, 150)
        record(log, 20)
    head = bytearray(64)
    erases = []
    for number in range(SECTORS):
        log._flash.read(number, 0, head)
        erases.append(sector.read_marker(head).erases)
    assert max(erases) - min(erases) <= 1 and sum(erases) > SECTORS


def check_after_cut(files, safe):
    """What must hold after any cut: each recording whole or, if safe, gone; then the card tidies up and goes on."""
    for _ in range(2):
        log = restart()
        for n in log.recordings:
            assert file_of(log, n) == files[n]
        assert set(files) - set(log.recordings) <= {safe}
    tidy(log, AT_ONCE)
    assert log.recordings == [n for n in files if n != safe]
    assert [file_of(log, n) for n in log.recordings] == [files[n] for n in log.recordings]
    used = sum(len(files[n]) // 4096 for n in log.recordings)
    return SECTORS - used - log.clean_sectors


def test_a_cut_at_every_flash_operation_of_a_removal_leaves_a_recording_whole_or_gone():
    for lose_ledger in (False, True):
        log = fresh()
        make_safe(log, 2)
        files = {n: file_of(log, n) for n in log.recordings}
        with open(IMAGE, "rb") as image:
            before = image.read()
        cuts, operation = 0, 1
        while True:
            with open(IMAGE, "wb") as image:
                image.write(before)
            forget_ledger()
            log = restart(cut_at=(operation, ("before", "mid", "after")[cuts % 3]), seed=cuts)
            try:
                tidy(log, AT_ONCE)
                break
            except PowerOff:
                cuts += 1
                operation += cuts % 3 == 0
            if lose_ledger:
                forget_ledger()
            leaked = check_after_cut(files, 2)
            assert leaked <= (1 if lose_ledger else 0), "at most a sector whose owner nobody can name any more"
        assert operation > 9


def test_a_removal_that_was_interrupted_goes_on_and_is_noted_once():
    log = fresh()
    make_safe(log, 3)
    work = log.tidy(AT_ONCE, 50)
    next(work)
    next(work)
    assert log.recordings == [1, 2]
    record(log, 30)
    log = restart()
    assert log.recordings == [1, 2, 4]
    data = file_of(log, 4)
    tidy(log)
    assert file_of(log, 4) == data and len(log._removal._ledger.lines()) == 1
