"""How a terminal protects its messages: a key scheme and what goes with it, as a table of what fits together.

`Security.of` takes the texts of the settings; "auto" is what the key scheme is used with by custom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Self, TypeVar

AUTO = "auto"

E = TypeVar("E", bound=Enum)


class KeyScheme(Enum):
    """Where the keys of a message come from."""

    MASTER_SESSION = "master-session"  # working keys under a TMK, new ones at each sign-in
    DUKPT_TDES = "dukpt-tdes"  # a key of its own for every message (ANSI X9.24-1)
    DUKPT_AES = "dukpt-aes"  # the same with AES (ANSI X9.24-3)
    SM4 = "sm4"  # as master-session, with SM4


class MacAlgorithm(Enum):
    """How field 64 is calculated."""

    UNIONPAY = "unionpay"
    X9_9 = "x9.9"
    X9_19 = "x9.19"
    CMAC = "cmac"
    SM4 = "sm4"


class PinFormat(Enum):
    """The clear PIN block; the value is ISO 9564-1's number, and SM4's own block of 16 bytes."""

    ISO_0 = "0"
    ISO_1 = "1"
    ISO_3 = "3"
    ISO_4 = "4"
    SM4 = "sm4"


class TrackEncryption(Enum):
    """What becomes of the tracks before they leave."""

    OFF = "off"
    TDK = "tdk"  # one block of each under the track key
    DUKPT = "dukpt"  # the whole tracks under a data key of this message only


@dataclass(frozen=True, slots=True)
class _Fitting:
    """What a key scheme can be combined with; the first of each is what "auto" means."""

    macs: tuple[MacAlgorithm, ...]
    pins: tuple[PinFormat, ...]
    tracks: tuple[TrackEncryption, ...]


_ISO_PINS = (PinFormat.ISO_0, PinFormat.ISO_1, PinFormat.ISO_3)
_FITTING: Mapping[KeyScheme, _Fitting] = {
    KeyScheme.MASTER_SESSION: _Fitting(
        (MacAlgorithm.UNIONPAY, MacAlgorithm.X9_9, MacAlgorithm.X9_19, MacAlgorithm.CMAC),
        _ISO_PINS,
        (TrackEncryption.OFF, TrackEncryption.TDK),
    ),
    KeyScheme.DUKPT_TDES: _Fitting(
        (MacAlgorithm.X9_19, MacAlgorithm.UNIONPAY, MacAlgorithm.CMAC),
        _ISO_PINS,
        (TrackEncryption.OFF, TrackEncryption.DUKPT),
    ),
    KeyScheme.DUKPT_AES: _Fitting(
        (MacAlgorithm.CMAC,), (PinFormat.ISO_4,), (TrackEncryption.OFF, TrackEncryption.DUKPT)
    ),
    KeyScheme.SM4: _Fitting(
        (MacAlgorithm.SM4,), (PinFormat.SM4,), (TrackEncryption.OFF, TrackEncryption.TDK)
    ),
}


@dataclass(frozen=True, slots=True)
class Security:
    """One terminal's choice. Made by `of`, which knows what fits together."""

    key_scheme: KeyScheme = KeyScheme.MASTER_SESSION
    mac_algorithm: MacAlgorithm = MacAlgorithm.UNIONPAY
    pin_format: PinFormat = PinFormat.ISO_0
    track_encryption: TrackEncryption = TrackEncryption.OFF

    @classmethod
    def of(
        cls,
        key_scheme: str = KeyScheme.MASTER_SESSION.value,
        mac_algorithm: str = AUTO,
        pin_format: str = AUTO,
        encrypt_track: str = TrackEncryption.OFF.value,
    ) -> Self:
        """The choice that the settings' texts make. Raises ValueError: what does not fit, and what would."""
        scheme = KeyScheme(key_scheme)
        fitting = _FITTING[scheme]
        return cls(
            scheme,
            _chosen("mac_algorithm", mac_algorithm, scheme, fitting.macs),
            _chosen("pin_format", pin_format, scheme, fitting.pins),
            _chosen("encrypt_track", encrypt_track, scheme, fitting.tracks),
        )

    @property
    def is_dukpt(self) -> bool:
        """True when every message has keys of its own, and no sign-in brings any."""
        return self.key_scheme in (KeyScheme.DUKPT_TDES, KeyScheme.DUKPT_AES)

    @property
    def sign_in_code(self) -> str:
        """F60.3 of the sign-in: which keys it asks for; "006", for none, is posterm's own."""
        if self.is_dukpt:
            return "006"
        if self.key_scheme is KeyScheme.SM4:
            return "005"
        return "004" if self.track_encryption is TrackEncryption.TDK else "003"

    @property
    def name(self) -> str:
        """What a sign-in is good for: with another name the keys are others, or are used otherwise."""
        return f"{self.key_scheme.value}/{self.sign_in_code}/{self.mac_algorithm.value}"

    def security_control(self, *, has_pin: bool) -> str:
        """F53, sixteen digits (POS message digest, section 2.6); 7 for AES is posterm's own."""
        pin = {PinFormat.ISO_1: "1"}.get(self.pin_format, "2") if has_pin else "0"
        algorithm = {KeyScheme.DUKPT_AES: "7", KeyScheme.SM4: "3"}.get(self.key_scheme, "6")
        track = "0" if self.track_encryption is TrackEncryption.OFF else "1"
        return f"{pin}{algorithm}{track}".ljust(16, "0")


def _chosen(name: str, text: str, scheme: KeyScheme, fitting: tuple[E, ...]) -> E:
    if text == AUTO:
        return fitting[0]
    for choice in fitting:
        if choice.value == text:
            return choice
    known = ", ".join(choice.value for choice in fitting)
    raise ValueError(f"{name}: with key_scheme {scheme.value} it is one of {known}")


SETTING_CHOICES: Mapping[str, tuple[str, ...]] = {
    "key_scheme": tuple(scheme.value for scheme in KeyScheme),
    "mac_algorithm": (AUTO, *(algorithm.value for algorithm in MacAlgorithm)),
    "pin_format": (AUTO, "0", "1", "3", "4"),
    "encrypt_track": tuple(one.value for one in TrackEncryption),
}
"""What a file or command may say for each setting; whether it fits together is `Security.of`'s business."""
