"""TR-31 key blocks: no key comes out of a block that was touched anywhere."""

import random

import pytest

from firmware.secure import tr31
from firmware.secure.check_value import check_value, require_check_value
from firmware.secure.errors import BadInput, KeyFormat
from firmware.secure.tr31_header import KeyBlockHeader, parse_header
from firmware.secure.track_cipher import decrypt_track, encrypt_track

KBPK, KEY = bytes(range(16)), bytes(range(100, 116))


def block(version: str) -> str:
    draw = random.Random(version)
    header = KeyBlockHeader(version, "P0", "T", "E", "00", "S", {"KS": "00604B120F9292800000"})
    return tr31.wrap(KBPK, header, KEY, draw.randbytes)


@pytest.mark.parametrize("version", ["A", "B", "C", "D"])
def test_a_block_opens_and_is_closed_differently_each_time(version: str) -> None:
    unwrapped = tr31.unwrap(KBPK, block(version))
    assert unwrapped.key == KEY
    assert unwrapped.length == len(block(version))
    other = tr31.wrap(KBPK, unwrapped.header, KEY, random.Random(9).randbytes)
    assert other != block(version)
    assert tr31.unwrap(KBPK, other) == unwrapped
    assert KEY.hex() not in repr(unwrapped)


@pytest.mark.parametrize("version", ["A", "B", "C", "D"])
def test_any_character_changed_is_noticed(version: str) -> None:
    whole = block(version)
    for place, character in enumerate(whole):
        for other in "0AZ":
            if other != character:
                changed = whole[:place] + other + whole[place + 1 :]
                with pytest.raises(BadInput):
                    tr31.unwrap(KBPK, changed)


def test_a_key_of_another_length_is_masked() -> None:
    header = KeyBlockHeader("D", "P0", "A", "E")
    lengths = {
        len(tr31.wrap(KBPK, header, bytes(size), random.Random(1).randbytes, masked_key_bytes=32))
        for size in (16, 24, 32)
    }
    assert len(lengths) == 1


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (KeyBlockHeader("E", "P0", "T", "E"), "bad_version"),
        (KeyBlockHeader("B", "P", "T", "E"), "bad_format"),
        (KeyBlockHeader("B", "P0", "TT", "E"), "bad_format"),
        (KeyBlockHeader("B", "P0", "T", "-"), "bad_format"),
        (KeyBlockHeader("B", "P0", "T", "E", "0é"), "bad_format"),
        (KeyBlockHeader("B", "P0", "T", "E", optional_blocks={"K": ""}), "bad_format"),
        (KeyBlockHeader("B", "P0", "T", "E", optional_blocks={"KS": "é"}), "bad_character"),
        (KeyBlockHeader("B", "P0", "T", "E", optional_blocks={"KS": "0" * 10_000}), "bad_length"),
    ],
)
def test_headers_that_cannot_be(header: KeyBlockHeader, reason: str) -> None:
    with pytest.raises(BadInput) as caught:
        tr31.wrap(KBPK, header, KEY, random.Random(1).randbytes)
    assert caught.value.reason == reason


@pytest.mark.parametrize("character", ["é", "密", "\x00", "\n"])
def test_a_character_that_no_key_block_has_is_refused_in_an_optional_block(character: str) -> None:
    """X9.143: printable ASCII. Once such a block, pasted into a terminal, ended the program."""
    with pytest.raises(BadInput) as caught:
        tr31.unwrap(KBPK, block("D").replace("00604B", f"0{character}604B"[:6], 1))
    assert caught.value.reason == "bad_character"


def test_no_key_to_wrap_and_a_wrong_protection_key() -> None:
    header = KeyBlockHeader("B", "P0", "T", "E")
    for kbpk, key in ((KBPK, b""), (bytes(8), KEY), (bytes(32), KEY)):
        with pytest.raises(BadInput) as caught:
            tr31.wrap(kbpk, header, key, random.Random(1).randbytes)
        assert caught.value.reason == "bad_key"


def test_an_optional_block_twice() -> None:
    with pytest.raises(BadInput) as caught:
        parse_header("B0000P0TE00N0200KS0600KS0600")
    assert caught.value.reason == "bad_format"


# --- check values, tracks --------------------------------------------------------------------------


def test_a_check_value_is_compared_as_far_as_it_is_given() -> None:
    pik = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    for size in (2, 3, 4, 8):
        require_check_value(pik, check_value(pik, "des-zero")[:size], "des-zero")
    for wrong in (b"", b"\x08", bytes.fromhex("08D7B5")):
        with pytest.raises(BadInput) as caught:
            require_check_value(pik, wrong, "des-zero")
        assert caught.value.reason == "bad_check"


def test_check_values_of_wrong_keys_and_methods() -> None:
    with pytest.raises(KeyFormat):
        check_value(bytes(7), "des-zero")
    with pytest.raises(BadInput) as caught:
        check_value(bytes(8), "aes-cmac")
    assert caught.value.reason == "bad_key"
    with pytest.raises(BadInput) as caught:
        check_value(bytes(16), "md5")  # type: ignore[arg-type]
    assert caught.value.reason == "bad_format"


TDK = bytes.fromhex("1F2E3D4C5B6A79881020304050607080")


@pytest.mark.parametrize(
    ("clear", "sent"),
    [("6225880123456783D30122011234500000", "622588012345678385CFDA80717E885700")],
)
def test_track_of_the_worked_example(clear: str, sent: str) -> None:
    """POS message digest, section 6.6."""
    assert encrypt_track(TDK, clear) == sent
    assert decrypt_track(TDK, sent) == clear


@pytest.mark.parametrize("length", [17, 18, 33, 37, 104])
def test_track_of_any_length(length: int) -> None:
    clear = ("6225880123456783D3012201" + "1234567890" * 9)[:length]
    sent = encrypt_track(TDK, clear)
    assert len(sent) == length
    assert sent[-1:] == clear[-1:]
    assert decrypt_track(TDK, sent) == clear


@pytest.mark.parametrize(
    ("nibbles", "reason"),
    [("", "bad_length"), ("1" * 16, "bad_length"), ("6225=" + "1" * 20, "bad_character")],
)
def test_tracks_that_cannot_be_enciphered(nibbles: str, reason: str) -> None:
    with pytest.raises(BadInput) as caught:
        encrypt_track(TDK, nibbles)
    assert caught.value.reason == reason
