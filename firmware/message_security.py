"""A request made ready for the line: enciphered tracks, PIN block and key serial number in their fields.

`firmware.messages` builds every message as UnionPay's custom has it; what another key scheme needs is changed
here, once, on the way out. Sources: iso8583-pos sections 2.6, 3.4, 6.6 and 6.7; `wire.security_data` for
posterm's own field 59.
"""

from __future__ import annotations

from collections.abc import Mapping

from firmware.secure.module import SecureModule
from firmware.secure.scheme import KeyScheme, TrackEncryption
from wire.confidential import ConfidentialText
from wire.security_data import SecurityData

Fields = dict[int, str | bytes]

_TRACKS = (35, 36)
_PIN_BLOCK_BYTES = 8
SM4_PIN_USAGE = b"22\x00\x10"  # F62: usage 22, tag 00, 16 bytes (section 3.4)


def protected(fields: Mapping[int, str | bytes], secure: SecureModule) -> Fields:
    """The fields of a request that will carry a MAC, as they leave. With DUKPT this begins the message.

    Raises SecureError: the request cannot leave. StorageFailed, Tampered.
    """
    ksn = secure.open_message() or b""
    ready = dict(fields)
    tracks = _encipher_tracks(ready, secure)
    card_number = _encipher_card_number(ready, secure)
    pin_block = _move_pin_block(ready, secure)
    security = SecurityData(ksn, pin_block, *tracks, card_number).encode()
    if security:
        ready[59] = security
    if 52 in ready or tracks != (b"", b"") or _has_enciphered_track(ready, secure):
        ready[53] = secure.security.security_control(has_pin=52 in ready)
    return ready


def _encipher_tracks(ready: Fields, secure: SecureModule) -> tuple[bytes, bytes]:
    """Encipher the tracks where they are, or take them out and return them for field 59."""
    encryption = secure.security.track_encryption
    moved = dict.fromkeys(_TRACKS, b"")
    for field in _TRACKS:
        nibbles = ready.get(field)
        if encryption is TrackEncryption.OFF or not isinstance(nibbles, str):
            continue
        enciphered = ConfidentialText(secure.enciphered_track(nibbles))
        if encryption is TrackEncryption.DUKPT:
            del ready[field]
            moved[field] = bytes.fromhex(enciphered)
        else:
            ready[field] = enciphered
    return moved[35], moved[36]


def _encipher_card_number(ready: Fields, secure: SecureModule) -> bytes:
    """Where whole tracks are enciphered, a number that travels without one is, too: for field 59."""
    number = ready.get(2)
    if secure.security.track_encryption is not TrackEncryption.DUKPT or not isinstance(number, str):
        return b""
    del ready[2]
    return bytes.fromhex(secure.enciphered_track(number))


def _has_enciphered_track(ready: Fields, secure: SecureModule) -> bool:
    is_on = secure.security.track_encryption is not TrackEncryption.OFF
    return is_on and any(field in ready for field in _TRACKS)


def _move_pin_block(ready: Fields, secure: SecureModule) -> bytes:
    """A block of 16 bytes has no room in field 52, which holds zeros then; return it for field 59."""
    block = ready.get(52)
    if not isinstance(block, bytes) or len(block) == _PIN_BLOCK_BYTES:
        return b""
    ready[52] = bytes(_PIN_BLOCK_BYTES)
    if secure.security.key_scheme is KeyScheme.SM4:
        ready[62] = SM4_PIN_USAGE + block
        return b""
    return block
