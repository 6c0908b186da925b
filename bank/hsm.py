"""The bank's security module: beside its calculations (`ciphers`, `dukpt`) nothing sees a key or PIN.

The plan of this file. Keys come in and go out sealed under the bank's master key; callers pass the sealed
form along like a ticket: `MessageKeys` are the tickets of one message. The calculations are written on the
`cryptography` package (and `psec` for PIN blocks) and share nothing with the terminal's, so that the two ends
judge each other.

Sources: the UnionPay POS key bundle, MAC and track cipher (iso8583-pos sections 6.2, 6.3, 6.6 and 6.7);
ISO 9564-1 formats 0, 1, 3 and 4; DUKPT; IBM 3624 PIN offset. Sealing is AES-SIV (RFC 5297): authenticated
and deterministic.

`psec` also calculates IBM 3624, but through a name that `cryptography` has deprecated and will remove; so
the offset is calculated here, and `psec` does what needs no cipher.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from psec.pinblock import decipher_pinblock_iso_4, decode_pinblock_iso_0, decode_pinblock_iso_3

from bank import dukpt
from bank.ciphers import (
    MACS,
    cbc_decrypt,
    check_value,
    cmac,
    des_decrypt,
    des_encrypt,
    sm4_check_value,
    sm4_decrypt,
    sm4_encrypt,
    unionpay_mac,
)
from bank.entropy import Entropy
from bank.errors import HsmError
from wire.pan import Pan

__all__ = ["check_value", "des_decrypt", "des_encrypt", "unionpay_mac"]

KeyLayout = Literal["001", "003", "004", "005"]
KEY_LAYOUTS: Final[tuple[KeyLayout, ...]] = ("001", "003", "004", "005")
KEY_SCHEMES: Final = ("master-session", "dukpt-tdes", "dukpt-aes", "sm4")
MAC_ALGORITHMS: Final = tuple(MACS)
USUAL_MACS: Final[Mapping[str, str]] = {
    "master-session": "unionpay",
    "dukpt-tdes": "x9.19",
    "dukpt-aes": "cmac",
    "sm4": "sm4",
}
"""The MAC algorithm that goes with a key scheme by custom."""
PIN_FORMATS: Final = "0134"

MASTER_KEY_BYTES: Final = 32
DECIMALISATION: Final = "0123456789012345"  # hex digit -> decimal digit, IBM 3624


class PinFormatError(Exception):
    """The deciphered block is no PIN block that the bank takes: response code 99. No detail, on purpose."""


def ibm3624_offset(pvk: bytes, pin: str, validation_digits: str, *, table: str = DECIMALISATION) -> str:
    """The IBM 3624 PIN offset, one digit for each digit of `pin` (4 to 12).

    `validation_digits`: up to 16 digits chosen from the PAN, filled with F on the right.
    `table`: the 16 decimal digits that replace the hex digits 0 to F.
    """
    natural = des_encrypt(pvk, bytes.fromhex(validation_digits.ljust(16, "F"))).hex()
    decimal = [int(table[int(digit, 16)]) for digit in natural[: len(pin)]]
    return "".join(str((int(p) - n) % 10) for p, n in zip(pin, decimal, strict=True))


def decode_pin_block(block: bytes, pan: Pan, formats: str = "0") -> str:
    """The PIN in a clear block of ISO 9564-1 format 0, 1 or 3, if it is among `formats`.

    Raises PinFormatError.
    """
    number = block.hex()[:1]
    if len(block) != 8 or number not in formats:
        raise PinFormatError
    try:
        if number == "1":
            return _pin_of_format_1(block)
        decode = decode_pinblock_iso_3 if number == "3" else decode_pinblock_iso_0
        return decode(block, pan.reveal())
    except ValueError:
        raise PinFormatError from None  # the library's text may quote PIN digits


def _pin_of_format_1(block: bytes) -> str:
    digits = block.hex().upper()
    pin = digits[2 : 2 + int(digits[1], 16)]
    if not (4 <= len(pin) <= 12 and pin.isdigit()):
        raise PinFormatError
    return pin


def _pin_of_sm4_block(block: bytes, pan: Pan) -> str:
    """Section 6.7's block of 16 bytes: as format 0, the account digits at its right end."""
    account = int(pan.reveal()[-13:-1], 16)
    digits = f"{int.from_bytes(block, 'big') ^ account:032X}"
    pin, fill = digits[2 : 2 + int(digits[1], 16)], digits[2 + int(digits[1], 16) :]
    if digits[0] != "0" or not (4 <= len(pin) <= 12 and pin.isdigit()) or set(fill) != {"F"}:
        raise PinFormatError
    return pin


