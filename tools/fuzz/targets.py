"""What is fuzzed: for each reader of foreign bytes a function that takes any bytes.

A target returns for every input, whatever it is; the reader's own errors are part of its contract and caught
here. Anything else that is raised is a defect, as is an input that takes seconds or much memory. Where there
is a second way to the same result (whole or byte by byte, decode and encode again), a target compares both.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping

from firmware.secure import tr31
from firmware.secure.errors import BadInput
from firmware.secure.tr31_header import KeyBlockHeader, parse_header
from hal.cores.swipe import Swipe, SwipeFormat, SwipeStream, outcome
from hal.peripherals.printer import OUTPUT_BYTES_MAX, SoftwarePrinter
from hal.peripherals.vfd import Vfd
from host_link.control import BankReport
from host_link.diagnostics import answer_to, read_report
from host_link.errors import RecordingUnusable
from host_link.framing import FrameDecoder, FrameReceived, encode_frame, session_tag
from host_link.handshake import Role
from host_link.recording import read_header, read_records
from host_link.session import Channel, LinkCounters, Session
from tools.fuzz.bank_targets import bank_request, bank_socket
from tools.fuzz.card_targets import card_link, card_reader, card_slot, smart_card
from tools.fuzz.file_targets import bank_data, config, profile, scenario
from tools.wire_log import WireLog
from wire import emv_qr, tlv
from wire.errors import CodecError, QrError, TlvError, TrackError
from wire.iso8583 import FrameSplitter, dialect
from wire.track import Track1, Track2, Track3, decode_bits

TERMINAL_NONCE, GATEWAY_NONCE = 0x01020304, 0xA0B0C0D0
FAST_BITS_PER_S = 921_600
BURST_BYTES_MAX = 64 * 1024
"""No end of the link says more than this at one moment, whatever it was told."""


# --- the link ----------------------------------------------------------------------------------------


def frames(data: bytes) -> None:
    """Bytes off the line: the frames are the same in one piece, byte by byte, and cut in two."""
    tag = session_tag("terminal", TERMINAL_NONCE, GATEWAY_NONCE)
    whole = FrameDecoder(tag).feed(data)
    decoder = FrameDecoder(tag)
    assert [event for byte in data for event in decoder.feed(bytes([byte]))] == whole
    decoder = FrameDecoder(tag)
    cut = len(data) // 3
    assert decoder.feed(data[:cut]) + decoder.feed(data[cut:]) == whole
    for event in whole:
        if isinstance(event, FrameReceived):
            again = encode_frame(event.body, tag if event.in_session else 0)
            assert FrameDecoder(tag).feed(again) == [event]


def session(data: bytes) -> None:
    """Bodies of intact frames, each after a wait: the end never floods the line or asks to be called at once.

    The input is pieces of: wait (1 byte, in 4 ms), size (1 byte), body. For a body of size 0 this end sends a
    message. The frames' session is the one that is established at the start.
    """
    end = Session(Role.TERMINAL, nonce=TERMINAL_NONCE, max_bits_per_s=FAST_BITS_PER_S)
    peer = Session(Role.GATEWAY, nonce=GATEWAY_NONCE, max_bits_per_s=FAST_BITS_PER_S)
    end.open(now_ms=0)
    peer.open(now_ms=0)
    for _ in range(3):
        peer.receive(end.bytes_to_send(now_ms=0), now_ms=0)
        end.receive(peer.bytes_to_send(now_ms=0), now_ms=0)
    assert end.is_up
    tag = session_tag("gateway", TERMINAL_NONCE, GATEWAY_NONCE)
    now_ms = 0
    for wait, body in _pieces(data):
        now_ms += 4 * wait
        if body:
            end.receive(encode_frame(body, tag), now_ms=now_ms)
            end.receive(encode_frame(body), now_ms=now_ms)
        else:
            end.send(Channel.HOST, bytes(wait), now_ms=now_ms)
        end.on_deadline(now_ms=now_ms)
        while end.next_event():
            pass
        assert len(end.bytes_to_send(now_ms=now_ms)) < BURST_BYTES_MAX
        deadline_ms = end.deadline_ms()
        assert deadline_ms is None or deadline_ms > now_ms


def line(data: bytes) -> None:
    """The same bytes as they are, into an end that looks for its peer."""
    end = Session(Role.TERMINAL, nonce=TERMINAL_NONCE)
    end.open(now_ms=0)
    for now_ms, begin in enumerate(range(0, len(data), 7)):
        end.receive(data[begin : begin + 7], now_ms=now_ms)
        end.on_deadline(now_ms=now_ms)
        assert len(end.bytes_to_send(now_ms=now_ms)) < BURST_BYTES_MAX


def control(data: bytes) -> None:
    """Messages of the channels for control and diagnostics."""
    report = BankReport.decode(data)
    assert report is None or BankReport.decode(report.encode()) == report
    read_report(data)
    answer = answer_to(data, LinkCounters())
    assert answer is None or read_report(answer) is not None


def recording(data: bytes) -> None:
    """A recording of a line, read and shown as `posterm link decode` does."""
    file = io.BytesIO(data)
    try:
        header = read_header(file)
        logs = [WireLog(frames_max=1) for _ in header.ports]
        for record in read_records(file):
            if record.port < len(logs):
                logs[record.port].feed(record.at_us // 1000, record.side, record.data)
    except RecordingUnusable:
        return


def _pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 2 <= len(data):
        wait, size = data[position], data[position + 1]
        yield wait, data[position + 2 : position + 2 + size]
        position += 2 + size


# --- messages and cards ------------------------------------------------------------------------------


def iso8583_unionpay(data: bytes) -> None:
    """A message in the dialect of UnionPay."""
    _iso8583("unionpay", data)


def iso8583_iso87(data: bytes) -> None:
    """A message in plain ISO 8583:1987."""
    _iso8583("iso87", data)


def _iso8583(name: str, data: bytes) -> None:
    """What can be read can be written, and means the same then; everything can be shown."""
    codec = dialect(name)
    codec.masked_hex(data)
    codec.describe(data)
    try:
        message = codec.decode(data)
    except CodecError:
        return
    repr(message)
    assert codec.decode(codec.encode(message)) == message


def tcp(data: bytes) -> None:
    """Messages with their lengths before them, as they come over TCP: whole or byte by byte, the same."""
    assert _split(data, len(data) or 1) == _split(data, 1)


def _split(data: bytes, size: int) -> tuple[list[bytes], str]:
    splitter, messages = FrameSplitter(), []
    pieces = [data[begin : begin + size] for begin in range(0, len(data), size)]
    for piece in [*pieces, b""]:  # an error comes with the call after the last message
        try:
            messages += splitter.feed(piece)
        except CodecError as error:
            return messages, error.reason
    return messages, ""


def chip(data: bytes) -> None:
    """A chip's data objects and lists of objects."""
    try:
        objects = tlv.decode(data)
        assert tlv.decode(tlv.encode(objects)) == objects
    except TlvError:
        pass
    try:
        entries = tlv.parse_dol(data)
        assert len(tlv.build_dol(entries, {}, {})) == sum(entry.length_bytes for entry in entries)
    except TlvError:
        pass


