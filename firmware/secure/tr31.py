"""TR-31 key blocks (ANSI X9.143): a key, bound to what it may be used for, under a protection key.

The plan of this file. Two keys come out of the key block protection key (KBPK): one enciphers, one
authenticates. Versions A and C make them by XOR, encipher first and authenticate what was enciphered;
B (triple DES) and D (AES) derive them with CMAC, authenticate the clear text and use the code as start value.
The enciphered text is the key's length in bits, the key, and random fill.

The header is in `firmware.secure.tr31_header`. Keys are returned as `bytearray`, for the caller to wipe.
"""

from __future__ import annotations

import hmac
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType

from firmware.secure import aes, tdes
from firmware.secure.errors import BadInput
from firmware.secure.mac import aes_cmac, cbc_mac, tdes_cmac
from firmware.secure.memory import SecretBytes, wipe
from firmware.secure.tdes import KeyBytes
from firmware.secure.tr31_header import HEADER_CHARACTERS, KeyBlockHeader, parse_header

_LENGTH_FIELD_BYTES = 2
_HEX = frozenset(string.hexdigits)

_MAC_BYTES = {"A": 4, "B": 8, "C": 4, "D": 16}
_CIPHER_BLOCK_BYTES = {"A": 8, "B": 8, "C": 8, "D": 16}
_KBPK_BYTES = {"A": (8, 16, 24), "B": (16, 24), "C": (8, 16, 24), "D": (16, 24, 32)}

_CBC: Mapping[str, ModuleType] = {"A": tdes, "B": tdes, "C": tdes, "D": aes}
_CMACS: Mapping[str, Callable[..., bytes]] = {"B": tdes_cmac, "D": aes_cmac}

_XOR_ENCIPHER, _XOR_AUTHENTICATE = 0x45, 0x4D  # E and M
_USAGE_ENCIPHER, _USAGE_AUTHENTICATE = 0, 1
_DERIVED_ALGORITHM = {("B", 16): 0, ("B", 24): 1, ("D", 16): 2, ("D", 24): 3, ("D", 32): 4}


@dataclass(frozen=True, slots=True)
class UnwrappedKey:
    """A key out of its block. The caller wipes `key`."""

    header: KeyBlockHeader
    length: int
    key: bytearray = field(repr=False)


def unwrap(kbpk: KeyBytes, key_block: str) -> UnwrappedKey:
    """Open a key block.

    Checked in this order: header, length, optional blocks, hex, protection key, authentication code, length
    of the key. Raises BadInput: truncated, bad_character, bad_version, bad_length, bad_format, bad_key,
    bad_mac. No key comes out of a block that fails any check.
    """
    length, version = _require_length(key_block)
    parsed = parse_header(key_block)
    header_text, body = key_block[: parsed.consumed], key_block[parsed.consumed :]
    mac_characters = 2 * _MAC_BYTES[version]
    enciphered, mac = body[:-mac_characters], body[-mac_characters:]
    _require_body(version, enciphered, mac)
    _require_kbpk(kbpk, version)
    clear = _open(kbpk, version, header_text.encode("ascii"), bytes.fromhex(enciphered), bytes.fromhex(mac))
    try:
        return UnwrappedKey(parsed.header, length, _key_in(clear))
    finally:
        wipe(clear)


def wrap(
    kbpk: KeyBytes,
    header: KeyBlockHeader,
    key: KeyBytes,
    random_bytes: Callable[[int], bytes],
    *,
    masked_key_bytes: int = 0,
) -> str:
    """Close `key` into a key block.

    `random_bytes(n)` gives fill; `masked_key_bytes`: fill the key up to that length, so that the block does
    not tell how long it is. Raises BadInput: bad_key, bad_length, bad_format, bad_character, bad_version.
    """
    if header.version not in _MAC_BYTES:
        raise BadInput("bad_version", f"the versions of key blocks are {', '.join(_MAC_BYTES)}")
    _require_kbpk(kbpk, header.version)
    if not key:
        raise BadInput("bad_key", "there is no key to wrap")
    block_bytes = _CIPHER_BLOCK_BYTES[header.version]
    clear = _with_fill(key, random_bytes, block_bytes, masked_key_bytes)
    try:
        text = header.encode(2 * (len(clear) + _MAC_BYTES[header.version]), block_bytes)
        enciphered, mac = _close(kbpk, header.version, text.encode("ascii"), clear)
    finally:
        wipe(clear)
    return text + enciphered.hex().upper() + mac.hex().upper()


# --- opening and closing -----------------------------------------------------------------------------


def _open(kbpk: KeyBytes, version: str, header: bytes, enciphered: bytes, mac: bytes) -> bytearray:
    encipher_key, authenticate_key = _keys(kbpk, version)
    try:
        if version in "AC":
            _require_mac(cbc_mac(authenticate_key, header + enciphered)[:4], mac)
        clear = SecretBytes(enciphered)
        try:
            _CBC[version].decrypt_cbc_in_place(encipher_key, clear, header[:8] if version in "AC" else mac)
            if version in _CMACS:
                _require_mac(_CMACS[version](authenticate_key, header, clear), mac)
        except BaseException:
            wipe(clear)
            raise
        return clear
    finally:
        wipe(encipher_key)
        wipe(authenticate_key)


