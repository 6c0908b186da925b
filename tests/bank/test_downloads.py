"""What terminals are asked to do and what they download: header digits, keys, AIDs (section 5.2)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from bank import emv_downloads
from bank.demands import DEMANDS
from bank.emv_downloads import Objects, aids, keys
from tests.arch.house import ROOT
from tests.bank.clerk import Clerk
from wire.iso8583 import IsoMessage
from wire.tlv import decode, find

PUBLISHED = json.loads((ROOT / "tests/vectors/emv_capk.json").read_text("utf-8"))["cases"]


def test_the_keys_are_the_published_ones_with_their_checksum() -> None:
    published = {
        (case["inputs"]["rid"], case["inputs"]["index"]): (
            case["inputs"]["modulus"],
            case["expected"].get("checksum"),
        )
        for case in PUBLISHED
    }
    for objects in keys():
        key = {tag: value.hex().upper() for tag, value in objects}
        assert published[key["9F06"], key["9F22"]] == (key["DF02"], key["DF03"])


def test_a_list_of_keys_and_each_key(clerk: Clerk) -> None:
    answer = clerk.manage("0820", "372", {62: b"100"}, traced=False)
    assert sorted(answer.fields) == [39, 41, 42, 60, 62]
    text = answer.binary(62)
    assert text[:1] == b"1"
    entries = [text[at : at + 23] for at in range(1, len(text), 23)]
    assert [entry[:3] for entry in entries] == [bytes.fromhex("9F0605")] * len(keys())
    for entry in entries:
        told = clerk.manage("0800", "370", {62: entry[:12]}, traced=False).binary(62)
        assert told[:1] == b"1"
        objects = decode(told[1:])
        assert find(objects, "9F06") == entry[3:8]
        assert find(objects, "DF05") == entry[15:23]
    assert clerk.manage("0800", "371", traced=False).text(39) == "00"


def test_a_long_list_comes_in_parts(clerk: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    many: tuple[Objects, ...] = tuple(
        (("9F06", bytes.fromhex("A000000333")), ("9F22", bytes([index])), ("DF05", b"20301231"))
        for index in range(50)
    )
    monkeypatch.setattr(emv_downloads, "keys", lambda: many)
    handler = emv_downloads._list_of(lambda: many, 3)
    monkeypatch.setattr("bank.authoriser.MANAGEMENT", {("0820", "372"): handler})
    marks, got = [], 0
    while got < len(many):
        told = clerk.manage("0820", "372", {62: f"1{got:02d}".encode()}, traced=False).binary(62)
        assert len(told) <= 512
        marks.append(told[:1])
        got += (len(told) - 1) // 23
    assert marks == [b"2", b"2", b"3"]


def test_a_list_of_aids_and_its_parameters(clerk: Clerk) -> None:
    listed = clerk.manage("0820", "382", {62: b"100"}, traced=False).binary(62)
    assert listed == b"1" + bytes.fromhex("9F0608A000000333010101")
    told = clerk.manage("0800", "380", {62: listed[1:]}, traced=False).binary(62)
    parameters = decode(told[1:])
    assert find(parameters, "DF11") == bytes.fromhex("D84000A800")
    assert len(aids()[0]) == len(parameters) == 16
    assert clerk.manage("0800", "381", traced=False).text(39) == "00"


def test_what_is_not_there_and_what_is_no_question(clerk: Clerk) -> None:
    unknown = bytes.fromhex("9F0605A0000000049F220101")
    assert clerk.manage("0800", "370", {62: unknown}, traced=False).binary(62) == b"0"
    assert clerk.manage("0820", "373", {62: b"100"}, traced=False).binary(62) == b"0"
    assert clerk.manage("0820", "372", {62: b"abc"}, traced=False).text(39) == "30"
    assert clerk.manage("0800", "370", {62: b"\x9f"}, traced=False).text(39) == "30"


# --- demands -----------------------------------------------------------------------------------------


def test_a_terminal_is_asked_until_it_has_done_it(clerk: Clerk) -> None:
    terminal = clerk.bank.merchants.terminal(clerk.mid, clerk.tid)
    with clerk.bank.store.transaction():
        for digit in DEMANDS.values():
            clerk.bank.merchants.demand(terminal, digit)
    done: Mapping[str, Callable[[], IsoMessage]] = {
        "1": lambda: clerk.manage("0800", "361", traced=False),
        "2": lambda: clerk.manage("0820", "362", {62: b"011"}, traced=False),
        "3": clerk.sign_in,
        "4": lambda: clerk.manage("0800", "371", traced=False),
        "5": lambda: clerk.manage("0800", "381", traced=False),
    }
    for digit, do in done.items():
        assert clerk.purchase(amount_minor=1).header[5] == digit
        assert clerk.purchase(amount_minor=1).header[5] == digit
        assert do().text(39) == "00"
    assert clerk.purchase(amount_minor=1).header[5] == "0"
