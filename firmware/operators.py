"""The operators of a terminal: who may do what, with which password, and who is locked out.

99 is the administrator, 00 the supervisor, 01 to 98 are cashiers (iso8583-pos section 5.3). A terminal that
nobody has changed yet has 99, 00 and 01 with the passwords of `DEFAULT_PASSWORDS`, which everybody knows.

What is stored of a password is a salt from the board's random numbers and a scrypt digest (RFC 7914). A short
number is soon tried through by whoever has the digest, whatever the function: what protects it is that the
terminal's memory stays in the terminal, and that too many wrong tries lock the operator out. A wrong try is
durable before anybody is told that it was wrong, so that pulling the plug wins no further tries.

Nothing here changes the storage: what is to change comes out as `Change`s for a commit of the journal.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum

from firmware.journal import damaged
from hal.api import Change, Delete, Put, Rng, Storage

TABLE = "operator"
SUPERVISOR, ADMINISTRATOR, FIRST_CASHIER = "00", "99", "01"
SALT_BYTES = 16
DIGEST_BYTES = 32
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**13, 8, 1  # 8 MiB; some 20 ms on a desktop core
_COSTS = frozenset({2**12, SCRYPT_N, 2**14})  # that a stored digest may have: for digests of other versions
PASSWORD_DIGITS_MAX = 8


class Rank(IntEnum):
    """What an operator may do; a higher rank may approve what a lower one is asked for."""

    CASHIER = 0
    SUPERVISOR = 1
    ADMINISTRATOR = 2


DEFAULT_PASSWORDS: Mapping[Rank, bytes] = {
    Rank.CASHIER: b"0000",
    Rank.SUPERVISOR: b"123456",
    Rank.ADMINISTRATOR: b"12345678",
}
"""Known to everybody, and only for the first day: a new password must be another one."""

PASSWORD_DIGITS_MIN: Mapping[Rank, int] = {Rank.CASHIER: 4, Rank.SUPERVISOR: 6, Rank.ADMINISTRATOR: 6}
APPROVERS: Mapping[Rank, str] = {Rank.SUPERVISOR: SUPERVISOR, Rank.ADMINISTRATOR: ADMINISTRATOR}
"""Whose password is asked for where a rank is needed."""


def rank_of(number: str) -> Rank:
    """The rank of an operator, by the number."""
    return {SUPERVISOR: Rank.SUPERVISOR, ADMINISTRATOR: Rank.ADMINISTRATOR}.get(number, Rank.CASHIER)


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator as stored. `digest` is "" while the password is still the default one."""

    number: str
    salt: str = ""  # hexadecimal, as `digest`
    digest: str = ""
    scrypt_n: int = SCRYPT_N
    wrong_tries: int = 0  # in a row
    locked_at: str = ""  # by the terminal's clock, ISO 8601 without zone

    @property
    def rank(self) -> Rank:
        """What the operator may do."""
        return rank_of(self.number)

    @property
    def has_default_password(self) -> bool:
        """True until somebody has chosen another one."""
        return not self.digest

    def accepts(self, password: bytes | bytearray) -> bool:
        """Whether this is the password. Takes the same time whatever is wrong with it."""
        if not self.digest:
            return hmac.compare_digest(bytes(password), DEFAULT_PASSWORDS[self.rank])
        digest = _digest(password, bytes.fromhex(self.salt), self.scrypt_n)
        return hmac.compare_digest(digest, bytes.fromhex(self.digest))


FACTORY = (Operator(SUPERVISOR), Operator(FIRST_CASHIER), Operator(ADMINISTRATOR))


