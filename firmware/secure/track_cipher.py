"""Enciphering one block of a track, in place (UnionPay, network code 004; POS message digest, section 6.6).

The track is nibbles without sentinels. Of its end, one nibble stays clear when their number is odd, two when
it is even; the 16 nibbles before (32 with SM4) are enciphered under the track key. The length never changes,
so field 35 may then hold any hex digit.

Point-to-point encryption is posterm's own: the whole track in CBC mode under a DUKPT data key that no other
message has, so that the start value may be zero.
"""

from __future__ import annotations

from firmware.secure import aes, sm4, tdes
from firmware.secure.errors import BadInput
from firmware.secure.memory import SecretBytes
from firmware.secure.tdes import KeyBytes

BLOCK_NIBBLES = 16

_HEX = frozenset("0123456789ABCDEF")


def encrypt_track(tdk: KeyBytes, nibbles: str, *, is_sm4: bool = False) -> str:
    """The track as it is sent. Raises BadInput: bad_length (no whole block), bad_character; KeyFormat."""
    place = block_place(nibbles, 2 * BLOCK_NIBBLES if is_sm4 else BLOCK_NIBBLES)
    block = SecretBytes.fromhex(nibbles[place])
    (sm4 if is_sm4 else tdes).encrypt_in_place(tdk, block)
    return nibbles[: place.start] + block.hex().upper() + nibbles[place.stop :]


def decrypt_track(tdk: KeyBytes, nibbles: str) -> str:
    """The track as it was read, out of what was sent. Raises as `encrypt_track`."""
    block = block_place(nibbles)
    clear = tdes.decrypt(tdk, bytes.fromhex(nibbles[block])).hex().upper()
    return nibbles[: block.start] + clear + nibbles[block.stop :]


def encrypt_whole_track(key: KeyBytes, nibbles: str, *, is_aes: bool) -> str:
    """All of a track, filled with F to whole blocks, in CBC mode; hex digits. Raises BadInput, KeyFormat."""
    cipher = aes if is_aes else tdes
    if not nibbles or not _HEX.issuperset(nibbles):
        raise BadInput("bad_character", "a track to encipher is written in hex digits, its separator as D")
    fill = "F" * (-len(nibbles) % (2 * cipher.BLOCK_BYTES))
    blocks = SecretBytes.fromhex(nibbles + fill)
    cipher.encrypt_cbc_in_place(key, blocks)
    return blocks.hex().upper()


def block_place(nibbles: str, block_nibbles: int = BLOCK_NIBBLES) -> slice:
    """Where in the track its enciphered block lies. Raises BadInput: bad_length, bad_character."""
    if not _HEX.issuperset(nibbles):
        raise BadInput("bad_character", "a track to encipher is written in hex digits, its separator as D")
    end = len(nibbles) - (1 if len(nibbles) % 2 else 2)
    if end < block_nibbles:
        raise BadInput("bad_length", f"a track to encipher has at least {block_nibbles + 2} nibbles")
    return slice(end - block_nibbles, end)
