"""The calculations against other people's code (psec, pyemv, cryptography) on random inputs, seeded."""

import random
from collections.abc import Callable

import psec.cvv
import psec.mac
import psec.pin
import psec.pinblock
import psec.tr31
import pyemv.ac
import pyemv.cvv
import pyemv.kd
import pyemv.sm
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from firmware.secure import aes, mac, tdes, tr31
from firmware.secure.tr31_header import KeyBlockHeader
from tools.calc.algorithms import card_verification, emv_cryptogram, emv_keys, pin_block
from tools.calc.algorithms.pin_verification import Ibm3624, pvv

# The libraries use names of triple DES that `cryptography` has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

ROUNDS = range(12)


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.node.name)


def digits(draw: random.Random, count: int) -> str:
    return "".join(draw.choice("0123456789") for _ in range(count))


@pytest.mark.parametrize("round_number", ROUNDS)
def test_pin_blocks_0_2_3(draw: random.Random, round_number: int) -> None:
    pin, pan = digits(draw, 4 + round_number % 9), digits(draw, 13 + round_number % 7)
    assert pin_block.encode(0, pin, pan) == psec.pinblock.encode_pinblock_iso_0(pin, pan)
    assert pin_block.encode(2, pin) == psec.pinblock.encode_pinblock_iso_2(pin)
    for block_format, theirs in (
        (0, psec.pinblock.encode_pinblock_iso_0(pin, pan)),
        (3, psec.pinblock.encode_pinblock_iso_3(pin, pan)),
    ):
        assert pin_block.decode(block_format, theirs, pan).pin == pin
    fill = "".join(draw.choice("ABCDEF") for _ in range(14 - len(pin)))
    assert psec.pinblock.decode_pinblock_iso_3(pin_block.encode(3, pin, pan, fill), pan) == pin


@pytest.mark.parametrize("round_number", ROUNDS)
def test_pin_block_4(draw: random.Random, round_number: int) -> None:
    pin, pan = digits(draw, 4 + round_number % 9), digits(draw, 12 + round_number % 8)
    key = draw.randbytes((16, 24, 32)[round_number % 3])
    theirs = psec.pinblock.encipher_pinblock_iso_4(key, pin, pan)
    clear = pin_block.decipher(4, key, theirs, pan)
    assert pin_block.decode(4, clear).pin == pin
    assert pin_block.encipher(4, key, clear, pan) == theirs


@pytest.mark.parametrize("round_number", ROUNDS)
def test_pvv_and_ibm3624(draw: random.Random, round_number: int) -> None:
    key, pan, pin = draw.randbytes(16), digits(draw, 13 + round_number % 7), digits(draw, 4)
    pvki = digits(draw, 1)
    assert pvv(key, pvki, pin, pan) == psec.pin.generate_visa_pvv(key, pvki, pin, pan)
    table, offset = digits(draw, 16), draw.randrange(3)
    method = Ibm3624(table, offset, 10, "F")
    theirs = psec.pin.generate_ibm3624_offset(key, table, pin, pan, offset, 10, "F")
    assert method.offset(key, pan, pin) == theirs
    assert method.pin(key, pan, theirs) == pin


@pytest.mark.parametrize("round_number", ROUNDS)
def test_cvv(draw: random.Random, round_number: int) -> None:
    key, pan = draw.randbytes(16), digits(draw, 12 + round_number % 8)
    expiry, service_code = digits(draw, 4), digits(draw, 3)
    assert card_verification.cvv(key, pan, expiry, service_code) == psec.cvv.generate_cvv(
        key, pan, expiry, service_code
    )


@pytest.mark.parametrize("round_number", ROUNDS)
def test_cvc3(draw: random.Random, round_number: int) -> None:
    key, track = draw.randbytes(16), draw.randbytes(17 + round_number)
    atc, un = draw.randbytes(2), draw.randbytes(4)
    ours = card_verification.cvc3(key, card_verification.iv_cvc3(key, track), un, atc)
    assert ours == pyemv.cvv.generate_cvc3(key, track, atc, un).zfill(5)  # it drops zeros in front


@pytest.mark.parametrize("padding", [1, 2, 3])
@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 200])
def test_chained_macs(draw: random.Random, padding: int, size: int) -> None:
    data, key = draw.randbytes(size), draw.randbytes(16)
    method: mac.Padding = f"iso9797-{padding}"  # type: ignore[assignment]
    assert mac.cbc_mac(key, data, method) == psec.mac.generate_cbc_mac(key, data, padding)
    assert mac.cbc_mac(key[:8], data, method) == psec.mac.generate_cbc_mac(key[:8], data, padding)
    assert mac.retail_mac(key, data, method) == psec.mac.generate_retail_mac(key[:8], key[8:], data, padding)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 64])
def test_aes_cmac_and_modes(draw: random.Random, size: int) -> None:
    data = draw.randbytes(size)
    for key in (draw.randbytes(16), draw.randbytes(24), draw.randbytes(32)):
        judge = CMAC(AES(key))
        judge.update(data)
        assert mac.aes_cmac(key, data) == judge.finalize()
        blocks, iv = draw.randbytes(48), draw.randbytes(16)
        encryptor = Cipher(AES(key), modes.CBC(iv)).encryptor()
        assert aes.encrypt_cbc(key, blocks, iv) == encryptor.update(blocks)
        assert aes.decrypt_cbc(key, aes.encrypt_cbc(key, blocks, iv), iv) == blocks


