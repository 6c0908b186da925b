"""Both ways to the cipher give the same, and the slower one stands in where the faster is not as expected."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.secure import des_engine, dukpt_tdes, mac
from firmware.secure.des_engine import Engine, engine, is_right, public_engine

keys = st.sampled_from((8, 16, 24)).flatmap(lambda size: st.binary(min_size=size, max_size=size))
blocks = st.integers(0, 4).flatmap(lambda count: st.binary(min_size=8 * count, max_size=8 * count))
ivs = st.binary(min_size=8, max_size=8)


@pytest.fixture
def anew() -> Iterator[None]:
    """The choice is made once: here it is made again."""
    engine.cache_clear()
    yield
    engine.cache_clear()


def test_the_faster_one_is_used_here() -> None:
    assert engine() != public_engine()


@given(key=keys, data=blocks, iv=ivs)
def test_both_give_the_same(key: bytes, data: bytes, iv: bytes) -> None:
    direct, public = (_all_ways(one, key, data, iv) for one in (engine(), public_engine()))
    assert direct == public
    assert direct[2:] == [data, data]


def _all_ways(one: Engine, key: bytes, data: bytes, iv: bytes) -> list[bytes]:
    """Enciphered in both modes, and deciphered again."""
    plain, chained = bytearray(data), bytearray(data)
    one.encrypt(bytearray(key), plain)
    one.encrypt_cbc(memoryview(key), chained, iv)
    results = [bytes(plain), bytes(chained)]
    one.decrypt(key, plain)
    one.decrypt_cbc(key, chained, iv)
    return [*results, bytes(plain), bytes(chained)]


@pytest.mark.parametrize("one", [engine(), public_engine()], ids=["direct", "public"])
def test_keys_with_equal_parts_are_single_des(one: Engine) -> None:
    expected = bytearray(b"12345678")
    one.encrypt(bytes(range(8)), expected)
    for count in (2, 3):
        block = bytearray(b"12345678")
        one.encrypt(bytes(range(8)) * count, block)
        assert block == expected


@pytest.mark.parametrize("one", [engine(), public_engine()], ids=["direct", "public"])
def test_a_part_of_a_block_is_refused(one: Engine) -> None:
    for work in (one.encrypt, one.decrypt):
        with pytest.raises(ValueError, match="block"):
            work(bytes(8), bytearray(9))
    for work_cbc in (one.encrypt_cbc, one.decrypt_cbc):
        with pytest.raises(ValueError, match="block"):
            work_cbc(bytes(8), bytearray(7), bytes(8))


@pytest.mark.usefixtures("anew")
def test_other_bindings_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> Engine:
        raise AttributeError("_raw_des_lib")

    monkeypatch.setattr(des_engine, "_direct_engine", gone)
    assert engine() == public_engine()


@pytest.mark.usefixtures("anew")
def test_wrong_answers_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = public_engine()
    wrong = Engine(lambda _key, _data: None, right.decrypt, right.encrypt_cbc, right.decrypt_cbc)
    monkeypatch.setattr(des_engine, "_direct_engine", lambda: wrong)
    assert not is_right(wrong)
    assert engine() == right


@pytest.mark.usefixtures("anew")
def test_everything_above_works_with_the_slower_one(monkeypatch: pytest.MonkeyPatch) -> None:
    key, ksn = bytes(range(16)), bytes.fromhex("FFFF9876543210E00007")

    def results() -> list[bytes]:
        engine.cache_clear()
        return [
            mac.unionpay_ecb_mac(key, b"message"),
            mac.retail_mac(key, b"a longer message"),
            mac.cbc_mac(key, b"a longer message"),
            bytes(dukpt_tdes.transaction_key(key, ksn)),
        ]

    fast = results()
    monkeypatch.setattr(des_engine, "_direct_engine", public_engine)
    assert results() == fast
