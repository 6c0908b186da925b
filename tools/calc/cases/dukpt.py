"""Cases about DUKPT, with triple DES and with AES."""

from __future__ import annotations

import hmac
from typing import Any

from firmware.secure import aes, dukpt_aes, dukpt_tdes, mac, tdes
from firmware.secure.dukpt_counter import usable_counters
from firmware.secure.errors import BadInput
from tools.calc.algorithms import pin_block
from tools.calc.inputs import Inputs, hex_of

_RETAIL_MAC_BYTES = 4  # what TDES DUKPT messages carry of a retail MAC
_COUNTER_BITS_MAX = 64

_MAC_KEYS = {"request": dukpt_tdes.KeyUse.MAC_REQUEST, "response": dukpt_tdes.KeyUse.MAC_RESPONSE}
_DATA_KEYS = {
    "data_request": dukpt_tdes.KeyUse.DATA_REQUEST,
    "data_response": dukpt_tdes.KeyUse.DATA_RESPONSE,
}

AES_USAGES = {usage.name.lower(): usage for usage in dukpt_aes.KeyUsage}
AES_KEY_TYPES = {key_type.name: key_type for key_type in dukpt_aes.KeyType} | {
    "2TDEA": dukpt_aes.KeyType.TDES2,
    "3TDEA": dukpt_aes.KeyType.TDES3,
}


# --- triple DES --------------------------------------------------------------------------------------


def _tdes_transaction_key(inputs: Inputs) -> bytearray:
    ksn = inputs.hex("ksn")
    return dukpt_tdes.transaction_key(dukpt_tdes.initial_key(inputs.hex("bdk"), ksn), ksn)


def _tdes_working_key(inputs: Inputs, use: dukpt_tdes.KeyUse) -> bytes:
    return bytes(dukpt_tdes.working_key(_tdes_transaction_key(inputs), use))


def _tdes_ipek(inputs: Inputs) -> dict[str, Any]:
    return {"ipek": hex_of(dukpt_tdes.initial_key(inputs.hex("bdk"), inputs.hex("ksn")))}


def _tdes_key(inputs: Inputs) -> dict[str, Any]:
    return {"txn_key": hex_of(_tdes_transaction_key(inputs))}


def _tdes_pin(inputs: Inputs) -> dict[str, Any]:
    clear = pin_block.encode(0, inputs.text("pin"), inputs.text("pan"))
    key = _tdes_working_key(inputs, dukpt_tdes.KeyUse.PIN)
    return {"clear_pin_block": hex_of(clear), "pin_block": hex_of(tdes.encrypt(key, clear))}


def _tdes_mac(inputs: Inputs) -> dict[str, Any]:
    use = _MAC_KEYS[inputs.choice("direction", tuple(_MAC_KEYS))]
    key, data = _tdes_working_key(inputs, use), inputs.hex("data")
    if inputs.choice("algorithm", ("retail", "cmac")) == "cmac":
        return {"mac": hex_of(mac.tdes_cmac(key, data))}
    return {"mac": hex_of(mac.retail_mac(key, data)[:_RETAIL_MAC_BYTES])}


def _tdes_data(inputs: Inputs) -> dict[str, Any]:
    use = _DATA_KEYS[inputs.choice("key_use", tuple(_DATA_KEYS))]
    data = mac.pad(inputs.hex("data"), "iso9797-1")
    return {"ciphertext": hex_of(tdes.encrypt_cbc(_tdes_working_key(inputs, use), data))}


def _tdes_next_ksn(inputs: Inputs) -> dict[str, Any]:
    return {"ksn": hex_of(dukpt_tdes.next_ksn(inputs.hex("ksn")))}


def _tdes_ksn_valid(inputs: Inputs) -> dict[str, Any]:
    dukpt_tdes.require_transaction(inputs.hex("ksn"))
    return {"valid": True}


def _count(inputs: Inputs) -> dict[str, Any]:
    counter_bits, ones_max = inputs.number("counter_bits"), inputs.number("max_ones")
    if not 1 <= ones_max <= counter_bits <= _COUNTER_BITS_MAX:
        raise BadInput("bad_length", f"a counter has up to {_COUNTER_BITS_MAX} bits, no more ones than bits")
    return {"count": usable_counters(counter_bits, ones_max)}


