"""Cases about chips: keys, cryptograms, bits and lists, TLV."""

from __future__ import annotations

from typing import Any, get_args

from firmware.secure import tdes
from firmware.secure.errors import BadInput
from tools.calc.algorithms import emv_cryptogram, emv_keys
from tools.calc.inputs import Inputs, bytes_of, hex_of
from wire import emv_bits, tlv

_KCV_BYTES = 3


def _kcv(key: bytes) -> str:
    return hex_of(tdes.check_value(key)[:_KCV_BYTES])


def _master_key(inputs: Inputs, *, imk: str = "imk", option: str = "mk_option") -> bytes:
    return emv_keys.icc_master_key(
        inputs.hex(imk), inputs.text("pan"), inputs.text("psn", "00"), inputs.text(option, "A")
    )


def _optional_hex(inputs: Inputs, name: str) -> bytes | None:
    return inputs.hex(name) if inputs.has(name) else None


def _derived(inputs: Inputs, icc_mk: bytes, method: str) -> bytes:
    return emv_keys.session_key(
        icc_mk,
        method,
        r=_optional_hex(inputs, "r"),
        atc=_optional_hex(inputs, "atc"),
        un=_optional_hex(inputs, "un"),
        tree=(
            inputs.number("height", 8),
            inputs.number("branch", 4),
            inputs.hex("iv", bytes(emv_keys.KEY_BYTES)),
        ),
    )


def _session_key(inputs: Inputs) -> bytes:
    """The session key itself, or what the issuer's key gives."""
    if inputs.has("session_key"):
        return inputs.hex("session_key")
    return _derived(inputs, _master_key(inputs), inputs.text("sk_method", "common"))


def _icc_mk(inputs: Inputs) -> dict[str, Any]:
    key = _master_key(inputs, option="option")
    return {"icc_mk": hex_of(key), "kcv": _kcv(key)}


def _emv_session_key(inputs: Inputs) -> dict[str, Any]:
    key = _derived(inputs, inputs.hex("icc_mk"), inputs.text("method"))
    return {"session_key": hex_of(key), "kcv": _kcv(key)}


# --- cryptograms -------------------------------------------------------------------------------------


def _ac(inputs: Inputs) -> dict[str, Any]:
    key = _session_key(inputs)
    ac = emv_cryptogram.application_cryptogram(key, inputs.hex("data"), inputs.text("padding", "emv"))
    return {"session_key_kcv": _kcv(key), "ac": hex_of(ac)}


def _ac_tags(inputs: Inputs) -> dict[str, Any]:
    tags = inputs.mapping("tags")
    absent = [tag for tag in inputs.items("order") if not isinstance(tag, str) or tag not in tags]
    if absent:
        raise BadInput("missing_data", f"a value is missing for {', '.join(map(str, absent))}")
    data = b"".join(bytes_of(f"tag {tag}", tags[tag]) for tag in inputs.items("order"))
    padding = inputs.text("padding", "emv")
    result = {"data": hex_of(data), "padded": hex_of(emv_cryptogram.padded(data, padding))}
    if inputs.has("session_key") or inputs.has("imk"):
        ac = emv_cryptogram.application_cryptogram(_session_key(inputs), data, padding)
        result["ac"] = hex_of(ac)
    return result


def _arpc1(inputs: Inputs) -> dict[str, Any]:
    return {
        "arpc": hex_of(emv_cryptogram.arpc_1(_session_key(inputs), inputs.hex("arqc"), inputs.hex("arc")))
    }


def _arpc2(inputs: Inputs) -> dict[str, Any]:
    arpc = emv_cryptogram.arpc_2(
        _session_key(inputs), inputs.hex("arqc"), inputs.hex("csu"), inputs.hex("prop_auth_data", b"")
    )
    return {"arpc": hex_of(arpc)}


def _script_mac(inputs: Inputs) -> dict[str, Any]:
    return {"mac": hex_of(emv_cryptogram.script_mac(_session_key(inputs), inputs.hex("data")))}


def _script_pin(inputs: Inputs) -> dict[str, Any]:
    block = emv_cryptogram.change_pin_block(
        inputs.text("block_type"),
        inputs.text("pin"),
        icc_mk_ac=_master_key(inputs, imk="imk_ac") if inputs.has("imk_ac") else b"",
        current_pin=inputs.text("current_pin", ""),
    )
    ciphertext = emv_cryptogram.encipher_script_data(_session_key(inputs), block, inputs.text("encryption"))
    return {"block": hex_of(block), "ciphertext": hex_of(ciphertext)}


