"""Paired ends: each proves that it has the pairing key, and every frame of their sessions is sealed.

Without a key nothing here is used. With one:

- HELLO bears a salt (96 random bits, others at every start), the salt that was heard, and a proof over all of
  it. A proof shows that its sender has the key; that it was made now, and is not a recording, is sure when it
  names one's own nonce and salt.
- The bodies of all other frames are sealed with AES-CCM under a key of the session and direction. Each seal
  has a number that goes up; the receiver takes only numbers above the last one, so nothing is good twice.

Sources: HKDF RFC 5869, HMAC RFC 2104, CCM with 8-byte tags RFC 3610 and NIST SP 800-38C.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF

PAIRING_KEY_BYTES = 32
SALT_BYTES = 12
PROOF_BYTES = 16
TAG_BYTES = 8
SEAL_BYTES_USUAL = 1 + TAG_BYTES
SEAL_BYTES_MAX = 6 + TAG_BYTES
_CCM_NONCE_BYTES = 13
_SHORT_NUMBERS = 0x80
_LONG_FLAG = 1 << 47
_SESSION_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Pairing:
    """What an end needs to prove itself: the key, and a salt that is another one at every start.

    Raises ValueError when one of them has the wrong length.
    """

    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != PAIRING_KEY_BYTES:
            raise ValueError(f"a pairing key has {PAIRING_KEY_BYTES} bytes, not {len(self.key)}")
        if len(self.salt) != SALT_BYTES:
            raise ValueError(f"a pairing needs {SALT_BYTES} random bytes at each start, not {len(self.salt)}")

    def proof(self, hello: bytes) -> bytes:
        """The proof behind a HELLO whose body up to there is `hello`."""
        return hmac.digest(_derived(self.key, 32, b"", b"posterm link hello"), hello, "sha256")[:PROOF_BYTES]

    def proves(self, hello: bytes, proof: bytes) -> bool:
        """Whether somebody with the same key has made this proof."""
        return hmac.compare_digest(self.proof(hello), proof)


@dataclass(frozen=True, slots=True)
class SessionIds:
    """What makes a session: both ends' nonces and salts."""

    terminal_nonce: int
    terminal_salt: bytes
    gateway_nonce: int
    gateway_salt: bytes


def direction_key(pairing_key: bytes, ids: SessionIds, direction: bytes) -> bytes:
    """The 16-byte key of what one side sends in a session; `direction` is b"T" or b"G"."""
    nonces = ids.terminal_nonce.to_bytes(4, "big") + ids.gateway_nonce.to_bytes(4, "big")
    context = b"posterm link session" + nonces + direction
    return _derived(pairing_key, _SESSION_KEY_BYTES, ids.terminal_salt + ids.gateway_salt, context)


class Sealer:
    """The sending half of one direction."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._arrived = -1  # the highest number that the peer is known to have seen
        self.count = 0

    def seal(self, body: bytes) -> bytes:
        """Seal a body, under a number that is never used again."""
        number = self.count
        self.count += 1
        short = number - self._arrived < _SHORT_NUMBERS
        start = bytes([number % _SHORT_NUMBERS]) if short else (_LONG_FLAG | number).to_bytes(6, "big")
        cipher = AES.new(self._key, AES.MODE_CCM, nonce=_nonce(number), mac_len=TAG_BYTES)
        sealed: bytes = start + cipher.encrypt(body) + cipher.digest()
        return sealed

    def arrived(self, number: int) -> None:
        """The peer has seen the seal with this number."""
        self._arrived = max(self._arrived, number)


class Opener:
    """The receiving half of one direction."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._last = -1

    def open(self, sealed: bytes) -> bytes | None:
        """The body, when the seal is good and its number above all before; else None, and nothing changes."""
        first = sealed[0]
        if first < _SHORT_NUMBERS:
            begin = 1
            number = self._last + 1 + (first - self._last - 1) % _SHORT_NUMBERS
        else:
            begin = 6
            number = int.from_bytes(sealed[:begin], "big") & (_LONG_FLAG - 1)
        if number <= self._last or len(sealed) <= begin + TAG_BYTES:
            return None
        cipher = AES.new(self._key, AES.MODE_CCM, nonce=_nonce(number), mac_len=TAG_BYTES)
        body: bytes = cipher.decrypt(sealed[begin:-TAG_BYTES])
        try:
            cipher.verify(sealed[-TAG_BYTES:])
        except ValueError:
            return None
        self._last = number
        return body


@dataclass(frozen=True, slots=True)
class Protection:
    """Both directions of one session."""

    sealer: Sealer
    opener: Opener

    @classmethod
    def of(cls, pairing_key: bytes, ids: SessionIds, *, is_terminal: bool) -> Protection:
        """The protection at one end."""
        ours, theirs = (b"T", b"G") if is_terminal else (b"G", b"T")
        return cls(
            Sealer(direction_key(pairing_key, ids, ours)), Opener(direction_key(pairing_key, ids, theirs))
        )


def _nonce(number: int) -> bytes:
    return number.to_bytes(_CCM_NONCE_BYTES, "big")


def _derived(key: bytes, length: int, salt: bytes, context: bytes) -> bytes:
    derived = HKDF(key, length, salt, SHA256, context=context)
    assert isinstance(derived, bytes)  # a single key
    return derived
