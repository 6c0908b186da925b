"""EMV's bits, lists and names: the published cases run through the calculator; here what they leave out."""

import pytest

from wire import emv_bits
from wire.emv_tags import formats, tag_names
from wire.errors import EmvError


def test_every_bit_has_one_meaning_inside_its_element() -> None:
    for element in emv_bits.elements().values():
        places = [(bit.byte, bit.mask) for bit in element.bits]
        assert len(set(places)) == len(places)
        assert all(1 <= byte <= element.length_bytes and mask.bit_count() == 1 for byte, mask in places)
        assert all(bit.text and bit.text_zh for bit in element.bits)
        assert element.tag in tag_names()


def test_all_ones_are_all_meanings_and_the_rest() -> None:
    for element in emv_bits.elements().values():
        read = element.read(b"\xff" * element.length_bytes)
        assert read.set == element.bits
        assert len(read.set) + len(read.without_meaning) == 8 * element.length_bytes
        assert element.read(bytes(element.length_bytes)) == emv_bits.ElementValue((), ())


def test_a_typical_terminal() -> None:
    read = emv_bits.elements()["TERMINAL_CAPABILITIES"].read(bytes.fromhex("E068C8"))
    assert [bit.text for bit in read.set] == [
        "manual key entry",
        "magnetic stripe",
        "IC with contacts",
        "enciphered PIN for online verification",
        "signature",
        "no CVM required",
        "SDA",
        "DDA",
        "CDA",
    ]


def test_cvm_results_in_words() -> None:
    results = emv_bits.cvm_results(bytes.fromhex("420300"))
    assert results.rule.method_text == "enciphered PIN verified online"
    assert results.rule.condition_text == "if the terminal supports the method"
    assert (results.rule.next_if_failed, results.result_text) == (True, "unknown")
    assert (
        emv_bits.cvm_results(bytes.fromhex("3F0000")).rule.method_text == "no CVM performed (in results only)"
    )
    assert emv_bits.cvm_results(bytes.fromhex("0E0A07")).rule.method_text == "unknown"


@pytest.mark.parametrize("value", ["", "4203", "42030000"])
def test_cvm_results_of_a_wrong_length(value: str) -> None:
    with pytest.raises(EmvError) as caught:
        emv_bits.cvm_results(bytes.fromhex(value))
    assert caught.value.reason == "bad_length"


def test_cryptogram_information_of_a_wrong_length() -> None:
    with pytest.raises(EmvError) as caught:
        emv_bits.cryptogram_information(b"")
    assert caught.value.reason == "bad_length"


def test_reasons_of_an_advice() -> None:
    reasons = [emv_bits.cryptogram_information(bytes([code])).reason for code in range(5)]
    assert reasons == [
        "none",
        "service not allowed",
        "PIN try limit exceeded",
        "issuer authentication failed",
        "RFU",
    ]


@pytest.mark.parametrize("afl", ["09010100", "00010100", "08000100"])
def test_files_and_records_that_cannot_be(afl: str) -> None:
    with pytest.raises(EmvError) as caught:
        emv_bits.file_records(bytes.fromhex(afl))
    assert caught.value.reason == "bad_format"


def test_tags_are_written_as_they_are_looked_up() -> None:
    assert all(tag == tag.upper() and bytes.fromhex(tag) for tag in tag_names())
    assert all(entry.name and entry.name_zh for entry in tag_names().values())
    assert (formats()["9F02"], formats()["5A"], formats()["82"]) == ("n", "cn", "b")
