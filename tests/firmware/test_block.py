"""The recording format: what is packed reads back, and nothing torn is ever believed."""

from wire import block, sector


def blank_sector():
    return bytearray(b"\xff" * sector.SECTOR_BYTES)


def put(buffer, at, data):
    buffer[at : at + len(data)] = data
    return at + len(data)


def walked(buffer):
    return [
        (b.kind, b.flags, b.position, bytes(buffer[b.payload_at : b.payload_at + b.payload_bytes]))
        for b in block.walk(buffer)
    ]


def test_marker_header_and_cells_live_side_by_side():
    buffer = blank_sector()
    sector.pack_marker(buffer, 7, 41, 9, "k3f92b")
    assert sector.read_marker(buffer) == sector.Marker(7, 41, 9, "k3f92b")
    assert sector.read_header(buffer) is None
    sector.pack_header(buffer, 42, 3, 10, b"8 nonce!", 1 << 40)
    assert sector.read_header(buffer) == sector.Header(42, 3, 10, b"8 nonce!", 1 << 40)
    assert sector.read_marker(buffer) == sector.Marker(7, 41, 9, "k3f92b")
    put(buffer, sector.cell_at(3), sector.pack_cell(sector.SAFE, b"digest..", b"lib"))
    assert sector.find_cell(buffer, sector.SAFE) == sector.Cell(sector.SAFE, b"lib", b"digest..")
    assert sector.find_cell(buffer, sector.ENDED) is None
    sector.blank_cells(buffer)
    assert sector.find_cell(buffer, sector.SAFE) is None and sector.read_header(buffer)


def test_a_flipped_bit_in_marker_header_or_cell_makes_it_void():
    buffer = blank_sector()
    sector.pack_marker(buffer, 7, 41, 9, "k3f92b")
    sector.pack_header(buffer, 42, 3, 10, b"8 nonce!", 1 << 40)
    put(buffer, sector.cell_at(0), sector.pack_cell(sector.ENDED, b"........"))
    for bit in range(8 * (sector.cell_at(0) + sector.CELL_BYTES)):
        buffer[bit // 8] ^= 1 << bit % 8
        whole = (sector.read_marker(buffer), sector.read_header(buffer), sector.find_cell(buffer, sector.ENDED))
        assert None in whole, bit
        buffer[bit // 8] ^= 1 << bit % 8


def test_payloads_read_back_with_their_largest_values():
    head = block.Head("12345678", "10.20.30", 2**32 - 1, 2**32 - 1, 2**63, 2**63, 2**31, 16000, 480, 1, 1, '{"a": 1}')
    assert block.read_head(block.pack_head(head)) == head
    gap = block.Gap(2**32 - 1, 2**16 - 1, 2**16 - 1, block.GAP_WITHHELD)
    assert block.read_gap(block.pack_gap(gap)) == gap
    event = block.Event(block.EVENT_CLOCK_SET, 2**32 - 1, 2**63)
    assert block.read_event(block.pack_event(event)) == event
    end = block.End(block.END_KEY, 2**32 - 1, 2**31, 2**31)
    assert block.read_end(block.pack_end(end)) == end


def test_blocks_are_found_across_pages_and_unknown_kinds_are_passed_over():
    buffer = blank_sector()
    at = put(buffer, 256, block.pack_block(block.HEAD, 0, b"head"))
    put(buffer, at, block.pack_block(200, 5, b"later version"))
    put(buffer, 512, block.pack_block(block.AUDIO, 480, bytes(244), block.FLAG_SPEECH))
    at = put(buffer, 768, block.pack_block(block.GAP, 960, b"x" * 12))
    put(buffer, at, block.pack_block(block.MARK, 970))
    put(buffer, 1024, block.pack_block(block.AUDIO, 1440, bytes(244)))
    kinds = [(kind, position) for kind, _, position, _ in walked(buffer)]
    assert kinds == [(1, 0), (200, 5), (2, 480), (3, 960), (4, 970), (2, 1440)]


def test_of_a_torn_block_nothing_is_believed_and_what_stood_before_it_stays():
    buffer = blank_sector()
    put(buffer, 256, block.pack_block(block.HEAD, 0, b"head"))
    torn = block.pack_block(block.AUDIO, 0, bytes(range(244)))
    for programmed in range(256):
        buffer[512:768] = b"\xff" * 256
        put(buffer, 512, torn[:programmed])
        assert [kind for kind, _, _, _ in walked(buffer)] == [block.HEAD], programmed
    put(buffer, 512, torn)
    assert [kind for kind, _, _, _ in walked(buffer)] == [block.HEAD, block.AUDIO]
    buffer[512:768] = bytes(256)
    put(buffer, 768, block.pack_block(block.MARK, 0))
    assert [kind for kind, _, _, _ in walked(buffer)] == [block.HEAD], "behind a zeroed page all is void"


def test_lengths_that_lie_do_not_leave_the_page():
    buffer = blank_sector()
    lie = bytearray(block.pack_block(block.MARK, 0))
    for length in (245, 4096, 65535):
        block.pack_block_header(lie, 0, block.MARK, 0, length, 0)
        put(buffer, 256, lie)
        assert walked(buffer) == []
    for make in (lambda: block.pack_block(block.HEAD, 0, bytes(245)), lambda: block.read_head(bytes(51))):
        try:
            make()
            raise AssertionError("taken")
        except ValueError:
            pass
