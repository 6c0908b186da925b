"""Both ways to each cipher give the same; the slower one stands in where the faster is not as expected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from firmware.secure import aes, aes_engine, des_engine, dukpt_aes, dukpt_tdes, mac
from firmware.secure.aes_engine import AesEngine
from firmware.secure.cipher_library import Engine
from firmware.secure.des_engine import DesEngine

BOTH: tuple[ModuleType, ...] = (des_engine, aes_engine)
SIZES = {des_engine: (8, 16, 24), aes_engine: (16, 24, 32)}

both_ciphers = pytest.mark.parametrize("module", BOTH, ids=["DES", "AES"])
every_engine = pytest.mark.parametrize(
    ("one", "block_bytes"),
    [
        pytest.param(engine, module.BLOCK_BYTES, id=f"{module.__name__.rpartition('.')[2]}-{name}")
        for module in BOTH
        for name, engine in (("direct", module.engine()), ("public", module.public_engine()))
    ],
)


@pytest.fixture(params=BOTH, ids=["DES", "AES"])
def anew(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The choice is made once: here it is made again."""
    module: ModuleType = request.param
    module.engine.cache_clear()
    yield module
    module.engine.cache_clear()


def bytes_of(*sizes: int) -> st.SearchStrategy[bytes]:
    return st.sampled_from(sizes).flatmap(lambda size: st.binary(min_size=size, max_size=size))


# --- the same answers ------------------------------------------------------------------------------------


@both_ciphers
def test_the_faster_one_is_used_here(module: ModuleType) -> None:
    assert module.engine() != module.public_engine()
    assert module.gives_right_answers(module.engine())
    assert module.gives_right_answers(module.public_engine())


@both_ciphers
@given(data=st.data())
def test_both_give_the_same(module: ModuleType, data: st.DataObject) -> None:
    block = module.BLOCK_BYTES
    key, iv = data.draw(bytes_of(*SIZES[module])), data.draw(bytes_of(block))
    text = data.draw(bytes_of(*range(0, 5 * block, block)))
    direct, public = (_all_ways(one, key, text, iv) for one in (module.engine(), module.public_engine()))
    assert direct == public
    assert direct[2:] == [text, text]


def _all_ways(one: Engine, key: bytes, data: bytes, iv: bytes) -> list[bytes]:
    """Enciphered in both modes, and deciphered again."""
    plain, chained = bytearray(data), bytearray(data)
    one.encrypt(bytearray(key), plain)
    one.encrypt_cbc(memoryview(key), chained, iv)
    results = [bytes(plain), bytes(chained)]
    one.decrypt(key, plain)
    one.decrypt_cbc(key, chained, iv)
    return [*results, bytes(plain), bytes(chained)]


@given(key=bytes_of(16, 24, 32), data=bytes_of(*range(16, 80, 16)), iv=bytes_of(16))
def test_aes_is_that_of_another_library(key: bytes, data: bytes, iv: bytes) -> None:
    theirs = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    assert aes.encrypt_cbc(key, data, iv) == theirs.update(data)
    assert aes.decrypt_cbc(key, aes.encrypt_cbc(key, data, iv), iv) == data


@pytest.mark.parametrize("one", [des_engine.engine(), des_engine.public_engine()], ids=["direct", "public"])
def test_des_keys_with_equal_parts_are_single_des(one: DesEngine) -> None:
    expected = one.new_step()(bytes(range(8)), b"12345678")
    for count in (1, 2, 3):
        block = bytearray(b"12345678")
        one.encrypt(bytes(range(8)) * count, block)
        assert block == expected


# --- derivation ------------------------------------------------------------------------------------------


@given(keys=st.lists(bytes_of(8), min_size=1, max_size=3), block=bytes_of(8))
def test_steps_of_des_are_blocks_of_it(keys: list[bytes], block: bytes) -> None:
    for step in (des_engine.engine().new_step(), des_engine.public_engine().new_step()):
        for key in keys:
            expected = bytearray(block)
            des_engine.public_engine().encrypt(key, expected)
            assert step(key, block) == expected


