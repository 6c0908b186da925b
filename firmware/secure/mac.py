"""The message authentication code of UnionPay's POS messages, the "ECB algorithm".

Plan (POS message digest, section 6.3): the message is folded by XOR to one block X; X is written as sixteen
upper-case hexadecimal characters, halves L and R; A = E(L), C = E(A xor R); field 64 is the first eight
hexadecimal characters of C, as ASCII. E is DES for a key of 8 bytes, triple DES for 16.
"""

from __future__ import annotations

from firmware.secure.tdes import BLOCK_BYTES, KeyBytes, encrypt_in_place

MAC_BYTES = 8


def unionpay_ecb_mac(key: KeyBytes, mab: bytes) -> bytes:
    """Field 64 of a message: 8 ASCII bytes.

    `mab`: the message from its MTI to the field before 64, as on the wire, with bit 64 set in the bitmap; any
    length, zeros are appended to whole blocks. Raises KeyFormat.
    """
    text = _fold(mab).hex().upper().encode("ascii")
    block = bytearray(text[:BLOCK_BYTES])
    encrypt_in_place(key, block)
    for place, byte in enumerate(text[BLOCK_BYTES:]):
        block[place] ^= byte
    encrypt_in_place(key, block)
    return block.hex().upper()[:MAC_BYTES].encode("ascii")


def _fold(mab: bytes) -> bytes:
    """All blocks of `mab`, the last one filled with zeros, combined by XOR."""
    padded = mab + bytes(-len(mab) % BLOCK_BYTES)
    folded = 0
    for at in range(0, len(padded), BLOCK_BYTES):
        folded ^= int.from_bytes(padded[at : at + BLOCK_BYTES], "big")
    return folded.to_bytes(BLOCK_BYTES, "big")
