"""Sealed records: what opens them, and what must not."""

from dataclasses import dataclass

import pytest
from Crypto.Cipher import AES

from firmware.secure.errors import KeyMissing, KeyMisused, SealBroken, StoreOutdated
from firmware.secure.key_use import KeyUse
from firmware.secure.vault import TABLE, Vault
from hal.api import Delete, Put, StorageFailed, Tampered
from hal.virtual.power import PowerCut
from hal.virtual.rng import SeededRng
from hal.virtual.storage import MemoryStorage, Snapshot
from hal.virtual.tamper import VirtualTamper

SECRET = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
DEVICE_KEY = bytes(range(32))


@pytest.fixture
def storage() -> MemoryStorage:
    storage = MemoryStorage()
    storage.open()
    return storage


@pytest.fixture
def vault(storage: MemoryStorage) -> Vault:
    vault = vault_over(storage, DEVICE_KEY)
    vault.commit([vault.sealed("tmk/01", KeyUse.TMK, SECRET)])
    return vault


def vault_over(storage: MemoryStorage, device_key: bytes) -> Vault:
    rng = SeededRng(seed=1)
    return Vault(storage, VirtualTamper(rng, device_key=device_key), rng)


def stored(storage: MemoryStorage, name: str = "tmk/01") -> bytes:
    record = storage.get(TABLE, name)
    assert record is not None
    return record


def test_a_sealed_secret_opens_again_and_is_wiped_after_use(storage: MemoryStorage, vault: Vault) -> None:
    assert vault.holds("tmk/01")
    with vault_over(storage, DEVICE_KEY).opened("tmk/01", KeyUse.TMK) as secret:
        assert secret == SECRET
    assert secret == bytes(16)
    assert SECRET not in stored(storage)


def test_the_record_is_aes_256_gcm_as_described(storage: MemoryStorage, vault: Vault) -> None:
    record = stored(storage)
    assert len(record) == 1 + 1 + 12 + 16 + 16
    cipher = AES.new(DEVICE_KEY, AES.MODE_GCM, nonce=record[2:14])
    cipher.update(b"keys/tmk/01/v2/1")
    assert cipher.decrypt_and_verify(record[14:-16], record[-16:]) == SECRET


def test_the_same_secret_is_sealed_with_a_new_nonce_each_time(vault: Vault) -> None:
    first, second = vault.sealed("tmk/01", KeyUse.TMK, SECRET), vault.sealed("tmk/01", KeyUse.TMK, SECRET)
    assert first.value[2:14] != second.value[2:14]
    assert first.value[14:] != second.value[14:]


def test_any_flipped_bit_breaks_the_seal(storage: MemoryStorage, vault: Vault) -> None:
    record = stored(storage)
    for place in range(len(record)):
        altered = bytearray(record)
        altered[place] ^= 1
        storage.commit([Put(TABLE, "tmk/01", bytes(altered))])
        with pytest.raises(SealBroken), vault.opened("tmk/01", KeyUse.TMK):
            pass


@pytest.mark.parametrize("length", [0, 1, 12, 28])
def test_a_torn_record_breaks_the_seal(storage: MemoryStorage, vault: Vault, length: int) -> None:
    storage.commit([Put(TABLE, "tmk/01", stored(storage)[:length])])
    with pytest.raises(SealBroken), vault.opened("tmk/01", KeyUse.TMK):
        pass


def test_a_record_does_not_open_under_another_name(storage: MemoryStorage, vault: Vault) -> None:
    storage.commit([Put(TABLE, "tmk/02", stored(storage))])
    with pytest.raises(SealBroken), vault.opened("tmk/02", KeyUse.TMK):
        pass


def test_a_record_does_not_open_under_another_device_key(storage: MemoryStorage, vault: Vault) -> None:
    stranger = vault_over(storage, bytes(32))
    with (
        pytest.raises(SealBroken, match="tmk/01 does not open with this device's key"),
        stranger.opened("tmk/01", KeyUse.TMK),
    ):
        pass


def test_a_missing_record_is_named(vault: Vault) -> None:
    with pytest.raises(KeyMissing, match="tmk/07"), vault.opened("tmk/07", KeyUse.TMK):
        pass


def test_after_a_trip_nothing_is_held_opened_or_sealed(storage: MemoryStorage) -> None:
    rng = SeededRng(seed=1)
    tamper = VirtualTamper(rng, device_key=DEVICE_KEY)
    vault = Vault(storage, tamper, rng)
    vault.commit([vault.sealed("tmk/01", KeyUse.TMK, SECRET)])
    tamper.trip()
    assert not vault.holds("tmk/01")
    with pytest.raises(Tampered), vault.opened("tmk/01", KeyUse.TMK):
        pass
    with pytest.raises(Tampered):
        vault.sealed("tmk/01", KeyUse.TMK, SECRET)


# --- old copies --------------------------------------------------------------------------------------


