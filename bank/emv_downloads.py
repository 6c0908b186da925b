"""Certification authority keys and AID parameters for chip terminals: lists, and entries one by one.

The terminal asks for a list (0820/372, 373, 382) telling how many entries it has, then for each entry
(0800/370, 380). Field 62 begins with one character: in a list 0 none, 1 all of it, 2 more follow, 3 the last
part; for an entry 1, or 0 where there is no such entry. Source: iso8583-pos section 5.2; data:
`emv_parameters.toml`.
"""

from __future__ import annotations

import functools
import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any, Final

from bank.answers import APPROVED, Outcome
from bank.merchants import Terminal
from bank.office import Office
from bank.request import Request
from wire.errors import WireError
from wire.tlv import Tlv, decode, encode, find

LIST_BYTES_MAX: Final = 511  # field 62 has 512 bytes, one is the mark
_HASH_SHA1: Final = b"\x01"
_KEY_RSA: Final = b"\x01"

DownloadHandler = Callable[[Office, Request, Terminal], Outcome]
Objects = tuple[tuple[str, bytes], ...]


@functools.cache
def _file() -> Mapping[str, Any]:
    text = resources.files("bank").joinpath("emv_parameters.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@functools.cache
def keys() -> tuple[Objects, ...]:
    """The objects of each key, RID and index first."""
    return tuple(_key(one) for one in _file()["key"])


@functools.cache
def aids() -> tuple[Objects, ...]:
    """The objects of each AID's parameters, the AID first."""
    return tuple(tuple((tag, bytes.fromhex(value)) for tag, value in one.items()) for one in _file()["aid"])


def _key(entry: Mapping[str, str]) -> Objects:
    rid, index = bytes.fromhex(entry["rid"]), bytes.fromhex(entry["index"])
    modulus, exponent = bytes.fromhex(entry["modulus"]), bytes.fromhex(entry["exponent"])
    # The checksum that the scheme defines for its keys (EMV Book 2, 11.2.2): an integrity check, no secret.
    checksum = hashlib.sha1(rid + index + modulus + exponent, usedforsecurity=False).digest()
    return (
        ("9F06", rid),
        ("9F22", index),
        ("DF05", entry["expiry"].encode("ascii")),
        ("DF06", _HASH_SHA1),
        ("DF07", _KEY_RSA),
        ("DF02", modulus),
        ("DF04", exponent),
        ("DF03", checksum),
    )


def _packed(objects: Objects, tags: int) -> bytes:
    """The first `tags` objects of an entry as BER-TLV."""
    return encode(Tlv(tag, value) for tag, value in objects[:tags])


def _list_of(entries: Callable[[], Sequence[Objects]], tags: int) -> DownloadHandler:
    """The handler of a list whose entries show their first `tags` objects."""

    def send_list(_office: Office, request: Request, _terminal: Terminal) -> Outcome:
        told = (request.binary(62) or b"").decode("ascii", errors="replace")
        if not (len(told) == 3 and told[0] == "1" and told[1:].isdigit()):
            return Outcome("30")
        rest = [_packed(one, tags) for one in entries()][int(told[1:]) :]
        part = b""
        while rest and len(part) + len(rest[0]) <= LIST_BYTES_MAX:
            part += rest.pop(0)
        is_first = told == "100"
        mark = "2" if rest else "0" if not part else "1" if is_first else "3"
        return Outcome(APPROVED, fields={62: mark.encode("ascii") + part})

    return send_list


def _entry_of(entries: Callable[[], Sequence[Objects]], tags: int) -> DownloadHandler:
    """The handler of one entry, which is named by its first `tags` objects."""

    def send_entry(_office: Office, request: Request, _terminal: Terminal) -> Outcome:
        try:
            asked = decode(request.binary(62) or b"")
        except WireError:
            return Outcome("30")
        for one in entries():
            if all(find(asked, tag) == value for tag, value in one[:tags]):
                return Outcome(APPROVED, fields={62: b"1" + _packed(one, len(one))})
        return Outcome(APPROVED, fields={62: b"0"})

    return send_entry


def _no_entries() -> Sequence[Objects]:
    return ()


DOWNLOADS: Final[Mapping[tuple[str, str], DownloadHandler]] = {
    ("0820", "372"): _list_of(keys, 3),
    ("0820", "373"): _list_of(_no_entries, 3),  # keys for SM2: this bank has none
    ("0820", "382"): _list_of(aids, 1),
    ("0800", "370"): _entry_of(keys, 2),
    ("0800", "380"): _entry_of(aids, 1),
}
"""(MTI, 60.3) -> what it downloads."""
