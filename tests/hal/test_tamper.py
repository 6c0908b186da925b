"""VirtualTamper's key file: found again, private, destroyed by a trip, and tripped when in doubt."""

import errno
import json
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hal.api import DeviceFault, DeviceMissing, StorageFailed, StorageTrouble, Tampered, TamperTripped
from hal.virtual.rng import SeededRng
from hal.virtual.tamper import VirtualTamper


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "device-key.json"


def _opened(key_file: Path | None = None, *, seed: int = 0, device_key: bytes | None = None) -> VirtualTamper:
    tamper = VirtualTamper(SeededRng(seed=seed), key_file=key_file, device_key=device_key)
    tamper.open()
    return tamper


def test_a_restarted_terminal_finds_its_key(key_file: Path) -> None:
    first = _opened(key_file, seed=1)
    assert _opened(key_file, seed=2).device_key() == first.device_key()
    assert [file.name for file in key_file.parent.iterdir()] == ["device-key.json"]


def test_the_file_is_for_its_owner_only(key_file: Path) -> None:
    _opened(key_file)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


def test_a_trip_leaves_no_key_in_the_file_and_is_remembered(key_file: Path) -> None:
    tamper = _opened(key_file)
    key = tamper.device_key()
    tamper.trip("drilled")
    assert json.loads(key_file.read_text()) == {"tripped": "drilled"}
    assert key.hex() not in key_file.read_text()
    restarted = _opened(key_file)
    assert restarted.tripped
    assert restarted.self_test().detail == "tampered: drilled"
    with pytest.raises(Tampered, match="drilled"):
        restarted.device_key()


def test_a_trip_overwrites_the_key_where_it_lay(key_file: Path) -> None:
    tamper = _opened(key_file)
    same_blocks = key_file.with_name("another name of the same file")
    same_blocks.hardlink_to(key_file)
    size_bytes = same_blocks.stat().st_size
    tamper.trip()
    assert same_blocks.read_bytes() == bytes(size_bytes)


def test_a_service_visit_makes_a_new_key(key_file: Path) -> None:
    tamper = _opened(key_file)
    key = tamper.device_key()
    tamper.trip()
    tamper.service_reset()
    assert not tamper.tripped
    assert tamper.device_key() != key
    assert _opened(key_file).device_key() == tamper.device_key()


@pytest.mark.parametrize(
    "content", [b"", bytes(84), b"{}", b"[]", b"7", b'{"device_key": "00"}', b'{"device_key": 1}', b"\xff"]
)
def test_a_damaged_file_counts_as_tripped(key_file: Path, content: bytes) -> None:
    key_file.write_bytes(content)
    key_file.chmod(0o600)
    tamper = _opened(key_file)
    assert tamper.tripped
    with pytest.raises(Tampered, match="key file damaged"):
        tamper.device_key()


def test_a_file_that_others_can_read_is_refused(key_file: Path) -> None:
    _opened(key_file)
    key_file.chmod(0o640)
    with pytest.raises(DeviceMissing, match="chmod 600"):
        _opened(key_file)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceMissing, match="check that its folder is there"):
        _opened(tmp_path / "no" / "key.json")


def test_a_left_over_of_a_power_cut_does_no_harm(key_file: Path) -> None:
    key_file.with_name("device-key.json.new").write_bytes(b"half a fi")
    key = _opened(key_file).device_key()
    assert _opened(key_file).device_key() == key


@contextmanager
def files_no_longer_than(size_bytes: int) -> Iterator[None]:
    """A disk that takes so much of a file, and then no more: a write ends short, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_half_a_file_leaves_the_key_and_its_count(key_file: Path) -> None:
    tamper = _opened(key_file)
    tamper.advance()
    before = key_file.read_bytes()
    with files_no_longer_than(50), pytest.raises(StorageFailed, match="check that its folder"):
        tamper.advance()
    assert (key_file.read_bytes(), tamper.counter()) == (before, 1)
    assert tamper.advance() == 2
    assert _opened(key_file).counter() == 2


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (errno.ENOSPC, StorageTrouble.FULL),
        (errno.EROFS, StorageTrouble.READ_ONLY),
        (errno.EIO, StorageTrouble.FAILED),
    ],
)
def test_a_file_that_cannot_be_written_says_why_and_nothing_was_counted(
    key_file: Path, monkeypatch: pytest.MonkeyPatch, error: int, trouble: StorageTrouble
) -> None:
    tamper = _opened(key_file)

    def refuse(_self: Path, _target: Path) -> Path:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(StorageFailed) as caught:
            tamper.advance()
    assert (caught.value.trouble, tamper.counter()) == (trouble, 0)


def test_a_key_file_that_cannot_be_overwritten_is_replaced(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tamper = _opened(key_file)

    def refuse(_path: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("hal.device_key._overwrite", refuse)
    tamper.trip("drilled")
    assert _opened(key_file).tripped


def test_a_trip_that_reaches_no_file_is_a_trip_all_the_same(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tamper = _opened(key_file)

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("hal.device_key._write", refuse)
    with pytest.raises(StorageFailed) as caught:
        tamper.trip("drilled")
    assert caught.value.trouble is StorageTrouble.READ_ONLY
    assert list(tamper.poll()) == [TamperTripped("drilled")]
    with pytest.raises(Tampered):
        tamper.device_key()


def test_a_given_key_is_used_and_kept(key_file: Path) -> None:
    key = bytes(range(32))
    assert _opened(device_key=key).device_key() == key
    assert _opened(key_file, device_key=key).device_key() == key
    assert _opened(key_file).device_key() == key
    with pytest.raises(ValueError, match="32 bytes"):
        VirtualTamper(SeededRng(), device_key=key[1:])


def test_there_is_no_key_before_opening() -> None:
    with pytest.raises(DeviceFault, match="not open"):
        VirtualTamper(SeededRng()).device_key()


def test_no_error_or_repr_shows_the_key() -> None:
    tamper = _opened()
    shown = repr(tamper) + str(tamper) + repr(tamper.self_test())
    assert tamper.device_key().hex() not in shown
