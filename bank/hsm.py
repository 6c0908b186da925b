"""The bank's security module: the only file of the bank that sees a key or a PIN in clear.

The plan of this file. Keys come in and go out sealed under the bank's master key; callers pass the sealed
form along like a ticket. The calculations are written on the `cryptography` package (and `psec` for PIN
blocks) and share nothing with the terminal's, so that the two ends judge each other.

Sources: the UnionPay POS key bundle, MAC and track cipher (iso8583-pos sections 6.2, 6.3
and 6.6); ISO 9564-1 format 0; IBM 3624 PIN offset. Sealing is AES-SIV (RFC 5297): authenticated and
deterministic.

`psec` also calculates IBM 3624, but through a name that `cryptography` has deprecated and will remove; so
the offset is calculated here, and `psec` does what needs no cipher.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from psec.pinblock import decode_pinblock_iso_0

from bank.entropy import Entropy
from bank.errors import HsmError
from wire.pan import Pan

KeyLayout = Literal["001", "003", "004"]
KEY_LAYOUTS: Final[tuple[KeyLayout, ...]] = ("001", "003", "004")

MASTER_KEY_BYTES: Final = 32
DECIMALISATION: Final = "0123456789012345"  # hex digit -> decimal digit, IBM 3624
_CHECK_VALUE_BYTES: Final = 4


class PinFormatError(Exception):
    """The deciphered block is no PIN block of format 0: response code 99. Carries no detail on purpose."""


def des_encrypt(key: bytes, data: bytes) -> bytes:
    """Encipher whole 8-byte blocks in ECB: DES with an 8-byte key, triple DES (EDE) with 16 or 24 bytes."""
    return Cipher(TripleDES(_three_keys(key)), modes.ECB()).encryptor().update(data)  # noqa: S305 - the standard's mode


def des_decrypt(key: bytes, data: bytes) -> bytes:
    """The inverse of `des_encrypt`."""
    return Cipher(TripleDES(_three_keys(key)), modes.ECB()).decryptor().update(data)  # noqa: S305 - the standard's mode


def _three_keys(key: bytes) -> bytes:
    if len(key) == 8:
        return key * 3  # EDE under one key three times is single DES
    if len(key) == 16:
        return key + key[:8]
    if len(key) == 24:
        return key
    raise HsmError(f"a DES key has 8, 16 or 24 bytes, not {len(key)}")


def check_value(key: bytes) -> bytes:
    """The key check value: the first 4 bytes of eight zero bytes enciphered."""
    return des_encrypt(key, bytes(8))[:_CHECK_VALUE_BYTES]


def unionpay_mac(mak: bytes, mab: bytes) -> bytes:
    """The UnionPay "ECB" MAC of `mab`: 8 ASCII characters (iso8583-pos section 6.3)."""
    padded = mab + bytes(-len(mab) % 8)
    folded = 0
    for start in range(0, len(padded), 8):
        folded ^= int.from_bytes(padded[start : start + 8], "big")
    text = f"{folded:016X}".encode("ascii")
    first = int.from_bytes(des_encrypt(mak, text[:8]), "big")
    second = first ^ int.from_bytes(text[8:], "big")
    return des_encrypt(mak, second.to_bytes(8, "big")).hex().upper()[:8].encode("ascii")


def ibm3624_offset(pvk: bytes, pin: str, validation_digits: str, *, table: str = DECIMALISATION) -> str:
    """The IBM 3624 PIN offset, one digit for each digit of `pin` (4 to 12).

    `validation_digits`: up to 16 digits chosen from the PAN, filled with F on the right.
    `table`: the 16 decimal digits that replace the hex digits 0 to F.
    """
    natural = des_encrypt(pvk, bytes.fromhex(validation_digits.ljust(16, "F"))).hex()
    decimal = [int(table[int(digit, 16)]) for digit in natural[: len(pin)]]
    return "".join(str((int(p) - n) % 10) for p, n in zip(pin, decimal, strict=True))


def decode_pin_block(block: bytes, pan: Pan) -> str:
    """The PIN in a clear block of ISO 9564-1 format 0. Raises PinFormatError."""
    try:
        return decode_pinblock_iso_0(block, pan.reveal())
    except ValueError:
        raise PinFormatError from None  # the library's text may quote PIN digits


def _track_block(nibbles: str) -> slice:
    """Where the 16 enciphered nibbles of a track lie (section 6.6)."""
    end = len(nibbles) - (1 if len(nibbles) % 2 else 2)
    if end < 16:
        raise HsmError("an enciphered track is shorter than one block")
    return slice(end - 16, end)


@dataclass(frozen=True, slots=True)
class WorkingKeys:
    """New working keys: sealed for the bank's store, and as the bundle (F62) for the terminal."""

    pik_sealed: bytes
    mak_sealed: bytes
    tdk_sealed: bytes | None
    bundle: bytes

    def __repr__(self) -> str:
        return f"WorkingKeys(bundle of {len(self.bundle)} bytes)"


