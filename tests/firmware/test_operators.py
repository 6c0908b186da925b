"""Operators: ranks, passwords, and the lock after wrong tries, as they are stored."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta

import pytest

from firmware.journal import JournalDamaged
from firmware.operators import (
    DEFAULT_PASSWORDS,
    PASSWORD_DIGITS_MAX,
    PASSWORD_DIGITS_MIN,
    Operator,
    Operators,
    Rank,
    is_weak,
    rank_of,
)
from hal.api import Change, Put
from hal.virtual.rng import SeededRng
from hal.virtual.storage import MemoryStorage

NOW = datetime.fromisoformat("2026-01-02T09:00:00")
TRIES, LOCK_MIN = 3, 30


@pytest.fixture
def storage() -> MemoryStorage:
    memory = MemoryStorage()
    memory.open()
    return memory


@pytest.fixture
def operators(storage: MemoryStorage) -> Operators:
    rng = SeededRng(seed=1)
    rng.open()
    return Operators(storage, rng, tries=TRIES, lock_min=LOCK_MIN)


def found(operators: Operators, number: str) -> Operator:
    operator = operators.find(number)
    assert operator is not None
    return operator


def numbers(operators: Operators) -> list[str]:
    return [operator.number for operator in operators.all()]


@pytest.mark.parametrize(
    ("number", "rank"),
    [("00", Rank.SUPERVISOR), ("01", Rank.CASHIER), ("98", Rank.CASHIER), ("99", Rank.ADMINISTRATOR)],
)
def test_the_number_is_the_rank(number: str, rank: Rank) -> None:
    """iso8583-pos section 5.3."""
    assert rank_of(number) is rank


def test_a_new_terminal_has_three_operators_with_known_passwords(operators: Operators) -> None:
    assert numbers(operators) == ["00", "01", "99"]
    for operator in operators.all():
        assert operator.has_default_password
        assert operator.accepts(DEFAULT_PASSWORDS[operator.rank])
        assert not operator.accepts(b"")
        assert not operator.accepts(DEFAULT_PASSWORDS[operator.rank] + b"0")


def test_every_default_password_may_be_typed(operators: Operators) -> None:
    for rank, password in DEFAULT_PASSWORDS.items():
        assert PASSWORD_DIGITS_MIN[rank] <= len(password) <= PASSWORD_DIGITS_MAX


def test_the_stored_digest_is_scrypt_of_rfc_7914_with_a_salt_of_its_own(
    storage: MemoryStorage, operators: Operators
) -> None:
    storage.commit(operators.with_password("01", b"4711"))
    storage.commit(operators.with_password("02", b"4711"))
    one, two = (json.loads(storage.get("operator", number) or b"") for number in ("01", "02"))
    assert one["digest"] != two["digest"], "the same password must not look the same"
    digest = hashlib.scrypt(b"4711", salt=bytes.fromhex(one["salt"]), n=one["scrypt_n"], r=8, p=1, dklen=32)
    assert one["digest"] == digest.hex()
    assert b"4711" not in b"".join(value for _, value in storage.scan("operator"))


def test_a_new_password_replaces_the_old_one(storage: MemoryStorage, operators: Operators) -> None:
    storage.commit(operators.with_password("00", b"271828"))
    supervisor = found(operators, "00")
    assert supervisor.accepts(b"271828")
    assert not supervisor.accepts(DEFAULT_PASSWORDS[Rank.SUPERVISOR])
    assert not supervisor.has_default_password
    assert numbers(operators) == ["00", "01", "99"], "the others are still there"
    assert found(operators, "99").has_default_password


def test_cashiers_come_and_go(storage: MemoryStorage, operators: Operators) -> None:
    storage.commit(operators.with_password("02", b"4711"))
    assert numbers(operators) == ["00", "01", "02", "99"]
    storage.commit(operators.without("01"))
    assert numbers(operators) == ["00", "02", "99"]
    assert operators.find("01") is None
    storage.commit(operators.factory())
    assert numbers(operators) == ["00", "01", "99"]
    assert found(operators, "01").has_default_password


def test_the_first_cashier_can_be_the_one_who_goes_first(
    storage: MemoryStorage, operators: Operators
) -> None:
    storage.commit(operators.without("01"))
    assert numbers(operators) == ["00", "99"]


def test_wrong_tries_lock_and_time_unlocks(storage: MemoryStorage, operators: Operators) -> None:
    for left in (2, 1, 0):
        storage.commit(operators.wrong_try(found(operators, "00"), NOW))
        assert operators.tries_left(found(operators, "00"), NOW) == left
    locked = found(operators, "00")
    assert operators.is_locked(locked, NOW)
    assert operators.is_locked(locked, NOW + timedelta(minutes=LOCK_MIN, seconds=-1))
    assert not operators.is_locked(locked, NOW + timedelta(minutes=LOCK_MIN))
    assert operators.tries_left(locked, NOW + timedelta(minutes=LOCK_MIN)) == TRIES
    assert not operators.is_locked(found(operators, "01"), NOW), "only who was wrong is locked out"


def test_without_a_time_only_a_new_password_unlocks(storage: MemoryStorage, operators: Operators) -> None:
    operators.lock_min = 0
    for _ in range(TRIES):
        storage.commit(operators.wrong_try(found(operators, "01"), NOW))
    assert operators.is_locked(found(operators, "01"), NOW + timedelta(days=365))
    storage.commit(operators.with_password("01", b"4711"))
    assert not operators.is_locked(found(operators, "01"), NOW)


def test_a_right_password_forgets_the_wrong_ones(storage: MemoryStorage, operators: Operators) -> None:
    storage.commit(operators.wrong_try(found(operators, "01"), NOW))
    storage.commit(operators.right_try(found(operators, "01")))
    assert operators.tries_left(found(operators, "01"), NOW) == TRIES
    assert operators.right_try(found(operators, "01")) == [], "nothing to write"


@pytest.mark.parametrize(
    ("number", "password", "weak"),
    [
        ("01", b"0000", True),
        ("02", b"0000", True),
        ("00", b"123456", True),
        ("99", b"12345678", True),
        ("01", b"7777", True),
        ("01", b"4711", False),
        ("01", b"123456", False),
    ],
)
def test_what_everybody_knows_is_no_password(number: str, password: bytes, *, weak: bool) -> None:
    assert is_weak(number, password) is weak


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"{}",
        b"[]",
        b'{"x":1}',
        b'{"number":"02"}',
        b'{"number":"01","salt":"zz"}',
        b'{"number":"01","wrong_tries":-1}',
        b'{"number":"01","scrypt_n":1048576}',
        b'{"number":"01","digest":"00"}',
        b'{"number":"01","salt":"abc","digest":"d"}',
        b'{"number":"01","scrypt_n":8191}',
        b'{"number":"01","wrong_tries":true}',
        b'{"number":"01","locked_at":"yesterday"}',
    ],
)
def test_a_damaged_record_is_named_and_not_taken_for_the_default(
    storage: MemoryStorage, operators: Operators, stored: bytes
) -> None:
    changes: list[Change] = [Put("operator", "01", stored)]
    storage.commit(changes)
    with pytest.raises(JournalDamaged, match="operator/01"):
        operators.all()
