"""What earlier versions stored, brought to this one: forward, step by step, each step in one commit.

`STEPS` is the chain: version -> what makes the next one of it. A step is given the storage and returns the
changes; the new version number is committed with them, so that a power cut leaves one version or the other.
A new version of the journal is a step here, a stored file of the version before it in `tests/data/`, and
nothing else: records are read by `firmware.journal` in their newest form only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from firmware.journal import SCHEMA_VERSION, JournalDamaged
from hal.api import Change, Put, Storage, StorageTrouble, StorageVersion

Step = Callable[[Storage], Iterator[Change]]

_VERSION = ("terminal", "journal_version")


def migrate(storage: Storage) -> None:
    """Bring what is stored to this firmware's version. A new storage, and one of this version, stay as is.

    Raises StorageVersion for a version that no step leads on from, JournalDamaged, StorageFailed; what was
    reached by then is stored.
    """
    while (stored := storage.get(*_VERSION)) is not None and stored != b"%d" % SCHEMA_VERSION:
        version = int(stored) if stored.isdigit() else 0
        step = STEPS.get(version)
        if step is None:
            raise StorageVersion(
                f"the journal has version {stored.decode('ascii', 'replace')}, this firmware reads versions "
                f"{min(STEPS)} to {SCHEMA_VERSION}: use the firmware that wrote it, or start with a new "
                "state folder"
            )
        storage.commit([*step(storage), Put(*_VERSION, b"%d" % (version + 1))])


def _name_the_types(storage: Storage) -> Iterator[Change]:
    """To 2: a payment tells its type, and the counters the oldest payment that is kept.

    Version 1 knew purchases only; with the authorisation first, one sends what a pre-authorisation sends.
    """
    payments = [(key, _record(storage, "payment", key)) for key, _ in storage.scan("payment")]
    for key, payment in payments:
        sends = "preauth" if payment.get("flow") == "authorise-first" else "purchase"
        yield _put("payment", key, payment | {"kind": "purchase", "sends": sends})
    counters = _record(storage, "terminal", "counters")
    oldest = int(payments[0][0]) if payments else 1
    yield _put("terminal", "counters", counters | {"oldest_payment": oldest})


STEPS: Mapping[int, Step] = {1: _name_the_types}


def _put(table: str, key: str, values: dict[str, Any]) -> Put:
    return Put(table, key, json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode())


def _record(storage: Storage, table: str, key: str) -> dict[str, Any]:
    """A record of an earlier version. Raises JournalDamaged."""
    try:
        values = json.loads(storage.get(table, key) or b"")
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise JournalDamaged(
            f"the journal's record {table}/{key}, of an earlier version, is damaged: restore the terminal's "
            "memory from a copy",
            StorageTrouble.DAMAGED,
        )
    return values
