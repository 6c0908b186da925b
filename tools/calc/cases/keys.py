"""Cases about keys: check values, MACs and padding, SM4, UnionPay's key bundle and MAC, TR-31."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any, cast, get_args

from firmware.secure import mac, tr31
from firmware.secure.check_value import Method, check_value
from firmware.secure.errors import BadInput
from firmware.secure.key_bundle import LAYOUTS, parse_bundle
from firmware.secure.tdes import CHECK_VALUE_BYTES
from firmware.secure.tr31_header import KeyBlockHeader, parse_header
from tools.calc.algorithms import sm4
from tools.calc.errors import Refused
from tools.calc.inputs import Inputs, hex_of
from wire.iso8583 import dialect

KCV_BYTES = {"des-zero": 3, "aes-zero": 3, "sm4-zero": 3, "aes-cmac": 5}
"""How many bytes are shown by custom; TR-31 shows 3 of a CMAC too."""

Mac = Callable[[bytes, bytes, mac.Padding], bytes]

MACS: Mapping[str, Mac] = {
    "iso9797-alg1-des": lambda key, data, padding: mac.cbc_mac(_single(key), data, padding),
    "iso9797-alg1-tdes": mac.cbc_mac,
    "iso9797-alg3": mac.retail_mac,
    "aes-cmac": lambda key, data, _: mac.aes_cmac(key, data),
    "tdes-cmac": lambda key, data, _: mac.tdes_cmac(key, data),
    "unionpay-ecb": lambda key, data, _: mac.unionpay_ecb_mac(key, data),
    "unionpay-ecb-sm4": lambda key, data, _: sm4.unionpay_mac(key, data),
    "sm4-cbc-mac": sm4.cbc_mac,
}


def kcv_of(key: bytes, method: str) -> bytes:
    """The whole check value by any method, SM4 included. Raises BadInput."""
    if method == "sm4-zero":
        return sm4.check_value(key)
    return check_value(key, cast("Method", method))


def _kcv(inputs: Inputs) -> dict[str, Any]:
    method = inputs.choice("method", tuple(KCV_BYTES))
    return {"kcv": hex_of(kcv_of(inputs.hex("key"), method)[: KCV_BYTES[method]])}


def _mac(inputs: Inputs) -> dict[str, Any]:
    algorithm = inputs.choice("algorithm", tuple(MACS))
    data = inputs.hex("data")
    result = {"mac": hex_of(MACS[algorithm](inputs.hex("key"), data, _padding(inputs, "padding")))}
    folds = {"unionpay-ecb": mac.fold, "unionpay-ecb-sm4": sm4.fold}
    return result | ({"xor": hex_of(folds[algorithm](data))} if algorithm in folds else {})


def _mac_padding(inputs: Inputs) -> dict[str, Any]:
    block_bytes = inputs.number("block")
    if not 4 <= block_bytes <= 64:
        raise BadInput("bad_length", "a block has 4 to 64 bytes")
    return {"padded": hex_of(mac.pad(inputs.hex("data"), _padding(inputs, "method"), block_bytes))}


def _padding(inputs: Inputs, name: str) -> mac.Padding:
    padding: mac.Padding = inputs.choice(name, get_args(mac.Padding), "iso9797-1")
    return padding


def _single(key: bytes) -> bytes:
    if len(key) != 8:
        raise BadInput("bad_key", f"a DES key has 8 bytes, this one {len(key)}")
    return key


# --- SM4 ---------------------------------------------------------------------------------------------


def _sm4_block(inputs: Inputs) -> dict[str, Any]:
    rounds = inputs.number("rounds", 1)
    return {"ciphertext": hex_of(sm4.encrypt_block(inputs.hex("key"), inputs.hex("plaintext"), rounds))}


def _sm4_ecb(inputs: Inputs) -> dict[str, Any]:
    return {"ciphertext": hex_of(sm4.encrypt_ecb(inputs.hex("key"), inputs.hex("plaintext")))}


def _sm4_cbc(inputs: Inputs) -> dict[str, Any]:
    ciphertext = sm4.encrypt_cbc(inputs.hex("key"), inputs.hex("plaintext"), inputs.hex("iv"))
    return {"ciphertext": hex_of(ciphertext)}


def _sm4_ctr(inputs: Inputs) -> dict[str, Any]:
    ciphertext = sm4.crypt_ctr(inputs.hex("key"), inputs.hex("plaintext"), inputs.hex("iv"))
    return {"ciphertext": hex_of(ciphertext)}


# --- UnionPay ----------------------------------------------------------------------------------------


def _key_bundle(inputs: Inputs) -> dict[str, Any]:
    layout, bundle, tmk = inputs.choice("layout", tuple(LAYOUTS)), inputs.hex("f62"), inputs.hex("tmk")
    if len(bundle) != sum(key_bytes + CHECK_VALUE_BYTES for _, key_bytes in LAYOUTS[layout]):
        raise BadInput("bad_length", f"the bundle has not the length of layout {layout}")
    result = {}
    for use, wrapped in parse_bundle(bundle, layout).items():
        with wrapped.unwrapped(tmk) as key:
            result[use.value.lower()] = hex_of(key)
    return result


def _message_mac(inputs: Inputs) -> dict[str, Any]:
    unionpay, message = dialect("unionpay"), inputs.hex("message")
    region = unionpay.mac_region(message)
    calculated = mac.unionpay_ecb_mac(inputs.hex("mak"), region)
    result = {"mac": hex_of(calculated), "valid": hmac.compare_digest(calculated, message[-mac.MAC_BYTES :])}
    if not result["valid"]:
        raise Refused("bad_mac", "the MAC of the message does not fit it", result)
    return result


# --- TR-31 -------------------------------------------------------------------------------------------


def header_fields(header: KeyBlockHeader) -> dict[str, Any]:
    """A key block's header as it is shown."""
    return {
        "version": header.version,
        "key_usage": header.key_usage,
        "algorithm": header.algorithm,
        "mode_of_use": header.mode_of_use,
        "key_version": header.key_version,
        "exportability": header.exportability,
        "optional_blocks": dict(header.optional_blocks),
    }


def kcv_method_of(header: KeyBlockHeader) -> str:
    """How the check value of the key in a block is made: by its algorithm."""
    return "aes-cmac" if header.algorithm == "A" else "des-zero"


def _tr31_unwrap(inputs: Inputs) -> dict[str, Any]:
    unwrapped = tr31.unwrap(inputs.hex("kbpk"), inputs.text("key_block"))
    result: dict[str, Any] = {
        "key": hex_of(unwrapped.key),
        "header": {"length": unwrapped.length, **header_fields(unwrapped.header)},
    }
    method = kcv_method_of(unwrapped.header)
    if len(unwrapped.key) in ({16, 24, 32} if method == "aes-cmac" else {8, 16, 24}):
        result |= {"kcv": hex_of(kcv_of(bytes(unwrapped.key), method)[:3]), "kcv_method": method}
    return result


def _tr31_header(inputs: Inputs) -> dict[str, Any]:
    parsed = parse_header(inputs.text("header"))
    return {"consumed": parsed.consumed, **header_fields(parsed.header)}


KINDS = {
    "kcv": _kcv,
    "mac": _mac,
    "mac_padding": _mac_padding,
    "sm4_block": _sm4_block,
    "sm4_ecb": _sm4_ecb,
    "sm4_cbc": _sm4_cbc,
    "sm4_ctr": _sm4_ctr,
    "unionpay_key_bundle": _key_bundle,
    "unionpay_message_mac": _message_mac,
    "tr31_unwrap": _tr31_unwrap,
    "tr31_header": _tr31_header,
}
