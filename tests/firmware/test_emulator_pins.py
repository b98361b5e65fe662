"""The emulated pins: keys that bounce, the battery, and a chip without a serial number."""

import time

import machine

from emulator import board

BOUNCE_MS = 5


def edges(seed, level):
    """(µs after the move, level) of each change of the key's pin."""
    board.reset(seed=seed)
    pin = machine.Pin(1, machine.Pin.IN, machine.Pin.PULL_UP)
    time.sleep_ms(2 * BOUNCE_MS)
    if level:
        board.key("rec").move(0)
        time.sleep_ms(2 * BOUNCE_MS)
    was, seen, start_us = pin.value(), [], board.world.now_us
    board.key("rec").move(level)
    while board.world.now_us - start_us < 20_000:
        if pin.value() != was:
            was = pin.value()
            seen.append((board.world.now_us - start_us, was))
        time.sleep_us(10)
    return seen


def test_a_key_bounces_for_five_milliseconds_and_ends_where_it_is_moved():
    for level in (0, 1):
        counts = set()
        for seed in range(20):
            seen = edges(seed, level)
            assert seen[0] == (0, level) and seen[-1][1] == level
            assert seen[-1][0] <= 1000 * BOUNCE_MS
            counts.add(len(seen))
        assert max(counts) > 1


def test_the_same_seed_bounces_the_same():
    assert edges(3, 0) == edges(3, 0)


def test_a_key_without_its_pull_up_reads_anything():
    board.reset()
    pin = machine.Pin(2, machine.Pin.IN)
    assert {pin.value() for _ in range(100)} == {0, 1}


def test_a_pull_up_takes_its_time():
    board.reset()
    pin = machine.Pin(2, machine.Pin.IN, machine.Pin.PULL_UP)
    assert {pin.value() for _ in range(100)} == {0, 1}
    time.sleep_ms(5)
    assert {pin.value() for _ in range(100)} == {1}


def test_the_battery_is_on_its_pin_alone_behind_its_divider():
    board.reset(battery_millivolts=3712)
    assert machine.ADC(machine.Pin(7)).read_uv() == 3_712_000 // 2
    assert machine.ADC(machine.Pin(3)).read_uv() == 0


def test_what_the_card_must_not_do_is_refused():
    board.reset()
    for forbidden in (machine.unique_id, machine.Pin(1, machine.Pin.IN).irq):
        try:
            forbidden()
        except NotImplementedError:
            continue
        raise AssertionError(forbidden)
