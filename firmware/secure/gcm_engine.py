"""AES in Galois/counter mode (NIST SP 800-38D): by the cipher library's C functions, and its interface.

What is sealed at rest is small, a key or a card, and opened for one operation at a time: the library's
objects for this mode take many times as long as the cipher itself. Why there are two ways, and which one is
used: `firmware.secure.cipher_library`.
"""

from __future__ import annotations

import functools
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from firmware.secure import aes_engine
from firmware.secure.aes_engine import BLOCK_BYTES
from firmware.secure.cipher_library import Bindings, EcbWork, KeyBytes
from firmware.secure.memory import SecretBytes, wipe

NONCE_BYTES = 12
TAG_BYTES = 16

Seal = Callable[[KeyBytes, bytes, bytes, KeyBytes], bytes]
"""Key, nonce of 12 bytes, what is bound to it, and the secret: to ciphertext and tag."""
Open = Callable[[KeyBytes, bytes, bytes, bytes], SecretBytes]
"""The same with ciphertext and tag for the secret. ValueError, and nothing is deciphered, unless they fit."""


@dataclass(frozen=True, slots=True)
class GcmEngine:
    """AES-GCM for keys of 16, 24 and 32 bytes, tags of 16 bytes, and records of some hundred bytes."""

    seal: Seal
    open: Open


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A published example, in hexadecimal digits."""

    key: str
    nonce: str
    bound: str
    clear: str
    sealed: str


KNOWN = KnownAnswer(  # "The Galois/Counter Mode of Operation" (McGrew, Viega), appendix B, test case 16
    key="FEFFE9928665731C6D6A8F9467308308FEFFE9928665731C6D6A8F9467308308",
    nonce="CAFEBABEFACEDBADDECAF888",
    bound="FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2",
    clear="D9313225F88406E5A55909C5AFF5269A86A7A9531534F7DA2E4C303D8A318A72"
    "1C3C0C95956809532FCF0E2449A6B525B16AEDF5AA0DE657BA637B39",
    sealed="522DC1F099567D07F47F37A32A84427D643A8CDCBFE5C0C97598A2BD2555D1AA"
    "8CB08E48590DBB3DA7B08B1056828838C5F61E6393BA7A0ABCC9F662"
    "76FC6ECE0F4E1768CDDF8853BB2D551B",
)


@functools.cache
def engine() -> GcmEngine:
    """The faster one of those that give right answers here."""
    try:
        direct = _direct_engine()
        return direct if gives_right_answers(direct) else public_engine()
    except (ImportError, AttributeError, TypeError):
        return public_engine()


def gives_right_answers(candidate: GcmEngine) -> bool:
    """Whether an engine can be trusted: the known answer, both ways, and no other tag."""
    key, nonce, bound = (bytes.fromhex(part) for part in (KNOWN.key, KNOWN.nonce, KNOWN.bound))
    clear, sealed = bytes.fromhex(KNOWN.clear), bytes.fromhex(KNOWN.sealed)
    if candidate.seal(key, nonce, bound, clear) != sealed:
        return False
    if bytes(candidate.open(key, nonce, bound, sealed)) != clear:
        return False
    try:
        candidate.open(key, nonce, bound, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    except ValueError:
        return True
    return False


# --- the C functions ---------------------------------------------------------------------------------


def _direct_engine() -> GcmEngine:
    bindings = Bindings()
    tag_of, encrypt, xor, view_of = (
        _direct_tag(bindings),
        aes_engine.engine().encrypt,
        _xor(),
        bindings.buffer,
    )

    def seal(key: KeyBytes, nonce: bytes, bound: bytes, secret: KeyBytes) -> bytes:
        stream, text_bytes = _stream(encrypt, key, nonce, len(secret)), len(secret)
        try:
            view, ciphertext = view_of(stream), bytearray(text_bytes)
            xor(view_of(secret), view + _TEXT_AT, view_of(ciphertext), text_bytes)
            return bytes(ciphertext + tag_of(view, bound, ciphertext))
        finally:
            wipe(stream)

    def open_(key: KeyBytes, nonce: bytes, bound: bytes, sealed: bytes) -> SecretBytes:
        ciphertext, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
        stream, text_bytes = _stream(encrypt, key, nonce, len(ciphertext)), len(ciphertext)
        try:
            view, secret = view_of(stream), SecretBytes(text_bytes)
            if not hmac.compare_digest(tag_of(view, bound, ciphertext), tag):
                raise not_authentic()
            xor(ciphertext, view + _TEXT_AT, view_of(secret), text_bytes)
            return secret
        finally:
            wipe(stream)

    return GcmEngine(seal, open_)


def _stream(encrypt: EcbWork, key: KeyBytes, nonce: bytes, text_bytes: int) -> SecretBytes:
    """The block that hashes (of zeros), the one that masks the tag (counter 1), and those for the text."""
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes here")
    counters = range(1, 2 - (-text_bytes // BLOCK_BYTES))
    blocks = [bytes(BLOCK_BYTES), *(nonce + counter.to_bytes(4, "big") for counter in counters)]
    stream = SecretBytes(b"".join(blocks))
    encrypt(key, stream)
    return stream


def _xor() -> Any:
    """The function that combines two buffers into a third: the library's own checks take longer than it."""
    from Crypto.Util import strxor

    library: Any = strxor
    return library._raw_strxor.strxor  # noqa: SLF001 - see `cipher_library`


