"""ESC/POS as our drivers speak it, held against python-escpos; and what they make of any answer."""

import unicodedata
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hal.api import (
    Align,
    DeviceMissing,
    OpenDrawer,
    PrintBarcode,
    PrintCut,
    PrinterStatus,
    PrintFeed,
    PrintImage,
    PrintItem,
    PrintPair,
    PrintQr,
    PrintText,
    Symbology,
)
from hal.escpos.answers import Answer, AnswerKind, AnswerReader, Health
from hal.escpos.commands import PIECE_BYTES_MAX, Commands
from hal.escpos.dialogue import Dialogue
from hal.escpos.model import own_models, printer_model
from hal.escpos.text import TextEncoder
from hal.peripherals.printer_tokens import Tokeniser, TokenKind
from hal.raster.width import text_columns
from tests.peripherals.printing import printed

settings.register_profile("escpos", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("escpos")

COMMANDS = Commands(printer_model("80mm"))


def sent(item: PrintItem, commands: Commands = COMMANDS) -> bytes:
    return b"".join(commands.pieces(item))


def tokens(data: bytes) -> list[tuple[str, bytes]]:
    tokeniser = Tokeniser()
    tokeniser.feed(data)
    found = [(token.name, token.data) for token in tokeniser.all()]
    assert not tokeniser.is_within_command
    return found


# --- the bytes, and python-escpos' -------------------------------------------------------------------


def python_escpos() -> Any:
    reason = "python-escpos is not installed: pip install 'posterm[printer]'"
    return pytest.importorskip("escpos.printer", reason=reason).Dummy(profile="TM-T88V")


def changes(data: bytes) -> list[tuple[str, bytes]]:
    """The commands that change something: not those that set what is set already."""
    defaults = {
        ("ESC a", b"\0"),
        ("ESC E", b"\0"),
        ("GS !", b"\0"),
        ("ESC !", b"\0"),
        ("ESC t", b"\0"),
        ("ESC t", b"\x13"),
    }
    return [token for token in tokens(data) if token not in defaults]


@pytest.mark.parametrize("text", ["plain", "naïve café", "ÄÖÜß ½ ║", "5 € Æ"])
def test_text_is_in_the_same_code_pages(text: str) -> None:
    """python-escpos knows more pages and tries them in another order: the characters are what counts."""
    device = python_escpos()
    device.text(f"{text}\n")
    ours, theirs = (printed(data).slips[0].text for data in (sent(PrintText(text)), device.output))
    assert ours == theirs == text


def test_size_weight_and_place() -> None:
    device = python_escpos()
    device.set(align="center", bold=True, custom_size=True, width=2, height=2)
    device.text("TOTAL\n")
    assert changes(
        sent(PrintText("TOTAL", Align.CENTRE, bold=True, double_width=True, double_height=True))
    ) == [
        ("ESC a", b"\1"),
        ("ESC E", b"\1"),
        ("GS !", b"\x11"),
        ("", b"TOTAL"),
        ("LF", b""),
        ("ESC J", b"\6"),
    ]
    assert set(changes(device.output)) == {
        ("ESC a", b"\1"),
        ("ESC E", b"\1"),
        ("GS !", b"\x11"),
        ("", b"TOTAL"),
        ("LF", b""),
    }


@pytest.mark.parametrize("data", ["https://pay.example/1", "收据 42", "x" * 300])
def test_qr_codes(data: str) -> None:
    ours = [token for token in tokens(sent(PrintQr(data))) if token[0] == "GS ( k"]
    size = next(data[2] for name, data in ours if data[:2] == b"1C")
    device = python_escpos()
    device.qr(data, native=True, size=size, ec=1)
    assert ours == [token for token in tokens(device.output) if token[0] == "GS ( k"]


@pytest.mark.parametrize(
    ("item", "name", "data"),
    [
        (PrintBarcode("4006381333931", Symbology.EAN13), "EAN13", "4006381333931"),
        (PrintBarcode("ABC-12", Symbology.CODE39), "CODE39", "ABC-12"),
        (PrintBarcode("A12B", Symbology.CODABAR), "NW7", "A12B"),
        (PrintBarcode("123456", Symbology.ITF), "ITF", "123456"),
        (PrintBarcode("Abc{1"), "CODE128", "{BAbc{{1"),
    ],
)
def test_bar_codes(item: PrintBarcode, name: str, data: str) -> None:
    device = python_escpos()
    device.barcode(data, name, height=80, width=2, pos="BELOW", font="A", function_type="B", check=False)
    names = {"GS h", "GS w", "GS f", "GS H", "GS k"}
    ours, theirs = (
        [token for token in tokens(bytes_) if token[0] in names] for bytes_ in (sent(item), device.output)
    )
    assert ours == theirs


def test_an_image_is_the_same_dots() -> None:
    rows = tuple(bytes(0x80 >> (x + y) % 8 | 1 for x in range(8)) for y in range(40))
    device = python_escpos()
    dots = bytes(255 - 255 * (row[at // 8] >> (7 - at % 8) & 1) for row in rows for at in range(64))
    device.image(Image.frombytes("L", (64, 40), dots), impl="bitImageRaster", center=False)
    ours, theirs = (printed(data).slips[0].canvas() for data in (sent(PrintImage(rows)), device.output))
    centred = (576 - 64) // 2
    assert ours.height == theirs.height
    for at in range(0, len(ours.dots), 576):
        assert ours.dots[at + centred : at + centred + 64] == theirs.dots[at : at + 64]


def test_cut_and_drawer() -> None:
    device = python_escpos()
    device.cashdraw(2)
    device.cashdraw(5)
    assert sent(OpenDrawer(0))[:3] + sent(OpenDrawer(1))[:3] == device.output[:3] + device.output[5:8]
    assert tokens(sent(PrintCut())) == [("GS V", b"A\0")]
    assert tokens(sent(PrintCut(partial=True))) == [("GS V", b"B\0")]
    assert tokens(sent(PrintCut(), Commands(printer_model("58mm")))) == [("ESC J", b"\x60")]


# --- pieces ------------------------------------------------------------------------------------------

items = st.one_of(
    st.builds(PrintText, st.text(max_size=300), st.sampled_from(Align), double_width=st.booleans()),
    st.builds(PrintPair, st.text(max_size=60), st.text(max_size=60)),
    st.builds(PrintQr, st.text(max_size=100)),
    st.builds(PrintBarcode, st.text(max_size=20), st.sampled_from(Symbology)),
    st.builds(PrintFeed, st.integers(-1, 600)),
    st.builds(
        lambda width, rows: PrintImage((rows[:width].ljust(width, b"\x10"),) * len(rows)),
        st.integers(1, 100),
        st.binary(max_size=40),
    ),
)


@given(items, st.sampled_from(["58mm", "80mm"]), st.booleans())
def test_pieces_are_whole_commands_small_and_harmless(item: PrintItem, model: str, chinese: bool) -> None:
    for piece in Commands(printer_model(model), chinese=chinese).pieces(item):
        assert all(name != "DLE EOT" for name, _ in tokens(piece))
        if not isinstance(item, PrintQr):  # one QR code is one piece, however much it holds
            assert len(piece) <= PIECE_BYTES_MAX
        if isinstance(item, PrintImage):
            assert not any(request in piece for request in (b"\x10\x04", b"\x10\x05", b"\x10\x14"))


@given(items)
def test_nothing_stays_switched_on(item: PrintItem) -> None:
    if isinstance(item, PrintImage):
        return  # its dots may be any bytes
    line = printed(sent(item) + b"plain\n").slips[-1].lines[-1]
    assert (line.text, line.style.differing()) == ("plain", {})


# --- text --------------------------------------------------------------------------------------------

ENCODER = TextEncoder({0: "cp437", 19: "cp858"}, chinese=True)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("abc", b"abc"),
        ("é", b"\x1bt\x00\x82"),
        ("é5€", b"\x1bt\x00\x825\x1bt\x13\xd5"),
        ("金额", b"\x1c&\xbd\xf0\xb6\xee\x1c."),
        ("金a额é", b"\x1c&\xbd\xf0a\xb6\xee\x1c.\x1bt\x00\x82"),
        ("e\u0301", b"\x1bt\x00\x82"),  # a combining accent joins its letter
        ("Ж", b"?"),
        ("\u0301", b""),
    ],
)
def test_text(text: str, data: bytes) -> None:
    assert ENCODER.encode(text) == data


def test_a_printer_without_chinese_keeps_the_columns() -> None:
    assert TextEncoder({0: "cp437"}, chinese=False).encode("金额 9") == b"???? 9"


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Mn", "Me", "Cf")), max_size=20))
def test_what_is_encoded_is_as_wide_as_what_was_meant(text: str) -> None:
    (line,) = printed(ENCODER.encode(text) + b"|\n").slips[0].lines
    assert text_columns(line.text) == text_columns(unicodedata.normalize("NFC", text)) + 1


# --- answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (b"\x12", [AnswerKind.REAL_TIME]),
        (b"\x10\x00\x00\x00", [AnswerKind.AUTOMATIC]),
        (b"\x38\x00\x0c\x00\x00", [AnswerKind.AUTOMATIC, AnswerKind.IN_TURN]),
        (b"\x0c", [AnswerKind.IN_TURN]),
        (b"\x11\x13", [AnswerKind.XON, AnswerKind.XOFF]),
        (b"\x10\x00\x13\x00\x00\x11", [AnswerKind.XOFF, AnswerKind.AUTOMATIC, AnswerKind.XON]),
        (b"\x37\x25\x00\x12", [AnswerKind.CLEARED, AnswerKind.REAL_TIME]),
        (b"\x10\x00\x12", [AnswerKind.REAL_TIME]),  # an automatic status that was cut off
        (b"\xff\x80", []),
    ],
)
def test_answers_are_told_apart_by_their_bits(data: bytes, kinds: list[AnswerKind]) -> None:
    assert [answer.kind for answer in AnswerReader().feed(data)] == kinds
    bytewise = AnswerReader()
    assert [one.kind for byte in data for one in bytewise.feed(bytes([byte]))] == kinds