def _close(kbpk: KeyBytes, version: str, header: bytes, clear: bytearray) -> tuple[bytes, bytes]:
    """The enciphered text, which `clear` becomes, and the authentication code."""
    encipher_key, authenticate_key = _keys(kbpk, version)
    try:
        if version in "AC":
            tdes.encrypt_cbc_in_place(encipher_key, clear, header[:8])
            return bytes(clear), cbc_mac(authenticate_key, header + clear)[:4]
        mac = _CMACS[version](authenticate_key, header, clear)
        _CBC[version].encrypt_cbc_in_place(encipher_key, clear, mac)
        return bytes(clear), mac
    finally:
        wipe(encipher_key)
        wipe(authenticate_key)


def _keys(kbpk: KeyBytes, version: str) -> tuple[bytearray, bytearray]:
    """The key that enciphers and the key that authenticates, to be wiped."""
    if version in "AC":
        return (
            SecretBytes(byte ^ _XOR_ENCIPHER for byte in kbpk),
            SecretBytes(byte ^ _XOR_AUTHENTICATE for byte in kbpk),
        )
    return _derived(kbpk, version, _USAGE_ENCIPHER), _derived(kbpk, version, _USAGE_AUTHENTICATE)


def _derived(kbpk: KeyBytes, version: str, usage: int) -> bytearray:
    tail = (
        usage.to_bytes(2, "big")
        + b"\0"
        + _DERIVED_ALGORITHM[version, len(kbpk)].to_bytes(2, "big")
        + (8 * len(kbpk)).to_bytes(2, "big")
    )
    key = SecretBytes(len(kbpk))
    block_bytes = _CIPHER_BLOCK_BYTES[version]
    for number, at in enumerate(range(0, len(key), block_bytes), 1):
        block = _CMACS[version](kbpk, bytes([number]) + tail)
        key[at : at + block_bytes] = block[: len(key) - at]
    return key


def _with_fill(
    key: KeyBytes, random_bytes: Callable[[int], bytes], block_bytes: int, masked_key_bytes: int
) -> bytearray:
    """The clear text of a block, whole from the start: growing it would leave copies of the key."""
    masked_bytes = max(len(key), masked_key_bytes)
    used = _LENGTH_FIELD_BYTES + masked_bytes
    clear = SecretBytes(used + -used % block_bytes)
    clear[:_LENGTH_FIELD_BYTES] = (8 * len(key)).to_bytes(_LENGTH_FIELD_BYTES, "big")
    end = _LENGTH_FIELD_BYTES + len(key)
    clear[_LENGTH_FIELD_BYTES:end] = key
    clear[end:used] = random_bytes(used - end)
    clear[used:] = random_bytes(len(clear) - used)
    return clear


def _key_in(clear: bytearray) -> bytearray:
    bits = int.from_bytes(clear[:_LENGTH_FIELD_BYTES], "big")
    end = _LENGTH_FIELD_BYTES + bits // 8
    if bits == 0 or bits % 8 or end > len(clear):
        raise BadInput("bad_length", "the length of the key inside its block is impossible")
    return SecretBytes(memoryview(clear)[_LENGTH_FIELD_BYTES:end])


# --- checks ------------------------------------------------------------------------------------------


def _require_length(key_block: str) -> tuple[int, str]:
    """The stated length and the version. The length is judged before the optional blocks are read."""
    fixed = parse_header(key_block[:12] + "00" + key_block[14:HEADER_CHARACTERS])
    version = fixed.header.version
    if fixed.length != len(key_block):
        raise BadInput("bad_length", "the key block is not as long as its header says")
    if fixed.length % _CIPHER_BLOCK_BYTES[version]:
        raise BadInput("bad_length", f"a key block of version {version} does not end on a cipher block")
    return fixed.length, version


def _require_body(version: str, enciphered: str, mac: str) -> None:
    if len(mac) != 2 * _MAC_BYTES[version]:
        raise BadInput("bad_length", "the key block is too short for its authentication code")
    if not _HEX.issuperset(mac):
        raise BadInput("bad_character", "the authentication code of the key block is not hex digits")
    if not _HEX.issuperset(enciphered):
        raise BadInput("bad_character", "the enciphered key in the key block is not hex digits")
    if not enciphered or len(enciphered) % (2 * _CIPHER_BLOCK_BYTES[version]):
        raise BadInput("bad_length", "the enciphered key in the key block is not whole cipher blocks")


def _require_kbpk(kbpk: KeyBytes, version: str) -> None:
    if len(kbpk) not in _KBPK_BYTES[version]:
        sizes = ", ".join(map(str, _KBPK_BYTES[version]))
        raise BadInput("bad_key", f"the protection key of version {version} has {sizes} bytes")


def _require_mac(calculated: bytes, given: bytes) -> None:
    if not hmac.compare_digest(calculated, given):
        raise BadInput("bad_mac", "the key block is not authentic: another protection key, or altered")
