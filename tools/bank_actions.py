"""What the `posterm bank` commands do: each public function takes the arguments and returns an exit code.

The bank's modules are imported where a command runs, so that `posterm --help` stays quick.
"""

from __future__ import annotations

import argparse
import getpass
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from bank.authoriser import Bank
    from bank.faults import BankFaults
    from wire.iso8583.profile import Profile

# --- opening a bank ---------------------------------------------------------------------------------


def _key_path(args: argparse.Namespace) -> Path:
    return Path(args.key_file or f"{args.db}.key")


def _read_key(path: Path) -> bytes:
    from bank.errors import HsmError

    try:
        return bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise HsmError(f"cannot read the bank's master key {path}: {error.strerror}") from None
    except ValueError:
        raise HsmError(f"{path} holds no master key: it should be 64 hex digits") from None


def _write_key(path: Path, key: bytes) -> None:
    from bank.errors import HsmError

    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise HsmError(f"cannot write the bank's master key {path}: {error.strerror}") from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")


def _key_for_new_bank(args: argparse.Namespace) -> bytes:
    """The key that lies there already, the demo's published one, or a new one only the owner can read."""
    from bank.provision import DEMO_MASTER_KEY

    path = _key_path(args)
    if path.exists():
        return _read_key(path)
    if args.demo:
        return DEMO_MASTER_KEY
    key = secrets.token_bytes(32)
    _write_key(path, key)
    return key


def open_bank(args: argparse.Namespace, faults: BankFaults | None = None, *, check: bool = False) -> Bank:
    """The existing bank that `--db` names. A demo database needs no key file: its key is published.

    `check`: read all of it first; for a server, not for a look into it beside one.
    """
    from bank.authoriser import Bank
    from bank.entropy import SystemEntropy
    from bank.errors import HsmError
    from bank.provision import DEMO_MASTER_KEY

    path = _key_path(args)
    is_keyless = not args.key_file and not path.exists()
    # A missing database is a better message than its missing key; so the key is read last.
    key = DEMO_MASTER_KEY if is_keyless or not Path(args.db).exists() else _read_key(path)
    try:
        return Bank.open(args.db, key, entropy=SystemEntropy(), create=False, check=check, faults=faults)
    except HsmError:
        if is_keyless:
            raise HsmError(f"{args.db} is no demo bank, and its master key {path} is missing") from None
        raise


def secret(prompt: str, *, from_stdin: bool) -> str:
    """What somebody types unseen, or one line of standard input."""
    return sys.stdin.readline().strip() if from_stdin else getpass.getpass(prompt)


def _amount(option: str, text: str, parse: Callable[[str], int]) -> int:
    from bank.errors import RecordError

    try:
        return parse(text)
    except ValueError as error:
        raise RecordError(f"{option}: {error}") from None


# --- serve and init ----------------------------------------------------------------------------------


def serve(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    import asyncio

    from bank.errors import ListenError, RecordError
    from bank.faults import BankFaults, parse_fault

    host, colon, port = args.listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ListenError(f'"{args.listen}" is no HOST:PORT')
    if not args.db and not args.demo:
        raise RecordError("name a database with --db, or use --demo")
    faults = BankFaults(*(parse_fault(text) for text in args.fault))
    profile = _profile(args.acquirer) if args.acquirer else None
    with ExitStack() as locks, closing(_bank_to_serve(args, faults)) as bank:
        if profile is not None:
            bank.set_policy(replace(bank.policy, profile=profile))
        if args.db:
            locks.enter_context(_served_alone(args.db))
        asyncio.run(_serve_until_stopped(bank, host or "127.0.0.1", int(port), args.idle_timeout_s))
    return 0


def _profile(path: Path) -> Profile:
    """An acquirer's own profile. Raises RecordError, in one line that names the file."""
    import tomllib

    from bank.errors import RecordError
    from wire.errors import CodecError
    from wire.iso8583.profile import profile_with

    try:
        return profile_with(path.name, tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}") from None
    except CodecError as error:
        raise RecordError(f"{path}: {error}") from None
    except (ValueError, RecursionError):
        raise RecordError(f"{path} is not TOML") from None


@contextmanager
def _served_alone(database: str) -> Iterator[None]:
    """Have the database for this server alone; the other commands may still look into it.

    To be left after the database was closed: closing a file takes SQLite's own locks on it away.
    """
    import fcntl

    from bank.errors import StoreError

    with _opened(database) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"{database} is in use by another server: stop that one, or name another database with --db"
            ) from None
        yield


def _opened(database: str) -> IO[bytes]:
    from bank.errors import StoreError

    try:
        return Path(database).open("rb")
    except OSError as error:
        raise StoreError(f"cannot open the bank database {database}: {error.strerror}: check it") from None


def _bank_to_serve(args: argparse.Namespace, faults: BankFaults) -> Bank:
    from bank.authoriser import Bank
    from bank.entropy import SystemEntropy
    from bank.provision import demo_bank, fill, load_provision
    from bank.server import wall_clock

    if args.demo and not args.db:
        return demo_bank(now=wall_clock(), entropy=SystemEntropy(), faults=faults)
    if not args.demo:
        return open_bank(args, faults, check=True)
    bank = Bank.open(args.db, _key_for_new_bank(args), entropy=SystemEntropy(), faults=faults)
    if bank.is_empty:
        fill(bank, load_provision(), now=wall_clock())
    return bank


async def _serve_until_stopped(bank: Bank, host: str, port: int, idle_timeout_s: float) -> None:
    import asyncio
    import signal

    from bank.server import serve

    server = await serve(bank, host, port, idle_timeout_s=idle_timeout_s or None)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print(f"bank listening on {host}:{server.port}", flush=True)
    await stop.wait()
    server.close()
    await server.wait_closed()