def tracks(data: bytes) -> None:
    """What a magnetic stripe reader says: text of each track, and the bits of a stripe."""
    text = data.decode("latin-1")
    for kind in (Track1, Track2, Track3):
        try:
            track = kind.parse(text)
        except TrackError:
            continue
        assert kind.parse(track.reveal()) == track
    bits = "".join(f"{byte:08b}" for byte in data)
    for number in (1, 2, 3):
        try:
            decode_bits(number, bits)
        except TrackError:
            continue


def qr(data: bytes) -> None:
    """The payload of an EMV QR code, of the merchant and of the customer."""
    text = data.decode("utf-8", "replace")
    for parse in (emv_qr.parse_mpm, emv_qr.parse_cpm):
        try:
            parse(text)
        except QrError:
            continue


# --- devices behind serial ports ---------------------------------------------------------------------


def swipes(data: bytes) -> None:
    """What a swipe reader sends: the same swipes in one piece and byte by byte, and none shows its card."""
    for form in (
        SwipeFormat(),
        SwipeFormat("\x02", "\r", has_lrc=True),
        SwipeFormat(suffix="\r", has_sensor=True),
    ):
        whole, bytewise = SwipeStream(form), SwipeStream(form)
        whole.feed(data, 0)
        for byte in data:
            bytewise.feed(bytes([byte]), 0)
        whole.settle(10_000)
        bytewise.settle(10_000)
        found = whole.take()
        assert bytewise.take() == found
        assert whole.deadline_ms() is None
        for item in found:
            if isinstance(item, Swipe):
                outcome(item.tracks, held=item.held)