class Operators:
    """The operators in the terminal's storage.

    `tries`: how many wrong passwords in a row lock an operator out. `lock_min`: for how many minutes; 0:
    until a supervisor or administrator gives a new password.
    """

    def __init__(self, storage: Storage, rng: Rng, *, tries: int, lock_min: int) -> None:
        self._storage = storage
        self._rng = rng
        self.tries = tries
        self.lock_min = lock_min

    def all(self) -> list[Operator]:
        """Every operator, by number. Raises JournalDamaged, StorageFailed."""
        stored = [_unpack(key, value) for key, value in self._storage.scan(TABLE)]
        return stored or list(FACTORY)

    def find(self, number: str) -> Operator | None:
        """The operator of that number; None when there is none."""
        return next((operator for operator in self.all() if operator.number == number), None)

    def is_locked(self, operator: Operator, now: datetime) -> bool:
        """Whether the operator must not even try."""
        return self._tries_used(operator, now) >= self.tries

    def tries_left(self, operator: Operator, now: datetime) -> int:
        """How many wrong tries are left before the operator is locked out."""
        return max(0, self.tries - self._tries_used(operator, now))

    def _tries_used(self, operator: Operator, now: datetime) -> int:
        if not operator.locked_at or not self.lock_min:
            return operator.wrong_tries
        waited = abs(
            now - datetime.fromisoformat(operator.locked_at)
        )  # a clock set back makes nobody wait longer
        return operator.wrong_tries if waited < timedelta(minutes=self.lock_min) else 0

    # --- changes ----------------------------------------------------------------------------------------

    def wrong_try(self, operator: Operator, now: datetime) -> list[Change]:
        """Count a wrong password; the last one that is allowed locks the operator out."""
        used = self._tries_used(operator, now) + 1
        locked_at = now.isoformat(timespec="seconds") if used >= self.tries else ""
        return self._put(replace(operator, wrong_tries=used, locked_at=locked_at))

    def right_try(self, operator: Operator) -> list[Change]:
        """Forget the wrong ones before it."""
        return self._put(replace(operator, wrong_tries=0, locked_at="")) if operator.wrong_tries else []

    def with_password(self, number: str, password: bytes | bytearray) -> list[Change]:
        """Give an operator, old or new, this password; an operator that was locked out may try again."""
        salt = self._rng.token(SALT_BYTES)
        digest = _digest(password, salt, SCRYPT_N)
        return self._put(Operator(number, salt.hex(), digest.hex()))

    def without(self, number: str) -> list[Change]:
        """Remove an operator."""
        others = [operator for operator in self.all() if operator.number != number]
        return [Delete(TABLE, number), *(_pack(operator) for operator in others)]

    def factory(self) -> list[Change]:
        """Back to the operators of a new terminal, with their default passwords."""
        return [Delete(TABLE, operator.number) for operator in self.all()]

    def _put(self, changed: Operator) -> list[Change]:
        """The first change writes the others down as well: from then on what is stored is all there is."""
        is_first = not any(True for _ in self._storage.scan(TABLE))
        others = [one for one in FACTORY if one.number != changed.number] if is_first else []
        return [_pack(one) for one in (*others, changed)]


def is_weak(number: str, password: bytes | bytearray) -> bool:
    """Whether a new password is one that everybody knows, or one digit again and again."""
    return bytes(password) == DEFAULT_PASSWORDS[rank_of(number)] or len(set(password)) == 1


def _digest(password: bytes | bytearray, salt: bytes, scrypt_n: int) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=scrypt_n, r=SCRYPT_R, p=SCRYPT_P, dklen=DIGEST_BYTES)


def _pack(operator: Operator) -> Put:
    return Put(TABLE, operator.number, json.dumps(asdict(operator), separators=(",", ":")).encode())


def _unpack(key: str, stored: bytes) -> Operator:
    try:
        operator = Operator(**json.loads(stored))
        lengths = len(bytes.fromhex(operator.salt)), len(bytes.fromhex(operator.digest))
        datetime.fromisoformat(operator.locked_at or "2000-01-01")
        numbers = operator.scrypt_n, operator.wrong_tries
    except (ValueError, TypeError):
        raise damaged(TABLE, key) from None
    is_whole = operator.number == key and operator.scrypt_n in _COSTS
    is_whole = is_whole and lengths in {(0, 0), (SALT_BYTES, DIGEST_BYTES)}
    if not is_whole or any(type(number) is not int or number < 0 for number in numbers):
        raise damaged(TABLE, key)
    return operator
