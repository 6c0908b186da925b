"""The wire log shows everything that crossed the line except what is secret."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bank.provision import CardSpec, load_provision
from firmware.records import Flow, Outcome
from firmware.settings import TerminalSettings
from host_link.frames import Data, Hello, encode_body
from host_link.framing import encode_frame, session_tag
from host_link.session import Channel
from host_link.streams import encode_length
from tools.runtime import StationPlan, build_station
from tools.wire_log import FrameKind, LoggedFrame, MessageName, WireLog
from wire.iso8583 import IsoMessage, dialect

AMOUNT = "12.34"
BANK_DATA = """
[[merchant]]
mid = "898320154110001"
name = "TEST SHOP"
terminal = [{ tid = "12345678", tmk = "11223344556677888877665544332211" }]

[[card]]
name = "good"
pan = "6225887391462856"  # its middle is found nowhere else by chance, as zeros would be
expiry = "3012"
holder = "ZHANG/SAN"
pin = "123456"
balance = "100.00"
"""
TERMINAL_NONCE, GATEWAY_NONCE = 0x11111111, 0x22222222
TRACK_2 = "6225880123456783D30121200000000000"
AUTHORISATION = dialect("unionpay").encode(
    IsoMessage(
        "0100", {3: "030000", 4: "000000001234", 11: "000007", 35: TRACK_2, 52: bytes(range(0x81, 0x89))}
    )
)


class Recorder:
    """A tap that keeps the raw bytes beside the log."""

    def __init__(self) -> None:
        self.log = WireLog()
        self.raw = b""

    def tap(self, at_ms: int, side: str, data: bytes) -> None:
        self.raw += data
        self.log.feed(at_ms, side, data)


def play(flow: Flow, recorder: Recorder, folder: Path) -> CardSpec:
    (folder / "bank.toml").write_text(BANK_DATA, encoding="utf-8")
    provision = load_provision(folder / "bank.toml")
    plan = StationPlan(settings=TerminalSettings(flow=flow), provision=provision, tap=recorder.tap)
    station = build_station(plan)
    with station:
        station.power_on()
        station.enter_amount(AMOUNT)
        station.swipe("good")
        station.enter_pin("654321")  # a wrong one, then the right one: more PIN blocks
        station.enter_pin("123456")
        payment = station.finish()
        assert payment is not None
        assert payment.outcome is Outcome.APPROVED
    return station.cards[0]


def everything(log: WireLog) -> str:
    """All text that the log can give, also without the spaces between the parts."""
    text = "\n".join(repr(frame) for frame in log.frames)
    return text + "\n" + re.sub(r"\s", "", text)


def session(*frames: tuple[str, bytes]) -> list[tuple[str, bytes]]:
    """HELLO and HELLO, then these bodies in the session."""
    hellos = [
        ("terminal", encode_frame(encode_body(_hello(TERMINAL_NONCE)))),
        ("gateway", encode_frame(encode_body(_hello(GATEWAY_NONCE)))),
    ]
    return hellos + [
        (side, encode_frame(body, session_tag(side, TERMINAL_NONCE, GATEWAY_NONCE))) for side, body in frames
    ]


def _hello(nonce: int) -> Hello:
    return Hello(nonce, 0, nonce == GATEWAY_NONCE, True, 1, 1, 1024, 16384)


def _data(number: int, offset: int, payload: bytes, channel: int = Channel.HOST) -> bytes:
    return encode_body(Data(channel, number, offset, payload))


def _feed(pieces: list[tuple[str, bytes]]) -> list[LoggedFrame]:
    log = WireLog()
    for at_ms, (side, data) in enumerate(pieces):
        log.feed(at_ms, side, data)
    return list(log.frames)


# --- nothing secret ----------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", list(Flow))
def test_a_whole_payment_shows_no_card_number_track_pin_block_or_key(flow: Flow, tmp_path: Path) -> None:
    recorder = Recorder()
    card = play(flow, recorder, tmp_path)
    secrets = _secrets_of(recorder, card)
    shown = everything(recorder.log).upper()
    assert len(secrets) >= 6
    for what, secret in secrets:
        for form in _forms(secret):
            assert form not in shown, what


def _secrets_of(recorder: Recorder, card: CardSpec) -> list[tuple[str, bytes]]:
    """What was on the line and must not be shown, as the bytes that were on the line."""
    pan = card.plastic.pan.reveal()
    secrets = [
        ("PAN as text", pan.encode()),
        ("PAN packed", bytes.fromhex(pan)),
        ("the PAN's middle", pan[6:12].encode()),
    ]
    for message in _messages(recorder.raw):
        for number in (35, 52, 62):
            value = message.fields.get(number)
            if value is not None:
                secrets.append((f"F{number}", value if isinstance(value, bytes) else value.encode()))
                if number == 62 and isinstance(value, bytes):
                    secrets += [("a key of F62", value[1:9]), ("a key of F62", value[9:17])]
    assert {what for what, _ in secrets} >= {"F35", "F52", "F62"}
    return secrets


def _messages(raw: bytes) -> list[IsoMessage]:
    """Every ISO 8583 message that was on the line, found without the log."""
    from cobs import cobs

    found = []
    for piece in raw.split(b"\0"):
        content = cobs.decode(piece) if piece else b""
        at = content.find(bytes.fromhex("6000")) if content[:1] and content[0] & 0x9C == 0x84 else -1
        if at >= 0:
            found.append(dialect("unionpay").decode(content[at:-4]))
    return found


def _forms(secret: bytes) -> list[str]:
    as_hex = secret.hex().upper()
    forms = [as_hex, as_hex[1:-1]]  # also half a byte off
    if secret.isascii() and secret.decode().isalnum():
        forms.append(secret.decode().upper())
    return forms


def test_the_check_of_a_frame_with_secrets_is_starred_and_others_are_shown() -> None:
    *_, secret, harmless = _feed(
        session(
            ("terminal", _data(0, 0, encode_length(len(AUTHORISATION)) + AUTHORISATION)),
            ("gateway", encode_body(Data(Channel.CONTROL, 0, 0, b"\x02\x01\x01"))),
        )
    )
    assert secret.hex_masked.endswith(" ******** 00")
    assert re.search(r" [0-9A-F]{8} 00$", harmless.hex_masked)


@pytest.mark.parametrize("cut", [1, 20, 59])
def test_a_message_in_several_frames_is_starred_in_each_and_joined_at_the_last(cut: int) -> None:
    stream = encode_length(len(AUTHORISATION)) + AUTHORISATION
    *_, first, last = _feed(
        session(("terminal", _data(0, 0, stream[:cut])), ("terminal", _data(1, cut, stream[cut:])))
    )
    assert first.messages == ()
    assert f" {'*' * 2 * cut} " in first.hex_masked
    assert f" {'*' * 2 * (len(stream) - cut)} " in last.hex_masked
    assert [message.name for message in last.messages] == [MessageName.AUTHORISATION]


@pytest.mark.parametrize("channel", [Channel.FILE, Channel.LOG, Channel.CONTROL])
def test_what_it_cannot_read_is_stars(channel: Channel) -> None:
    content = b"6225880123456783"
    frame = _feed(session(("terminal", _data(0, 0, encode_length(len(content)) + content, channel))))[-1]
    assert frame.messages[0].hex_masked == "*" * 32
    assert content.hex() not in repr(frame)


def test_an_undecodable_host_message_shows_its_length_only() -> None:
    frame = _feed(session(("terminal", _data(0, 0, b"\x10" + b"6225880123456783"))))[-1]
    assert frame.messages[0].name is MessageName.OTHER
    assert "16 bytes" in frame.messages[0].hex_masked
    assert b"6225880123456783".hex() not in repr(frame)


# --- everything else ---------------------------------------------------------------------------------


def test_a_payment_is_told_by_its_messages_in_order(tmp_path: Path) -> None:
    recorder = Recorder()
    play(Flow.AUTHORISE_FIRST, recorder, tmp_path)
    names = [
        (frame.side, message.mti, message.name)
        for frame in recorder.log.frames
        for message in frame.messages
        if message.channel == Channel.HOST
    ]
    assert names == [
        ("terminal", "0800", MessageName.SIGN_IN),
        ("gateway", "0810", MessageName.SIGN_IN),
        ("terminal", "0100", MessageName.AUTHORISATION),
        ("gateway", "0110", MessageName.AUTHORISATION),
        ("terminal", "0100", MessageName.PIN_VERIFICATION),
        ("gateway", "0110", MessageName.PIN_VERIFICATION),
        ("terminal", "0100", MessageName.PIN_VERIFICATION),
        ("gateway", "0110", MessageName.PIN_VERIFICATION),
        ("terminal", "0220", MessageName.COMPLETION),
        ("gateway", "0230", MessageName.COMPLETION),
    ]


def test_the_bank_s_status_is_told_by_its_name() -> None:
    frame = _feed(session(("gateway", _data(0, 0, b"\x02\x01\x03", Channel.CONTROL))))[-1]
    (message,) = frame.messages
    assert message.name is MessageName.BANK_STATUS
    assert [view.value_masked for view in message.fields] == ["lost"]


def test_every_byte_of_the_line_is_accounted_for(tmp_path: Path) -> None:
    recorder = Recorder()
    play(Flow.PIN_FIRST, recorder, tmp_path)
    between_boundaries = sum(frame.byte_count - 1 for frame in recorder.log.frames)
    assert between_boundaries == len(recorder.raw) - recorder.raw.count(0)
    assert FrameKind.DAMAGED not in {frame.kind for frame in recorder.log.frames}


def test_the_amount_is_readable_and_track_2_is_not() -> None:
    frame = _feed(session(("terminal", _data(0, 0, encode_length(len(AUTHORISATION)) + AUTHORISATION))))[-1]
    message = frame.messages[0]
    amount, track = message.field(4), message.field(35)
    assert amount is not None
    assert amount.value_masked == "000000001234"
    assert track is not None
    assert track.value_masked == "*" * len(TRACK_2)
    assert "000000001234" in frame.hex_masked
    assert message.field(99) is None


def _in_single_bytes(pieces: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [(side, bytes([byte])) for side, data in pieces for byte in data]


def _in_one_go(pieces: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return pieces


@pytest.mark.parametrize("cut", [_in_one_go, _in_single_bytes])
def test_a_repeated_frame_completes_its_message_once(
    cut: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]],
) -> None:
    body = _data(0, 0, encode_length(len(AUTHORISATION)) + AUTHORISATION)
    frames = _feed(cut(session(("terminal", body), ("terminal", body))))
    assert [len(frame.messages) for frame in frames] == [0, 0, 1, 0]
    assert "*" in frames[-1].hex_masked


def test_a_damaged_frame_shows_its_length_only() -> None:
    pieces = session(("terminal", _data(0, 0, encode_length(len(AUTHORISATION)) + AUTHORISATION)))
    side, whole = pieces[-1]
    pieces[-1] = (side, whole[:30] + bytes([whole[30] ^ 1 or 2]) + whole[31:])
    frame = _feed(pieces)[-1]
    assert (frame.kind, frame.hex_masked) == (FrameKind.DAMAGED, f"<{len(whole) - 1} bytes>")


def test_a_new_session_begins_its_streams_anew() -> None:
    body = _data(0, 0, encode_length(len(AUTHORISATION)) + AUTHORISATION)
    pieces = session(("terminal", body))
    pieces.append(("gateway", encode_frame(encode_body(_hello(GATEWAY_NONCE + 1)))))
    pieces.append(
        ("terminal", encode_frame(body, session_tag("terminal", TERMINAL_NONCE, GATEWAY_NONCE + 1)))
    )
    frames = _feed(pieces)
    assert [len(frame.messages) for frame in frames] == [0, 0, 1, 0, 1]


def test_since_gives_what_is_new_and_what_is_held() -> None:
    log = WireLog(frames_max=3)
    for side, data in session(*[("terminal", _data(n, 0, b"\0")) for n in range(4)]):
        log.feed(0, side, data)
    assert log.count == 6
    assert [frame.detail[:2] for frame in log.since(4)] == ["#2", "#3"]
    assert len(log.since(0)) == 3
    assert log.since(6) == []