def init(args: argparse.Namespace) -> int:
    """Make a database, perhaps fill it."""
    from bank.authoriser import Bank
    from bank.entropy import SystemEntropy
    from bank.errors import RecordError
    from bank.provision import fill, load_provision
    from bank.server import wall_clock

    provision = load_provision(args.source) if args.demo or args.source else None
    with closing(Bank.open(args.db, _key_for_new_bank(args), entropy=SystemEntropy())) as bank:
        if not bank.is_empty:
            raise RecordError(f"{args.db} is a bank already: choose another file")
        if provision is not None:
            fill(bank, provision, now=wall_clock())
        print(f"{args.db}: cards: {len(bank.cards.cards())}, terminals: {len(bank.merchants.terminals())}")
    return 0


# --- create and change -------------------------------------------------------------------------------


def card_create(args: argparse.Namespace) -> int:
    """Issue a card."""
    from bank.errors import RecordError
    from bank.provision import parse_balance
    from bank.server import wall_clock
    from wire.money import parse_amount
    from wire.pan import Pan

    try:
        pan = Pan(args.pan)
    except ValueError as error:
        raise RecordError(f"--pan: {error}") from None
    balance_minor = _amount("--balance", args.balance, parse_balance)
    limit_minor = _amount("--limit", args.limit, parse_amount) if args.limit else None
    pin = args.pin or secret(f"PIN of card {args.name}: ", from_stdin=args.pin_stdin)
    with closing(open_bank(args)) as bank, bank.store.transaction():
        card = bank.cards.add(
            args.name,
            pan,
            pin,
            expiry_yymm=args.expiry,
            now=wall_clock(),
            holder=args.holder,
            service_code=args.service_code,
            balance_minor=balance_minor,
            amount_limit_minor=limit_minor,
        )
        print(f"card {card.name} {card.pan.masked} created")
    return 0


def card_set(args: argparse.Namespace) -> int:
    """Change a card's standing."""
    from bank.cards import CardStatus
    from bank.errors import RecordError

    if not args.status and not args.unblock_pin:
        raise RecordError("say what to change: --status or --unblock-pin")
    try:
        status = CardStatus(args.status) if args.status else None
    except ValueError:
        known = ", ".join(one.value for one in CardStatus)
        raise RecordError(f'--status: "{args.status}" is none of {known}') from None
    with closing(open_bank(args)) as bank, bank.store.transaction():
        card = bank.cards.named(args.name)
        if status is not None:
            bank.cards.set_status(args.name, status)
        if args.unblock_pin:
            bank.cards.set_pin_tries_used(card, 0)
    return 0


def account_create(args: argparse.Namespace) -> int:
    """Open an account."""
    from bank.ledger import AccountKind

    with closing(open_bank(args)) as bank, bank.store.transaction():
        bank.ledger.open_account(args.name, AccountKind(args.kind))
    return 0


# --- list and show -----------------------------------------------------------------------------------


def card_list(args: argparse.Namespace) -> int:
    """List the cards."""
    from tools.bank_views import card_row, show_list

    with closing(open_bank(args)) as bank:
        return show_list([card_row(bank, card) for card in bank.cards.cards()], as_json=args.json)


def card_show(args: argparse.Namespace) -> int:
    """Show a card."""
    from tools.bank_views import card_row, show_one

    with closing(open_bank(args)) as bank:
        return show_one(card_row(bank, bank.cards.named(args.name)), as_json=args.json)


def account_list(args: argparse.Namespace) -> int:
    """List the accounts."""
    from tools.bank_views import account_row, show_list

    with closing(open_bank(args)) as bank:
        return show_list([account_row(account) for account in bank.accounts()], as_json=args.json)


def account_show(args: argparse.Namespace) -> int:
    """Show an account."""
    from tools.bank_views import account_row, show_one

    with closing(open_bank(args)) as bank:
        return show_one(account_row(bank.ledger.account_named(args.name)), as_json=args.json)


def check(args: argparse.Namespace) -> int:
    """Read the whole database; with `--accept`, take its rows as right."""
    from bank.errors import StoreError
    from bank.store import BankStore, accept_rows

    path = Path(args.db)
    if not path.is_file():
        raise StoreError(f"there is no bank database at {path}")
    try:
        if args.accept:
            accept_rows(path)
        BankStore.check(path)
    except StoreError as error:
        print(f"posterm: {error}", file=sys.stderr)
        return 1
    print(f"{path} is as it was stored")
    return 0


def ledger_list(args: argparse.Namespace) -> int:
    """List the postings."""
    from tools.bank_views import posting_row, show_list

    with closing(open_bank(args)) as bank:
        return show_list([posting_row(posting) for posting in bank.ledger.postings()], as_json=args.json)


def ledger_show(args: argparse.Namespace) -> int:
    """Show a posting."""
    from bank.errors import RecordError
    from tools.bank_views import posting_row, show_one

    with closing(open_bank(args)) as bank:
        found = [posting for posting in bank.ledger.postings() if posting.posting_id == args.posting_id]
        if not found:
            raise RecordError(f"there is no posting number {args.posting_id}")
        return show_one(posting_row(found[0]), as_json=args.json)


def ledger_verify(args: argparse.Namespace) -> int:
    """Recalculate the books."""
    from tools.bank_views import audit_row, show_one

    with closing(open_bank(args)) as bank:
        audit = bank.verify()
        show_one(audit_row(audit), as_json=args.json)
        return 0 if audit.ok else 1
