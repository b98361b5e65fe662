"""The emulated clock is the part's: 30-bit ticks that wrap, an epoch of 2000, a scheduler that drops, a watchdog."""

import asyncio
import random
import time

import machine
import micropython

from emulator import board
from emulator.world import PowerOff

WRAP_MS = 60_000


def test_both_ticks_wrap_a_minute_after_power_on():
    board.reset()
    before_ms, before_us = time.ticks_ms(), time.ticks_us()
    time.sleep_ms(WRAP_MS + 1000)
    after_ms, after_us = time.ticks_ms(), time.ticks_us()
    assert after_ms < before_ms and after_us < before_us
    assert time.ticks_diff(after_ms, before_ms) == WRAP_MS + 1000
    assert 0 <= time.ticks_diff(after_us, before_us) - 1000 * (WRAP_MS + 1000) < 10


def test_a_busy_wait_on_ticks_ends():
    board.reset()
    start = time.ticks_us()
    while time.ticks_diff(time.ticks_us(), start) < 2000:
        pass


def test_ticks_can_be_read_while_the_heap_is_locked():
    board.reset()
    time.sleep(2000)  # beyond 31 bits of microseconds
    micropython.heap_lock()
    ticks = time.ticks_us()
    micropython.heap_unlock()
    assert time.ticks_diff(time.ticks_us(), ticks) == 1


def test_calendar_starts_in_2000_and_can_be_set():
    board.reset()
    assert time.gmtime()[:6] == (2000, 1, 1, 0, 0, 0)
    machine.RTC().datetime((2028, 2, 29, 0, 23, 59, 58, 500_000))
    time.sleep(2)
    assert time.localtime() == (2028, 3, 1, 0, 0, 0, 2, 61)  # a Wednesday
    assert machine.RTC().datetime()[:7] == (2028, 3, 1, 2, 0, 0, 0)


def test_calendar_turns_every_day_into_itself():
    for day in range(0, 80 * 365, 13):
        seconds = day * 86_400 + 12_345
        assert time.mktime(time.gmtime(seconds)) == seconds


def test_tasks_of_the_same_time_run_in_the_order_they_came():
    board.reset()
    order = []

    async def note(name):
        await asyncio.sleep_ms(10)
        order.append(name)

    async def all():
        await asyncio.gather(*[note(name) for name in range(20)])
        await asyncio.sleep(3600)

    asyncio.run(all())
    assert order == list(range(20))
    assert board.world.now_us // 1_000_000 == 3600


def test_the_task_queue_keeps_order_through_any_pushes_and_removals():
    board.reset()
    random.seed(1)
    queue, expected, now_ms = asyncio.TaskQueue(), [], time.ticks_ms()
    for number in range(500):
        task = asyncio.Task(None)
        after_s = random.randrange(120)  # across the wrap
        queue.push(task, time.ticks_add(now_ms, 1000 * after_s))
        expected.append((after_s, number, task))
        if number % 3 == 0:
            queue.remove(expected.pop(random.randrange(len(expected)))[2])
    for _, _, task in sorted(expected, key=lambda entry: entry[:2]):
        assert queue.peek() is task and queue.pop() is task
    assert queue.peek() is None


def test_a_cancelled_task_ends_where_it_waits():
    board.reset()
    ended = []

    async def wait_for(what):
        try:
            await what.wait()
        except asyncio.CancelledError:
            ended.append(board.world.now_us // 1000)
            raise

    async def main():
        task = asyncio.create_task(wait_for(asyncio.Event()))
        await asyncio.sleep_ms(100)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            ended.append("known")

    asyncio.run(main())
    assert ended == [100, "known"]


def test_the_schedulers_queue_holds_eight_and_drops_the_rest_silently():
    board.reset()
    called = []
    for number in range(10):
        board.world.schedule(called.append, number)
    assert called == []
    time.sleep_ms(1)
    assert called == list(range(8))
    assert board.world.dropped_callbacks == 2


def test_a_watchdog_that_is_not_fed_ends_the_run():
    board.reset()
    dog = machine.WDT(timeout=1000)
    for _ in range(5):
        time.sleep_ms(900)
        dog.feed()
    try:
        time.sleep_ms(1001)
    except PowerOff as end:
        assert end.args == ("watchdog",)
    else:
        raise AssertionError("the watchdog slept")


def test_there_is_one_watchdog_and_making_it_again_only_changes_its_time():
    board.reset()
    machine.WDT(timeout=1000)
    machine.WDT(timeout=5000)
    time.sleep_ms(4900)
    machine.WDT(timeout=500)
    try:
        time.sleep_ms(501)
    except PowerOff as end:
        assert end.args == ("watchdog",)
    else:
        raise AssertionError("the watchdog slept")