class Hsm:
    """Seals and opens keys and PANs, makes working keys, checks MACs and PINs, under one master key."""

    def __init__(self, master_key: bytes) -> None:
        """`master_key`: 32 bytes. Raises HsmError on another length."""
        if len(master_key) != MASTER_KEY_BYTES:
            raise HsmError(f"a bank master key has {MASTER_KEY_BYTES} bytes, not {len(master_key)}")
        self._sealer = AESSIV(_derive(master_key, b"seal"))
        self._pvk = _derive(master_key, b"pin verification")[:16]

    def __repr__(self) -> str:
        return "Hsm(...)"

    # --- sealing ---------------------------------------------------------------------------------

    def _seal(self, purpose: bytes, value: bytes) -> bytes:
        return self._sealer.encrypt(value, [purpose])

    def _open(self, purpose: bytes, sealed: bytes) -> bytes:
        try:
            return self._sealer.decrypt(sealed, [purpose])
        except InvalidTag:
            raise HsmError("a stored value does not open: it belongs to another bank master key") from None

    def seal_pan(self, pan: Pan) -> bytes:
        """The PAN as it is stored; equal PANs give equal bytes, so it is also the index."""
        return self._seal(b"pan", pan.reveal().encode("ascii"))

    def open_pan(self, sealed: bytes) -> Pan:
        """The PAN of a stored card. Raises HsmError."""
        return Pan(self._open(b"pan", sealed).decode("ascii"))

    def seal_tmk(self, key: bytes) -> bytes:
        """A terminal master key (16 bytes) as it is stored. Raises HsmError on another length."""
        if len(key) != 16:
            raise HsmError(f"a terminal master key has 16 bytes, not {len(key)}")
        return self._seal(b"tmk", key)

    def tmk_check_value(self, tmk_sealed: bytes) -> bytes:
        """The check value (4 bytes) of a stored terminal master key, to compare with the terminal's."""
        return check_value(self._open(b"tmk", tmk_sealed))

    # --- working keys ----------------------------------------------------------------------------

    def make_working_keys(self, tmk_sealed: bytes, layout: KeyLayout, entropy: Entropy) -> WorkingKeys:
        """New keys in the order PIK, MAK, TDK, and their F62 bundle (section 6.2).

        The bundle has 24 bytes (layout 001), 40 (003) or 60 (004). The MAK is single length in all of them.
        """
        tmk = self._open(b"tmk", tmk_sealed)
        pik = entropy.token(8 if layout == "001" else 16)
        mak = entropy.token(8)
        tdk = entropy.token(16) if layout == "004" else None
        mak_filler = b"" if layout == "001" else bytes(8)
        bundle = des_encrypt(tmk, pik) + check_value(pik)
        bundle += des_encrypt(tmk, mak) + mak_filler + check_value(mak)
        if tdk is not None:
            bundle += des_encrypt(tmk, tdk) + check_value(tdk)
        return WorkingKeys(
            pik_sealed=self._seal(b"pik", pik),
            mak_sealed=self._seal(b"mak", mak),
            tdk_sealed=self._seal(b"tdk", tdk) if tdk is not None else None,
            bundle=bundle,
        )

    def mac(self, mak_sealed: bytes, mab: bytes) -> bytes:
        """The MAC of `mab`: 8 ASCII characters."""
        return unionpay_mac(self._open(b"mak", mak_sealed), mab)

    def mac_is_right(self, mak_sealed: bytes, mab: bytes, mac: bytes) -> bool:
        """Whether `mac` is the MAC of `mab`."""
        return hmac.compare_digest(self.mac(mak_sealed, mab), mac)

    def decrypt_track(self, tdk_sealed: bytes, nibbles: str) -> str:
        """The clear nibbles of an enciphered track, same length. Raises HsmError if it is too short."""
        where = _track_block(nibbles)
        block = des_decrypt(self._open(b"tdk", tdk_sealed), bytes.fromhex(nibbles[where]))
        return nibbles[: where.start] + block.hex().upper() + nibbles[where.stop :]

    # --- PINs ------------------------------------------------------------------------------------

    def pin_offset(self, pin: str, pan: Pan) -> str:
        """What is stored instead of a PIN: its IBM 3624 offset over the PAN's last 12 digits but one."""
        if not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 12):
            raise HsmError("a PIN has 4 to 12 digits")
        return ibm3624_offset(self._pvk, pin, pan.reveal()[-13:-1])

    def pin_is_right(self, pik_sealed: bytes, pin_block: bytes, pan: Pan, offset: str) -> bool:
        """Whether the enciphered block (8 bytes) holds the PIN that `offset` stands for.

        Raises PinFormatError if it deciphers to no PIN block at all (wrong key, damaged, another PAN).
        """
        pin = decode_pin_block(des_decrypt(self._open(b"pik", pik_sealed), pin_block), pan)
        return hmac.compare_digest(self.pin_offset(pin, pan), offset)


def _derive(master_key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"posterm bank " + purpose).derive(
        master_key
    )
