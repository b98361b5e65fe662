"""The carrier `usb`: frames of every size cross, a host that does not read costs 500 ms and nothing else, a reset no more."""

import asyncio
import time

import machine
from micropython import heap_lock, heap_unlock

from card.link.server import LinkServer
from card.link.usb import Usb
from emulator import board
from emulator.noise import Noise
from emulator.usb_control import Stall
from emulator.usb_host import Program
from emulator.usb_port import Port
from prepared import CARD, file_of, make_image, power_on
from test_link import FakeCard, record
from wire import frame, message

IMAGE = "usb.img"
MOST_BYTES = frame.encoded_bytes(frame.MAX_TO_HOST_BYTES)
PATIENCE_MS = 500


def pattern(size, seed=1):
    return bytes((n * 7 + seed + (n >> 8)) & 0xFF for n in range(size))


def connect(**options):
    """Plug a program's computer in; returns (it, port)."""
    host = Program()
    board.usb = Port(board.world, host, **options)
    return host, board.usb


def talking(conversation, **options):
    """Run `conversation(carrier, host)` once the host has configured the card."""
    board.reset()
    host, port = connect(**options)

    async def run():
        carrier = Usb(machine.USBDevice(), CARD)
        await configured(carrier)
        await conversation(carrier, host)

    asyncio.run(run())
    assert port.faults == [] and host.refusals == []


async def configured(carrier):
    for _ in range(100):
        if carrier.configured:
            return
        await asyncio.sleep_ms(10)
    raise AssertionError("the host has not configured the card")


class Bytes:
    """Any bytes in the place of a finished frame."""

    def __init__(self, data):
        self._data = data

    def encode(self, out):
        out[: len(self._data)] = self._data
        return len(self._data)


async def write(carrier, data):
    """Whether the carrier has taken it."""
    carrier.begin(Bytes(data))
    while (pause_ms := carrier.go_on()) is not None:
        await asyncio.sleep_ms(pause_ms)
    return carrier.taken


async def read(carrier, size):
    data = b""
    while len(data) < size:
        data += await carrier.read()
    return data


def test_the_host_sees_the_cards_random_name_and_nothing_of_the_chip():
    async def look(carrier, host):
        assert host.strings[3] == CARD and host.strings[2] == "voicecard" and host.strings[5] == "voicecard link"
        assert (host.function.control, host.function.data) == (2, 3)
        assert (host.function.notification, host.function.bulk_out, host.function.bulk_in) == (0x83, 0x04, 0x84)

    talking(look)


def test_frames_of_every_size_reach_the_host_at_once_and_whole():
    async def send(carrier, host):
        for size in (1, 63, 64, 65, 127, 128, 192, 240, 4095, 4096, 4097, 4160, MOST_BYTES):
            before = len(host.received)
            assert await write(carrier, pattern(size, size))
            await asyncio.sleep_ms(20)
            assert bytes(host.received[before:]) == pattern(size, size), size

    talking(send)


def test_frames_of_every_size_reach_the_card_at_once_and_whole():
    async def receive(carrier, host):
        for size in (1, 63, 64, 65, 128, 192, 240, 260, 512):
            host.send(pattern(size, size))
            assert await asyncio.wait_for_ms(read(carrier, size), 50) == pattern(size, size), size

    talking(receive)


def test_a_card_that_does_not_read_makes_the_host_wait_and_loses_nothing():
    async def late(carrier, host):
        for start in range(0, 4000, 100):
            host.send(pattern(4000)[start : start + 100])
        await asyncio.sleep_ms(300)
        assert await read(carrier, 4000) == pattern(4000)
        assert carrier.read_arrived() == b""

    talking(late)


def test_writing_to_a_host_that_does_not_read_takes_500_ms_and_works_again_when_it_does():
    async def deaf(carrier, host):
        host.reading = False
        first, second, third = pattern(MOST_BYTES, 1), pattern(MOST_BYTES, 2), pattern(MOST_BYTES, 3)
        assert await write(carrier, first) and await write(carrier, second)  # one on its way, one waits
        for _ in range(3):
            start_ms = time.ticks_ms()
            assert not await write(carrier, third)
            assert PATIENCE_MS <= time.ticks_diff(time.ticks_ms(), start_ms) <= PATIENCE_MS + 5
        host.read_on()
        assert await write(carrier, third)
        await asyncio.sleep_ms(20)
        assert bytes(host.received) == first + second + third

    talking(deaf)


