"""Blocks of T=1: those that ISO/IEC 7816-3 spells out, then any bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.iso7816.t1_block import (
    BlockError,
    Damage,
    InfoBlock,
    Packet,
    ReadyBlock,
    Request,
    SupervisoryBlock,
    block_bytes_missing,
    decode_block,
    encode_block,
)

# PCB by ISO/IEC 7816-3:2006, 11.3.2.2; the LRC is the XOR of what is before it.
BLOCKS = [
    ("00C101FE3E", SupervisoryBlock(Request.IFS, value=0xFE)),
    ("00E101FE1E", SupervisoryBlock(Request.IFS, answer=True, value=0xFE)),
    ("00C000C0", SupervisoryBlock(Request.RESYNCH)),
    ("00E000E0", SupervisoryBlock(Request.RESYNCH, answer=True)),
    ("00C200C2", SupervisoryBlock(Request.ABORT)),
    ("00C30105C7", SupervisoryBlock(Request.WTX, value=5)),
    ("00800080", ReadyBlock(0)),
    ("00910091", ReadyBlock(1, Damage.CHECK)),
    ("00820082", ReadyBlock(0, Damage.OTHER)),
    ("0000029000 92", InfoBlock(0, bytes.fromhex("9000"))),
    ("006001AACB", InfoBlock(1, b"\xaa", more=True)),
]


@pytest.mark.parametrize(("text", "block"), BLOCKS)
def test_a_block_and_its_bytes(text: str, block: InfoBlock | ReadyBlock | SupervisoryBlock) -> None:
    data = bytes.fromhex(text)
    assert decode_block(data) == Packet(block)
    assert encode_block(block) == data
    assert decode_block(encode_block(block, crc=True), crc=True) == Packet(block)
    for cut in range(len(data)):
        assert block_bytes_missing(data[:cut]) > 0


def test_the_crc_is_that_of_iso_13239() -> None:
    """Its residue over a block and its CRC is F0B8, low byte first; T=1 sends the high byte first."""
    block = encode_block(InfoBlock(0, b"123456789"[3:]), crc=True)
    register = 0xFFFF
    for byte in block[:-2] + bytes([block[-1], block[-2]]):
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x8408 if register & 1 else 0)
    assert register == 0xF0B8


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "truncated"),
        ("000002", "truncated"),
        ("0000009000", "trailing_data"),
        ("0000029000 93", "bad_lrc"),
        ("00010001", "bad_format"),
        ("00830083", "bad_format"),
        ("00C400C4", "bad_format"),
        ("00C100C1", "bad_format"),
        ("00C10100C0", "bad_format"),
        ("0000FF" + "00" * 255 + "FF", "bad_length"),
    ],
)
def test_what_is_no_block(text: str, reason: str) -> None:
    with pytest.raises(BlockError) as caught:
        decode_block(bytes.fromhex(text))
    assert caught.value.reason == reason


def test_a_damaged_crc_is_noticed() -> None:
    block = bytearray(encode_block(ReadyBlock(1), crc=True))
    block[1] ^= 0x04
    with pytest.raises(BlockError) as caught:
        decode_block(bytes(block), crc=True)
    assert caught.value.reason == "bad_crc"


def test_a_block_that_cannot_be_is_refused() -> None:
    with pytest.raises(BlockError):
        encode_block(InfoBlock(0, bytes(255)))


@given(st.binary(max_size=260), st.booleans())
def test_any_bytes_are_a_block_or_refused(data: bytes, crc: bool) -> None:
    try:
        packet = decode_block(data, crc=crc)
    except BlockError:
        return
    assert encode_block(packet.block, nad=packet.nad, crc=crc) == data


@given(st.binary(min_size=1, max_size=254), st.integers(0, 256 * 8 - 1))
def test_one_wrong_bit_is_never_read_as_something_else(data: bytes, bit: int) -> None:
    block = bytearray(encode_block(InfoBlock(0, data)))
    place = bit % (len(block) * 8)
    block[place // 8] ^= 1 << place % 8
    with pytest.raises(BlockError):
        decode_block(bytes(block))