@given(data=st.data())
def test_a_chain_of_aes_is_one_encipherment_after_the_other(data: st.DataObject) -> None:
    key = data.draw(bytes_of(16, 24, 32))
    texts = data.draw(st.lists(bytes_of(aes_engine.TEXT_BYTES[len(key)]), max_size=4))
    expected = key
    for text in texts:
        expected = aes.encrypt(expected, text)[: len(key)]
    for one in (aes_engine.engine(), aes_engine.public_engine()):
        assert one.chain(key, texts) == expected


# --- bad input -------------------------------------------------------------------------------------------


@every_engine
def test_a_part_of_a_block_is_refused(one: Engine, block_bytes: int) -> None:
    key, part = bytes(16), bytearray(block_bytes + 1)
    for work in (one.encrypt, one.decrypt):
        with pytest.raises(ValueError, match="block"):
            work(key, part)
    for work_cbc in (one.encrypt_cbc, one.decrypt_cbc):
        with pytest.raises(ValueError, match=r"block|boundary"):  # the library's own words for CBC
            work_cbc(key, part, bytes(block_bytes))


@pytest.mark.parametrize("one", [des_engine.engine(), des_engine.public_engine()], ids=["direct", "public"])
@pytest.mark.parametrize(("key_bytes", "block_bytes"), [(7, 8), (16, 8), (8, 7), (8, 9)])
def test_a_step_takes_one_key_and_one_block(one: DesEngine, key_bytes: int, block_bytes: int) -> None:
    with pytest.raises(ValueError, match="block"):
        one.new_step()(bytes(key_bytes), bytes(block_bytes))


@pytest.mark.parametrize("one", [aes_engine.engine(), aes_engine.public_engine()], ids=["direct", "public"])
@pytest.mark.parametrize(("key_bytes", "text_bytes"), [(16, 32), (24, 16), (24, 24), (32, 48), (16, 0)])
def test_a_chain_takes_texts_of_the_keys_length(one: AesEngine, key_bytes: int, text_bytes: int) -> None:
    with pytest.raises(ValueError, match="block"):
        one.chain(bytes(key_bytes), [bytes(text_bytes)])


# --- which one is used -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [AttributeError, ImportError, TypeError])
def test_other_bindings_are_noticed(
    anew: ModuleType, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def gone() -> Engine:
        raise error("_raw_lib")

    monkeypatch.setattr(anew, "_direct_engine", gone)
    assert anew.engine() == anew.public_engine()


@pytest.mark.parametrize("operation", ["encrypt", "decrypt", "encrypt_cbc", "decrypt_cbc", "derivation"])
def test_wrong_answers_are_noticed(anew: ModuleType, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    name = operation
    if operation == "derivation":
        name = "chain" if anew is aes_engine else "new_step"
    does_nothing = {
        "chain": lambda key, _texts: bytearray(key),
        "new_step": lambda: lambda _key, block: bytearray(block),
    }.get(name, lambda *_arguments: None)
    wrong = replace(anew.public_engine(), **{name: does_nothing})
    monkeypatch.setattr(anew, "_direct_engine", lambda: wrong)
    assert not anew.gives_right_answers(wrong)
    assert anew.engine() == anew.public_engine()


def test_everything_above_works_with_the_slower_one(
    anew: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, ksn = bytes(range(16)), bytes.fromhex("FFFF9876543210E00007")

    def results() -> list[bytes]:
        anew.engine.cache_clear()
        return [
            mac.unionpay_ecb_mac(key, b"message"),
            mac.retail_mac(key, b"a longer message"),
            mac.cbc_mac(key, b"a longer message"),
            mac.aes_cmac(key, b"a longer message"),
            bytes(dukpt_tdes.transaction_key(key, ksn)),
            bytes(dukpt_aes.transaction_key(key + key, ksn + bytes.fromhex("0007"))),
        ]

    fast = results()
    monkeypatch.setattr(anew, "_direct_engine", anew.public_engine)
    assert results() == fast


def test_the_portable_aes_is_used_where_the_processor_has_no_instructions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from Crypto.Cipher import AES

    for name in ("_raw_aes_hw", "_raw_aesni_lib"):
        monkeypatch.setattr(AES, name, None, raising=False)
    portable = aes_engine._direct_engine()
    assert aes_engine.gives_right_answers(portable)