def test_a_cable_that_is_out_is_a_host_that_does_not_read_and_plugging_in_makes_all_new():
    async def alone(carrier, host):
        host.unplug()
        assert await write(carrier, pattern(200)) and await write(carrier, pattern(300))  # nothing tells the card
        assert not await write(carrier, pattern(400))
        host.plug()
        await asyncio.sleep_ms(300)
        assert carrier.configured and await write(carrier, pattern(500))
        await asyncio.sleep_ms(5)
        assert bytes(host.received) == pattern(500)
        host.send(pattern(100))
        assert await asyncio.wait_for_ms(read(carrier, 100), 50) == pattern(100)

    talking(alone)


def test_without_a_host_writing_fails_at_once():
    async def nobody():
        carrier = Usb(machine.USBDevice(), CARD)
        start_ms = time.ticks_ms()
        assert not await write(carrier, pattern(100)) and time.ticks_diff(time.ticks_ms(), start_ms) < 5
        host.plug()
        await configured(carrier)
        assert await write(carrier, pattern(100))

    board.reset()
    host = Program(connected=False)
    board.usb = Port(board.world, host)
    asyncio.run(nobody())
    assert board.usb.faults == [] and host.refusals == []


def test_a_reset_in_the_middle_wakes_the_writer_and_both_ways_work_again():
    async def torn(carrier, host):
        assert await write(carrier, pattern(MOST_BYTES, 3)) and await write(carrier, pattern(10))
        host.send(pattern(40))
        await asyncio.sleep_ms(1)  # a part of it has crossed
        host.unplug()
        host.plug()
        host.received = bytearray()
        start_ms = time.ticks_ms()
        assert not await write(carrier, pattern(15))  # it has waited for the reset
        assert 100 < time.ticks_diff(time.ticks_ms(), start_ms) < PATIENCE_MS
        assert not await write(carrier, pattern(15))
        await configured(carrier)
        assert await write(carrier, pattern(20))
        await asyncio.sleep_ms(20)
        assert bytes(host.received) == pattern(20)
        assert await write(carrier, pattern(MOST_BYTES, 4))
        await asyncio.sleep_ms(20)
        assert bytes(host.received) == pattern(20) + pattern(MOST_BYTES, 4)
        carrier.read_arrived()
        host.send(pattern(64))
        assert await asyncio.wait_for_ms(read(carrier, 64), 50) == pattern(64)

    talking(torn)


def test_another_configuration_closes_everything_and_the_first_opens_it_again():
    async def reconfigure(carrier, host):
        host.reading = False
        await write(carrier, pattern(100))
        host.port.control.transfer(0x00, 9, 0, 0, 0)
        assert not carrier.configured and not await write(carrier, pattern(100))
        host.port.control.transfer(0x00, 9, 1, 0, 0)
        host.read_on()
        assert carrier.configured and await write(carrier, pattern(70))
        await asyncio.sleep_ms(5)
        assert bytes(host.received) == pattern(70)

    talking(reconfigure)


class Eager:
    """A device whose transfers end before `submit_xfer` returns, as on a board whose scheduler runs just then."""

    def __init__(self, device):
        self._device = device

    def submit_xfer(self, endpoint, buffer):
        done = self._device.submit_xfer(endpoint, buffer)
        time.sleep_ms(10)
        return done


def test_a_transfer_may_end_before_the_next_line_of_code():
    async def both_ways(carrier, host):
        carrier._device = Eager(carrier._device)
        for size in (64, 200, 4096, 10):
            assert await write(carrier, pattern(size)) and await write(carrier, pattern(size, 2))
            host.send(pattern(size % 700))
            assert await read(carrier, size % 700) == pattern(size % 700)
            await asyncio.sleep_ms(20)
            assert bytes(host.received) == pattern(size) + pattern(size, 2)
            host.received = bytearray()
        host.send(pattern(3000))
        assert await asyncio.wait_for_ms(read(carrier, 3000), 500) == pattern(3000)

    talking(both_ways)


def test_what_was_accepted_arrives_in_order_whatever_the_host_and_the_cable_do():
    async def unsteady(carrier, host):
        accepted, crossed_bytes = bytearray(), 0
        dice = Noise("unsteady host")
        for turn in range(400):
            event = dice.below(40)
            if event == 0:
                host.unplug()
                await asyncio.sleep_ms(dice.below(700))
                host.plug()
                await asyncio.sleep_ms(200)
                crossed_bytes += len(host.received)
                accepted, host.received = bytearray(), bytearray()
            elif event < 4:
                host.reading = False
            elif event < 12:
                host.read_on()
            data = pattern(1 + dice.below(MOST_BYTES) if event & 1 else 64 * (1 + dice.below(20)), turn)
            if await write(carrier, data):
                accepted.extend(data)
            await asyncio.sleep_ms(dice.below(8))
            assert bytes(accepted[: len(host.received)]) == bytes(host.received)
            if event & 3 == 0:
                to_card = pattern(1 + dice.below(300), turn)
                host.send(to_card)
                assert await read(carrier, len(to_card)) == to_card
        host.read_on()
        await asyncio.sleep_ms(50)
        assert bytes(host.received) == bytes(accepted) and crossed_bytes > 300_000, crossed_bytes

    talking(unsteady)


