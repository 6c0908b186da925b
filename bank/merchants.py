"""Merchants and their terminals: who may send, with which keys, in which batch."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bank.errors import RecordError
from bank.hsm import KEY_SCHEMES, MAC_ALGORITHMS, Hsm, MessageKeys, WorkingKeys
from bank.ledger import AccountKind, Ledger
from bank.merchant_states import MerchantStatus
from bank.qualifications import QUALIFICATIONS
from bank.store import BankStore, clock_text, columns

_PRINTABLE: Final = range(0x20, 0x7F)


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant; `mid` is field 42 (15 characters), `account_id` where its sales are credited.

    `rate` is a name in `bank/rates.toml`; `payout_account_end` the last four digits of its own bank account.
    """

    mid: str
    name: str
    name_local: str
    status: MerchantStatus
    account_id: int
    rate: str = "standard"
    payout_account_end: str = ""
    payout_holder: str = ""


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal as the bank knows it. Its keys are sealed; only the HSM opens them.

    `account_id`: its merchant's, where its sales are credited. `demand`: the digit of what it is asked to do
    first, "" for nothing.
    """

    mid: str
    tid: str
    tmk_index: int
    tmk_sealed: bytes
    batch: str
    signed_in: bool
    key_layout: str | None
    pik_sealed: bytes | None
    mak_sealed: bytes | None
    tdk_sealed: bytes | None
    key_scheme: str
    mac_algorithm: str
    bdk_sealed: bytes | None
    merchant_status: MerchantStatus
    account_id: int
    demand: str

    def __repr__(self) -> str:
        return (
            f"Terminal(mid={self.mid!r}, tid={self.tid!r}, batch={self.batch!r}, signed_in={self.signed_in})"
        )

    def message_keys(self, ksn: bytes = b"") -> MessageKeys:
        """The tickets for the keys of one of its messages; `ksn`: of the message, with DUKPT."""
        return MessageKeys(
            self.key_scheme,
            self.mac_algorithm,
            self.pik_sealed,
            self.mak_sealed,
            self.tdk_sealed,
            self.bdk_sealed,
            ksn,
        )


class Merchants:
    """The register of merchants and terminals. Writing methods belong inside a store transaction."""

    def __init__(self, store: BankStore, ledger: Ledger, hsm: Hsm) -> None:
        self._store = store
        self._ledger = ledger
        self._hsm = hsm

    def add(
        self, mid: str, name: str, *, name_local: str = "", status: MerchantStatus = MerchantStatus.ACTIVE
    ) -> Merchant:
        """Register a merchant and open its account. Raises RecordError."""
        _check_id("merchant number", mid, 15)
        if self.find(mid):
            raise RecordError(f"there is already a merchant {mid}")
        if not name:
            raise RecordError(f"merchant {mid} needs a name")
        account_id = self._ledger.open_account(f"merchant {mid}", AccountKind.MERCHANT)
        self._store.insert(
            "INSERT INTO merchant (mid, name, name_local, status, account_id) VALUES (?, ?, ?, ?, ?)",
            (mid, name, name_local, status.value, account_id),
        )
        self.set_qualifications(mid, frozenset(QUALIFICATIONS))
        return Merchant(mid, name, name_local, status, account_id)

    def qualifications(self, mid: str) -> frozenset[str]:
        """What a merchant may do, in the words of `bank.qualifications`."""
        rows = self._store.rows("SELECT name FROM merchant_qualification WHERE mid = ?", (mid,))
        return frozenset(row["name"] for row in rows)

    def set_qualifications(self, mid: str, names: frozenset[str]) -> None:
        """Change what a merchant may do."""
        self._store.execute("DELETE FROM merchant_qualification WHERE mid = ?", (mid,))
        for name in sorted(names):
            self._store.execute("INSERT INTO merchant_qualification VALUES (?, ?)", (mid, name))

    def set_status(self, mid: str, status: MerchantStatus) -> None:
        """Write where a merchant is on its way; which steps there are is `bank.merchant_files`' to know."""
        self._store.execute("UPDATE merchant SET status = ? WHERE mid = ?", (status.value, mid))

    def set_rate(self, mid: str, rate: str) -> None:
        """Change the rate of a merchant's fees."""
        self._store.execute("UPDATE merchant SET rate = ? WHERE mid = ?", (rate, mid))

    def set_payout_account(self, mid: str, sealed: bytes, *, end: str, holder: str) -> None:
        """Change where a merchant's money is paid to: the sealed number, its last four digits, its holder."""
        self._store.execute(
            "UPDATE merchant SET payout_account_sealed = ?, payout_account_end = ?, payout_holder = ?"
            " WHERE mid = ?",
            (sealed, end, holder, mid),
        )

    def rename(self, mid: str, name: str, name_local: str) -> None:
        """Change a merchant's names."""
        self._store.execute(
            "UPDATE merchant SET name = ?, name_local = ? WHERE mid = ?", (name, name_local, mid)
        )

    def find(self, mid: str) -> Merchant | None:
        """The merchant with this number, or None."""
        row = self._store.row("SELECT * FROM merchant WHERE mid = ?", (mid,))
        return _merchant(row) if row else None

    def merchants(self) -> list[Merchant]:
        """All merchants, by number."""
        return [_merchant(row) for row in self._store.rows("SELECT * FROM merchant ORDER BY mid")]

    def add_terminal(
        self, mid: str, tid: str, tmk: bytes, *, tmk_index: int = 1, batch: str = "000001"
    ) -> Terminal:
        """Register a terminal. Its master key, 16 bytes, is sealed at once. Raises RecordError, HsmError."""
        _check_id("terminal number", tid, 8)
        if self.find(mid) is None:
            raise RecordError(f"there is no merchant {mid}: create it first")
        if self.find_terminal(mid, tid):
            raise RecordError(f"merchant {mid} already has a terminal {tid}")
        if not (len(batch) == 6 and batch.isascii() and batch.isdigit()):
            raise RecordError(f"the batch number of terminal {tid} must be six digits")
        self._store.insert(
            "INSERT INTO terminal (mid, tid, tmk_index, tmk_sealed, batch) VALUES (?, ?, ?, ?, ?)",
            (mid, tid, tmk_index, self._hsm.seal_tmk(tmk), batch),
        )
        return self.terminal(mid, tid)

    def find_terminal(self, mid: str, tid: str) -> Terminal | None:
        """The terminal of this merchant with this number, or None."""
        row = self._store.row(f"{_TERMINALS} WHERE terminal.mid = ? AND terminal.tid = ?", (mid, tid))
        return _terminal(row) if row else None

    def terminal(self, mid: str, tid: str) -> Terminal:
        """As `find_terminal`. Raises RecordError if there is none."""
        found = self.find_terminal(mid, tid)
        if found is None:
            raise RecordError(f"merchant {mid} has no terminal {tid}")
        return found

    def terminals(self) -> list[Terminal]:
        """All terminals, by merchant and number."""
        return [
            _terminal(row) for row in self._store.rows(f"{_TERMINALS} ORDER BY terminal.mid, terminal.tid")
        ]

    def set_security(
        self, terminal: Terminal, key_scheme: str, mac_algorithm: str, bdk: bytes | None = None
    ) -> None:
        """Change how the terminal protects its messages; it has to sign in again.

        Raises RecordError, HsmError.
        """
        if key_scheme not in KEY_SCHEMES or mac_algorithm not in MAC_ALGORITHMS:
            raise RecordError(f"terminal {terminal.tid}: no such key scheme or MAC algorithm")
        if key_scheme.startswith("dukpt") and bdk is None:
            raise RecordError(f"terminal {terminal.tid}: {key_scheme} needs a base derivation key (bdk)")
        sealed = None if bdk is None else self._hsm.seal_bdk(bdk)
        self.sign_out(terminal)
        self._store.execute(
            "INSERT OR REPLACE INTO terminal_security VALUES (?, ?, ?, ?, ?)",
            (terminal.mid, terminal.tid, key_scheme, mac_algorithm, sealed),
        )

    def sign_in(self, terminal: Terminal, layout: str, keys: WorkingKeys | None) -> None:
        """Put new working keys in force; the old ones are gone. None: DUKPT, whose keys need no sign-in."""
        self._store.execute(
            "UPDATE terminal SET signed_in = 1, key_layout = ?, pik_sealed = ?, mak_sealed = ?,"
            " tdk_sealed = ? WHERE mid = ? AND tid = ?",
            (layout, *_sealed(keys), terminal.mid, terminal.tid),
        )

    def open_batch(self, terminal: Terminal, batch: str) -> None:
        """Let the terminal's next payments belong to this batch, six digits."""
        self._store.execute(
            "UPDATE terminal SET batch = ? WHERE mid = ? AND tid = ?", (batch, terminal.mid, terminal.tid)
        )

    def take_status(self, terminal: Terminal, status: str, *, now: datetime) -> None:
        """Keep what the terminal says of its devices and parameters, over what it said before."""
        self._store.execute(
            "INSERT OR REPLACE INTO terminal_status VALUES (?, ?, ?, ?)",
            (terminal.mid, terminal.tid, clock_text(now), status),
        )

    def demands(self, mid: str, tid: str) -> str:
        """The digits of what the terminal is still asked to do, in their order."""
        rows = self._store.rows(
            "SELECT demand FROM terminal_demand WHERE mid = ? AND tid = ? ORDER BY demand", (mid, tid)
        )
        return "".join(row["demand"] for row in rows)

    def demand(self, terminal: Terminal, digit: str) -> None:
        """Ask the terminal to do what a digit of the header stands for, until it is done."""
        self._store.execute(
            "INSERT OR IGNORE INTO terminal_demand VALUES (?, ?, ?)", (terminal.mid, terminal.tid, digit)
        )

    def fulfil(self, terminal: Terminal, digit: str) -> None:
        """The terminal has done it."""
        self._store.execute(
            "DELETE FROM terminal_demand WHERE mid = ? AND tid = ? AND demand = ?",
            (terminal.mid, terminal.tid, digit),
        )

    def status_of(self, terminal: Terminal) -> tuple[str, str] | None:
        """When the terminal said last how it is, and what it said; or None."""
        row = self._store.row(
            "SELECT received_at, status FROM terminal_status WHERE mid = ? AND tid = ?",
            (terminal.mid, terminal.tid),
        )
        return (row["received_at"], row["status"]) if row else None

    def sign_out(self, terminal: Terminal) -> None:
        """Forget the working keys: until the next sign-in everything with a MAC is refused."""
        self._store.execute(
            "UPDATE terminal SET signed_in = 0, key_layout = NULL, pik_sealed = NULL, mak_sealed = NULL,"
            " tdk_sealed = NULL WHERE mid = ? AND tid = ?",
            (terminal.mid, terminal.tid),
        )


