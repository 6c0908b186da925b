"""A recording holds what crossed the line, whatever happened to the file; nobody else may read it."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from host_link.errors import RecordingUnusable
from host_link.recording import Record, RecordingHeader, read_header, read_records
from host_link.spy import Spy

HEADER = RecordingHeader(1_700_000_000_000_000, 115_200, ("/dev/ttyUSB0", "unix:///tmp/收银"))
RECORDS = [Record(0, 0, "terminal", b"\x00\x01"), Record(1_234_567_890_123, 1, "gateway", bytes(300))]
WRITTEN = HEADER.encode() + b"".join(record.encode() for record in RECORDS)


def test_the_layout_is_the_one_that_is_written_down() -> None:
    header = RecordingHeader(0x0102030405060708, 9_600, ("ab",))
    assert header.encode() == bytes.fromhex("50544C52 01 0017 0102030405060708 00002580 01 02 6162")
    record = Record(0x010203040506, 1, "gateway", b"\xaa\xbb\xcc")
    assert record.encode() == bytes.fromhex("47 01 010203040506 0003 AABBCC")
    assert Record(7, 0, "terminal", b"\xaa").encode() == bytes.fromhex("54 00 000000000007 0001 AA")


def test_what_is_written_is_read() -> None:
    file = io.BytesIO(WRITTEN)
    assert read_header(file) == HEADER
    assert list(read_records(file)) == RECORDS


def test_what_a_later_writer_adds_to_the_header_is_skipped() -> None:
    encoded = HEADER.encode()
    longer = encoded[:5] + (len(encoded) + 4).to_bytes(2, "big") + encoded[7:] + b"more"
    file = io.BytesIO(longer + RECORDS[0].encode())
    assert read_header(file) == HEADER
    assert list(read_records(file)) == RECORDS[:1]


def test_a_long_piece_becomes_several_records() -> None:
    data = os.urandom(150_000)
    file = io.BytesIO(Record(5, 0, "gateway", data).encode())
    records = list(read_records(file))
    assert [len(record.data) for record in records] == [65_535, 65_535, 18_930]
    assert b"".join(record.data for record in records) == data
    assert {record.at_us for record in records} == {5}


def test_a_file_that_ends_anywhere_gives_what_is_whole() -> None:
    header_bytes = len(HEADER.encode())
    first_bytes = header_bytes + len(RECORDS[0].encode())
    for end in range(len(WRITTEN)):
        file = io.BytesIO(WRITTEN[:end])
        if end < header_bytes:
            with pytest.raises(RecordingUnusable):
                read_header(file)
        else:
            read_header(file)
            assert list(read_records(file)) == RECORDS[: int(end >= first_bytes)]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "no recording of a link"),
        (b"\x89PNG\r\n\x1a\n", "no recording of a link"),
        (b"PTLR\x02\x00\x10" + bytes(20), "version 2"),
        (bytes.fromhex("50544C52 01 0000") + bytes(20), "damaged"),
        (bytes.fromhex("50544C52 01 0014") + bytes(12) + b"\x01", "damaged"),
        (bytes.fromhex("50544C52 01 0016") + bytes(12) + b"\x01\x09a", "damaged"),
    ],
)
def test_a_file_that_is_none_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(RecordingUnusable, match=text):
        read_header(io.BytesIO(data))


def test_damage_ends_the_reading_with_a_word() -> None:
    records = read_records(io.BytesIO(RECORDS[0].encode() + bytes(100)))
    assert next(records) == RECORDS[0]
    with pytest.raises(RecordingUnusable, match="damaged"):
        next(records)


def test_no_text_shows_what_crossed() -> None:
    assert "6225" not in repr(Record(0, 0, "terminal", b"6225880123456783"))


# --- the file ----------------------------------------------------------------------------------------


def test_only_its_owner_may_read_it_and_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "line.ptlr"
    mask = os.umask(0)
    try:
        spy = Spy(path, ("a",), 9_600)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    spy.tap(0, "terminal", b"in")
    spy.tap(0, "gateway", b"")
    spy.tap(0, "gateway", b"out")
    written = path.read_bytes()  # at once, not at the end
    with pytest.raises(RecordingUnusable, match="exists: give another name"):
        Spy(path, ("a",), 9_600)
    spy.close()
    spy.close()
    assert path.read_bytes() == written
    file = io.BytesIO(written)
    assert read_header(file).ports == ("a",)
    records = list(read_records(file))
    assert [(record.side, record.data) for record in records] == [("terminal", b"in"), ("gateway", b"out")]
    assert records[0].at_us <= records[1].at_us


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingUnusable, match="cannot be written"):
        Spy(tmp_path / "no" / "line.ptlr", ("a",), 9_600)


def test_a_full_disk_ends_the_recording_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    spy = Spy(tmp_path / "line.ptlr", ("a",), 9_600, failed=told.append)

    def full(_file: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    spy.tap(0, "terminal", b"one")
    spy.tap(0, "terminal", b"two")
    assert len(told) == 1
    assert "No space left on device" in told[0]


def test_the_example_of_the_documentation() -> None:
    header = RecordingHeader(0x00060A24181E4000, 115_200, ("a",))
    written = header.encode() + Record(2_000, 0, "terminal", b"\x00\x01").encode()
    page = (Path(__file__).parents[2] / "docs/link-recording.md").read_text("utf-8")
    assert written.hex() in "".join(page.split()).lower()
