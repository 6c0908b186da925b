"""The device key, its counter, and how they die: what every tamper device has behind its switch.

With a key file the terminal finds its key again after a restart. The file says one of two things, as JSON:
`{"device_key": "<64 hex digits>", "counter": 7}` or `{"tripped": "<cause>", "counter": 7}`; without a counter
it stands at 0. A trip overwrites the key in place before it writes the cause, so that a power cut in between
leaves neither; a file that says neither counts as tripped.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from hal.api import (
    DeviceEvent,
    DeviceFault,
    DeviceMissing,
    Rng,
    SelfTest,
    StorageFailed,
    StorageTrouble,
    Tampered,
    TamperTripped,
)
from hal.device import QuietDevice

DEVICE_KEY_BYTES = 32
KEY_FILE_DAMAGED = "key file damaged"
"""The cause of the trip that a file which says neither comes to."""

_TROUBLES = {
    errno.ENOSPC: StorageTrouble.FULL,
    errno.EDQUOT: StorageTrouble.FULL,
    errno.EROFS: StorageTrouble.READ_ONLY,
    errno.EACCES: StorageTrouble.READ_ONLY,
}


class KeyedTamper(QuietDevice):
    """hal.api.Tamper without its switch: a backend calls `trip` when its own has tripped.

    The device key comes out of `rng` when the device is opened for the first time, or is given. A plain
    file is no secure chip: old blocks of an SD card may keep the key after a trip.
    """

    def __init__(self, rng: Rng, *, key_file: Path | None = None, device_key: bytes | None = None) -> None:
        """Take the key from `key_file` if that exists, else from `device_key` (32 bytes), else from `rng`."""
        super().__init__()
        if device_key is not None and len(device_key) != DEVICE_KEY_BYTES:
            raise ValueError(f"a device key has {DEVICE_KEY_BYTES} bytes")
        self._rng = rng
        self._key_file = key_file
        self._device_key = device_key
        self._cause: str | None = None
        self._counter = 0
        self._events: list[DeviceEvent] = []

    # --- the terminal's side ---

    def open(self) -> None:
        """Find or make the key. Raises DeviceMissing when the key file cannot be used."""
        if self._is_open:
            return
        try:
            if self._key_file is not None and self._key_file.exists():
                self._load(self._key_file)
            elif self._device_key is None and self._cause is None:
                self._new_key()
            elif self._key_file is not None:
                self._save(self._counter)
        except StorageFailed as error:
            raise DeviceMissing(str(error)) from None
        super().open()

    def poll(self) -> Sequence[DeviceEvent]:
        """Return TamperTripped once after a trip."""
        events, self._events = self._events, []
        return events

    def self_test(self) -> SelfTest:
        """Report a trip."""
        return SelfTest(ok=False, detail=f"tampered: {self._cause}") if self.tripped else super().self_test()

    @property
    def tripped(self) -> bool:
        """True from the first trip until `service_reset`, over restarts where there is a key file."""
        return self._cause is not None

    def device_key(self) -> bytes:
        """The 32 bytes. Raises Tampered once tripped, DeviceFault before the first `open`."""
        if self._cause is not None:
            raise Tampered(f"the device key is gone ({self._cause}): the terminal needs a service visit")
        if self._device_key is None:
            raise DeviceFault("the tamper device is not open")
        return self._device_key

    def counter(self) -> int:
        """How often `advance` was called. Where there is a key file it is kept there, over trips too."""
        return self._counter

    def advance(self) -> int:
        """Count one on, in the file before this returns.

        Raises Tampered once tripped; StorageFailed: nothing was counted, though the file may say so already.
        """
        self.device_key()
        if self._key_file is not None:
            self._save(self._counter + 1)
        self._counter += 1
        return self._counter

    # --- the switch and the service engineer ---

    def trip(self, cause: str = "case opened") -> None:
        """The case was opened: the key is destroyed, in memory and in the file, before this returns.

        Raises StorageFailed: the file could not be written, and may hold the key still; memory does not.
        """
        if self._cause is not None:
            return
        self._device_key = None
        self._cause = cause
        self._events.append(TamperTripped(cause))
        if self._key_file is not None:
            with contextlib.suppress(OSError):  # not there, or not to be written: a new file takes its place
                _overwrite(self._key_file)
            self._save(self._counter)

    def service_reset(self) -> None:
        """Close the case and make a new key. What the old one sealed stays unreadable."""
        self._cause = None
        self._new_key()

    def _new_key(self) -> None:
        self._device_key = self._rng.token(DEVICE_KEY_BYTES)
        if self._key_file is not None:
            self._save(self._counter)

    def _load(self, path: Path) -> None:
        try:
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise DeviceMissing(
                    f"key file {path} can be read by others: chmod 600 it; if somebody may have read it, "
                    "load new keys"
                )
            text = path.read_bytes()
        except OSError as error:
            raise DeviceMissing(f"key file {path}: {error.strerror}: check its owner") from None
        self._device_key, self._cause, self._counter = _parse(text)

    def _save(self, counter: int) -> None:
        """Replace the file in one step: after a power cut it holds the old content or the new, never half.

        Raises StorageFailed.
        """
        assert self._key_file is not None
        content: dict[str, object] = (
            {"tripped": self._cause} if self._device_key is None else {"device_key": self._device_key.hex()}
        )
        if counter:
            content["counter"] = counter
        new = self._key_file.with_name(self._key_file.name + ".new")
        try:
            with contextlib.suppress(FileNotFoundError):
                new.unlink()
            _write(new, json.dumps(content).encode(), os.O_CREAT | os.O_EXCL)
            new.replace(self._key_file)
            _sync_folder(self._key_file.parent)
        except OSError as error:
            raise StorageFailed(
                f"key file {self._key_file}: {error.strerror}: check that its folder is there and writable",
                _TROUBLES.get(error.errno or 0, StorageTrouble.FAILED),
            ) from None


def _parse(text: bytes) -> tuple[bytes | None, str | None, int]:
    """Return (device key, None, counter) or (None, cause of the trip, counter)."""
    try:
        content = json.loads(text)
        counter = int(content.get("counter", 0))
        if "tripped" in content:
            return None, str(content["tripped"]), counter
        device_key = bytes.fromhex(content["device_key"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, KEY_FILE_DAMAGED, 0
    return (
        (device_key, None, counter)
        if len(device_key) == DEVICE_KEY_BYTES
        else (None, KEY_FILE_DAMAGED, counter)
    )


def _overwrite(path: Path) -> None:
    _write(path, bytes(path.stat().st_size), 0)


def _write(path: Path, data: bytes, flags: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | flags, 0o600)
    try:
        rest = memoryview(data)
        while rest:  # a disk that is full takes a part, and the next call fails
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
