"""Parameters that the acquirer downloads to the terminal, and what the terminal tells of itself. Pure.

Field 62 holds a code of two digits and a value of fixed length, again and again, in ASCII; the merchant's
name is GBK and the switches are four raw bytes. Source: iso8583-pos sections 3.4 and 5.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from firmware.boot import DeviceReport
from firmware.settings import TerminalSettings

LENGTHS: Mapping[str, int] = {
    "11": 2,
    "12": 2,
    "13": 1,
    **dict.fromkeys(("14", "15", "16", "17"), 14),
    "18": 1,
    "19": 2,
    "20": 1,
    "21": 1,
    "22": 40,
    "23": 1,
    "24": 1,
    "25": 1,
    "26": 4,
    "27": 2,
}
"""How many bytes the value of each code has."""

_SWITCHES = "26"
_NAME = "22"
_DEVICES = {"keypad": "01", "secure": "02", "card_reader": "03", "printer": "04", "display": "05"}
_TOLD_BACK = ("12", "18", "19", "20", "21", "23", "25", "27")


class ParametersRefused(ValueError):
    """The download cannot be read. The text says where; nothing of it is used."""

    code = "F530"


def parse(field_62: bytes) -> dict[str, str]:
    """The parameters by their codes; the switches as eight hex digits. Raises ParametersRefused."""
    values: dict[str, str] = {}
    at = 0
    while at < len(field_62):
        code = field_62[at : at + 2].decode("ascii", "replace")
        length = LENGTHS.get(code)
        value = field_62[at + 2 : at + 2 + (length or 0)]
        if length is None or len(value) != length:
            raise ParametersRefused(
                f"the parameters end or go wrong at byte {at} of field 62: ask the acquirer what it sent"
            )
        values[code] = _text(code, value, at)
        at += 2 + length
    return values


def _text(code: str, value: bytes, at: int) -> str:
    if code == _SWITCHES:
        return value.hex()
    text = value.decode("gbk" if code == _NAME else "ascii", "replace").rstrip()
    if code != _NAME and not (text.isascii() and (text.isdigit() or not text)):
        raise ParametersRefused(
            f"parameter {code} at byte {at} of field 62 is not a number: ask the acquirer"
        )
    return text


def applied(settings: TerminalSettings, parameters: Mapping[str, str]) -> TerminalSettings:
    """The settings with the downloaded parameters in force. A code without a value changes nothing."""
    changes: dict[str, Any] = {}
    for code, value in parameters.items():
        if value and code in _SETTINGS:
            name, convert = _SETTINGS[code]
            changes[name] = convert(value)
    if merchant := parameters.get(_NAME, ""):
        changes["merchant_name" if merchant.isascii() else "merchant_name_zh"] = merchant
    if parameters.get("18") == "0":
        changes["tip_percent_max"] = 0
    return replace(settings, **changes)


def _yes(value: str) -> bool:
    return value == "1"


def _seconds(value: str) -> int:
    return max(1, int(value)) * 1000


_SETTINGS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "12": ("response_timeout_ms", _seconds),
    "19": ("tip_percent_max", int),
    "20": ("manual_entry_allowed", _yes),
    "21": ("signs_out_after_settlement", _yes),
    "23": ("resends", int),
    "25": ("master_key_index", int),
    "26": ("switches", str),
    "27": ("offline_kept_max", lambda value: max(1, int(value))),
}


def is_on(switches: str, number: int) -> bool:
    """Whether a switch is on, counted from 1 at the highest bit; all are on while none were downloaded."""
    if not switches or not number:
        return True
    return bool(int(switches, 16) >> (4 * len(switches) - number) & 1)


def status(settings: TerminalSettings, reports: Iterable[DeviceReport], line: str) -> bytes:
    """Field 62 of the status upload: devices (1: good), parameters in force, line statistics (code 51)."""
    good = {report.kind: report.result.ok for report in reports}
    devices = [f"{code}{int(good.get(kind, False))}" for kind, code in _DEVICES.items()]
    told = {
        "12": f"{settings.response_timeout_ms // 1000:02d}",
        "18": str(int(settings.tip_percent_max > 0)),
        "19": f"{settings.tip_percent_max:02d}",
        "20": str(int(settings.manual_entry_allowed)),
        "21": str(int(settings.signs_out_after_settlement)),
        "23": str(settings.resends),
        "25": str(settings.master_key_index % 10),
        "27": f"{settings.offline_kept_max:02d}",
    }
    return "".join([*devices, *(code + told[code] for code in _TOLD_BACK), "51", line]).encode("ascii")
