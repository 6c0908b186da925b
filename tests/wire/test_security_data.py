"""Field 59 of protected messages: there and back, absent parts, and what is not taken."""

from __future__ import annotations

import pytest

from wire.errors import TlvError
from wire.security_data import SecurityData

WHOLE = SecurityData(bytes(range(12)), bytes(range(16)), bytes(24), bytes(range(56)), bytes(range(16)))


def test_the_encoding_is_ber_tlv() -> None:
    assert SecurityData(ksn=bytes.fromhex("FFFF9876543210E00001")).encode().hex().upper() == (
        "DF710AFFFF9876543210E00001"
    )


@pytest.mark.parametrize("data", [WHOLE, SecurityData(), SecurityData(track2=b"\x12" * 24)])
def test_there_and_back(data: SecurityData) -> None:
    assert SecurityData.parse(data.encode()) == data


def test_other_tags_are_passed_over() -> None:
    assert SecurityData.parse(bytes.fromhex("DF7F0101") + WHOLE.encode()) == WHOLE


@pytest.mark.parametrize("data", ["DF71", "DF710AFFFF", "DF7180"])
def test_malformed_data_are_refused(data: str) -> None:
    with pytest.raises(TlvError):
        SecurityData.parse(bytes.fromhex(data))


def test_printing_tells_sizes_only() -> None:
    assert repr(WHOLE) == "SecurityData(12, 16, 24, 56, 16 bytes)"
