"""A secret in a file that a chaos run leaves is told of, wherever it lies; no process is needed for that."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bank.authoriser import Bank
from bank.entropy import SystemEntropy
from bank.provision import DEMO_MASTER_KEY
from tools.chaos.run import Chaos
from tools.chaos.town import open_books, provision_of
from tools.simulate.town import PIN

SEED = 7
LINE = ("/dev/null/a", "/dev/null/b")  # nobody uses it
DEVICE_KEY = bytes(range(100, 132))
CARD = provision_of(SEED).cards[0].plastic.pan.reveal()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Chaos:
    """A bank that has given its terminal keys, and a terminal with its own; all as it must be."""
    made = Chaos(tmp_path_factory.mktemp("chaos"), SEED, LINE)
    made.state.mkdir()
    (made.state / "device-key.json").write_text(json.dumps({"device_key": DEVICE_KEY.hex(), "counter": 1}))
    with contextlib.closing(open_books(made.db)) as bank, bank.store.transaction():
        (terminal,) = bank.merchants.terminals()
        keys = bank.hsm.make_working_keys(terminal.tmk_sealed, "004", SystemEntropy())
        bank.merchants.sign_in(terminal, "004", keys)
    return made


def working_key(bank: Bank, use: str) -> bytes:
    (terminal,) = bank.merchants.terminals()
    return bank.hsm._message_key(terminal.message_keys(), use)


def packed(digits: str) -> bytes:
    return bytes.fromhex(digits)


SECRETS: dict[str, tuple[str, Callable[[Bank], bytes]]] = {
    "bank.log": ("PIN", lambda _: f"PIN {PIN}\n".encode()),
    "gateway.log": ("card number", lambda _: f"sent {packed(CARD)!r}\n".encode()),
    "terminal.log": ("card number", lambda _: f"paper: {CARD}".encode()),
    "strace.log": ("MAC key", lambda bank: repr(working_key(bank, "mac")).encode()),
    "bank.db-wal": ("master key", lambda _: provision_of(SEED).merchants[0].terminals[0].tmk),
    "bank.db-journal": ("bank's master key", lambda _: DEMO_MASTER_KEY),
    "till/terminal.db": ("PIN key", lambda bank: working_key(bank, "pin")),
    "till/terminal.db-wal": ("device key", lambda _: DEVICE_KEY),
    "till/device-key.json.new": ("track key", lambda bank: working_key(bank, "data").hex().encode()),
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_in_a_file_is_found(world: Chaos, name: str) -> None:
    secret, form = SECRETS[name]
    with contextlib.closing(open_books(world.db)) as bank:
        content = b"\x00\xffsome words\n" + form(bank) + b"\x17"
    if name.startswith("bank.db-"):  # whoever opens the database takes it away: looked at before
        told = world.leaks({name: content})
    else:
        (world.folder / name).write_bytes(content)
        told = world.leaks()
        (world.folder / name).unlink()
    assert [str(finding) for finding in told] == [f"secret: a {secret} is in the clear in: {name}"]
    assert world.leaks() == []


def test_what_the_bank_stores_unsealed_is_found(tmp_path: Path) -> None:
    world = Chaos(tmp_path, SEED, LINE)
    with contextlib.closing(open_books(world.db)) as bank, bank.store.transaction():
        bank.store.set_setting("last card", CARD.encode())
    assert [str(one) for one in world.leaks()] == ["secret: a card number is in the clear in: bank.db"]


def test_what_was_found_twice_is_told_once(world: Chaos) -> None:
    content = PIN.encode()
    (world.folder / "bank.log").write_bytes(content)
    assert len(world.leaks({"bank.log": content})) == 1
    (world.folder / "bank.log").unlink()