# --- AES ---------------------------------------------------------------------------------------------


def _aes_transaction_key(inputs: Inputs) -> bytearray:
    ksn = inputs.hex("ksn")
    initial = dukpt_aes.initial_key(inputs.hex("bdk"), ksn[: dukpt_aes.KEY_ID_BYTES])
    return dukpt_aes.transaction_key(initial, ksn)


def _aes_key_type(inputs: Inputs) -> dukpt_aes.KeyType:
    return AES_KEY_TYPES[inputs.choice("key_type", tuple(AES_KEY_TYPES))]


def _aes_usage(inputs: Inputs) -> dukpt_aes.KeyUsage:
    return AES_USAGES[inputs.choice("usage", tuple(AES_USAGES))]


def _aes_working(inputs: Inputs, usage: dukpt_aes.KeyUsage) -> bytes:
    transaction = _aes_transaction_key(inputs)
    return bytes(dukpt_aes.working_key(transaction, inputs.hex("ksn"), usage, _aes_key_type(inputs)))


def _aes_ik(inputs: Inputs) -> dict[str, Any]:
    return {"ik": hex_of(dukpt_aes.initial_key(inputs.hex("bdk"), inputs.hex("ikid")))}


def _aes_txn_key(inputs: Inputs) -> dict[str, Any]:
    return {"txn_key": hex_of(_aes_transaction_key(inputs))}


def _aes_working_key(inputs: Inputs) -> dict[str, Any]:
    return {"key": hex_of(_aes_working(inputs, _aes_usage(inputs)))}


def _aes_update_key(inputs: Inputs) -> dict[str, Any]:
    key = dukpt_aes.update_key(inputs.hex("ik"), inputs.hex("ikid"), _aes_key_type(inputs))
    return {"key": hex_of(key)}


def _aes_pin(inputs: Inputs) -> dict[str, Any]:
    pin_field, pan = inputs.hex("pin_field"), inputs.text("pan")
    pin = pin_block.decode(4, pin_field).pin
    key = _aes_working(inputs, dukpt_aes.KeyUsage.PIN)
    return {"pin": pin, "pin_block": hex_of(pin_block.encipher(4, key, pin_field, pan))}


def _aes_mac(inputs: Inputs) -> dict[str, Any]:
    key, data = _aes_working(inputs, _aes_usage(inputs)), inputs.hex("data")
    if inputs.choice("algorithm", ("cmac", "hmac-sha256")) == "cmac":
        return {"mac": hex_of(mac.aes_cmac(key, data))}
    return {"mac": hex_of(hmac.digest(key, data, "sha256"))}


def _aes_data(inputs: Inputs) -> dict[str, Any]:
    data = mac.pad(inputs.hex("data"), "iso9797-1", aes.BLOCK_BYTES)
    return {"ciphertext": hex_of(aes.encrypt_cbc(_aes_working(inputs, _aes_usage(inputs)), data))}


def _aes_next_ksn(inputs: Inputs) -> dict[str, Any]:
    return {"ksn": hex_of(dukpt_aes.next_ksn(inputs.hex("ksn")))}


KINDS = {
    "dukpt_tdes_ipek": _tdes_ipek,
    "dukpt_tdes_key": _tdes_key,
    "dukpt_tdes_pin": _tdes_pin,
    "dukpt_tdes_mac": _tdes_mac,
    "dukpt_tdes_data": _tdes_data,
    "dukpt_tdes_next_ksn": _tdes_next_ksn,
    "dukpt_tdes_ksn_valid": _tdes_ksn_valid,
    "dukpt_count": _count,
    "dukpt_aes_ik": _aes_ik,
    "dukpt_aes_txn_key": _aes_txn_key,
    "dukpt_aes_working_key": _aes_working_key,
    "dukpt_aes_update_key": _aes_update_key,
    "dukpt_aes_pin": _aes_pin,
    "dukpt_aes_mac": _aes_mac,
    "dukpt_aes_data": _aes_data,
    "dukpt_aes_next_ksn": _aes_next_ksn,
}
