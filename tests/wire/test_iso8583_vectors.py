"""The published ISO 8583 messages, in seven dialects whose tables come with them."""

import json
from pathlib import Path
from typing import Any

import pytest

from wire.iso8583 import CodecError, Dialect, FrameSplitter, IsoMessage, bitmap_numbers, dialect

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "iso8583.json").read_text(encoding="utf-8"))
DIALECTS = {name: Dialect.from_mapping(name, table) for name, table in VECTORS["specs"].items()}


def cases(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in VECTORS["cases"] if case["kind"] == kind]


def as_expected(message: IsoMessage) -> dict[str, Any]:
    fields = {
        str(number): value.hex().upper() if isinstance(value, bytes) else value
        for number, value in message.fields.items()
    }
    header = message.tpdu + message.header
    return {"mti": message.mti, "fields": fields} | ({"header": header} if header else {})


@pytest.mark.parametrize("case", cases("iso8583_unpack"))
def test_unpack(case: dict[str, Any]) -> None:
    codec = DIALECTS[case["inputs"]["spec"]]
    encoded = bytes.fromhex(case["inputs"]["message"])
    expected = dict(case["expected"])
    if "reject" in expected:
        with pytest.raises(CodecError) as caught:
            codec.decode(encoded)
        assert caught.value.reason == expected["reject"]
        assert codec.masked_hex(encoded) == f"<{len(encoded)} bytes, not decodable>"
        return
    bitmap = expected.pop("bitmap", None)
    expected["fields"] = {
        number: value.replace("=", "D") if number == "35" else value
        for number, value in expected["fields"].items()
    }
    message = codec.decode(encoded)
    assert as_expected(message) == expected
    assert bitmap in {None, *(view.value_masked for view in codec.describe(encoded) if view.name == "bitmap")}
    # Two samples write the separator of track 2 as D in a dialect that sends `=`.
    assert codec.decode(codec.encode(message)) == message
    if b"1111D2912" not in encoded:
        assert codec.encode(message) == encoded


@pytest.mark.parametrize("number", ["020", "021", "022"])
def test_real_unionpay_messages_in_our_own_table(number: str) -> None:
    case = next(case for case in VECTORS["cases"] if case["id"] == f"iso8583-{number}")
    encoded = bytes.fromhex(case["inputs"]["message"])
    ours, published = dialect("unionpay"), DIALECTS["unionpay-pos"]
    message = ours.decode(encoded)
    assert ours.encode(message) == encoded
    # Field 63 is text for us and binary in the published table.
    without_texts = {field: value for field, value in message.fields.items() if field != 63}
    assert without_texts == {
        field: value for field, value in published.decode(encoded).fields.items() if field != 63
    }


@pytest.mark.parametrize("case", cases("iso8583_bitmap"))
def test_bitmap(case: dict[str, Any]) -> None:
    assert list(bitmap_numbers(bytes.fromhex(case["inputs"]["bitmap"]))) == case["expected"]["fields"]


@pytest.mark.parametrize("step", [1, 3, 100_000])
@pytest.mark.parametrize("case", cases("iso8583_frame"))
def test_frames_in_pieces_of_any_size(case: dict[str, Any], step: int) -> None:
    stream, expected = bytes.fromhex(case["inputs"]["stream"]), case["expected"]
    splitter = FrameSplitter(prefix=case["inputs"]["prefix"], message_bytes_max=0xFFFF)
    messages: list[str] = []
    reason = None
    for start in range(0, len(stream), step):
        try:
            messages += [message.hex().upper() for message in splitter.feed(stream[start : start + step])]
        except CodecError as error:
            reason = error.reason
    assert messages == expected["messages"]
    assert splitter.rest.hex().upper() == expected["rest"]
    assert reason == expected.get("reject")
