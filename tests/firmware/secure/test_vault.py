"""Sealed records: what opens them, and what must not."""

import pytest
from Crypto.Cipher import AES

from firmware.secure.errors import KeyMissing, SealBroken
from firmware.secure.vault import TABLE, Vault
from hal.api import Put, Tampered
from hal.virtual.rng import SeededRng
from hal.virtual.storage import MemoryStorage
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
    vault.commit([vault.sealed("tmk/01", SECRET)])
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
    with vault_over(storage, DEVICE_KEY).opened("tmk/01") as secret:
        assert secret == SECRET
    assert secret == bytes(16)
    assert SECRET not in stored(storage)


def test_the_record_is_aes_256_gcm_as_described(storage: MemoryStorage, vault: Vault) -> None:
    record = stored(storage)
    assert len(record) == 1 + 12 + 16 + 16
    cipher = AES.new(DEVICE_KEY, AES.MODE_GCM, nonce=record[1:13])
    cipher.update(b"keys/tmk/01/v1")
    assert cipher.decrypt_and_verify(record[13:-16], record[-16:]) == SECRET


def test_the_same_secret_is_sealed_with_a_new_nonce_each_time(vault: Vault) -> None:
    first, second = vault.sealed("tmk/01", SECRET), vault.sealed("tmk/01", SECRET)
    assert first.value[1:13] != second.value[1:13]
    assert first.value[13:] != second.value[13:]


def test_any_flipped_bit_breaks_the_seal(storage: MemoryStorage, vault: Vault) -> None:
    record = stored(storage)
    for place in range(len(record)):
        altered = bytearray(record)
        altered[place] ^= 1
        storage.commit([Put(TABLE, "tmk/01", bytes(altered))])
        with pytest.raises(SealBroken), vault.opened("tmk/01"):
            pass


@pytest.mark.parametrize("length", [0, 1, 12, 28])
def test_a_torn_record_breaks_the_seal(storage: MemoryStorage, vault: Vault, length: int) -> None:
    storage.commit([Put(TABLE, "tmk/01", stored(storage)[:length])])
    with pytest.raises(SealBroken), vault.opened("tmk/01"):
        pass


def test_a_record_does_not_open_under_another_name(storage: MemoryStorage, vault: Vault) -> None:
    storage.commit([Put(TABLE, "tmk/02", stored(storage))])
    with pytest.raises(SealBroken), vault.opened("tmk/02"):
        pass


def test_a_record_does_not_open_under_another_device_key(storage: MemoryStorage, vault: Vault) -> None:
    stranger = vault_over(storage, bytes(32))
    with (
        pytest.raises(SealBroken, match="tmk/01 does not open with this device's key"),
        stranger.opened("tmk/01"),
    ):
        pass


def test_a_missing_record_is_named(vault: Vault) -> None:
    with pytest.raises(KeyMissing, match="tmk/07"), vault.opened("tmk/07"):
        pass


def test_after_a_trip_nothing_is_held_opened_or_sealed(storage: MemoryStorage) -> None:
    rng = SeededRng(seed=1)
    tamper = VirtualTamper(rng, device_key=DEVICE_KEY)
    vault = Vault(storage, tamper, rng)
    vault.commit([vault.sealed("tmk/01", SECRET)])
    tamper.trip()
    assert not vault.holds("tmk/01")
    with pytest.raises(Tampered), vault.opened("tmk/01"):
        pass
    with pytest.raises(Tampered):
        vault.sealed("tmk/01", SECRET)