def _track_block(nibbles: str, block_nibbles: int = 16) -> slice:
    """Where the enciphered nibbles of a track lie (section 6.6)."""
    end = len(nibbles) - (1 if len(nibbles) % 2 else 2)
    if end < block_nibbles:
        raise HsmError("an enciphered track is shorter than one block")
    return slice(end - block_nibbles, end)


@dataclass(frozen=True, slots=True)
class MessageKeys:
    """The keys of one message, as tickets: of the terminal's sign-in, or its BDK and the message's number.

    `key_scheme` and `mac_algorithm` are names as in KEY_SCHEMES and MAC_ALGORITHMS.
    """

    key_scheme: str
    mac_algorithm: str
    pik_sealed: bytes | None = None
    mak_sealed: bytes | None = None
    tdk_sealed: bytes | None = None
    bdk_sealed: bytes | None = None
    ksn: bytes = b""

    def __repr__(self) -> str:
        return f"MessageKeys({self.key_scheme}, {self.mac_algorithm})"

    @property
    def is_dukpt(self) -> bool:
        """Whether every message has keys of its own."""
        return self.key_scheme.startswith("dukpt")


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

    def seal_bdk(self, key: bytes) -> bytes:
        """A base derivation key (16, 24 or 32 bytes) as it is stored. Raises HsmError on another length."""
        if len(key) not in {16, 24, 32}:
            raise HsmError(f"a base derivation key has 16, 24 or 32 bytes, not {len(key)}")
        return self._seal(b"bdk", key)

    def seal_discretionary(self, digits: str) -> bytes:
        """The discretionary data of track 2 as it is stored, to be compared with what a stripe says."""
        return self._seal(b"discretionary", digits.encode("ascii"))

    def seal_account(self, number: str) -> bytes:
        """The number of a merchant's own bank account as it is stored."""
        return self._seal(b"account", number.encode("ascii"))

    def open_account(self, sealed: bytes) -> str:
        """The number of a merchant's own bank account, to pay to. Raises HsmError."""
        return self._open(b"account", sealed).decode("ascii")

    def tmk_check_value(self, tmk_sealed: bytes) -> bytes:
        """The check value (4 bytes) of a stored terminal master key, to compare with the terminal's."""
        return check_value(self._open(b"tmk", tmk_sealed))

    # --- working keys ----------------------------------------------------------------------------

    def make_working_keys(
        self, tmk_sealed: bytes, layout: KeyLayout, entropy: Entropy, *, mak_bytes: int = 8
    ) -> WorkingKeys:
        """New keys in the order PIK, MAK, TDK, and their F62 bundle (section 6.2).

        The bundle has 24 bytes (layout 001), 40 (003) or 60 (004, and 005 for SM4). `mak_bytes`: 8 by
        UnionPay's custom, where the rest is sent as zeros, or 16.
        """
        tmk = self._open(b"tmk", tmk_sealed)
        is_sm4 = layout == "005"
        encrypt, value = (sm4_encrypt, sm4_check_value) if is_sm4 else (des_encrypt, check_value)
        pik = entropy.token(8 if layout == "001" else 16)
        mak = entropy.token(16 if is_sm4 else 8 if layout == "001" else mak_bytes)
        tdk = entropy.token(16) if layout in {"004", "005"} else None
        mak_filler = bytes(len(pik) - len(mak))
        bundle = encrypt(tmk, pik) + value(pik)
        bundle += encrypt(tmk, mak) + mak_filler + value(mak)
        if tdk is not None:
            bundle += encrypt(tmk, tdk) + value(tdk)
        return WorkingKeys(
            pik_sealed=self._seal(b"pik", pik),
            mak_sealed=self._seal(b"mak", mak),
            tdk_sealed=self._seal(b"tdk", tdk) if tdk is not None else None,
            bundle=bundle,
        )

    # --- messages --------------------------------------------------------------------------------

    def mac(self, keys: MessageKeys, mab: bytes, *, of_answer: bool = True) -> bytes:
        """The MAC of `mab`: 8 bytes. Raises HsmError when its key cannot be had."""
        mak = self._message_key(keys, "mac answer" if of_answer else "mac")
        if keys.key_scheme == "dukpt-aes":
            return cmac(mak, mab, is_aes=True)
        return MACS[keys.mac_algorithm](mak, mab)

    def mac_is_right(self, keys: MessageKeys, mab: bytes, mac: bytes) -> bool:
        """Whether `mac` is the MAC of the request `mab`; False when its key cannot be had."""
        try:
            return hmac.compare_digest(self.mac(keys, mab, of_answer=False), mac)
        except HsmError:
            return False

    def decrypt_track(self, keys: MessageKeys, nibbles: str) -> str:
        """The clear nibbles of a track whose last block is enciphered under the TDK, same length.

        Raises HsmError if it is too short or there is no TDK.
        """
        is_sm4 = keys.key_scheme == "sm4"
        where = _track_block(nibbles, 32 if is_sm4 else 16)
        tdk = self._message_key(keys, "data")
        block = (sm4_decrypt if is_sm4 else des_decrypt)(tdk, bytes.fromhex(nibbles[where]))
        return nibbles[: where.start] + block.hex().upper() + nibbles[where.stop :]

    def decrypt_whole_track(self, keys: MessageKeys, data: bytes) -> str:
        """The clear nibbles of a track enciphered as a whole under a DUKPT data key. Raises HsmError."""
        key = self._message_key(keys, "data")
        return cbc_decrypt(key, data, is_aes=keys.key_scheme == "dukpt-aes").hex().upper().rstrip("F")

    def _message_key(self, keys: MessageKeys, use: str) -> bytes:
        """The key for "pin", "mac", "mac answer" or "data". Raises HsmError when there is none."""
        if keys.is_dukpt:
            if keys.bdk_sealed is None:
                raise HsmError("this terminal has no base derivation key")
            bdk = self._open(b"bdk", keys.bdk_sealed)
            derive = dukpt.aes_key if keys.key_scheme == "dukpt-aes" else dukpt.tdes_key
            return derive(bdk, keys.ksn, use)
        purpose, sealed = {
            "pin": (b"pik", keys.pik_sealed),
            "data": (b"tdk", keys.tdk_sealed),
        }.get(use, (b"mak", keys.mak_sealed))
        if sealed is None:
            raise HsmError("this terminal has no such working key: it has to sign in")
        return self._open(purpose, sealed)

    # --- PINs ------------------------------------------------------------------------------------

    def pin_offset(self, pin: str, pan: Pan) -> str:
        """What is stored instead of a PIN: its IBM 3624 offset over the PAN's last 12 digits but one."""
        if not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 12):
            raise HsmError("a PIN has 4 to 12 digits")
        return ibm3624_offset(self._pvk, pin, pan.reveal()[-13:-1])

    def pin_is_right(
        self, keys: MessageKeys, pin_block: bytes, pan: Pan, offset: str, *, formats: str = PIN_FORMATS
    ) -> bool:
        """Whether the enciphered block (8 bytes, 16 with AES and SM4) holds the PIN that `offset` stands for.

        `formats`: the digits of the ISO 9564-1 formats that are taken. Raises PinFormatError if it deciphers
        to no such PIN block at all (wrong key, damaged, another PAN), HsmError if there is no key.
        """
        pin = self._pin_in(keys, pin_block, pan, formats)
        return hmac.compare_digest(self.pin_offset(pin, pan), offset)

    def _pin_in(self, keys: MessageKeys, pin_block: bytes, pan: Pan, formats: str) -> str:
        key = self._message_key(keys, "pin")
        if keys.key_scheme in {"dukpt-aes", "sm4"} and len(pin_block) != 16:
            raise PinFormatError
        if keys.key_scheme == "dukpt-aes":
            if "4" not in formats:
                raise PinFormatError
            try:
                return decipher_pinblock_iso_4(key, pin_block, pan.reveal())
            except ValueError:
                raise PinFormatError from None  # the library's text may quote PIN digits
        if keys.key_scheme == "sm4":
            return _pin_of_sm4_block(sm4_decrypt(key, pin_block), pan)
        return decode_pin_block(des_decrypt(key, pin_block), pan, formats)


def _derive(master_key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"posterm bank " + purpose).derive(
        master_key
    )
