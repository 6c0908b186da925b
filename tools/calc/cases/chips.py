"""Cases about commands of chip cards, and recorded dialogues."""

from __future__ import annotations

from typing import Any

from firmware.secure.errors import BadInput
from tools.calc.cases.emv import tree_of
from tools.calc.inputs import Inputs, bytes_of, hex_of
from wire import tlv
from wire.iso7816.apdu import SW_OK, CommandApdu, ResponseApdu
from wire.pan import luhn_valid

_SELECT, _BY_NAME = 0xA4, 0x04
_FILL, _SEPARATOR = "F", "D"

# What is told of a card, and the object that says it.
_OBJECTS = {
    "pan": "5A",
    "track2": "57",
    "expiry": "5F24",
    "aip": "82",
    "afl": "94",
    "cid": "9F27",
    "cryptogram": "9F26",
}


def _command(inputs: Inputs) -> dict[str, Any]:
    command = CommandApdu.decode(inputs.hex("apdu"))
    cla, ins, p1, p2 = (f"{byte:02X}" for byte in command.header)
    return {
        "cla": cla,
        "ins": ins,
        "p1": p1,
        "p2": p2,
        "data": hex_of(command.data),
        "le": command.le,
        "case": command.case,
        "extended": command.extended,
    }


def _dialogue(inputs: Inputs) -> dict[str, Any]:
    exchanges: list[dict[str, Any]] = []
    card: dict[str, str] = {}
    for pair in inputs.items("exchanges"):
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadInput("bad_format", "an exchange is a command and its response")
        command = CommandApdu.decode(bytes_of("exchanges", pair[0]))
        if (command.ins, command.p1) == (_SELECT, _BY_NAME):
            card["aid"] = hex_of(command.data)
        exchanges.append(_exchange(command, bytes_of("exchanges", pair[1]), card))
    if "track2" in card:
        card.setdefault("pan", card["track2"].partition(_SEPARATOR)[0])
    result: dict[str, Any] = {"exchanges": exchanges, "card": card}
    return result | ({"luhn_ok": luhn_valid(card["pan"])} if "pan" in card else {})


def _exchange(command: CommandApdu, answer: bytes, card: dict[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {"ins": f"{command.ins:02X}", "sw": hex_of(answer[-2:])}
    if len(answer) < 2:
        return told  # recorded from a card or a script that broke off
    response = ResponseApdu.decode(answer)
    if response.sw == SW_OK and response.data:
        objects = tlv.decode(response.data)
        told["tree"] = tree_of(objects)
        for name, tag in _OBJECTS.items():
            if (value := tlv.find(objects, tag)) is not None:
                card[name] = hex_of(value)
        for name in {"pan", "track2"} & card.keys():
            card[name] = card[name].rstrip(_FILL)
    return told


KINDS = {"apdu_command": _command, "apdu_dialogue": _dialogue}