def customer_display(data: bytes) -> None:
    """What a POS program sends to a customer display: two rows, the same in one piece and byte by byte."""
    for command_set in ("cd5220", "epson"):
        whole, bytewise = Vfd(command_set), Vfd(command_set)
        whole.receive(data, 0)
        for byte in data:
            bytewise.receive(bytes([byte]), 0)
        assert whole.rows == bytewise.rows
        assert [len(row) for row in whole.rows] == [20, 20]


# --- what a printer is sent ---------------------------------------------------------------------------


def escpos(data: bytes) -> None:
    """A stream for the printer in software: in one piece or in many, the same paper; all can be drawn."""
    whole, pieces = _printed(data, len(data) or 1), _printed(data, 3)
    if not any(request in data for request in _CLEARING):  # what these drop depends on the moment
        assert [slip.lines for slip in whole.slips] == [slip.lines for slip in pieces.slips]
    for slip in whole.slips:
        assert slip.png().startswith(b"\x89PNG")
    assert whole.deadline_ms() is None
    assert len(whole.take_output()) <= OUTPUT_BYTES_MAX


_CLEARING = (b"\x10\x14\x08", b"\x10\x05\x02")
_FUZZED_PAPER_MM = 60


def _printed(data: bytes, size: int) -> SoftwarePrinter:
    printer = SoftwarePrinter(speed_mm_per_s=0, flow_control="none", paper_mm=_FUZZED_PAPER_MM)
    for begin in range(0, len(data), size):
        printer.receive(data[begin : begin + size], begin)
    return printer


# --- keys ---------------------------------------------------------------------------------------------

_PROTECTION_KEY = bytes(range(16))


def key_block(data: bytes) -> None:
    """A key in a TR-31 block, as a custodian brings it: what can be opened can be closed and opened again.

    A header that can be read goes through the same with some key, because nobody guesses a block's code.
    """
    text = data.decode("latin-1")
    with contextlib.suppress(BadInput):
        _closed_and_opened(parse_header(text).header, data[-16:])
    with contextlib.suppress(BadInput):
        opened = tr31.unwrap(_PROTECTION_KEY, text)
        _closed_and_opened(opened.header, opened.key)


def _closed_and_opened(header: KeyBlockHeader, key: bytes | bytearray) -> None:
    block = tr31.wrap(_PROTECTION_KEY, header, key, bytes)
    again = tr31.unwrap(_PROTECTION_KEY, block)
    assert (again.header, again.key) == (header, key)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    function.__name__: function
    for function in (
        frames,
        session,
        line,
        control,
        recording,
        iso8583_unionpay,
        iso8583_iso87,
        tcp,
        chip,
        smart_card,
        card_link,
        card_slot,
        card_reader,
        tracks,
        qr,
        swipes,
        customer_display,
        escpos,
        key_block,
        bank_socket,
        bank_request,
        profile,
        config,
        scenario,
        bank_data,
    )
}