_TERMINALS: Final = """
    SELECT terminal.*, coalesce(key_scheme, 'master-session') AS key_scheme,
        coalesce(mac_algorithm, 'unionpay') AS mac_algorithm, bdk_sealed,
        merchant.status AS merchant_status, merchant.account_id,
        (SELECT coalesce(min(demand), '') FROM terminal_demand AS asked
            WHERE asked.mid = terminal.mid AND asked.tid = terminal.tid) AS demand
    FROM terminal JOIN merchant USING (mid) LEFT JOIN terminal_security USING (mid, tid)
"""


def _sealed(keys: WorkingKeys | None) -> tuple[bytes | None, bytes | None, bytes | None]:
    return (None, None, None) if keys is None else (keys.pik_sealed, keys.mak_sealed, keys.tdk_sealed)


def _check_id(what: str, value: str, length: int) -> None:
    if len(value) != length or any(ord(character) not in _PRINTABLE for character in value):
        raise RecordError(f'the {what} "{value}" must have exactly {length} printable ASCII characters')


def _merchant(row: sqlite3.Row) -> Merchant:
    return Merchant(
        mid=row["mid"],
        name=row["name"],
        name_local=row["name_local"],
        status=MerchantStatus(row["status"]),
        account_id=row["account_id"],
        rate=row["rate"],
        payout_account_end=row["payout_account_end"],
        payout_holder=row["payout_holder"],
    )


def _terminal(row: sqlite3.Row) -> Terminal:
    values = columns(row)
    values["signed_in"] = bool(values["signed_in"])
    values["merchant_status"] = MerchantStatus(values["merchant_status"])
    return Terminal(**values)
