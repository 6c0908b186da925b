"""`posterm calc dukpt`."""

from __future__ import annotations

from firmware.secure import dukpt_aes, dukpt_tdes
from firmware.secure.dukpt_counter import usable_counters
from tools.calc.algorithms.checks import require_bytes
from tools.calc.answer import Answer
from tools.calc.cases.dukpt import AES_KEY_TYPES, AES_USAGES
from tools.calc.command import Command, Group, Option
from tools.calc.inputs import Inputs, hex_of

_BDK = Option("bdk", "base derivation key", secret=True)
_KSN = Option("ksn", "key serial number of the transaction", required=True)

_WORKING_USAGES = tuple(name for name in AES_USAGES if name not in {"initial", "derivation"})


def _tdes(inputs: Inputs) -> Answer:
    ksn = inputs.hex("ksn")
    require_bytes("a key serial number", ksn, dukpt_tdes.KSN_BYTES)
    initial = (
        inputs.hex("ipek") if inputs.has("ipek") else bytes(dukpt_tdes.initial_key(inputs.hex("bdk"), ksn))
    )
    counter = int.from_bytes(ksn, "big") & ((1 << dukpt_tdes.COUNTER_BITS) - 1)
    answer = Answer({"ipek": hex_of(initial), "counter": counter})
    if counter == 0:
        return answer
    transaction = dukpt_tdes.transaction_key(initial, ksn)
    for place in range(dukpt_tdes.COUNTER_BITS - 1, -1, -1):
        if counter >> place & 1:
            reached = counter >> place << place
            step = ksn[:7] + (int.from_bytes(ksn[7:], "big") - counter + reached).to_bytes(3, "big")
            answer.step(f"key of counter {reached:06X}", dukpt_tdes.transaction_key(initial, step))
    keys = {
        f"{use.name.lower()}_key": hex_of(dukpt_tdes.working_key(transaction, use))
        for use in dukpt_tdes.KeyUse
    }
    answer.result = {**answer.result, "txn_key": hex_of(transaction), **keys}
    return answer


def _aes(inputs: Inputs) -> Answer:
    ksn = inputs.hex("ksn")
    require_bytes("a key serial number", ksn, dukpt_aes.KSN_BYTES)
    if inputs.has("ik"):
        initial = inputs.hex("ik")
    else:
        initial = bytes(dukpt_aes.initial_key(inputs.hex("bdk"), ksn[: dukpt_aes.KEY_ID_BYTES]))
    counter = int.from_bytes(ksn[dukpt_aes.KEY_ID_BYTES :], "big")
    answer = Answer({"ik": hex_of(initial), "counter": counter})
    if counter == 0:
        return answer
    transaction = dukpt_aes.transaction_key(initial, ksn)
    for place in range(dukpt_aes.COUNTER_BITS - 1, -1, -1):
        if counter >> place & 1:
            reached = counter >> place << place
            step = ksn[: dukpt_aes.KEY_ID_BYTES] + reached.to_bytes(4, "big")
            answer.step(f"key of counter {reached:08X}", dukpt_aes.transaction_key(initial, step))
    key_type = AES_KEY_TYPES[inputs.text("key_type")]
    usages = (
        [inputs.text("usage")]
        if inputs.has("usage")
        else [name for name in AES_USAGES if "initial" not in name]
    )
    keys = {
        f"{name}_key": hex_of(dukpt_aes.working_key(transaction, ksn, AES_USAGES[name], key_type))
        for name in usages
    }
    answer.result = {**answer.result, "txn_key": hex_of(transaction), **keys}
    return answer


def _update(inputs: Inputs) -> Answer:
    key_type = AES_KEY_TYPES[inputs.text("key_type")]
    key = dukpt_aes.update_key(inputs.hex("ik"), inputs.hex("ikid"), key_type)
    answer = Answer({"key": hex_of(key)})
    answer.step("counter, which no transaction has", "FFFFFFFF")
    answer.step("steps of derivation down to it", "32")
    answer.step("derived from that key", f"key encryption, {key_type.name}")
    return answer


def _next(inputs: Inputs) -> Answer:
    ksn = inputs.hex("ksn")
    scheme = dukpt_aes if len(ksn) == dukpt_aes.KSN_BYTES else dukpt_tdes
    following = scheme.next_ksn(ksn)
    counters = usable_counters(scheme.COUNTER_BITS, scheme.COUNTER_ONES_MAX)
    answer = Answer({"ksn": hex_of(following), "keys_of_one_device": counters})
    for name, serial in (("counter", ksn), ("next counter", following)):
        counter = int.from_bytes(serial, "big") & ((1 << scheme.COUNTER_BITS) - 1)
        answer.step(name, f"{counter:0{scheme.COUNTER_BITS}b}, {counter.bit_count()} one bits")
    answer.step("one bits allowed", str(scheme.COUNTER_ONES_MAX))
    return answer


_KEY_TYPE = Option("key_type", "type of the working keys", choices=tuple(AES_KEY_TYPES), default="AES128")

GROUPS = {
    "dukpt": Group(
        "dukpt",
        "Derived unique keys per transaction, triple DES (10-byte KSN) and AES (12-byte KSN).",
        (
            Command(
                "tdes",
                "all keys of one transaction (ANSI X9.24-1)",
                "dukpt tdes --bdk 0123456789ABCDEFFEDCBA9876543210 --ksn FFFF9876543210E00001",
                (_BDK, Option("ipek", "initial key, instead of a BDK", secret=True), _KSN),
                _tdes,
            ),
            Command(
                "aes",
                "all keys of one transaction (ANSI X9.24-3)",
                "dukpt aes --bdk FEDCBA9876543210F1F1F1F1F1F1F1F1 --ksn 123456789012345600000001",
                (
                    _BDK,
                    Option("ik", "initial key, instead of a BDK", secret=True),
                    _KSN,
                    _KEY_TYPE,
                    Option("usage", "one usage (else all)", choices=tuple(AES_USAGES)),
                ),
                _aes,
            ),
            Command(
                "update-key",
                "the key under which a host sends a new initial key (AES)",
                "dukpt update-key --ik 1273671EA26AC29AFA4D1084127652A1 --ikid 1234567890123456",
                (
                    Option("ik", "initial key", required=True, secret=True),
                    Option("ikid", "id of the initial key", required=True),
                    _KEY_TYPE,
                ),
                _update,
            ),
            Command(
                "next",
                "the key serial number of the next transaction",
                "dukpt next --ksn FFFF9876543210EFF800",
                (_KSN,),
                _next,
            ),
        ),
    ),
}
