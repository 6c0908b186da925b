"""Both ways to AES-GCM give another library's results; where the faster is not right the slower stands in."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from firmware.secure import gcm_engine
from firmware.secure.gcm_engine import NONCE_BYTES, TAG_BYTES, GcmEngine
from firmware.secure.memory import SecretBytes

ENGINES = {"direct": gcm_engine.engine(), "public": gcm_engine.public_engine()}
every_engine = pytest.mark.parametrize("one", ENGINES.values(), ids=ENGINES)

KEYS = st.sampled_from((16, 24, 32)).flatmap(lambda size: st.binary(min_size=size, max_size=size))
NONCES = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)
TEXTS = st.binary(max_size=100)


@pytest.fixture
def anew() -> Iterator[None]:
    """The choice is made once: here it is made again."""
    gcm_engine.engine.cache_clear()
    yield
    gcm_engine.engine.cache_clear()


def test_the_faster_one_is_used_here() -> None:
    assert gcm_engine.engine() != gcm_engine.public_engine()
    assert all(gcm_engine.gives_right_answers(one) for one in ENGINES.values())


@every_engine
@given(key=KEYS, nonce=NONCES, bound=TEXTS, secret=TEXTS)
def test_seals_are_those_of_another_library(
    one: GcmEngine, key: bytes, nonce: bytes, bound: bytes, secret: bytes
) -> None:
    sealed = one.seal(SecretBytes(key), nonce, bound, SecretBytes(secret))
    assert sealed == AESGCM(key).encrypt(nonce, secret, bound)
    opened = one.open(key, nonce, bound, sealed)
    assert bytes(opened) == secret
    assert isinstance(opened, SecretBytes), "whoever has it can overwrite it"


@every_engine
def test_every_changed_bit_breaks_the_seal(one: GcmEngine) -> None:
    key, nonce, bound = bytes(32), bytes(NONCE_BYTES), b"name"
    sealed = one.seal(key, nonce, bound, b"a secret of more than one block")
    assert one.open(key, nonce, bound, sealed)
    for bit in range(8 * len(sealed)):
        wrong = int.from_bytes(sealed, "big") ^ 1 << bit
        with pytest.raises(ValueError, match="seal"):
            one.open(key, nonce, bound, wrong.to_bytes(len(sealed), "big"))
    for other in ((bytes(31) + b"\1", nonce, bound), (key, nonce[:-1] + b"\1", bound), (key, nonce, b"nam")):
        with pytest.raises(ValueError, match="seal"):
            one.open(*other, sealed)


@every_engine
@pytest.mark.parametrize("size_bytes", range(TAG_BYTES + 1))
def test_what_is_too_short_does_not_open(one: GcmEngine, size_bytes: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        one.open(bytes(32), bytes(NONCE_BYTES), b"name", bytes(size_bytes))


@pytest.mark.parametrize("error", [AttributeError, ImportError, TypeError])
@pytest.mark.usefixtures("anew")
def test_other_bindings_are_noticed(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def gone() -> GcmEngine:
        raise error("_ghash_clmul")

    monkeypatch.setattr(gcm_engine, "_direct_engine", gone)
    assert gcm_engine.engine() == gcm_engine.public_engine()


@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda right: replace(right, seal=lambda *_: bytes(76)),
        lambda right: replace(right, open=lambda *_: SecretBytes(60)),
        lambda right: replace(right, open=lambda *_: SecretBytes.fromhex(gcm_engine.KNOWN.clear)),
    ],
    ids=["seals wrong", "opens wrong", "opens everything"],
)
def test_wrong_answers_are_noticed(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[[GcmEngine], GcmEngine]
) -> None:
    monkeypatch.setattr(gcm_engine, "_direct_engine", lambda: wrong(gcm_engine.public_engine()))
    assert gcm_engine.engine() == gcm_engine.public_engine()


def test_the_portable_hash_is_used_where_the_processor_has_no_instructions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from Crypto.Cipher import _mode_gcm

    monkeypatch.setattr(_mode_gcm, "_ghash_clmul", None)
    assert gcm_engine.gives_right_answers(gcm_engine._direct_engine())