def copy_of(storage: MemoryStorage, snapshot: Snapshot) -> None:
    """Put the storage back to what it was: what a thief of the memory card does."""
    storage.commit([Delete(table, key) for table, key in storage.snapshot()])
    storage.commit([Put(table, key, value) for (table, key), value in snapshot.items()])


@dataclass
class Device:
    """A vault, and the same one after a restart."""

    storage: MemoryStorage
    tamper: VirtualTamper
    rng: SeededRng

    def vault(self) -> Vault:
        return Vault(self.storage, self.tamper, self.rng)

    def store(self, name: str = "tmk/01") -> None:
        vault = self.vault()
        vault.commit([vault.sealed(name, KeyUse.TMK, SECRET)])


@pytest.fixture
def device(storage: MemoryStorage) -> Device:
    rng = SeededRng(seed=2)
    device = Device(storage, VirtualTamper(rng, device_key=DEVICE_KEY), rng)
    device.store()
    return device


def test_an_old_copy_is_noticed_and_wiping_helps(device: Device) -> None:
    old = device.storage.snapshot()
    device.store("tmk/02")
    copy_of(device.storage, old)
    vault = device.vault()
    with (
        pytest.raises(StoreOutdated, match="generation 1, this device is at 2"),
        vault.opened("tmk/01", KeyUse.TMK),
    ):
        pass
    with pytest.raises(StoreOutdated):
        device.store()
    vault.wipe()
    device.store()
    with device.vault().opened("tmk/01", KeyUse.TMK) as secret:
        assert secret == SECRET


def test_one_old_record_among_new_ones_is_noticed(device: Device) -> None:
    old = stored(device.storage)
    device.store()
    device.storage.commit([Put(TABLE, "tmk/01", old)])
    with pytest.raises(StoreOutdated, match="several copies"), device.vault().opened("tmk/01", KeyUse.TMK):
        pass


def test_a_store_without_its_generation_is_refused(device: Device) -> None:
    device.storage.commit([Delete(TABLE, "generation")])
    with (
        pytest.raises(StoreOutdated, match="lost its generation"),
        device.vault().opened("tmk/01", KeyUse.TMK),
    ):
        pass


def test_a_power_cut_between_commit_and_count_is_made_good(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut() -> int:
        raise PowerCut("now")

    with monkeypatch.context() as patch:
        patch.setattr(device.tamper, "advance", cut)
        with pytest.raises(PowerCut):
            device.store("tmk/02")
    assert device.tamper.counter() == 1
    with device.vault().opened("tmk/02", KeyUse.TMK) as secret:
        assert secret == SECRET
    assert device.tamper.counter() == 2


def test_a_count_that_fails_again_and_again_is_made_good(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage works, the device key's file does not: the store never gets two generations ahead."""

    def fail() -> int:
        raise StorageFailed("scripted failure of the key file")

    vault = device.vault()
    with monkeypatch.context() as patch:
        patch.setattr(device.tamper, "advance", fail)
        for _ in range(3):
            with pytest.raises(StorageFailed):
                vault.commit([vault.sealed("tmk/02", KeyUse.TMK, SECRET)])
            with pytest.raises(StorageFailed), vault.opened("tmk/01", KeyUse.TMK):
                pass
    assert device.tamper.counter() == 1
    vault.commit([vault.sealed("tmk/03", KeyUse.TMK, SECRET)])
    assert device.tamper.counter() == 3
    with device.vault().opened("tmk/03", KeyUse.TMK) as secret:
        assert secret == SECRET


def test_a_store_nobody_can_read_begins_anew_with_the_next_key(device: Device) -> None:
    old = device.storage.snapshot()
    device.store("tmk/02")
    copy_of(device.storage, old)
    vault = device.vault()
    assert not vault.is_newest()
    vault.begin_anew([vault.sealed("tmk/05", KeyUse.TMK, SECRET)])
    assert vault.is_newest()
    assert device.vault().names() == ["tmk/05"]
    with device.vault().opened("tmk/05", KeyUse.TMK) as secret:
        assert secret == SECRET


# --- one use -----------------------------------------------------------------------------------------


def test_a_key_opens_for_its_own_use_only(vault: Vault) -> None:
    with (
        pytest.raises(KeyMisused, match="tmk/01 is a TMK, not a transport key"),
        vault.opened("tmk/01", KeyUse.TRANSPORT),
    ):
        pass


def test_the_use_cannot_be_changed_in_the_store(storage: MemoryStorage, vault: Vault) -> None:
    record = bytearray(stored(storage))
    record[1] = KeyUse.TRANSPORT.number
    storage.commit([Put(TABLE, "tmk/01", bytes(record))])
    with pytest.raises(SealBroken), vault.opened("tmk/01", KeyUse.TRANSPORT):
        pass


def test_every_use_has_a_number_of_its_own() -> None:
    assert [KeyUse.numbered(use.number) for use in KeyUse] == list(KeyUse)
