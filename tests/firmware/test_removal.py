"""Removal: only what a library holds is ever freed, oldest first, and a cut anywhere leaves a recording whole or gone."""

import os
from hashlib import sha256

from card.settings import AFTER_DAYS, AT_ONCE, NEEDED, NEVER
from card.store.ledger import Ledger
from emulator.world import PowerOff
from prepared import content, counts, file_of, make_image, power_on, put_back
from test_store import IMAGE, record
from wire import message, sector

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
    tidy(log, NEVER)
    return restart()


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
    lines = log.ledger_lines(0, 9)[1]
    assert [(line["n"], line["why"]) for line in lines] == [(2, NEEDED), (3, AT_ONCE)]
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
        before = content(IMAGE)
        cuts, operation = 0, 1
        while True:
            put_back(IMAGE, before)
            forget_ledger()
            try:
                log = restart(cut_at=(operation, ("before", "mid", "after")[cuts % 3]), seed=cuts)
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
    assert file_of(log, 4) == data and log.ledger_lines(0, 9)[0] == 1


def test_a_proof_that_was_torn_reads_the_same_at_every_start_and_never_outlives_its_revocation():
    log = fresh()
    image = content(IMAGE)
    for seed in range(150):
        put_back(IMAGE, image)
        log = restart(cut_at=(1, "mid"), seed=seed)
        try:
            make_safe(log, 1)
            raise AssertionError("not cut")
        except PowerOff:
            pass
        log = restart(seed=seed)
        first = log.entry(1).flags
        for _ in range(3):
            assert restart(seed=seed + 1).entry(1).flags == first
        log = restart(seed=seed)
        assert log.revoke(1, b"lib")
        assert not any([restart(seed=seed + n).entry(1).flags & message.LISTED_SAFE for n in range(3)])


def test_as_many_libraries_as_the_owner_wants_must_hold_a_recording():
    log = fresh()
    log.copies = 2
    make_safe(log, 1)
    make_safe(log, 1)
    assert not log.entry(1).flags & message.LISTED_SAFE and log.entry(1).copies == 1
    tidy(log, AT_ONCE)
    assert log.recordings == [1, 2, 3]
    digest = sha256(file_of(log, 1)).digest()
    assert log.mark_safe(1, digest, b"two")
    assert log.entry(1, b"two").flags & message.LISTED_SAFE and log.entry(1, b"two").flags & message.LISTED_MINE
    assert not log.entry(1, b"new").flags & message.LISTED_MINE
    assert log.revoke(1, b"lib") and log.revoke(1, b"lib")
    assert not log.entry(1, b"lib").flags & (message.LISTED_SAFE | message.LISTED_MINE)
    tidy(log, AT_ONCE)
    assert log.recordings == [1, 2, 3]
    make_safe(log, 1)
    log = restart()
    log.copies = 2
    tidy(log, AT_ONCE)
    assert log.recordings == [2, 3]


def test_after_days_counts_from_the_proof_by_the_hosts_clock():
    day_ms = 24 * 3600 * 1000
    start_ms = 1_700_000_000_000
    log = fresh()
    make_safe(log, 1)  # nobody has told the time: it is never old enough
    log._clock.set_wall(start_ms, 10)
    make_safe(log, 2)
    tidy_days(log, 30)
    assert log.recordings == [1, 2, 3]
    log = restart()
    tidy_days(log, 30)
    assert log.recordings == [1, 2, 3], "the card does not know how late it is"
    log._clock.set_wall(start_ms + 30 * day_ms - 60_000, 10)
    tidy_days(log, 30)
    assert log.recordings == [1, 2, 3]
    log._clock.set_wall(start_ms + 30 * day_ms + 60_000, 10)
    tidy_days(log, 30)
    assert log.recordings == [1, 3]


def tidy_days(log, days):
    for _ in log.tidy(AFTER_DAYS, 50, days):
        pass


def test_the_ledger_keeps_the_last_two_hundred_and_survives_nonsense():
    forget_ledger()
    ledger = Ledger(os.getcwd())
    for n in range(1, 251):
        ledger.begin({"n": n, "nonce": "00", "why": "at once", "runs": [[1, 1]]})
        ledger.close(ledger.open_entry())
    total, lines = ledger.entries(198, 8)
    assert total == 200 and [line["n"] for line in lines] == [249, 250]
    for nonsense in (
        "",
        "[]",
        '{"runs": 3, "n": 1}',
        '{"runs": [[0, 99999]], "n": 1, "nonce": "", "why": "x"}',
        "\0\xff",
    ):
        log = fresh()
        with open(os.getcwd() + "/removing.json", "w") as file:
            file.write(nonsense)
        tidy(log, AT_ONCE)
        assert log.recordings == [1, 2, 3] and counts()["erases"] == 0


def test_a_cut_while_a_sector_without_an_owner_is_erased_again_never_loses_it():
    log = fresh()
    with open(IMAGE, "r+b") as image:
        image.seek(0x10000 + 20 * 4096)
        image.write(bytes(64))  # a sector that was given up
    before = content(IMAGE)
    operation = 0
    while True:
        operation += 1
        put_back(IMAGE, before)
        try:
            log = restart(cut_at=(operation, "mid"), seed=operation)
            tidy(log)
            break
        except PowerOff:
            log = restart()
            tidy(log)
            assert log.clean_sectors == SECTORS - 10
    assert operation == 4


def test_a_cut_at_every_flash_operation_of_a_trial_costs_no_sector_and_no_recording():
    log = fresh()
    files = {n: file_of(log, n) for n in log.recordings}
    before = content(IMAGE)
    cuts, operation = 0, 1
    while True:
        put_back(IMAGE, before)
        forget_ledger()
        try:
            log = restart(cut_at=(operation, ("before", "mid", "after")[cuts % 3]), seed=cuts)
            trial = log.trial(bytearray(sector.SECTOR_BYTES))
            for _ in trial.run(2):
                pass
            break
        except PowerOff:
            cuts += 1
            operation += cuts % 3 == 0
        assert check_after_cut(files, None) == 0
    figures = trial.figures()
    assert figures["sectors"] == 2 and figures["wrong_pages"] == 0 and log.clean_sectors == SECTORS - 10
    assert 0 < figures["program_us"] <= figures["longest_program_us"] < figures["longest_erase_us"]
    assert operation > 2 * 18
    assert check_after_cut(files, None) == 0


def test_a_trial_that_is_let_go_leaves_what_is_cleaned_afterwards():
    log = fresh()
    steps = log.trial(bytearray(sector.SECTOR_BYTES)).run(4)
    next(steps)
    assert log.clean_sectors == SECTORS - 11
    tidy(log)
    assert log.clean_sectors == SECTORS - 10 and counts()["erases"] == 1