@pytest.mark.parametrize(
    ("bits", "status", "detail"),
    [
        ("12121212", PrinterStatus.READY, ""),
        ("1212121E", PrinterStatus.READY, "paper near its end"),
        ("1A32127E", PrinterStatus.PAPER_OUT, "paper out"),
        ("1A161212", PrinterStatus.COVER_OPEN, "cover open"),
        ("1A521A12", PrinterStatus.JAM, "jam: cutter"),
        ("1A523212", PrinterStatus.JAM, "jam: mechanism"),
        ("1A521212", PrinterStatus.JAM, "jam: mechanism"),  # an error that is not said to be any
        ("1A525212", PrinterStatus.OVERHEATED, "overheated"),
        ("1A761A7E", PrinterStatus.COVER_OPEN, "cover open, paper out, jam: cutter"),
        ("5A1A1212", PrinterStatus.READY, ""),  # somebody holds the feed button
    ],
)
def test_health(bits: str, status: PrinterStatus, detail: str) -> None:
    health = Health.of(*bytes.fromhex(bits))
    assert (health.status, health.detail) == (status, detail)


@given(st.lists(st.tuples(st.binary(max_size=12), st.integers(0, 6_000), st.booleans()), max_size=40))
def test_a_dialogue_with_any_answers_never_floods_the_line_or_asks_to_be_called_at_once(
    steps: list[tuple[bytes, int, bool]],
) -> None:
    dialogue = Dialogue(COMMANDS, bits_per_s=9_600)
    dialogue.connected(0)
    now_ms, under_way = 0, 0
    for data, wait_ms, submits in steps:
        now_ms += wait_ms
        dialogue.receive(data, now_ms)
        dialogue.advance(now_ms)
        dialogue.advance(now_ms)
        at_ms = dialogue.deadline_ms()
        assert at_ms is None or at_ms > now_ms
        under_way -= sum(type(event).__name__ != "PrinterReady" for event in dialogue.take_events())
        assert under_way in {0, 1}
        if submits and not under_way:
            dialogue.submit([PrintText("one")], now_ms)
            under_way = 1
        assert len(dialogue.take_output()) < 400


