"""While a recording runs, flash is only programmed, a page at most: nothing is erased, no file is written, whatever the services want."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.device.emulation_report import FlashOperation
from voicecard.device.port import Port
from voicecard.errors import RefusedError

SCRIPT = "boot; wait 5s; tap rec; plug; wait 130s; tap memo; wait 5s; tap rec; wait 5s; cut; boot; plug"
HEADER_BYTES, CELL_BYTES, PAGE_BYTES = 64, 16, 256  # a header is programmed with its marker


@pytest.fixture
def operations(tmp_path: Path, conversation: Path) -> list[FlashOperation]:
    """Programs and erases of a power cycle in which a host damages a frame, asks for everything, and wants to change things."""
    options = EmulateOptions(
        mic=conversation, flash_size_bytes=4 << 20, script=SCRIPT, log_flash=True, worst_case_flash=True
    )
    with running_card(options) as card:
        port = Port(str(card.port()))
        with CardLink(port) as link:
            port.write(b"\0damaged\0")
            assert link.status()["state"] == "recording"
            for change in (lambda: link.set({"copies": 2}), link.format, link.restart):
                with pytest.raises(RefusedError) as refusal:
                    change()
                assert refusal.value.code == "busy"
            assert link.settings() and link.recordings() and link.counters()["link_errors"] == 1
            link.log(), link.removals(), list(link.image(380, link.image_sectors()))
        with CardLink.open(str(card.port(60))) as link:
            assert link.counters()["link_errors"] == 1, "it was saved after the recording"
            assert link.recordings()[0].samples > 130 * 16_000
        first = card.report().cycles[0]
    assert first.samples_lost == 0 and first.flash["recordings"]["page_crossings"] == 0
    return [operation for operation in first.flash_log if operation.kind != "read"]


def test_a_recording_is_all_that_is_written_while_it_runs(operations: list[FlashOperation]) -> None:
    recordings = [number for number, operation in enumerate(operations) if operation.label == "recordings"]
    begin = next(number for number in recordings if operations[number].size_bytes == HEADER_BYTES)
    end = max(number for number in recordings if operations[number].size_bytes == CELL_BYTES)
    during = operations[begin : end + 1]
    assert during[-1].time_us - during[0].time_us > 130_000_000 and len(during) > 500
    assert {(operation.kind, operation.label) for operation in during} == {("program", "recordings")}
    assert max(operation.size_bytes for operation in during) == PAGE_BYTES
    for idle in (operations[:begin], operations[end + 1 :]):
        assert any(operation.label == "vfs" for operation in idle), "before and after, the card does write files"