@pytest.mark.parametrize("key", ["11" * 16, "10" * 8 + "11" * 8, "11" * 16 + "22" * 8, "22" * 8 + "11" * 16])
def test_chaining_under_keys_with_equal_parts(draw: random.Random, key: str) -> None:
    """The library's triple DES refuses such keys; block by block there is no such limit."""
    blocks, iv = draw.randbytes(24), draw.randbytes(8)
    chained, previous = b"", iv
    for at in range(0, len(blocks), 8):
        mixed = bytes(a ^ b for a, b in zip(blocks[at : at + 8], previous, strict=True))
        previous = tdes.encrypt(bytes.fromhex(key), mixed)
        chained += previous
    assert tdes.encrypt_cbc(bytes.fromhex(key), blocks, iv) == chained
    assert tdes.decrypt_cbc(bytes.fromhex(key), chained, iv) == blocks


KBPK_BYTES = (
    *(("A", 8), ("A", 16), ("A", 24), ("B", 16), ("B", 24), ("C", 8), ("C", 16), ("C", 24)),
    *(("D", 16), ("D", 24), ("D", 32)),
)


@pytest.mark.parametrize(("version", "kbpk_bytes"), KBPK_BYTES)
@pytest.mark.parametrize("key_bytes", [8, 16, 24])
def test_key_blocks(draw: random.Random, version: str, kbpk_bytes: int, key_bytes: int) -> None:
    kbpk, key = draw.randbytes(kbpk_bytes), draw.randbytes(key_bytes)
    theirs = psec.tr31.Header(version, "P0", "T", "E", "07", "S")
    theirs.blocks["KS"] = "00604B120F9292800000"
    unwrapped = tr31.unwrap(kbpk, psec.tr31.wrap(kbpk, theirs, key))
    assert unwrapped.key == key
    assert unwrapped.header == KeyBlockHeader(
        version, "P0", "T", "E", "07", "S", {"KS": "00604B120F9292800000"}
    )
    ours = tr31.wrap(
        kbpk,
        KeyBlockHeader(version, "M3", "T", "C", "c1", "N", {"LB": "a label", "T1": ""}),
        key,
        draw.randbytes,
        masked_key_bytes=draw.choice([0, 24, 32]),
    )
    header, their_key = psec.tr31.unwrap(kbpk, ours)
    assert their_key == key
    assert (header.key_usage, header.version_num, header.blocks["LB"]) == ("M3", "c1", "a label")


def test_a_long_optional_block_comes_back(draw: random.Random) -> None:
    header = KeyBlockHeader("B", "K0", "T", "N", optional_blocks={"CT": "A" * 300})
    block = tr31.wrap(bytes(16), header, draw.randbytes(16), draw.randbytes)
    assert tr31.unwrap(bytes(16), block).header == header


@pytest.mark.parametrize("round_number", ROUNDS)
def test_chip_keys(draw: random.Random, round_number: int) -> None:
    imk, pan, psn = draw.randbytes(16), digits(draw, 13 + round_number % 7), digits(draw, 2)
    master = emv_keys.icc_master_key(imk, pan, psn, "A")
    assert master == pyemv.kd.derive_icc_mk_a(imk, pan, psn)
    judge: Callable[[bytes, str, str], bytes] = (
        pyemv.kd.derive_icc_mk_b if len(pan) > 16 else pyemv.kd.derive_icc_mk_a
    )
    assert emv_keys.icc_master_key(imk, pan, psn, "B") == judge(imk, pan, psn)
    atc, r = draw.randbytes(2), draw.randbytes(8)
    assert emv_keys.common_session_key(master, r) == pyemv.kd.derive_common_sk(master, r)
    assert emv_keys.visa_sm_session_key(master, atc) == pyemv.kd.derive_visa_sm_sk(master, atc)
    for height, branch in ((8, 4), (16, 2)):
        iv = draw.randbytes(16)
        ours = emv_keys.emv2000_session_key(master, atc, height=height, branch=branch, iv=iv)
        assert ours == pyemv.kd.derive_emv2000_tree_sk(master, atc, height, branch, iv)


@pytest.mark.parametrize("round_number", ROUNDS)
def test_cryptograms(draw: random.Random, round_number: int) -> None:
    key, data = draw.randbytes(16), draw.randbytes(30 + round_number)
    for name, padding in (("emv", pyemv.ac.PaddingType.EMV), ("visa", pyemv.ac.PaddingType.VISA)):
        assert emv_cryptogram.application_cryptogram(key, data, name) == pyemv.ac.generate_ac(
            key, data, padding
        )
    arqc, arc, csu = draw.randbytes(8), draw.randbytes(2), draw.randbytes(4)
    proprietary = draw.randbytes(round_number % 9)
    assert emv_cryptogram.arpc_1(key, arqc, arc) == pyemv.ac.generate_arpc_1(key, arqc, arc)
    assert emv_cryptogram.arpc_2(key, arqc, csu, proprietary) == pyemv.ac.generate_arpc_2(
        key, arqc, csu, proprietary
    )
    assert emv_cryptogram.script_mac(key, data) == pyemv.sm.generate_command_mac(key, data)


@pytest.mark.parametrize("round_number", ROUNDS)
def test_script_data(draw: random.Random, round_number: int) -> None:
    key, pin, current = draw.randbytes(16), digits(draw, 4 + round_number % 9), digits(draw, 6)
    for now in ("", current):
        ours = emv_cryptogram.change_pin_block("visa", pin, icc_mk_ac=key, current_pin=now)
        assert ours == pyemv.sm.format_vis_pin_block(key, pin, now or None)
    data = draw.randbytes(8 + round_number)
    for name, kind in (
        ("emv", pyemv.sm.EncryptionType.EMV),
        ("visa", pyemv.sm.EncryptionType.VISA),
        ("mastercard", pyemv.sm.EncryptionType.MASTERCARD),
    ):
        assert emv_cryptogram.encipher_script_data(key, data, name) == pyemv.sm.encrypt_command_data(
            key, data, kind
        ), name