def test_xoff_holds_what_is_printed_and_lets_questions_pass() -> None:
    dialogue = Dialogue(COMMANDS, bits_per_s=0)
    dialogue.connected(0)
    for _ in range(4):
        assert dialogue.take_output().startswith(b"\x10\x04")
        dialogue.receive(b"\x12", 0)
    dialogue.take_output()
    dialogue.receive(b"\x00", 0)
    assert dialogue.status is PrinterStatus.READY
    dialogue.receive(b"\x13", 0)
    dialogue.submit([PrintText("held")], 0)
    assert dialogue.take_output() == b""
    dialogue.receive(b"\x10\x00\x00\x00", 0)  # a report: it is asked how it is
    assert dialogue.take_output() == b"\x10\x04\x01"
    dialogue.receive(b"\x11", 0)
    assert dialogue.take_output() == b"held\n\x1dr\x01"


def test_noise_is_no_answer() -> None:
    assert list(AnswerReader().feed(bytes(range(0x80, 0x100)))) == []
    assert Answer(AnswerKind.XON, b"\x11") in set(AnswerReader().feed(bytes(range(0x14))))


# --- models ------------------------------------------------------------------------------------------


def test_our_models() -> None:
    assert own_models() == ["58mm", "80mm"]
    assert [printer_model(name).width_dots for name in own_models()] == [384, 576]


def test_models_of_python_escpos_by_name() -> None:
    pytest.importorskip("escpos", reason="python-escpos is not installed: pip install 'posterm[printer]'")
    model = printer_model("TM-T88V")
    assert (model.columns, model.width_dots, model.code_pages[19]) == (42, 512, "cp858")
    assert (model.has_cutter, model.draws_qr) == (True, True)
    assert not printer_model("POS-5890").has_cutter
    with pytest.raises(ValueError, match="known are 58mm, 80mm"):
        printer_model("TM-T99")


def test_a_printer_that_cannot_draw_gets_dots() -> None:
    pytest.importorskip("escpos", reason="python-escpos is not installed: pip install 'posterm[printer]'")
    model = next(
        model
        for name in ("simple", "default", "NT-5890K", "ZJ-5870")
        if not (model := printer_model(name)).draws_qr
    )
    slip = printed(sent(PrintQr("https://pay.example/1"), Commands(model))).slips[0]
    assert slip.lines[0].text.startswith("[image")


def test_without_python_escpos_a_name_of_its_list_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "escpos.capabilities", None)
    with pytest.raises(DeviceMissing, match=r"pip install 'posterm\[printer\]'"):
        printer_model("TM-T88V")
    assert printer_model("80mm").columns == 48


def test_the_tokeniser_that_judges_here_knows_every_command_that_is_sent() -> None:
    for item in (PrintText("x", bold=True), PrintQr("x"), PrintBarcode("x"), PrintImage((b"x",)), PrintCut()):
        tokeniser = Tokeniser()
        tokeniser.feed(COMMANDS.prepare() + sent(item))
        assert all(token.kind is not TokenKind.UNKNOWN for token in tokeniser.all())
