"""`posterm calc track`."""

from __future__ import annotations

from typing import Any

from firmware.secure import tdes
from firmware.secure.errors import BadInput
from firmware.secure.track_cipher import block_place, decrypt_track, encrypt_track
from tools.calc.answer import Answer
from tools.calc.cases.formats import KINDS as CASES
from tools.calc.cases.formats import track1_fields, track2_fields
from tools.calc.command import Command, Group, Option
from tools.calc.commands.pins import PAN_NEEDED, warn_of_luhn
from tools.calc.inputs import Inputs
from wire import track
from wire.pan import Pan

_NUMBER = Option("track", "which track", choices=("1", "2", "3"), default="2")
_TEXT = Option("text", "the track's text; sentinels may be left out", "TEXT", required=True)
_SENTINELS = {1: "%", 2: ";", 3: ";"}


def _number(inputs: Inputs) -> int:
    return int(inputs.text("track"))


def _whole(number: int, body: str) -> str:
    return f"{_SENTINELS[number]}{body}?"


def _parse(inputs: Inputs) -> Answer:
    number, text = _number(inputs), inputs.text("text")
    fields: dict[str, Any]
    if number == 1:
        parsed: track.Track1 | track.Track2 | track.Track3 = track.Track1.parse(text)
        fields = track1_fields(track.Track1.parse(text))
    elif number == 2:
        parsed = track.Track2.parse(text)
        fields = track2_fields(track.Track2.parse(text))
    else:
        parsed = track.Track3.parse(text)
        fields = {"pan": parsed.pan.reveal() if parsed.pan else "", "text": parsed.reveal()}
    whole = _whole(number, parsed.reveal())
    answer = Answer({**fields, "with_sentinels": whole, "lrc": track.lrc(number, whole)})
    if "service_code" in fields:
        code = CASES["service_code"](Inputs({"code": fields["service_code"]}))
        answer.steps += [(name.replace("_", " "), str(value)) for name, value in code.items()]
    warn_of_luhn(answer, fields["pan"])
    return answer


def _build(inputs: Inputs) -> Answer:
    number, pan = _number(inputs), Pan(inputs.text("pan"))
    rest = inputs.text("expiry") + inputs.text("service_code") + inputs.text("discretionary")
    if number == 1:
        body = track.Track1.parse(f"B{pan.reveal()}^{inputs.text('name', '')}^{rest}").reveal()
    elif number == 2:
        body = track.Track2.parse(f"{pan.reveal()}={rest}").reveal()
    else:
        raise BadInput("unsupported", "tracks 1 and 2 are built; track 3 is the issuer's own")
    whole = _whole(number, body)
    answer = Answer({"text": whole, "lrc": track.lrc(number, whole)})
    if number == 2:
        answer.result = {**answer.result, "nibbles": body.replace("=", "D")}
    for name in ("expiry", "service_code", "discretionary"):
        answer.step(name.replace("_", " "), inputs.text(name))
    answer.step("LRC over", whole)
    warn_of_luhn(answer, pan.reveal())
    return answer


def _bits(inputs: Inputs) -> Answer:
    number = _number(inputs)
    if inputs.has("bits"):
        decoded = track.decode_bits(number, inputs.text("bits"))
        return Answer({"text": decoded.text, "lrc": decoded.lrc, "direction": decoded.direction.value})
    whole = _whole(number, inputs.text("text").removeprefix(_SENTINELS[number]).partition("?")[0])
    answer = Answer({"bits": track.encode_bits(number, whole)})
    for character in whole + track.lrc(number, whole):
        bits = track.encode_bits(number, character, leading_zeros=0, trailing_zeros=0)
        answer.step(character, bits[: len(bits) // 2])
    return answer


def _cipher(inputs: Inputs) -> Answer:
    key, nibbles = inputs.hex("key"), inputs.text("nibbles").upper().replace("=", "D")
    place = block_place(nibbles)
    answer = Answer({})
    answer.step("block", nibbles[place])
    if inputs.value("decrypt"):
        answer.step("D(block)", tdes.decrypt(key, bytes.fromhex(nibbles[place])))
        answer.result = {"track": decrypt_track(key, nibbles)}
    else:
        answer.step("E(block)", tdes.encrypt(key, bytes.fromhex(nibbles[place])))
        answer.result = {"track": encrypt_track(key, nibbles)}
    return answer


def _service_code(inputs: Inputs) -> Answer:
    return Answer(CASES["service_code"](inputs))


GROUPS = {
    "track": Group(
        "track",
        "Magnetic stripes: their text, their bits, their encipherment.",
        (
            Command(
                "parse",
                "take a track apart",
                "track parse --track 2 --text ';6225880123456783=30122011234500000?'",
                (_NUMBER, _TEXT),
                _parse,
            ),
            Command(
                "build",
                "make track 1 or 2, with its check character",
                "track build --pan 6225880123456783 --expiry 3012 --discretionary 1234500000",
                (
                    _NUMBER,
                    PAN_NEEDED,
                    Option("name", "holder's name on track 1: DOE/JOHN", "NAME"),
                    Option("expiry", "expiry, YYMM", "YYMM", required=True),
                    Option("service_code", "service code", "NNN", default="101"),
                    Option("discretionary", "the issuer's own data", "TEXT", default=""),
                ),
                _build,
            ),
            Command(
                "bits",
                "a track as bits on the stripe, or bits read in either direction",
                "track bits --track 2 --text ';6225880123456783=3012201?'",
                (
                    _NUMBER,
                    Option("text", "the track's text", "TEXT"),
                    Option("bits", "bits to read, 0 and 1", "BITS"),
                ),
                _bits,
            ),
            Command(
                "cipher",
                "encipher the block of a track under a track key (UnionPay)",
                "track cipher --key-file tdk.hex --nibbles 6225880123456783D30122011234500000",
                (
                    Option("key", "track key", required=True, secret=True),
                    Option("nibbles", "the track without sentinels", required=True),
                    Option("decrypt", "the other way", kind="flag"),
                ),
                _cipher,
            ),
            Command(
                "service-code",
                "a service code in words",
                "track service-code 201",
                (Option("code", "three digits", "NNN", required=True, positional=True),),
                _service_code,
            ),
        ),
    ),
}