def _direct_tag(bindings: Bindings) -> Callable[[Any, bytes, bytes | bytearray], bytearray]:
    from Crypto.Cipher import _mode_gcm

    library: Any = _mode_gcm
    functions = library._ghash_clmul or library._ghash_portable  # noqa: SLF001 - see `cipher_library`
    expand, ghash, destroy = functions.ghash_expand, functions.ghash, functions.ghash_destroy
    new_cell, view_of, xor = bindings.cell, bindings.buffer, _xor()

    def tag_of(stream: Any, bound: bytes, ciphertext: bytes | bytearray) -> bytearray:
        lengths = (8 * len(bound)).to_bytes(8, "big") + (8 * len(ciphertext)).to_bytes(8, "big")
        text = _whole_blocks(bound) + _whole_blocks(ciphertext) + lengths
        cell, tag = new_cell(), bytearray(TAG_BYTES)
        if expand(stream, cell):  # its first block is the key that hashes
            raise MemoryError
        hashed = view_of(tag)
        ghash(hashed, text, len(text), _NO_HASH, cell[0])
        destroy(cell[0])
        xor(hashed, stream + BLOCK_BYTES, hashed, TAG_BYTES)
        return tag

    return tag_of


_TEXT_AT = 2 * BLOCK_BYTES
_NO_HASH = bytes(TAG_BYTES)


def _whole_blocks(data: bytes | bytearray) -> bytes | bytearray:
    return data + bytes(-len(data) % BLOCK_BYTES)


# --- through the library's interface -----------------------------------------------------------------


def public_engine() -> GcmEngine:
    """The one that needs nothing but the interface."""
    return GcmEngine(_seal, _open)


def _cipher(key: KeyBytes, nonce: bytes, bound: bytes) -> Any:
    from Crypto.Cipher import AES

    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=TAG_BYTES)
    cipher.update(bound)
    return cipher


def _seal(key: KeyBytes, nonce: bytes, bound: bytes, secret: KeyBytes) -> bytes:
    ciphertext, tag = _cipher(key, nonce, bound).encrypt_and_digest(secret)
    return bytes(ciphertext) + bytes(tag)


def _open(key: KeyBytes, nonce: bytes, bound: bytes, sealed: bytes) -> SecretBytes:
    secret = SecretBytes(len(sealed) - TAG_BYTES)
    try:
        _cipher(key, nonce, bound).decrypt_and_verify(sealed[:-TAG_BYTES], sealed[-TAG_BYTES:], output=secret)
    except ValueError:
        wipe(secret)  # the library deciphers before it checks
        raise not_authentic() from None
    return secret


def not_authentic() -> ValueError:
    """The error of every engine for a seal that is broken."""
    return ValueError("the seal does not fit what it seals")
