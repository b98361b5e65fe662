"""Link frames survive any cutting of the stream, and nothing damaged passes."""

import random

from wire import frame


def stream(reader, data, step):
    found = []
    for start in range(0, len(data), step):
        for kind, sequence, payload in reader.feed(data[start : start + step]):
            found.append((kind, sequence, bytes(payload)))
    return found


def payloads():
    random.seed(1)
    for size in (0, 1, 2, 252, 253, 254, 255, 507, 508, 509, 1000, 4098):
        yield bytes(size)
        yield b"\1" * size
        yield bytes(random.getrandbits(8) for _ in range(size))


def test_frames_arrive_whole_however_the_stream_is_cut():
    writer = frame.FrameWriter(frame.MAX_TO_HOST_BYTES)
    for payload in payloads():
        wire = bytes(writer.frame(3, len(payload) & 255, payload))
        assert wire[0] == 0 and wire[-1] == 0 and 0 not in wire[1:-1]
        assert len(wire) <= frame.encoded_bytes(len(payload) + frame.OVERHEAD_BYTES)
        for step in (1, 7, len(wire)):
            reader = frame.FrameReader(frame.MAX_TO_HOST_BYTES)
            assert stream(reader, wire + wire, step) == [(3, len(payload) & 255, payload)] * 2


def test_every_flipped_bit_and_every_cut_is_noticed():
    wire = bytes(frame.FrameWriter(64).frame(1, 7, b"hello\0card"))
    for bit in range(8, 8 * (len(wire) - 1)):
        damaged = bytearray(wire)
        damaged[bit // 8] ^= 1 << bit % 8
        assert stream(frame.FrameReader(64), bytes(damaged), 64) == []
    for cut in range(2, len(wire) - 1):
        assert stream(frame.FrameReader(64), wire[:cut] + b"\0", 64) == []


def test_garbage_costs_at_most_the_frame_it_hits():
    random.seed(2)
    reader = frame.FrameReader(64)
    good = bytes(frame.FrameWriter(64).frame(1, 7, b"ping"))
    for _ in range(200):
        garbage = bytes(random.getrandbits(8) for _ in range(random.randrange(300)))
        assert stream(reader, garbage + good, 50)[-1:] == [(1, 7, b"ping")]
    assert reader.dropped > 0


def test_a_frame_too_long_is_refused_on_both_sides():
    for most in (64, frame.MAX_TO_CARD_BYTES, frame.MAX_TO_HOST_BYTES):
        writer = frame.FrameWriter(most + 1)
        for byte in (b"x", b"\0"):  # COBS makes more of the one than of the other
            longest = byte * (most - frame.OVERHEAD_BYTES)
            assert stream(frame.FrameReader(most), writer.frame(1, 1, longest), 9) == [(1, 1, longest)]
            reader = frame.FrameReader(most)
            assert stream(reader, writer.frame(1, 1, longest + byte), 9) == [] and reader.dropped == 1
            try:
                writer.frame(1, 1, longest + 2 * byte)
                raise AssertionError("taken")
            except ValueError:
                pass
