"""Secrets in the files of a chaos run, looked for as the simulator's checker looks for them.

In logs, in databases with their write-ahead logs, and in whatever else is there, as the bytes lie on the
disk: also in what was deleted and not yet written over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bank.authoriser import Bank
from bank.hsm import Hsm, MessageKeys
from bank.provision import DEMO_MASTER_KEY, Provision
from tools.simulate.checkers.finding import Finding
from tools.simulate.checkers.secrets import Search, of_inside, readings, told_of

DEVICE_KEY_FILE = "device-key.json"
_DEVICE_KEY = "device key"


def contents(folder: Path) -> Mapping[str, bytes]:
    """Every file beneath it, by its name there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def secrets_of(provision: Provision, bank: Bank, state: Path) -> Search:
    """What no file may hold of these cards, of this bank, and of its only terminal, which has this folder.

    Of the working keys those that it has now: nobody keeps older ones.
    """
    keys = {"bank's master key": DEMO_MASTER_KEY}
    if (file := state / DEVICE_KEY_FILE).exists() and (
        key := json.loads(file.read_bytes()).get("device_key")
    ):
        keys[_DEVICE_KEY] = bytes.fromhex(key)
    keys["master key"] = provision.merchants[0].terminals[0].tmk
    for terminal in bank.merchants.terminals():
        keys |= _working_keys(bank.hsm, terminal.message_keys())
    return of_inside(provision.cards, keys)


def _working_keys(hsm: Hsm, tickets: MessageKeys) -> dict[str, bytes]:
    """In clear, as only the bank's security module has them."""
    sealed = {
        ("PIN key", "pin"): tickets.pik_sealed,
        ("MAC key", "mac"): tickets.mak_sealed,
        ("track key", "data"): tickets.tdk_sealed,
    }
    return {
        name: hsm._message_key(tickets, use)  # noqa: SLF001 - it gives them to nobody else
        for (name, use), ticket in sealed.items()
        if ticket is not None
    }


def leaks(search: Search, files: Iterable[tuple[str, bytes]]) -> Iterator[Finding]:
    """A finding for each secret in each of these files. The device key's own file may hold that."""
    for name, content in files:
        found = search.found(readings(content) if name.endswith(".log") else content)
        if Path(name).name.startswith(DEVICE_KEY_FILE):
            found.discard(_DEVICE_KEY)
        yield from told_of(found, name)
