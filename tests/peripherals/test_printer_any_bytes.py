"""Any bytes whatever: the printer in software stays within its bounds, and pieces make no difference."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.peripherals.printer import OUTPUT_BYTES_MAX, SoftwarePrinter
from hal.peripherals.printer_tokens import grammar
from tools.fuzz.targets import escpos

PREFIXES = {"DLE": 0x10, "ESC": 0x1B, "FS": 0x1C, "GS": 0x1D}
CODES = {"ENQ": 0x05, "EOT": 0x04, "DC4": 0x14, "CAN": 0x18, "FF": 0x0C, "SP": 0x20}
HEADS = [
    bytes([PREFIXES[first], CODES.get(second) or ord(second)])
    for first, _, second in (name.partition(" ") for name in grammar() if " " in name)
]

commands = st.tuples(st.sampled_from(HEADS), st.binary(max_size=12)).map(b"".join)
streams = st.lists(commands | st.binary(max_size=20), max_size=20).map(b"".join)


@given(streams)
def test_streams_of_commands_with_any_parameters(data: bytes) -> None:
    escpos(data)


@given(streams, st.integers(1, 50))
def test_a_printer_that_takes_its_time_says_when_to_come_back_and_gets_done(data: bytes, size: int) -> None:
    printer = SoftwarePrinter(speed_mm_per_s=300, paper_mm=500)
    now_ms = 0
    for begin in range(0, len(data), size):
        printer.receive(data[begin : begin + size], now_ms)
        now_ms += 7
    for _ in range(5_000):
        at_ms = printer.deadline_ms()
        if at_ms is None:
            break
        now_ms = max(now_ms, at_ms)
        printer.receive(b"", now_ms)
    else:
        pytest.fail("it never gets done")
    assert len(printer.take_output()) <= OUTPUT_BYTES_MAX


@pytest.mark.parametrize(
    "piece",
    [
        b"\x1bd\xff",
        b"\x1bLA\x1bd\xff",
        b"\x1d!\x77W",
        b"\x1b$\x00\x00W",
        b"\x1b3\x00\n",
        b"\x10\x04\x01",
        b"\x1dI\x42",
        b"\x1bp\x00\x00\x00\x07",
        b"\x1dV\x00.",
        b"\x1d(k\x04\x001P0A\x1d(k\x03\x001Q0",
    ],
)
@pytest.mark.parametrize("cover_open", [False, True])
def test_what_makes_much_of_little_takes_little_memory(piece: bytes, *, cover_open: bool) -> None:
    tracemalloc.start()
    try:
        printer = SoftwarePrinter(speed_mm_per_s=0)
        if cover_open:
            printer.open_cover()
        printer.receive(piece * (2_000 // len(piece)), 0)
        assert len(printer.take_output()) <= OUTPUT_BYTES_MAX
        assert tracemalloc.get_traced_memory()[1] < 12 * 1024 * 1024
    finally:
        tracemalloc.stop()