def test_requests_that_are_not_for_it_are_refused():
    async def stray(carrier, host):
        for request_type, request, interface in ((0x21, 0x22, 3), (0x21, 0x23, 2), (0x01, 0x0B, 2), (0xC1, 0x21, 2)):
            try:
                host.port.control.transfer(request_type, request, 1, interface, 0)
            except Stall:
                continue
            raise AssertionError("%02x %02x" % (request_type, request))
        assert not carrier.dtr

    talking(stray)


def test_dtr_is_noted_and_never_needed():
    async def lines(carrier, host):
        assert not carrier.dtr and await write(carrier, b"without")
        host.set_line_state(True)
        assert carrier.dtr and await write(carrier, b" and with")
        host.set_line_state(False)
        await asyncio.sleep_ms(5)
        assert not carrier.dtr and host.received == b"without and with"

    talking(lines)


def test_other_tasks_run_while_a_fast_host_takes_all_there_is():
    async def stream(carrier, host):
        turns = 0

        async def other():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep_ms(0)

        task = asyncio.create_task(other())
        for _ in range(50):
            assert await write(carrier, pattern(100))
        task.cancel()
        assert turns >= 50

    talking(stream, bytes_per_s=None)


def test_the_application_may_start_again_on_a_device_that_is_active():
    async def again(carrier, host):
        second = Usb(machine.USBDevice(), CARD)
        await configured(second)
        assert await write(second, b"here")
        await asyncio.sleep_ms(5)
        assert host.received == b"here"

    talking(again)


def test_the_callbacks_allocate_nothing():
    async def locked(carrier, host):
        device = machine.USBDevice()
        calls = [0, 0, 0]

        on_transfer, on_control, on_reset = device.xfer_cb, device.control_xfer_cb, device.reset_cb

        def transfer_without_heap(endpoint, result, size):
            heap_lock()
            on_transfer(endpoint, result, size)
            heap_unlock()
            calls[0] += 1

        def control_without_heap(stage, request):
            heap_lock()
            answer = on_control(stage, request)
            heap_unlock()
            calls[1] += 1
            return answer

        def reset_without_heap():
            heap_lock()
            on_reset()
            heap_unlock()
            calls[2] += 1

        device.xfer_cb, device.control_xfer_cb = transfer_without_heap, control_without_heap
        device.reset_cb = reset_without_heap
        assert await write(carrier, pattern(128))
        host.send(pattern(240))
        assert await read(carrier, 240) == pattern(240)
        host.unplug()
        host.plug()
        await asyncio.sleep_ms(300)
        assert carrier.configured and calls[0] >= 6 and calls[1] >= 14 and calls[2] == 1, calls

    talking(locked)


def test_the_link_pulls_a_recording_over_it_at_95_percent_of_the_bus():
    make_image(IMAGE, 64)
    store, _ = power_on(IMAGE)
    record(store, 800)
    host, port = connect(bytes_per_s=1_000_000)
    reader, writer = frame.FrameReader(frame.MAX_TO_HOST_BYTES), frame.FrameWriter(frame.MAX_TO_CARD_BYTES)
    frames, times_us = [], []

    def on_received(data):
        for kind, _, payload in reader.feed(data):
            frames.append((kind, bytes(payload)))
            times_us.append(board.world.now_us)

    def ask(number, fields):
        host.send(bytes(writer.frame(message.REQUEST, number, message.pack_json(fields))))

    async def sync():
        carrier = Usb(machine.USBDevice(), CARD)
        await configured(carrier)
        host.on_received = on_received
        task = asyncio.create_task(LinkServer(carrier, FakeCard(store)).run())
        ask(1, {"do": "hello", "v": 1})
        await asyncio.sleep_ms(50)
        nonce = "".join("%02x" % byte for byte in store.entry(1).nonce)
        ask(2, {"do": "pull", "n": 1, "nonce": nonce, "from": 0})
        await asyncio.sleep_ms(2000)
        task.cancel()

    asyncio.run(sync())
    assert message.read_json(frames[0][1])["card"] == CARD
    sectors = [index for index, (kind, _) in enumerate(frames) if kind == message.SECTOR]
    assert b"".join(frames[index][1][2:] for index in sectors) == file_of(store, 1)
    assert message.read_json(frames[-1][1])["done"] and port.faults == [] and reader.dropped == 0
    payload_bytes = (len(sectors) - 1) * 4096
    assert payload_bytes * 1_000_000 // (times_us[sectors[-1]] - times_us[sectors[0]]) >= 950_000
