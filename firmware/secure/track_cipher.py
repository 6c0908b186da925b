"""Enciphering one block of a track, in place (UnionPay, network code 004; POS message digest, section 6.6).

The track is nibbles without sentinels. Of its end, one nibble stays clear when their number is odd, two when
it is even; the 16 nibbles before are enciphered under the track key. The length never changes, so field 35
may then hold any hex digit.
"""

from __future__ import annotations

from firmware.secure import tdes
from firmware.secure.errors import BadInput
from firmware.secure.tdes import KeyBytes

BLOCK_NIBBLES = 16

_HEX = frozenset("0123456789ABCDEF")


def encrypt_track(tdk: KeyBytes, nibbles: str) -> str:
    """The track as it is sent. Raises BadInput: bad_length (no whole block), bad_character; KeyFormat."""
    block = block_place(nibbles)
    enciphered = tdes.encrypt(tdk, bytes.fromhex(nibbles[block])).hex().upper()
    return nibbles[: block.start] + enciphered + nibbles[block.stop :]


def decrypt_track(tdk: KeyBytes, nibbles: str) -> str:
    """The track as it was read, out of what was sent. Raises as `encrypt_track`."""
    block = block_place(nibbles)
    clear = tdes.decrypt(tdk, bytes.fromhex(nibbles[block])).hex().upper()
    return nibbles[: block.start] + clear + nibbles[block.stop :]


def block_place(nibbles: str) -> slice:
    """Where in the track its enciphered block lies. Raises BadInput: bad_length, bad_character."""
    if not _HEX.issuperset(nibbles):
        raise BadInput("bad_character", "a track to encipher is written in hex digits, its separator as D")
    end = len(nibbles) - (1 if len(nibbles) % 2 else 2)
    if end < BLOCK_NIBBLES:
        raise BadInput("bad_length", f"a track to encipher has at least {BLOCK_NIBBLES + 2} nibbles")
    return slice(end - BLOCK_NIBBLES, end)