# --- bits and lists ----------------------------------------------------------------------------------


def _bits(inputs: Inputs) -> dict[str, Any]:
    elements = emv_bits.elements()
    element = elements[inputs.choice("element", tuple(elements))]
    value = element.read(inputs.hex("value"))
    result: dict[str, Any] = {"set": [[bit.byte, f"{bit.mask:02X}", bit.text] for bit in value.set]}
    if value.without_meaning:
        result["other_bits"] = [[bit.byte, f"{bit.mask:02X}"] for bit in value.without_meaning]
    return result


def _cid(inputs: Inputs) -> dict[str, Any]:
    cid = emv_bits.cryptogram_information(inputs.hex("value"))
    return {"type": cid.type, "advice_required": cid.advice_required, "reason_code": cid.reason_code}


def _afl(inputs: Inputs) -> dict[str, Any]:
    records = emv_bits.file_records(inputs.hex("value"))
    return {"records": [[entry.sfi, entry.record, entry.authenticated] for entry in records]}


def _cvm_list(inputs: Inputs) -> dict[str, Any]:
    value = emv_bits.cvm_list(inputs.hex("value"))
    rules = [[f"{rule.method:02X}", rule.next_if_failed, f"{rule.condition:02X}"] for rule in value.rules]
    return {"x": value.x_minor, "y": value.y_minor, "rules": rules}


# --- TLV ---------------------------------------------------------------------------------------------


def tree_of(objects: list[tlv.Tlv] | tuple[tlv.Tlv, ...]) -> list[Any]:
    """Data objects as [tag, value], a template's value a list of the same."""
    return [
        [entry.tag, tree_of(entry.children) if entry.constructed else hex_of(entry.value)]
        for entry in objects
    ]


def objects_of(tree: list[Any]) -> list[tlv.Tlv]:
    """The inverse of `tree_of`. Raises BadInput: bad_format, bad_character, bad_length."""
    objects = []
    for entry in tree:
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)):
            raise BadInput("bad_format", "a data object is written as a list of tag and value")
        tag, value = entry
        if isinstance(value, list):
            objects.append(tlv.Tlv(tag, children=tuple(objects_of(value))))
        elif isinstance(value, str):
            objects.append(tlv.Tlv(tag, bytes_of("the value of a data object", value)))
        else:
            raise BadInput("bad_format", "the value of a data object is hex, or a list of data objects")
    return objects


def _tlv_decode(inputs: Inputs) -> dict[str, Any]:
    return {"tree": tree_of(tlv.decode(inputs.hex("data")))}


def _tlv_encode(inputs: Inputs) -> dict[str, Any]:
    return {"data": hex_of(tlv.encode(objects_of(inputs.items("tree"))))}


def _dol_parse(inputs: Inputs) -> dict[str, Any]:
    entries = tlv.parse_dol(inputs.hex("dol"))
    return {
        "entries": [[entry.tag, entry.length_bytes] for entry in entries],
        "total": sum(entry.length_bytes for entry in entries),
    }


def _dol_build(inputs: Inputs) -> dict[str, Any]:
    values = {tag: bytes_of(f"tag {tag}", value) for tag, value in inputs.mapping("values").items()}
    formats = dict(inputs.mapping("formats")) if inputs.has("formats") else {}
    if any(value not in get_args(tlv.Format) for value in formats.values()):
        raise BadInput("unsupported", f"the formats of data elements are {', '.join(get_args(tlv.Format))}")
    return {"data": hex_of(tlv.build_dol(tlv.parse_dol(inputs.hex("dol")), values, formats))}


KINDS = {
    "emv_icc_mk": _icc_mk,
    "emv_session_key": _emv_session_key,
    "emv_ac": _ac,
    "emv_ac_tags": _ac_tags,
    "emv_arpc1": _arpc1,
    "emv_arpc2": _arpc2,
    "emv_script_mac": _script_mac,
    "emv_script_pin": _script_pin,
    "emv_bits": _bits,
    "emv_cid": _cid,
    "emv_afl": _afl,
    "emv_cvm_list": _cvm_list,
    "tlv_decode": _tlv_decode,
    "tlv_encode": _tlv_encode,
    "dol_parse": _dol_parse,
    "dol_build": _dol_build,
}
