"""Cards, merchants and terminals from a TOML file: the plastic to swipe, and what the bank records.

The format is explained in `examples/cards.toml`. Every mistake is one line that names the file, the entry
and the key, and never a card number, PIN or key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import Final, TypeVar

from bank.answers import SUCCESSES
from bank.authoriser import Bank
from bank.cards import PIN_TRIES_LIMIT, CardStatus, CardTerms, last_day
from bank.entropy import Entropy, SeededEntropy
from bank.entry_table import EntryTable
from bank.errors import BankError, RecordError
from bank.faults import BankFaults
from bank.hsm import KEY_SCHEMES, MAC_ALGORITHMS, MASTER_KEY_BYTES, USUAL_MACS
from bank.merchant_states import MerchantStatus
from bank.qualifications import QUALIFICATIONS
from bank.rates import DEFAULT_RATE, rates
from bank.store import MEMORY
from wire.money import parse_amount
from wire.pan import Pan

DEMO_MASTER_KEY: Final = b"posterm demo bank, no secrets!!!"
"""The master key of demo databases: published, so it protects nothing."""

DEMO_MID: Final = "898320154110001"
DEMO_TID: Final = "12345678"

assert len(DEMO_MASTER_KEY) == MASTER_KEY_BYTES

E = TypeVar("E", bound=Enum)


@dataclass(frozen=True, slots=True)
class CardPlastic:
    """What is on the card in the cardholder's hand. `name` is the holder's, as on track 1."""

    pan: Pan
    expiry_yymm: str
    name: str
    service_code: str
    discretionary: str

    def __repr__(self) -> str:
        return f"CardPlastic({self.pan.masked})"


@dataclass(frozen=True, slots=True)
class CardSpec:
    """One [[card]] of a file: the plastic, and what the bank records if it holds the card."""

    name: str
    plastic: CardPlastic
    pin: str
    balance_minor: int
    amount_limit_minor: int | None
    status: CardStatus
    pin_required: bool
    pin_tries_limit: int
    held_by_bank: bool
    terms: CardTerms

    def __repr__(self) -> str:
        return f"CardSpec({self.name!r}, {self.plastic.pan.masked})"


@dataclass(frozen=True, slots=True)
class TerminalSpec:
    """One [[merchant.terminal]] of a file."""

    tid: str
    tmk: bytes
    tmk_index: int
    batch: str
    key_scheme: str = "master-session"
    mac_algorithm: str = "unionpay"
    bdk: bytes | None = None
    ksn: bytes = b""  # DUKPT: the terminal's serial number, whose counter has not begun

    def __repr__(self) -> str:
        return f"TerminalSpec({self.tid!r})"


@dataclass(frozen=True, slots=True)
class MerchantSpec:
    """One [[merchant]] of a file with its terminals."""

    mid: str
    name: str
    name_local: str
    status: MerchantStatus
    terminals: tuple[TerminalSpec, ...]
    qualifications: frozenset[str] = frozenset(QUALIFICATIONS)
    rate: str = DEFAULT_RATE


@dataclass(frozen=True, slots=True)
class Provision:
    """What a file describes."""

    cards: tuple[CardSpec, ...]
    merchants: tuple[MerchantSpec, ...]


def load_provision(path: Path | str | None = None) -> Provision:
    """Read a file, or the demo that comes with the program (`None`). Raises RecordError, one line."""
    try:
        if path is None:
            text, name = (
                resources.files("bank").joinpath("demo.toml").read_text(encoding="utf-8"),
                "demo.toml",
            )
        else:
            text, name = Path(path).read_text(encoding="utf-8"), str(path)
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise RecordError(f"{path} is not UTF-8 text") from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecordError(f"{name} is not TOML: {error}") from None
    except (RecursionError, ValueError):  # tomllib's own limits are Python's
        text = "a list or table is nested too deeply, or a number has too many digits"
        raise RecordError(f"{name}: {text}") from None
    return provision_of(name, data)


def provision_of(place: str, data: Mapping[str, object]) -> Provision:
    """What the tables of a file describe. `place` begins the errors. Raises RecordError, one line."""
    top = EntryTable(place, data)
    cards = tuple(_card(table) for table in top.tables("card", label="name"))
    merchants = tuple(_merchant(table) for table in top.tables("merchant", label="mid"))
    top.finish()
    names = [card.name for card in cards]
    twice = {one for one in names if names.count(one) > 1}
    if twice:
        raise RecordError(f'{place}: there are two cards "{min(twice)}"')
    return Provision(cards, merchants)


def plastic(cards: Iterable[CardSpec], name: str) -> CardPlastic:
    """The plastic of the card called `name`. Raises RecordError naming the cards that there are."""
    known = {card.name: card.plastic for card in cards}
    if name not in known:
        raise RecordError(f'there is no card "{name}"; known are {", ".join(sorted(known))}')
    return known[name]


def fill(bank: Bank, provision: Provision, *, now: datetime) -> None:
    """Enter everything into the bank as one transaction. Raises BankError, and then nothing was entered."""
    with bank.store.transaction():
        for merchant in provision.merchants:
            bank.merchants.add(
                merchant.mid, merchant.name, name_local=merchant.name_local, status=merchant.status
            )
            bank.merchants.set_qualifications(merchant.mid, merchant.qualifications)
            bank.merchants.set_rate(merchant.mid, merchant.rate)
            for terminal in merchant.terminals:
                added = bank.merchants.add_terminal(
                    merchant.mid,
                    terminal.tid,
                    terminal.tmk,
                    tmk_index=terminal.tmk_index,
                    batch=terminal.batch,
                )
                bank.merchants.set_security(added, terminal.key_scheme, terminal.mac_algorithm, terminal.bdk)
        for card in provision.cards:
            if card.held_by_bank:
                _issue(bank, card, now)


def _issue(bank: Bank, card: CardSpec, now: datetime) -> None:
    bank.cards.add(
        card.name,
        card.plastic.pan,
        card.pin,
        expiry_yymm=card.plastic.expiry_yymm,
        now=now,
        holder=card.plastic.name,
        service_code=card.plastic.service_code,
        status=card.status,
        balance_minor=card.balance_minor,
        amount_limit_minor=card.amount_limit_minor,
        pin_required=card.pin_required,
        pin_tries_limit=card.pin_tries_limit,
        terms=card.terms,
        discretionary=card.plastic.discretionary,
    )


def demo_bank(
    path: Path | str = MEMORY,
    *,
    now: datetime,
    entropy: Entropy | None = None,
    faults: BankFaults | None = None,
    provision: Provision | None = None,
) -> Bank:
    """A bank with the demo's data (or `provision`), in memory unless `path` says otherwise.

    A database that is already filled is left as it is. Without `entropy` its keys are the same in every run.
    """
    bank = Bank.open(path, DEMO_MASTER_KEY, entropy=entropy or SeededEntropy(1), faults=faults)
    try:
        if bank.is_empty:
            fill(bank, provision or load_provision(), now=now)
    except BankError:
        bank.close()
        raise
    return bank


def _card(table: EntryTable) -> CardSpec:
    held_by_bank = table.value("held_by_bank", bool, default=True)
    pan = table.parsed("pan", Pan)
    if not pan.luhn_valid:
        raise table.wrong("pan", "the check digit is wrong")
    spec = CardSpec(
        name=table.value("name", str),
        plastic=CardPlastic(
            pan=pan,
            expiry_yymm=table.parsed("expiry", _expiry),
            name=table.value("holder", str, ""),
            service_code=table.parsed("service_code", _digits(3), "120"),
            discretionary=table.parsed("discretionary", _digits(0, 13), "00000000"),
        ),
        pin=table.parsed("pin", _digits(4, 12), None if held_by_bank else "0000"),
        balance_minor=table.parsed("balance", parse_balance, "0.00"),
        amount_limit_minor=table.parsed("limit", _optional_amount, ""),
        status=table.parsed("status", _one_of(CardStatus), "active"),
        pin_required=table.value("pin_required", bool, default=True),
        pin_tries_limit=table.value("pin_tries", int, PIN_TRIES_LIMIT),
        held_by_bank=held_by_bank,
        terms=CardTerms(
            approval_code=table.parsed("approval", _one_word_of(tuple(sorted(SUCCESSES))), "00"),
            partial_approval=table.value("partial", bool, default=False),
            forbids=table.parsed("forbids", _qualifications, ""),
            daily_count_max=table.value("daily_count", int, 0) or None,
        ),
    )
    if spec.pin_tries_limit < 1:
        raise table.wrong("pin_tries", "must be 1 or more")
    table.finish()
    return spec


def _merchant(table: EntryTable) -> MerchantSpec:
    spec = MerchantSpec(
        mid=table.value("mid", str),
        name=table.value("name", str),
        name_local=table.value("name_local", str, ""),
        status=table.parsed("status", _one_of(MerchantStatus), "active"),
        terminals=tuple(_terminal(one) for one in table.tables("terminal", label="tid")),
        qualifications=table.parsed("qualifications", _qualifications, ",".join(QUALIFICATIONS)),
        rate=table.parsed("rate", _one_word_of(tuple(rates())), DEFAULT_RATE),
    )
    table.finish()
    return spec


def _terminal(table: EntryTable) -> TerminalSpec:
    key_scheme = table.parsed("key_scheme", _one_word_of(KEY_SCHEMES), "master-session")
    spec = TerminalSpec(
        tid=table.value("tid", str),
        tmk=table.parsed("tmk", parse_tmk),
        tmk_index=table.value("tmk_index", int, 1),
        batch=table.parsed("batch", _digits(6), "000001"),
        key_scheme=key_scheme,
        mac_algorithm=table.parsed("mac_algorithm", _one_word_of(MAC_ALGORITHMS), USUAL_MACS[key_scheme]),
        bdk=table.parsed("bdk", _hex(16, 24, 32), "") or None,
        ksn=table.parsed("ksn", _hex(10, 12), ""),
    )
    if spec.key_scheme.startswith("dukpt") and not (spec.bdk and spec.ksn):
        raise table.wrong("bdk", f"{spec.key_scheme} needs bdk and ksn")
    table.finish()
    return spec


def _hex(*sizes_bytes: int) -> Callable[[str], bytes]:
    def parse(text: str) -> bytes:
        try:
            value = bytes.fromhex(text)
        except ValueError:
            value = b"?"
        if text and len(value) not in sizes_bytes:
            raise ValueError(f"must be {' or '.join(str(2 * size) for size in sizes_bytes)} hex digits")
        return value

    return parse


def _one_word_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return parse


def _qualifications(text: str) -> frozenset[str]:
    names = frozenset(one.strip() for one in text.split(",") if one.strip())
    if names - set(QUALIFICATIONS):
        raise ValueError(f"must be words of {', '.join(QUALIFICATIONS)}, with commas between them")
    return names


def parse_tmk(text: str) -> bytes:
    """A terminal master key from its 32 hex digits. Raises ValueError, without quoting it."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 16:
        raise ValueError("must be 32 hex digits")
    return key


def _digits(length_min: int, length_max: int | None = None) -> Callable[[str], str]:
    most = length_max or length_min

    def parse(text: str) -> str:
        if not (text.isascii() and (text.isdigit() or not text) and length_min <= len(text) <= most):
            raise ValueError(f"must be {length_min}{'' if most == length_min else f' to {most}'} digits")
        return text

    return parse


def _expiry(text: str) -> str:
    last_day(text)
    return text


def parse_balance(text: str) -> int:
    """An opening balance in minor units; unlike a payment it may be zero. Raises AmountError."""
    return 0 if text in {"0", "0.00"} else parse_amount(text)


def _optional_amount(text: str) -> int | None:
    return parse_amount(text) if text else None


def _one_of(choices: type[E]) -> Callable[[str], E]:
    def parse(text: str) -> E:
        try:
            return choices(text)
        except ValueError:
            raise ValueError(f"must be one of {', '.join(choice.value for choice in choices)}") from None

    return parse
