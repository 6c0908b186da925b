"""The block ciphers and MACs of the bank, on the package `cryptography`: nothing here is the terminal's code.

DES and triple DES in ECB and CBC mode, AES, SM4; UnionPay's MAC (iso8583-pos section 6.3, and 6.7 for SM4),
ANSI X9.9, ANSI X9.19 (ISO/IEC 9797-1 algorithm 3, padding method 1), CMAC (NIST SP 800-38B).
"""

from __future__ import annotations

import functools
import operator
import struct
from collections.abc import Callable, Mapping
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.cmac import CMAC

from bank.errors import HsmError

_CHECK_VALUE_BYTES: Final = 4
_MAC_BYTES: Final = 8
_WORD_BYTES: Final = 8


def _tdes(key: bytes) -> TripleDES:
    if len(key) == 8:
        return TripleDES(key * 3)  # EDE under one key three times is single DES
    if len(key) == 16:
        return TripleDES(key + key[:8])
    if len(key) == 24:
        return TripleDES(key)
    raise HsmError(f"a DES key has 8, 16 or 24 bytes, not {len(key)}")


def des_encrypt(key: bytes, data: bytes) -> bytes:
    """Encipher whole 8-byte blocks in ECB: DES with an 8-byte key, triple DES (EDE) with 16 or 24 bytes."""
    return Cipher(_tdes(key), modes.ECB()).encryptor().update(data)  # noqa: S305 - the standard's mode


def des_decrypt(key: bytes, data: bytes) -> bytes:
    """The inverse of `des_encrypt`."""
    return Cipher(_tdes(key), modes.ECB()).decryptor().update(data)  # noqa: S305 - the standard's mode


def aes_encrypt_block(key: bytes, block: bytes) -> bytes:
    """Encipher whole blocks of 16 bytes in ECB mode."""
    return Cipher(AES(key), modes.ECB()).encryptor().update(block)  # noqa: S305 - the standard's mode


def cbc_decrypt(key: bytes, data: bytes, *, is_aes: bool) -> bytes:
    """Decipher whole blocks in CBC mode with a zero start value. Raises HsmError for half a block."""
    cipher: BlockCipherAlgorithm = AES(key) if is_aes else _tdes(key)
    block_bytes = cipher.block_size // 8
    if len(data) % block_bytes:
        raise HsmError(f"enciphered data is not in blocks of {block_bytes} bytes")
    return Cipher(cipher, modes.CBC(bytes(block_bytes))).decryptor().update(data)


def sm4_encrypt(key: bytes, data: bytes) -> bytes:
    """Encipher whole 16-byte blocks with SM4 in ECB mode."""
    return Cipher(SM4(key), modes.ECB()).encryptor().update(data)  # noqa: S305 - the messages' mode


def sm4_decrypt(key: bytes, data: bytes) -> bytes:
    """The inverse of `sm4_encrypt`."""
    return Cipher(SM4(key), modes.ECB()).decryptor().update(data)  # noqa: S305 - the messages' mode


def check_value(key: bytes) -> bytes:
    """The key check value: the first 4 bytes of eight zero bytes enciphered."""
    return des_encrypt(key, bytes(8))[:_CHECK_VALUE_BYTES]


def sm4_check_value(key: bytes) -> bytes:
    """The first 4 bytes of sixteen zero bytes enciphered."""
    return sm4_encrypt(key, bytes(16))[:_CHECK_VALUE_BYTES]


# --- message authentication codes --------------------------------------------------------------------


def _folded_twice(cipher: BlockCipherAlgorithm, mab: bytes) -> bytes:
    """UnionPay's way: XOR of all blocks, as hex text, whose halves are two blocks of CBC: the second one."""
    size = cipher.block_size // 8
    padded = mab + bytes(-len(mab) % size)
    words = struct.unpack(f">{len(padded) // _WORD_BYTES}Q", padded)
    step = size // _WORD_BYTES
    folded = [functools.reduce(operator.xor, words[place::step], 0) for place in range(step)]
    text = "".join(f"{word:016X}" for word in folded).encode("ascii")
    return Cipher(cipher, modes.CBC(bytes(size))).encryptor().update(text)[size:]


def unionpay_mac(mak: bytes, mab: bytes) -> bytes:
    """The UnionPay "ECB" MAC of `mab`: 8 ASCII characters (iso8583-pos section 6.3)."""
    return _folded_twice(_tdes(mak), mab).hex().upper()[:_MAC_BYTES].encode("ascii")


def sm4_mac(mak: bytes, mab: bytes) -> bytes:
    """The SM4 variant: the first 8 bytes of the last block (iso8583-pos section 6.7)."""
    return _folded_twice(SM4(mak), mab)[:_MAC_BYTES]


def x9_9_mac(mak: bytes, mab: bytes) -> bytes:
    """ANSI X9.9: the last block of CBC, filled with zeros."""
    padded = mab + bytes(-len(mab) % 8)
    return Cipher(_tdes(mak), modes.CBC(bytes(8))).encryptor().update(padded)[-8:]


def x9_19_mac(mak: bytes, mab: bytes) -> bytes:
    """ANSI X9.19, the retail MAC: CBC under the left half, the last block once more through both."""
    if len(mak) != 16:
        raise HsmError("a retail MAC takes a key of 16 bytes")
    return des_encrypt(mak[:8], des_decrypt(mak[8:], x9_9_mac(mak[:8], mab)))


def cmac(mak: bytes, mab: bytes, *, is_aes: bool = False) -> bytes:
    """CMAC on triple DES or AES, the first 8 bytes."""
    code = CMAC(AES(mak) if is_aes else _tdes(mak))
    code.update(mab)
    return code.finalize()[:_MAC_BYTES]


MACS: Final[Mapping[str, Callable[[bytes, bytes], bytes]]] = {
    "unionpay": unionpay_mac,
    "x9.9": x9_9_mac,
    "x9.19": x9_19_mac,
    "cmac": cmac,
    "sm4": sm4_mac,
}
"""By the names of the setting `mac_algorithm`. With AES DUKPT "cmac" is that on AES."""
